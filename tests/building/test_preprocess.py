"""Whole tables: odd pictures, resuming, workers, killed runs."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersyn.building import folder, preprocess, workers
from fersyn.building.folder import Journal, file_name, source_key
from fersyn.building.preprocess import build_table
from fersyn.datasets.folder import read_folder
from fersyn.datasets.frames import Frame, FrameSet, Picture
from fersyn.errors import FersynError, TableError
from fersyn.table import FaceTable


@pytest.fixture
def photos(portraits, save, tmp_path):
    """Eight good photographs: two people, four expressions."""
    for person in ("P001", "P002"):
        for expression in ("neutral", "happiness", "anger", "surprise"):
            save(portraits[person, expression], tmp_path / "photos" / person / expression / "a.png")
    return tmp_path / "photos"


def reasons(table: FaceTable) -> dict[str, str]:
    return dict(zip(table.skipped["source"], table.skipped["reason"], strict=True))


# ---- odd pictures -------------------------------------------------------------------------------------------------


def test_odd_pictures_are_handled_or_skipped_with_their_reason(photos, portrait, save, tmp_path, capsys):
    odd = photos / "P009"
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    save(noise, odd / "fear" / "noface.png")
    save(portrait[:9, :12], odd / "fear" / "tiny.png")
    (odd / "fear" / "text.jpg").write_text("no picture")
    (odd / "fear" / "empty.jpg").write_bytes(b"")
    whole = save(portrait, odd / "fear" / "truncated.jpg")
    whole.write_bytes(whole.read_bytes()[:2000])
    Image.new("1", (14_000, 14_000)).save(odd / "fear" / "huge.png")
    handled = {"alpha.png", "deep16.png", "turned.jpg", "cmyk.jpg", "grey.png", "large.jpg"}
    alpha = np.full((*portrait.shape[:2], 1), 255, np.uint8)
    save(np.dstack([portrait, alpha]), odd / "sad" / "alpha.png")
    Image.fromarray(portrait[..., 1].astype(np.uint16) * 257).save(odd / "sad" / "deep16.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    Image.fromarray(np.ascontiguousarray(np.rot90(portrait))).save(odd / "sad" / "turned.jpg", exif=exif, quality=95)
    Image.fromarray(portrait).convert("CMYK").save(odd / "sad" / "cmyk.jpg")
    save(portrait[..., 0], odd / "sad" / "grey.png")
    Image.fromarray(portrait).resize((4000, 2600)).save(odd / "sad" / "large.jpg")

    table = build_table(read_folder(photos), tmp_path / "t", workers=0)
    assert reasons(table) == {
        "P009/fear/empty.jpg": "empty.jpg: the file is empty; copy or download it again",
        "P009/fear/huge.png": "huge.png: too large (196 megapixels, at most 150); save a smaller copy",
        "P009/fear/noface.png": "no face found (160x120 px, also tried enlarged and turned)",
        "P009/fear/text.jpg": "text.jpg: no picture that can be read (damaged, or no picture format); save it as JPEG "
        "or PNG",
        "P009/fear/tiny.png": "too small to hold a face (12x9 px)",
        "P009/fear/truncated.jpg": "truncated.jpg: the file is truncated; copy or download it again",
    }
    assert set(table.skipped["subject"]) == {"P009"} and set(table.skipped["expression"]) == {"fear"}
    assert {source.split("/")[-1] for source in table.rows["source"]} >= handled
    printed = capsys.readouterr().err
    assert (
        "14 faces of 3 people, 6 skipped" in printed
        and f"each with its reason in {tmp_path / 't' / 'skipped.csv'}" in printed
    )
    # All six show the same face: they end up alike.
    mine = [i for i, source in enumerate(table.rows["source"]) if source.split("/")[-1] in handled]
    faces = table.images(mine).astype(float).mean(-1)
    for face in faces:
        assert np.corrcoef(face.ravel(), faces[0].ravel())[0, 1] > 0.9


def test_a_file_that_a_csv_lists_but_is_missing_is_skipped(photos, tmp_path):
    (tmp_path / "list.csv").write_text("file,expression\nP001/neutral/a.png,neutral\nP001/none.png,sad\n")
    table = build_table(read_folder(photos, csv=tmp_path / "list.csv"), tmp_path / "t", workers=0)
    assert len(table) == 1 and reasons(table) == {"P001/none.png": "none.png: no such file"}
    assert table.info["split_notes"] == ["one person only: nobody is held out, and there are no folds"]


def test_no_usable_face_is_an_error_that_says_so(save, tmp_path):
    save(np.zeros((100, 100, 3), np.uint8), tmp_path / "p" / "sad" / "1.png")
    save(np.zeros((100, 100, 3), np.uint8), tmp_path / "p" / "sad" / "2.png")
    (tmp_path / "p" / "sad" / "3.png").write_text("")
    told = r"2 x no face found \(100x100 px.*; 1 x 3.png: the file is empty.*check the folder"
    message = rf"no usable face in the 3 pictures of folder \({told}"
    with pytest.raises(FersynError, match=message):
        build_table(read_folder(tmp_path / "p"), tmp_path / "t", workers=0)
    with pytest.raises(TableError, match="unfinished"):
        FaceTable.open(tmp_path / "t")


def test_a_folder_in_which_nothing_was_found_is_free_for_another_request(photos, save, tmp_path):
    save(np.zeros((100, 100, 3), np.uint8), tmp_path / "p" / "sad" / "1.png")
    with pytest.raises(FersynError, match="no usable face"):
        build_table(read_folder(tmp_path / "p"), tmp_path / "t", workers=0)
    assert len(build_table(read_folder(photos), tmp_path / "t", workers=0)) == 8


@dataclass(frozen=True)
class _Made(Frame):
    """A frame with known truth, or one that breaks with that error."""

    image: bytes = b""
    shape: tuple = ()
    truth: tuple = ()
    breaks: type | None = None

    def picture(self):
        if self.breaks:
            raise self.breaks("a fault\nin the source")
        return Picture(np.frombuffer(self.image, np.uint8).reshape(self.shape), dict(self.truth))

    def stamp(self):
        return "1"


def made(portrait, number, **more):
    known = {"dataset": "made", "subject": f"S{number}", "sequence": "", "frame": 0, "expression": None}
    pixels = {"image": portrait.tobytes(), "shape": portrait.shape}
    return _Made(source=f"s/{number}", intensity=math.nan, publishable=False, **known, **pixels, **more)


def test_truth_goes_along_in_px_of_the_crop(portrait, tmp_path):
    from fersyn.faces.crop import crop_face

    points = crop_face(portrait).alignment.apply_inverse(crop_face(portrait).landmarks) + 0.5
    truth = (("landmarks", points), ("yaw", 12.5), ("light_elevation", 30), ("glasses", np.bool_(True)))
    frames = [made(portrait, 0, truth=truth), made(portrait, 1)]
    table = build_table(FrameSet("made", frames, "", ""), tmp_path / "t", workers=0)
    first, second = table.rows.iloc[0], table.rows.iloc[1]
    scale = np.hypot(first["align"][0], first["align"][1])
    difference = np.stack(first["truth_landmarks"]) - table.landmarks([0])[0]
    assert np.allclose(np.abs(difference), 0.5 * scale, atol=0.05)
    assert first["truth_yaw"] == 12.5 and first["truth_light_elevation"] == 30 and first["truth_glasses"] is True
    assert np.isnan(first["truth_pitch"]) and second["truth_landmarks"] is None and second["truth_glasses"] is None
    assert (
        (table.labels() == -1).all() and table.rows["expression"].isna().all() and table.rows["intensity"].isna().all()
    )


def test_an_unexpected_fault_in_one_picture_skips_it_and_is_tried_again(portrait, tmp_path):
    frames = [made(portrait, 0), made(portrait, 1, breaks=ZeroDivisionError)]
    table = build_table(FrameSet("made", frames, "", ""), tmp_path / "t", workers=0)
    assert reasons(table) == {"s/1": "unexpected ZeroDivisionError: a fault in the source"}
    table = build_table(FrameSet("made", [frames[0], made(portrait, 1)], "", ""), tmp_path / "t", workers=0)
    assert len(table) == 2 and len(table.skipped) == 0


class _Drawn(_Made):
    made_here = True


def test_a_fault_in_what_the_kit_draws_itself_ends_the_run(portrait, tmp_path):
    frame = _Drawn(**vars(made(portrait, 1, breaks=ZeroDivisionError)))
    with pytest.raises(RuntimeError, match="s/1 could not be drawn"):
        build_table(FrameSet("made", [made(portrait, 0), frame], "", ""), tmp_path / "t", workers=0)


@pytest.mark.parametrize(
    "error, message",
    [(MemoryError, "out of memory at s/1; run the same command again with fewer --workers"), (FersynError, "a fault")],
)
def test_what_is_no_fault_of_the_picture_ends_the_run(portrait, tmp_path, error, message):
    frames = [made(portrait, 0), made(portrait, 1, breaks=error)]
    with pytest.raises(FersynError, match=message):
        build_table(FrameSet("made", frames, "", ""), tmp_path / "t", workers=0)


@pytest.mark.parametrize("victim", ["images", "previews"])
def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(photos, tmp_path, monkeypatch, victim):
    real, left = workers.write_atomic, [3]

    def full(path, write):
        left[0] -= path.parent.name == victim
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return real(path, write)

    monkeypatch.setattr(workers, "write_atomic", full)
    with pytest.raises(FersynError, match=f"{victim}.*: cannot be written .No space left on device.; mend that and"):
        build_table(read_folder(photos), tmp_path / "t", workers=0)
    monkeypatch.undo()
    table = build_table(read_folder(photos), tmp_path / "t", workers=0)
    assert len(table) == 8 and len(table.skipped) == 0


# ---- the same whatever the workers, and only what is new ------------------------------------------------------------


def test_two_workers_give_the_fingerprint_of_one(people_frames, small_table, tmp_path):
    one = build_table(people_frames, tmp_path / "one", workers=1)
    two = build_table(people_frames, tmp_path / "two", workers=2)
    assert one.fingerprint == two.fingerprint == small_table.fingerprint
    for name in one.rows["file_name"]:
        assert (one.path / name).read_bytes() == (two.path / name).read_bytes()
    assert (one.path / "splits/holdout.csv").read_bytes() == (two.path / "splits/holdout.csv").read_bytes()


def test_another_holdout_deals_the_people_anew_and_processes_nothing(people_frames, tmp_path, capsys):
    few = build_table(people_frames, tmp_path / "t", workers=0)
    half = build_table(people_frames, tmp_path / "t", workers=0, holdout=0.5)
    sides = [table.rows.groupby("split")["subject"].nunique().to_dict() for table in (few, half)]
    assert sides == [{"test": 1, "train": 3}, {"test": 2, "train": 2}] and few.fingerprint != half.fingerprint
    assert "to go" not in capsys.readouterr().err
    with pytest.raises(FersynError, match="--holdout 1.0: the part of the people held out must lie between 0 and 1"):
        build_table(people_frames, tmp_path / "t", workers=0, holdout=1.0)


def test_rendered_people_are_the_same_with_two_workers(tmp_path):
    from fersyn.datasets.rendered import read_rendered

    one, two = (
        build_table(read_rendered(1, expressions=("happiness",)), tmp_path / str(n), workers=n).fingerprint
        for n in (1, 2)
    )
    assert one == two


def test_a_set_is_prepared_once_and_only_if_there_is_something_to_do(photos, tmp_path):
    calls = []
    frame_set = replace(read_folder(photos), prepare=lambda: calls.append(1))
    build_table(frame_set, tmp_path / "t", workers=2)
    build_table(frame_set, tmp_path / "t", workers=2)
    assert calls == [1]


def test_no_worker_besides_this_process_leaves_its_threads_as_they_were(photos, tmp_path):
    from threadpoolctl import threadpool_info, threadpool_limits

    with threadpool_limits(2):
        before = [pool["num_threads"] for pool in threadpool_info()]
        build_table(read_folder(photos), tmp_path / "t", workers=0)
        assert [pool["num_threads"] for pool in threadpool_info()][: len(before)] == before


def test_again_with_nothing_new_does_nothing(photos, tmp_path, capsys, monkeypatch):
    first = build_table(read_folder(photos), tmp_path / "t", workers=0)
    before = {
        path: path.stat().st_mtime_ns
        for path in (tmp_path / "t").rglob("*")
        if path.is_file() and path.name != "request.json"
    }
    monkeypatch.setattr(preprocess, "process", lambda *arguments: pytest.fail("something was processed"))
    capsys.readouterr()
    again = build_table(read_folder(photos), tmp_path / "t", workers=0)
    assert again.fingerprint == first.fingerprint
    assert "nothing to do, 8 faces of 2 people, 0 skipped" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in before}


def spy(monkeypatch) -> list[str]:
    seen = []
    real = preprocess.process

    def process(jobs, *arguments):
        seen.extend(frame.source for _, frame, _ in jobs)
        return real(jobs, *arguments)

    monkeypatch.setattr(preprocess, "process", process)
    return seen


def test_only_added_and_changed_photographs_are_processed(photos, portraits, save, tmp_path, monkeypatch):
    build_table(read_folder(photos), tmp_path / "t", workers=0)
    save(portraits["P003", "disgust"], photos / "P000" / "disgust" / "new.png")  # sorts in front: all numbers move
    save(portraits["P001", "fear"], photos / "P001" / "anger" / "a.png")
    (photos / "P002" / "anger" / "a.png").unlink()
    seen = spy(monkeypatch)
    table = build_table(read_folder(photos), tmp_path / "t", workers=0)
    assert seen == ["P000/disgust/new.png", "P001/anger/a.png"]
    table.verify()
    fresh = build_table(read_folder(photos), tmp_path / "fresh", workers=0)
    assert table.fingerprint == fresh.fingerprint
    assert sorted(os.listdir(table.path / "images")) == sorted(os.listdir(fresh.path / "images"))


def test_a_mended_label_needs_no_processing(photos, tmp_path, monkeypatch):
    table = tmp_path / "list.csv"
    table.write_text("file,expression\nP001/anger/a.png,sad\nP002/anger/a.png,anger\n")
    build_table(read_folder(photos, csv=table), tmp_path / "t", workers=0)
    table.write_text("file,expression\nP001/anger/a.png,anger\nP002/anger/a.png,anger\n")
    seen = spy(monkeypatch)
    again = build_table(read_folder(photos, csv=table), tmp_path / "t", workers=0)
    assert seen == [] and list(again.rows["expression"]) == ["anger", "anger"]
    again.verify()


def test_a_deleted_picture_is_made_again(photos, tmp_path, monkeypatch):
    first = build_table(read_folder(photos), tmp_path / "t", workers=0)
    (first.path / first.rows["file_name"][3]).unlink()
    (first.path / first.rows["file_name"][5]).write_bytes(b"half")
    seen = spy(monkeypatch)
    again = build_table(read_folder(photos), tmp_path / "t", workers=0)
    assert seen == [first.rows["source"][3], first.rows["source"][5]] and again.fingerprint == first.fingerprint
    again.verify()


# ---- refusals -------------------------------------------------------------------------------------------------------


def test_another_request_in_the_same_folder_is_refused(photos, tmp_path):
    first = build_table(read_folder(photos), tmp_path / "t", workers=0)
    cure = "name another folder with --out, or give --overwrite"
    message = rf"holds the table of another request \(size: 128 there, 64 now\); {cure}"
    with pytest.raises(TableError, match=message):
        build_table(read_folder(photos), tmp_path / "t", size=64, workers=0)
    assert FaceTable.open(tmp_path / "t").fingerprint == first.fingerprint
    (tmp_path / "t" / "mine.txt").write_text("keep me")
    table = build_table(read_folder(photos), tmp_path / "t", size=64, workers=0, overwrite=True)
    assert table.size == 64 and table.images([0]).shape == (1, 64, 64, 3) and (tmp_path / "t" / "mine.txt").is_file()
    shutil.copytree(photos, tmp_path / "elsewhere")
    with pytest.raises(TableError, match=r"another request \(root: "):
        build_table(read_folder(tmp_path / "elsewhere"), tmp_path / "t", size=64, workers=0)


def test_foreign_folders_and_files_are_left_alone(photos, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(TableError, match="is not empty and no face table that fersyn began; name another folder"):
            build_table(read_folder(photos), tmp_path / "mine", workers=0, overwrite=overwrite)
    with pytest.raises(TableError, match="is a file; name a folder"):
        build_table(read_folder(photos), tmp_path / "mine" / "thesis.txt", workers=0)


def test_a_folder_of_a_run_that_was_killed_at_once_may_be_used(photos, tmp_path):
    (tmp_path / "t" / ".fersyn").mkdir(parents=True)
    assert len(build_table(read_folder(photos), tmp_path / "t", workers=0)) == 8


def test_a_kill_while_overwriting_leaves_a_folder_that_is_still_a_tables(photos, tmp_path, monkeypatch):
    build_table(read_folder(photos), tmp_path / "t", workers=0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(folder, "write_json", lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        build_table(read_folder(photos), tmp_path / "t", size=64, workers=0, overwrite=True)
    assert build_table(read_folder(photos), tmp_path / "t", size=64, workers=0, overwrite=True).size == 64


def test_a_place_that_cannot_be_written_is_named(photos, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(
        TableError, match=r"file/t cannot be written \(Not a directory\); name another folder with --out"
    ):
        build_table(read_folder(photos), tmp_path / "file" / "t", workers=0)


@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks there")
def test_a_file_system_without_locks_does_without(photos, tmp_path, monkeypatch):
    import fcntl

    def none(*arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    assert len(build_table(read_folder(photos), tmp_path / "t", workers=0)) == 8


def test_wrong_arguments(photos, tmp_path):
    frame_set = read_folder(photos)
    with pytest.raises(FersynError, match="--size 4 is too small"):
        build_table(frame_set, tmp_path / "t", size=4)
    with pytest.raises(FersynError, match="--workers -1: must be 0 or more"):
        build_table(frame_set, tmp_path / "t", workers=-1)
    with pytest.raises(FersynError, match="there are no pictures to read"):
        build_table(replace(frame_set, frames=[]), tmp_path / "t")
    with pytest.raises(FersynError, match="P001/anger/a.png is listed more than once"):
        build_table(replace(frame_set, frames=frame_set.frames * 2), tmp_path / "t")
    assert not (tmp_path / "t").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no advisory locks there")
def test_two_processes_do_not_build_one_table(photos, tmp_path):
    import fcntl

    build_table(read_folder(photos), tmp_path / "t", workers=0)
    with (tmp_path / "t" / ".fersyn" / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(TableError, match="is being built by another process; wait for it, or stop it"):
            build_table(read_folder(photos), tmp_path / "t", workers=0)


# ---- kills ----------------------------------------------------------------------------------------------------------

_SCRIPT = """
import sys, time
from dataclasses import dataclass, replace
from fersyn.datasets import frames
from fersyn.datasets.folder import read_folder
from fersyn.building.preprocess import build_table

