"""The landmark motion of a run: whom it learns from, when it stays, and what is said of it."""

import numpy as np
import pytest

from fersyn import methods
from fersyn.errors import FersynError, SubjectLeak
from fersyn.methods import motion
from fersyn.table import FaceTable
from fersyn.training import loop, moving, runs
from fersyn.training.requests import Request, trained

WARP = methods.get("warp")


def strangers(table):
    """The same faces as those of other people, none of them held out."""
    rows = table.rows.assign(dataset="photos", split="train")
    return FaceTable(table.path, rows, {**table.info, "fingerprint": "f" * 64, "dataset": "photos"}, table.skipped)


@pytest.fixture
def photos(table):
    return strangers(table)


def test_photographs_are_learnt_from_and_recorded_and_no_network_sees_them(table, photos, tmp_path, capsys):
    config = WARP.preset("smoke")
    loop.train(WARP, config, table, tmp_path, photographs=[photos])
    about = runs.facts(tmp_path)["motion"]
    assert about["training"] == 3 and about["photographs"] == 4 and about["tables"] == [table.fingerprint, "f" * 64]
    assert not any(person.startswith("photos/") for person in runs.trained_people(tmp_path))
    assert "3 people of the training table, 4 of photographs" in capsys.readouterr().err
    synthesiser = runs.load(tmp_path)
    left = synthesiser.without(["photos/P001"])
    assert "photos/P001" in synthesiser.motion.person and "photos/P001" not in left.motion.person
    assert left.networks is synthesiser.networks and synthesiser.without(["london/001"]) is synthesiser
    assert methods.get("copy").synthesiser(config, {}).without(["photos/P001"]).motion is None


def test_without_photographs_that_is_said(table, tmp_path, capsys):
    moving.learn(WARP, table, tmp_path)
    assert "no photographs are named (--photos)" in capsys.readouterr().err
    assert not motion.load(tmp_path / "motion.npz").photo.any()


def test_only_methods_that_move_landmarks_learn_it(table, tmp_path):
    moving.learn(methods.get("c-gan"), table, tmp_path)
    moving.learn(WARP, None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_motion_stays_until_other_photographs_are_named(table, photos, tmp_path, monkeypatch):
    file = tmp_path / "motion.npz"

    def learnt(photographs, keep=True):
        before = file.stat().st_mtime_ns if file.exists() else None
        moving.learn(WARP, table, tmp_path, photographs, keep)
        return file.stat().st_mtime_ns != before

    assert learnt([]) and not learnt([]) and learnt([photos]) and not learnt([photos])
    assert not learnt([]), "a notebook that knows of no photographs leaves what the report has trained"
    assert learnt([], keep=False), "a training that begins takes over nothing"
    monkeypatch.setattr(moving, "_metering", lambda: True)
    assert learnt([photos]) and not learnt([]), "the meter's weights have arrived"
    monkeypatch.setattr(moving, "_metering", lambda: False)
    file.write_bytes(b"of another version")
    assert learnt([photos]) and not learnt([photos])


def test_a_finished_run_learns_its_motion_anew_and_nothing_else(table, photos, tmp_path):
    asked = {"flow": Request("flow", "landmark-flow", "smoke", 0, ("steps=1", "batch=2", "size=32"))}
    run = trained(asked, table, tmp_path)["flow"]
    weights = (run / "checkpoint.pt").read_bytes()
    assert trained(asked, table, tmp_path, photos)["flow"] == run
    assert (run / "checkpoint.pt").read_bytes() == weights and runs.facts(run)["motion"]["photographs"] == 4
    before = (run / "motion.npz").read_bytes()
    trained(asked, table, tmp_path)
    assert (run / "motion.npz").read_bytes() == before


def test_people_held_out_are_no_photographs(table, tmp_path):
    with pytest.raises(SubjectLeak):
        loop.train(WARP, WARP.preset("smoke"), table, tmp_path, photographs=[table])
    assert not (tmp_path / "motion.npz").exists()


def test_without_the_meters_weights_that_is_said(monkeypatch, capsys):
    monkeypatch.undo()  # of the fixture that keeps trainings from measuring

    def missing(name, progress=True):
        raise FersynError("actions is not on this machine")

    monkeypatch.setattr(moving.weights, "fetch", missing)
    assert moving._meter() is None
    assert "actions is not on this machine" in (said := capsys.readouterr().err) and "as far as landmarks went" in said


def test_a_table_of_one_expression_trains_without_a_motion(table, tmp_path, capsys):
    calm = np.flatnonzero(table.labels() == 0)
    rows = table.rows.iloc[calm].reset_index(drop=True)
    moving.learn(WARP, FaceTable(table.path, rows, table.info, table.skipped), tmp_path)
    assert "no landmark motion" in capsys.readouterr().err and not list(tmp_path.iterdir())
