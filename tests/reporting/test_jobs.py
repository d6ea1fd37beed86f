"""The Snakefile's jobs: what goes on, what is set aside and comes back; weights that arrive make numbers anew, once."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fersyn import weights
from fersyn.files import locked
from fersyn.reporting import jobs
from fersyn.reporting.jobs import fetch, news


@pytest.fixture
def fake_build(tmp_path, monkeypatch):
    """Calls jobs.table with `fersyn data` replaced; returns whether the run found an older table in its folder."""
    found, commands = [], []

    def build(key, code=0):
        def run(command, **options):
            out = Path(command[command.index("--out") + 1])
            found.append((out / "table.json").is_file())
            commands.append(command)
            (out / ".fersyn").mkdir(parents=True, exist_ok=True)
            (out / ".fersyn" / "request.json").write_text("{}")
            if code == 0:
                (out / "table.json").write_text(json.dumps({"fingerprint": key}))
            return subprocess.CompletedProcess(command, code)

        monkeypatch.setattr(jobs.subprocess, "run", run)
        assert jobs.table(tmp_path / "t", tmp_path / "t.fingerprint.json", key, 3, ["folder", "x"]) == code
        assert commands[-1][-2:] == ["--workers", "3"]
        return found[-1]

    return build


def test_tables_are_built_anew_only_when_code_or_request_changed(fake_build, tmp_path):
    assert [fake_build(key) for key in ("one", "one", "two", "two")] == [False, True, False, True]
    assert json.loads((tmp_path / "t.fingerprint.json").read_text()) == {"fingerprint": "two"}


def test_a_failed_run_leaves_no_table_of_older_code_under_the_new_key(fake_build):
    fake_build("one")
    assert fake_build("two", code=1) is False  # the old table went before the run began
    assert fake_build("two") is False
    assert fake_build("two") is True


def test_a_table_of_older_code_is_kept_until_the_new_one_is_done(fake_build, tmp_path):
    fake_build("one")
    (tmp_path / "t" / "notes.txt").write_text("of mine")
    assert fake_build("two", code=1) is False
    assert json.loads((tmp_path / "t.old" / "table.json").read_text()) == {"fingerprint": "one"}
    assert fake_build("one") is True, "a key that comes back takes its table back"
    assert fake_build("three") is False
    assert [path.name for path in (tmp_path / "t.old").iterdir()] == ["notes.txt"], "what the kit did not write"


def test_a_folder_that_is_no_table_is_left_to_fersyn_data(fake_build, tmp_path):
    fake_build("one")
    shutil.rmtree(tmp_path / "t" / ".fersyn")
    fake_build("two", code=2)
    assert (tmp_path / "t" / "table.json").is_file() and not (tmp_path / "t.old").exists()


def test_a_table_that_is_being_built_is_not_deleted(fake_build, tmp_path):
    fake_build("one")
    with locked(tmp_path / "t" / ".fersyn" / "lock"):
        assert jobs.table(tmp_path / "t", tmp_path / "t.fingerprint.json", "two", 1, ["folder", "x"]) == 2
    assert (tmp_path / "t" / "table.json").is_file()


@pytest.fixture
def fake_train(tmp_path, monkeypatch):
    """Calls jobs.training with `fersyn train` replaced; returns the steps that the run folder held before."""
    (tmp_path / "table").mkdir()
    run = tmp_path / "runs" / "c-gan"

    def build(key, fingerprint="f", code=0, expected=None):
        (tmp_path / "table" / "table.json").write_text(json.dumps({"fingerprint": fingerprint}))
        seen = []

        def train(command, **options):
            seen.append(int((run / "steps").read_text()) if (run / "steps").is_file() else 0)
            assert command[4:6] == ["c-gan", "--data"] and "--resume" in command
            assert command[command.index("--set") + 1] == "steps=2"
            run.mkdir(parents=True, exist_ok=True)
            (run / "steps").write_text(str(seen[-1] + 1))
            return subprocess.CompletedProcess(command, code)

        monkeypatch.setattr(jobs.subprocess, "run", train)
        stamp = run.with_name("c-gan.json")
        given = (run, stamp, key, "c-gan", tmp_path / "table", ["--profile", "smoke", "--set", "steps=2"])
        assert jobs.training(*given) == (code if expected is None else expected)
        return seen

    build.run = run
    return build


def test_a_training_goes_on_unless_it_is_made_of_something_else(fake_train):
    assert [fake_train("one", code=1), fake_train("one"), fake_train("one")] == [[0], [1], [2]]
    assert fake_train("two") == [0], "other settings or code: from the beginning"
    assert fake_train("two", "another table") == [0]
    assert fake_train("two", "another table") == [1]


def steps(folder):
    return int((folder / "steps").read_text())


def test_what_another_key_made_is_kept_until_the_new_one_is_done(fake_train, capsys):
    run, old = fake_train.run, fake_train.run.with_name("c-gan.old")
    fake_train("one"), fake_train("one")
    assert fake_train("two", code=1) == [0] and steps(old) == 2, "it failed: the old one is still there"
    assert f"c-gan: made of something else before; that is kept as {old}" in capsys.readouterr().out
    assert fake_train("two", code=1) == [1] and steps(old) == 2 and steps(run) == 2
    assert fake_train("two") == [2] and steps(run) == 3 and not old.exists()
    assert sorted(path.name for path in run.parent.iterdir()) == [".c-gan.key", "c-gan", "c-gan.json"]


def test_a_half_trained_run_pushes_no_finished_one_out(fake_train):
    run = fake_train.run
    fake_train("one"), fake_train("one")
    fake_train("two", code=1)
    assert fake_train("three", code=1) == [0]
    assert steps(run.with_name("c-gan.old")) == 2 and steps(run.with_name("c-gan.old2")) == 1
    assert fake_train("three") == [1] and [path.name for path in run.parent.iterdir() if path.is_dir()] == ["c-gan"]


def test_a_key_that_comes_back_takes_its_run_back(fake_train):
    """A line of code was changed, the report began, and the line was taken back."""
    fake_train("one"), fake_train("one")
    fake_train("two", code=1)
    assert fake_train("one", code=1) == [2] and steps(fake_train.run) == 3
    assert steps(fake_train.run.with_name("c-gan.old2")) == 1
    assert fake_train("two", code=1) == [1]


@pytest.mark.parametrize("step", range(8))
def test_a_run_and_its_key_fit_each_other_whenever_it_is_killed(fake_train, monkeypatch, step):
    run, made = fake_train.run, {}

    def contents():
        """By key: the steps of the folder that bears it."""
        folders = [path for path in run.parent.iterdir() if path.is_dir()]
        return {jobs._key_of(folder): steps(folder) for folder in folders if (folder / "steps").is_file()}

    def kill_at(step):
        real, calls = {"replace": jobs.os.replace, "key": jobs._write_key}, []

        def killing(name):
            def work(*arguments):
                calls.append(name)
                if len(calls) == step + 1:
                    raise KeyboardInterrupt
                real[name](*arguments)

            return work

        monkeypatch.setattr(jobs.os, "replace", killing("replace"))
        monkeypatch.setattr(jobs, "_write_key", killing("key"))

    fake_train("one"), fake_train("one"), fake_train("one")
    one = jobs._key_of(run)
    fake_train("two", code=1)
    two = jobs._key_of(run)
    made = {one: 3, two: 1}
    assert contents() == made
    kill_at(step)
    try:
        fake_train("one", code=1)
        made[one] += 1
    except KeyboardInterrupt:
        pass
    monkeypatch.undo()
    assert contents() == made
    given = (run, run.with_name("c-gan.json"), "one", "c-gan", run.parent.parent / "table")
    monkeypatch.setattr(jobs.subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 1))
    assert jobs.training(*given) == 1 and jobs._key_of(run) == one and contents() == made


def test_a_run_made_by_hand_is_taken_over(fake_train):
    fake_train.run.mkdir(parents=True)
    (fake_train.run / "steps").write_text("7")
    assert fake_train("one") == [7]


def test_a_run_that_is_being_trained_is_not_deleted(fake_train, capsys):
    fake_train("one")
    with locked(fake_train.run / ".lock"):
        assert fake_train("two", expected=2) == []
    assert (fake_train.run / "steps").is_file()
    assert f"fersyn: {fake_train.run} is being trained by another process; wait for it" in capsys.readouterr().err


def test_a_run_set_aside_in_which_somebody_trains_stays(fake_train):
    fake_train("one")
    fake_train("two", code=1)
    old = fake_train.run.with_name("c-gan.old")
    with locked(old / ".lock"):
        fake_train("two")
        assert steps(old) == 1
    fake_train("two")
    assert not old.exists()


def test_a_run_that_cannot_be_moved_is_left_alone(fake_train, monkeypatch, capsys):
    fake_train("one")

    def full(*_):
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(jobs.os, "replace", full)
    monkeypatch.setattr(jobs, "_write_key", lambda *_: None)
    assert fake_train("two", expected=2) == [] and steps(fake_train.run) == 1
    assert "cannot be moved (Permission denied); move it out of the way by hand" in capsys.readouterr().err


def test_the_failed_training_leaves_no_stamp(fake_train):
    fake_train("one", code=1)
    assert not fake_train.run.with_name("c-gan.json").exists()


def test_weights_that_arrive_are_news_once(tmp_path, monkeypatch):
    """The answer is a parameter of the Snakefile's rule: any change of it reruns every notebook that reads weights."""
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    file = tmp_path / "weights.json"
    assert news(file) == "", "the first report fetches them itself"
    fetch(file, names=())
    assert news(file) == ""
    there = weights.find("dlib-face")
    monkeypatch.setattr(weights, "find", lambda name: there)
    monkeypatch.setattr(weights, "ENTRIES", {name: weights.ENTRIES[name] for name in ("dlib-face", "vgg-face")})
    told = news(file)
    assert told == "vgg-face"
    fetch(file, names=(), news=told.split())
    content = json.loads(file.read_text())
    for entry in content["weights"]:
        entry["file"] = "now it is there"
    file.write_text(json.dumps(content))
    assert news(file) == told, "once written down it is no further change"
    file.write_text("[]")
    assert news(file) == "", "a file of an earlier version, or a damaged one, is written anew"


def test_what_cannot_be_fetched_is_said_and_nothing_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setenv("FERSYN_OFFLINE", "1")
    assert fetch(tmp_path / "weights.json", names=("sface",)) == 0
    said = capsys.readouterr().err
    assert "FERSYN_OFFLINE is set" in said and "goes on without sface" in said
    about = {entry["name"]: entry for entry in json.loads((tmp_path / "weights.json").read_text())["weights"]}
    assert about["sface"]["file"] == "" and about["dlib-face"]["file"]
    assert str(tmp_path) not in (tmp_path / "weights.json").read_text()