class Slow(frames.PhotoFrame):
    def picture(self):
        time.sleep(0.15)
        return super().picture()

if __name__ == "__main__":
    frame_set = read_folder(sys.argv[1])
    frame_set.frames = [Slow(**vars(frame)) for frame in frame_set.frames]
    build_table(frame_set, sys.argv[2], workers=2)
"""


def start(photos: Path, out: Path, tmp_path: Path) -> subprocess.Popen:
    script = tmp_path / "slow.py"
    script.write_text(_SCRIPT)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(preprocess.__file__).parents[2]), os.environ.get("PYTHONPATH", "")]),
    }
    return subprocess.Popen(
        [sys.executable, str(script), str(photos), str(out)], env=environment, stderr=subprocess.PIPE, text=True
    )


def wait_for_some(journal: Path, process: subprocess.Popen, least: int = 3) -> None:
    for _ in range(1200):
        if journal.is_file() and journal.read_bytes().count(b"\n") >= least:
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    pytest.fail("the run wrote nothing")


def children(pid: int) -> list[int]:
    """All processes below `pid`, from /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        below = [child for child, its in parents.items() if its == parent]
        found += below
        todo += below
    return found


@pytest.fixture
def many_photos(photos):
    for i in range(4):
        shutil.copytree(photos / "P001", photos / f"Q{i:03d}")
    return photos


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_run_goes_on_where_it_stopped(many_photos, tmp_path, monkeypatch):
    out = tmp_path / "t"
    process = start(many_photos, out, tmp_path)
    journal = out / ".fersyn" / "progress.jsonl"
    wait_for_some(journal, process)
    below = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(
        TableError, match="unfinished; run the command that builds it again, it goes on where it stopped"
    ):
        FaceTable.open(out)
    for _ in range(200):  # workers notice that their parent is gone
        if not any(
            Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]
            for pid in below
        ):
            break
        time.sleep(0.05)
    else:
        pytest.fail("workers were left behind")
    finished = {json.loads(line)["source"] for line in journal.read_text().splitlines()}
    with journal.open("a") as file:
        file.write('{"source": "P001/anger/a.png", "stamp": "12')  # as if killed while writing
    seen = spy(monkeypatch)
    frame_set = read_folder(many_photos)
    table = build_table(frame_set, out, workers=0)
    assert 3 <= len(finished) < len(frame_set.frames) == 24
    assert sorted([*seen, *finished]) == sorted(frame.source for frame in frame_set.frames)
    fresh = build_table(frame_set, tmp_path / "fresh", workers=0)
    assert table.fingerprint == fresh.fingerprint
    table.verify()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
