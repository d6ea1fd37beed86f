"""The panel driven from Python, as a browser drives it: values are set, buttons clicked, files sent in pieces."""

import io
import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageSequence

from fersyn.explore import Explorer, choices, keep
from fersyn.explore.shaped import Wish
from fersyn.explore.view import jpeg
from fersyn.nets import instruments
from fersyn.reporting import project
from fersyn.training import model
from fersyn.training.runs import write_config


def result(panel):
    return panel.cards[0].result.value


def moved(panel, widget, value):
    """Set a widget's value; whether the result's bytes changed."""
    before = result(panel)
    widget.value = value
    assert panel.wait()
    return result(panel) != before


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def error(panel):
    return panel.status.value if 'role="alert"' in panel.status.value else ""


def test_opens_with_a_result_and_offers_what_is_there(panel):
    assert panel.run.options == ("landmark-flow", "c-gan", choices.KIT) and panel.run.value == "landmark-flow"
    assert Image.open(io.BytesIO(result(panel))).size == (512, 512)
    assert "surprise" in panel.wish.expression.options and not error(panel)
    assert "never seen" in panel.about.value


@pytest.mark.parametrize("value", [0.0, 0.31, 1.5])
def test_intensity_changes_the_picture(panel, value):
    assert moved(panel, panel.wish.intensity, value)


def test_every_control_changes_the_picture(panel):
    wish = panel.wish
    assert moved(panel, wish.expression, "surprise")
    assert moved(panel, wish.second, "anger") and moved(panel, wish.share, 0.8)
    for slider in wish.handles.values():
        assert moved(panel, slider, slider.max)
    pulled = result(panel)
    wish.reset.click()
    assert panel.wait() and result(panel) != pulled and not any(each.value for each in wish.handles.values())
    assert moved(panel, panel.person, panel.person.options[-1][1])
    assert moved(panel, panel.picture, panel.picture.options[-1][1])
    assert not error(panel)


def test_a_fast_slider_ends_at_its_last_place(panel):
    asked = panel.painter.worker.done
    for value in np.linspace(0, 0.8, 60):
        panel.wish.intensity.value = float(value)
    assert panel.wait() and "80%" in panel.cards[0].title.value
    assert panel.painter.worker.dropped > 0 and panel.painter.worker.done - asked < 60


def test_two_methods_side_by_side(panel):
    assert panel.cards[1].box.layout.display == "none"
    panel.beside.value = "c-gan"
    assert panel.wait()
    assert panel.cards[1].box.layout.display is None and panel.cards[1].result.value != result(panel)
    faces = (panel.source, *(card.result for card in panel.cards))
    assert all(int(each.layout.width.removesuffix("px")) >= 384 for each in faces)
    panel.wish.handles["mouth_open"].value = 0.2
    assert panel.wait() and "handles do nothing" in panel.cards[1].title.value
    assert "handles do nothing" not in panel.cards[0].title.value


def test_handles_are_grey_for_a_method_without_landmarks(panel):
    panel.run.value = "c-gan"
    assert panel.wait() and all(each.disabled for each in panel.wish.handles.values())


def test_neutral_knows_no_degrees(panel):
    panel.wish.expression.value = "neutral"
    assert panel.wait() and panel.wish.intensity.disabled
    panel.wish.second.value = "surprise"  # a blend does
    assert panel.wait() and not panel.wish.intensity.disabled and moved(panel, panel.wish.intensity, 0.9)
    assert "neutral and surprise (50%) at 90%" in panel.cards[0].title.value
    panel.wish.share.value = 0
    assert panel.wait() and panel.wish.intensity.disabled
    panel.wish.second.value, panel.wish.expression.value = "", "anger"
    assert panel.wait() and not panel.wish.intensity.disabled


def test_what_is_measured(panel):
    text = panel.cards[0].measures.value
    assert "dlib distance" in text and "<th>the kit" not in text  # judge_epochs=0
    for name in instruments.JUDGES:
        assert (f"<th>{name}</th>" in text) == instruments.available(name)
    assert ("Actions that moved most" in text) == instruments.available("actions")