def test_a_killed_worker_is_an_error_that_says_run_it_again(many_photos, tmp_path):
    out = tmp_path / "t"
    process = start(many_photos, out, tmp_path)
    wait_for_some(out / ".fersyn" / "progress.jsonl", process, least=2)
    (server,) = [pid for pid in children(process.pid) if children(pid)]
    os.kill(children(server)[0], signal.SIGKILL)
    _, printed = process.communicate(timeout=60)
    assert process.returncode != 0
    assert (
        "a worker process died (ended by SIGKILL, often for lack of memory); nothing finished is lost: "
        "run the same command again" in printed
    )
    table = build_table(read_folder(many_photos), out, workers=0)
    assert len(table) == 24


def test_workers_are_the_same_from_a_folder_that_holds_another_fersyn(photos, tmp_path):
    """As from the folder above the checkout; with an editable install the current folder's would be taken first."""
    here = tmp_path / "here"
    (here / "fersyn").mkdir(parents=True)
    start = f"import sys; sys.path = [{str(Path(preprocess.__file__).parents[2])!r}, *sys.path[1:]]; "
    start += "from fersyn.cli import app; app(sys.argv[1:])"
    command = [
        sys.executable,
        "-c",
        start,
        "data",
        "folder",
        str(photos),
        "--out",
        str(tmp_path / "t"),
        "--workers",
        "2",
    ]
    for init in (None, "raise RuntimeError('another fersyn')"):
        if init:
            (here / "fersyn" / "__init__.py").write_text(init)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        command[-1:] = ["2", "--overwrite"]