def test_recogniser_is_trained_once_and_kept(small_table, runs, tmp_path):
    import shutil

    table = shutil.copytree(small_table.path, tmp_path / "table")
    first = Explorer([table], runs, judge_epochs=1)
    assert first.wait() and "trained now" in first.status.value
    assert "<th>the kit" in first.cards[0].measures.value
    second = Explorer([table], runs, judge_epochs=1)
    assert second.wait() and "read from" in second.status.value
    assert second.cards[0].measures.value == first.cards[0].measures.value
    third = Explorer([table], runs, judge_epochs=1, seed=1)  # another training: the kept one does not do
    assert third.wait() and "trained now" in third.status.value


def test_a_recogniser_is_never_trained_on_another_table_than_the_first(small_table, runs, tmp_path):
    import shutil

    from fersyn.explore import measures

    table = shutil.copytree(small_table.path, tmp_path / "table")
    panel = Explorer([tmp_path / "none", table], runs, judge_epochs=1)
    assert (
        "There is no recogniser: it would learn from" in panel.status.value
        and not measures.path_of(panel._tables["table"]).exists()
    )
    assert panel.wait() and result(panel) and "<th>the kit" not in panel.cards[0].measures.value
    assert "There is no recogniser" in Explorer([], runs, judge_epochs=1).status.value


def test_a_recogniser_that_cannot_be_kept_is_used_all_the_same(small_table, runs, tmp_path, monkeypatch):
    import shutil

    import safetensors.torch

    def full(*_):
        raise safetensors.SafetensorError("I/O error: No space left on device")

    table = shutil.copytree(small_table.path, tmp_path / "table")
    monkeypatch.setattr(safetensors.torch, "save_file", full)
    panel = Explorer([table], runs, judge_epochs=1)
    assert panel.wait() and "could not be kept for the next time (I/O error: No space" in panel.status.value
    assert "<th>the kit" in panel.cards[0].measures.value


@pytest.mark.parametrize("module", ["recogniser", "fidelity"])
def test_a_kept_recogniser_is_of_the_code_that_would_train_it(small_table, tmp_path, monkeypatch, module):
    from fersyn.evaluation import fidelity
    from fersyn.explore import measures
    from fersyn.nets import recogniser

    before = measures._stamp(small_table, 1, 0)
    (tmp_path / "changed.py").write_text("LEARNING_RATE = 2")
    monkeypatch.setattr({"recogniser": recogniser, "fidelity": fidelity}[module], "__file__", tmp_path / "changed.py")
    assert measures._stamp(small_table, 1, 0) != before


def test_where_no_run_is_trained_the_model_that_comes_with_the_kit_edits(small_table, tmp_path, monkeypatch):
    panel = Explorer([small_table.path], tmp_path / "none", judge_epochs=0)
    assert panel.wait() and panel.run.options == (choices.KIT,) and panel.notice.layout.display == "none"
    assert panel.wish.expression.value == "happiness" and panel.wish.intensity.value == 1 and result(panel)
    assert "never seen this person" in panel.about.value and 'make("", ' in panel.code.text
    monkeypatch.chdir(tmp_path)
    exec(panel.code.text, {})
    assert "landmark-flow.safetensors" in Image.open("happiness.png").text["Weights"]


def test_no_run_says_which_command_makes_one(small_table, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "SHIPPED", tmp_path / "none.safetensors")
    panel = Explorer([small_table.path], tmp_path / "none", judge_epochs=0)
    assert panel.wait() and panel.notice.layout.display is None
    report, alone = (line.text for line in panel.train)
    assert report == "make report PROFILE=laptop" and "train landmark-flow --data" in alone
    assert str(tmp_path / "none" / "landmark-flow") in alone
    panel.keep["picture"].click()
    assert all(each.disabled for each in panel.keep.values()) and "nothing to save" in error(panel)


def test_commands_are_those_of_the_profile_for_the_project_s_folder(monkeypatch):
    monkeypatch.chdir(project.root() / "notebooks")  # where JupyterLab's kernels work
    panel = Explorer(["data/other/rendered"], judge_epochs=0, profile="other")
    report, alone = (line.text for line in panel.train)
    assert report == "make report PROFILE=other" and alone.endswith(
        " --data data/other/rendered --out runs/other/landmark-flow --profile other"
    )
    assert "make report PROFILE=other" in panel.status.value


def test_the_command_starts_from_the_project_s_folder(tmp_path, monkeypatch):
    done = subprocess.run([*keep.command(), "edit", "--help"], cwd=project.root(), capture_output=True, text=True)
    assert done.returncode == 0 and "--expression" in done.stdout
    for folder in ("notebooks", "profiles", ".venv/bin"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("Snakefile", ".venv/bin/fersyn"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert keep.command() == [".venv/bin/fersyn"]


def test_a_run_trained_meanwhile_is_found(small_table, runs, tmp_path):
    folder = tmp_path / "later"
    panel = Explorer([small_table.path], folder, judge_epochs=0)
    import shutil

    shutil.copytree(runs / "c-gan", folder / "mine" / "c-gan")
    panel.again.click()
    assert panel.wait() and panel.run.options == ("mine/c-gan", choices.KIT) and result(panel)
    assert panel.notice.layout.display == "none"


def test_no_table_says_so_and_takes_photographs(runs, portrait, tmp_path):
    panel = Explorer([tmp_path / "none"], runs, judge_epochs=0)
    assert "no such face table" in panel.status.value and "make report PROFILE=laptop" in panel.status.value
    assert panel.wait() and result(panel) and "openpeople-P001.png" in panel.title.value + panel.about.value
    before = result(panel)
    panel.upload("me.png", png(portrait))
    assert panel.wait() and result(panel) != before


def test_a_damaged_run_is_told_and_the_state_stays(panel, runs, small_table, tmp_path):
    import shutil

    folder = shutil.copytree(runs, tmp_path / "runs")
    (folder / "c-gan" / "checkpoint.pt").write_bytes(b"nothing")
    panel = Explorer([small_table.path], folder, judge_epochs=0)
    panel.run.value = "c-gan"
    assert panel.wait() and "is damaged" in error(panel) and panel.run.value == "landmark-flow" and result(panel)


@pytest.mark.parametrize("data", [b"", "half"])
def test_a_damaged_first_run_is_told_once_beside_the_notes_and_the_next_one_taken(small_table, runs, tmp_path, data):
    import shutil

    folder = shutil.copytree(runs, tmp_path / "runs")
    motion = folder / "landmark-flow" / "motion.npz"
    motion.write_bytes(motion.read_bytes()[:1000] if data == "half" else data)
    panel = Explorer([small_table.path, tmp_path / "none"], folder, judge_epochs=0)
    assert panel.wait() and panel.run.value == "c-gan" and result(panel)
    assert moved(panel, panel.wish.intensity, 0.2)  # a picture is no reason to take it back
    assert panel.status.value.count("is no landmark motion") == 1 and "no such face table" in panel.status.value
    shutil.copy(runs / "landmark-flow" / "motion.npz", motion)
    panel.again.click()
    assert panel.wait() and not error(panel) and "2 runs below" in panel.status.value


def test_the_worker_wipes_nothing_but_its_own_errors(panel, monkeypatch):
    request = panel._request()
    panel.status.fail("act", "a bad upload")
    panel.painter.work(request)  # asked for before
    assert "a bad upload" in error(panel)
    with monkeypatch.context() as patch:
        patch.setattr(panel.painter, "_write_code", lambda _: 1 / 0)
        panel.painter.work(request)
    assert "a bad upload" in error(panel) and "ZeroDivisionError" in error(panel)
    panel.painter.work(request)
    assert "a bad upload" in error(panel) and "ZeroDivisionError" not in error(panel)


def test_the_worker_needs_nothing_that_the_panel_changes_meanwhile(panel):
    request = panel._request()
    panel._using, panel._runs, panel.code.text = (), {}, ""
    panel.painter.work(request)
    assert not error(panel) and "landmark-flow" in panel.code.text and "landmark-flow" in panel.cards[0].title.value


def test_other_folders_are_no_runs(small_table, runs, tmp_path):
    import shutil

    from fersyn import methods
    from fersyn.explore.choices import find_runs

    write_config(tmp_path, methods.get("copy"), methods.get("copy").preset("smoke"), 0)  # begun, without a checkpoint
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(json.dumps({"theme": "dark"}))
    assert find_runs(tmp_path) == {} and list(find_runs(runs)) == ["landmark-flow", "c-gan"]
    for name in ("c-gan", "c-gan.old", "c-gan.old2"):  # the last two were set aside by a report
        shutil.copytree(runs / "c-gan", tmp_path / "more" / name)
    assert list(find_runs(tmp_path / "more")) == ["c-gan"]
    names = [f"{runs.name}/landmark-flow", f"{runs.name}/c-gan"]
    assert [name for name in find_runs(runs.parent) if name in names] == names
    for inner in ("ablations/full.seed0", "augmentation/landmark-flow.fold1.seed0"):
        shutil.copytree(runs / "c-gan", tmp_path / "more" / inner)
    assert list(find_runs(tmp_path / "more")) == ["c-gan"], "what a notebook trains for itself is nobody's to choose"
    assert list(find_runs(tmp_path / "more" / "ablations")) == ["full.seed0"]


def test_upload_in_pieces_and_two_faces(panel, portrait):
    both = png(np.concatenate([portrait, portrait[:, ::-1]], 1))
    half = len(both) // 2
    for part, piece in enumerate((both[:half], both[half:])):
        content = {"kind": "piece", "key": "k", "name": "two.png", "part": part, "total": 2}
        panel.picker._handle_custom_msg(content, [memoryview(piece)])
    assert panel.wait() and not error(panel)
    assert panel.set_.value == "your photograph" and len(panel.number.options) == 2
    assert panel.number.layout.display is None and panel.person.layout.display == "none"
    first = result(panel)
    panel.number.value = 1
    assert panel.wait() and result(panel) != first and "number=2" in panel.code.text and "--face 2" in panel.shell.text


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("text.png", b"no picture at all", "text.png: no picture that can be read"),
        ("half.jpg", "truncated", "truncated"),
        ("wall.jpg", "noise", "wall.jpg: no face found"),
        ("empty.png", b"", "the file is empty"),
    ],
)
def test_a_bad_upload_is_one_line_and_the_state_stays(panel, name, data, told):
    if data == "noise":
        data = jpeg(np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8))
    if data == "truncated":
        data = jpeg(np.zeros((200, 300, 3), np.uint8))[:-300]
    before = result(panel), panel.code.text, panel.set_.value
    panel.upload(name, data)
    assert panel.wait() and told in error(panel)
    assert (result(panel), panel.code.text, panel.set_.value) == before
    assert moved(panel, panel.wish.intensity, 0.2) and not error(panel)