@pytest.mark.skipif(sys.platform == "win32", reason="no fork server")
def test_a_worker_that_dies_is_named_with_its_exit_code_and_last_line(tmp_path):
    script = tmp_path / "dying.py"
    script.write_text(
        "import sys\nfrom fersyn.building import workers\n"
        "def work(code):\n    import os, sys\n    print('the last thing said', file=sys.stderr, flush=True)\n    os._exit(code)\n"
        "if __name__ == '__main__':\n    list(workers.run(work, [(7,)], 1))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(preprocess.__file__).parents[2])}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True)
    assert (
        "FersynError: a worker process died (exit code 7: the last thing said); nothing finished is lost" in done.stderr
    )


def test_the_journal_passes_over_half_lines_and_takes_the_last(tmp_path):
    path = tmp_path / "progress.jsonl"
    path.write_text(
        '{"source": "a", "stamp": "1"}\n\xff nonsense\n[1]\n{"source": "a", "stamp": "2"}\n{"source": "b", "st',
        encoding="utf-8",
    )
    with Journal(path) as journal:
        assert journal.entries == {"a": {"source": "a", "stamp": "2"}}
        journal.add([{"source": "c", "stamp": "3"}])
    with Journal(path) as journal:
        assert set(journal.entries) == {"a", "c"}


# ---- names ----------------------------------------------------------------------------------------------------------


def test_file_names_are_safe_and_tell_sources_apart():
    name = file_name(7, "Übung/träin set/val/test.01 (copy).jpeg")
    assert name.startswith("images/000007_") and name.endswith(
        f"_{source_key('Übung/träin set/val/test.01 (copy).jpeg')}.png"
    )
    assert name.isascii() and "-valx-" in name and "testx" in name  # Hugging Face would take val and test for splits
    assert file_name(0, "a b.png") != file_name(0, "a-b.png")
    assert len(file_name(0, "x" * 500)) < 120
    for number in (0, 1_234_567):  # the seventh digit is no reason to lose sight of a picture
        assert folder._PICTURE.match(file_name(number, "a.png").removeprefix("images/"))[1] == source_key("a.png")