def test_too_many_pixels_are_refused(panel, portrait, monkeypatch):
    from fersyn.datasets import photo

    monkeypatch.setattr(photo, "MAX_PIXELS", portrait.shape[0] * portrait.shape[1] - 1)
    panel.upload("large.png", png(portrait))
    assert "too large" in error(panel)


@pytest.mark.parametrize("second", ["", "anger"])
def test_code_line_makes_the_same_picture(panel, tmp_path, monkeypatch, second):
    panel.wish.second.value = second
    panel.wish.handles["mouth_open"].value = 0.2
    panel.wish.intensity.value = 0.83
    assert panel.wait()
    panel.keep["picture"].click()
    monkeypatch.chdir(tmp_path)
    exec(panel.code.text, {})
    again = np.asarray(Image.open(tmp_path / "happiness.png"))
    assert np.array_equal(again, np.asarray(Image.open(panel.last_saved))) and not panel.shell.text


def test_photograph_is_saved_whole_and_both_lines_make_it_again(panel, portrait, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(portrait).save("me.png")
    panel.upload("me.png", (tmp_path / "me.png").read_bytes())
    assert panel.wait()
    panel.keep["picture"].click()
    saved = np.asarray(Image.open(panel.last_saved))
    assert saved.shape == portrait.shape and not np.array_equal(saved, portrait)
    assert np.array_equal(saved[0], portrait[0])  # what is outside of the mask is the photograph's
    exec(panel.code.text, {})
    assert np.array_equal(np.asarray(Image.open("happiness.png")), saved)
    from typer.testing import CliRunner

    from fersyn.cli import app

    words = shlex.split(panel.shell.text.replace("happiness.png", "by-command.png"))
    start = keep.command()
    assert words[: len(start)] == start and CliRunner().invoke(app, words[len(start) :]).exit_code == 0
    assert np.array_equal(np.asarray(Image.open("by-command.png")), saved)


@pytest.mark.parametrize("kind", ["picture", "gif", "mp4"])
def test_a_snapshot_is_written_when_the_result_is_saved_and_not_before(panel, portrait, tmp_path, kind, monkeypatch):
    if kind == "mp4":
        pytest.importorskip("imageio_ffmpeg")
    panel.upload("camera.jpg", jpeg(portrait), camera=True)
    assert panel.wait() and not (tmp_path / "saved").exists()
    panel.keep[kind].click()
    saved = sorted(path.name for path in (tmp_path / "saved").iterdir())
    suffix = "jpg" if kind == "picture" else kind
    assert len(saved) == 2 and "happiness" not in saved[1] and saved[0].endswith(f"-happiness-100.{suffix}")
    monkeypatch.chdir(tmp_path)
    exec(panel.code.text, {})
    assert Image.open("happiness.png").size == portrait.shape[1::-1]


def test_sweeps_are_a_gif_and_an_mp4_that_move(panel):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    panel.keep["gif"].click()
    gif = Image.open(panel.last_saved)
    frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
    assert len(frames) > 15 and gif.info["loop"] == 0 and frames[0].shape == (256, 256, 3)
    assert not np.array_equal(frames[0], frames[len(frames) // 2])
    panel.keep["mp4"].click()
    assert panel.last_saved.suffix == ".mp4"
    reader = imageio_ffmpeg.read_frames(str(panel.last_saved))
    about = next(reader)
    assert about["codec"] == "h264" and about["size"] == (256, 256) and "yuv420p" in about["pix_fmt"]
    assert len(list(reader)) > 30
    assert 'href="data:video/mp4' in panel.status.value and panel.last_saved.stem.startswith("P")


@pytest.mark.parametrize(
    ("run", "wish"),
    [
        ("landmark-flow", Wish("happiness", 0.0)),
        ("landmark-flow", Wish("happiness", 0.0, "anger", 0.5)),
        ("landmark-flow", Wish("neutral", 0.0, "anger", 0.5)),
        ("landmark-flow", Wish("neutral", 0.0, amounts={"mouth_open": 0.3})),
        ("c-gan", Wish("happiness", 0.0, amounts={"mouth_open": 0.3})),
    ],
)
def test_a_sweep_moves(panel, run, wish):
    from fersyn.explore.keep import sweep

    frames = sweep(panel._face, panel._load(run).synthesiser, wish)
    assert not np.array_equal(frames[0], frames[len(frames) // 2])


@pytest.mark.parametrize("run", ["landmark-flow", "c-gan"])
def test_a_film_of_neutral_is_refused(panel, run, tmp_path):
    panel.run.value, panel.wish.expression.value = run, "neutral"
    panel.keep["gif"].click()
    assert "neutral alone has nothing" in error(panel) and not list((tmp_path / "saved").glob("*.gif"))
    panel.wish.expression.value = "anger"
    assert panel.wait() and not error(panel)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (OSError(28, "No space left on device"), "No space left on device; make room, or give another folder: saved="),
        (SyntaxError("broken data stream"), "SyntaxError: broken data stream (a fault of fersyn"),
    ],
)
def test_saving_that_fails_says_so(panel, monkeypatch, fault, told):
    def fail(*_):
        raise fault

    monkeypatch.setattr(keep, "marked", fail)
    panel.keep["picture"].click()
    assert told in error(panel) and "Saving" not in panel.status.value and panel.last_saved is None


def test_names_of_saved_files_do_not_take_each_other_s_place(panel):
    names = set()
    for _ in range(3):
        panel.keep["picture"].click()
        names.add(panel.last_saved.name)
    assert len(names) == 3


def test_nobody_is_shown_unasked_who_did_not_agree(small_table, runs, tmp_path, monkeypatch):
    from fersyn.table import FaceTable

    closed = FaceTable.open(small_table.path)
    closed.rows = closed.rows.assign(publishable=False)
    monkeypatch.setattr(FaceTable, "open", classmethod(lambda cls, path: closed))
    panel = Explorer([small_table.path], runs, judge_epochs=0)
    assert panel.wait() and not result(panel) and not panel.source.value
    assert "may be shown in public" in panel.about.value
    panel.person.value = panel.person.options[1][1]
    assert panel.wait() and result(panel) and "not to be shown" in panel.person.options[1][0]


def test_hooks_and_names_for_the_keyboard(panel):
    assert "fersyn-explorer" in panel._dom_classes
    assert "fersyn-result" in panel.cards[0].result._dom_classes
    assert "fersyn-intensity" in panel.wish.intensity._dom_classes and panel.wish.intensity.continuous_update
    assert "fersyn-status" in panel.status._dom_classes
    for control in (*panel.wish.all, panel.run, panel.beside, panel.person, panel.picture, *panel.keep.values()):
        assert control.description and control.tooltip
    assert "navigator.mediaDevices" in panel.picker._esm and not re.search(r"https?://", panel.picker._esm)
