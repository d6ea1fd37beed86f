"""The verifier that the kit trains itself: on training people only, resumable, and never under another's name."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from fersyn.cli import app
from fersyn.errors import FersynError
from fersyn.evaluation import verifiers
from fersyn.training import checkpoint, runs, verifier
from fersyn.training.verifier import Settings, train_verifier

TINY = Settings(steps=4, batch=2)


@pytest.fixture(scope="module")
def run(small_table, tmp_path_factory):
    return train_verifier(small_table, tmp_path_factory.mktemp("verifier") / "run", TINY, seed=3, save_every=2)


def weights_of(run):
    return checkpoint.read(run)["networks"]["verifier"]


def test_it_learns_from_training_people_alone_and_says_whom(run, small_table):
    training = set(small_table.people[(small_table.rows["split"] == "train").to_numpy()])
    assert runs.trained_people(run) == training < set(small_table.people)
    assert weights_of(run)["fc2.weight"].shape == (len(training), 256)
    about = verifier.read_about(run)
    assert about["people"] == len(training) and np.isfinite(about["loss"]) and about["network"] == "LightCNN-9"


def test_its_column_has_a_name_of_its_own(run, small_table):
    each = verifiers.chosen(["dlib"], run)["light-cnn-9-trained"]
    assert each.title == "LightCNN-9, trained on openpeople people" and each.weights == ""
    assert each.available() and each.people == runs.trained_people(run)
    found = each.embed(small_table.images([0, 1]), small_table.landmarks([0, 1]))
    assert found.shape == (2, 256) and np.isfinite(found).all()


def test_a_run_that_was_stopped_ends_with_the_same_weights(run, small_table, tmp_path, monkeypatch):
    save = checkpoint.save

    def stop_after(path, state):
        save(path, state)
        if state["step"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", stop_after)
    with pytest.raises(KeyboardInterrupt):
        train_verifier(small_table, tmp_path / "again", TINY, seed=3, save_every=2)
    monkeypatch.undo()
    with pytest.raises(FersynError, match="no finished verifier"):
        verifier.read_about(tmp_path / "again")
    torch.rand(7)  # whatever was drawn in between
    again = train_verifier(small_table, tmp_path / "again", TINY, seed=3, resume=True, save_every=2)
    first, second = weights_of(run), weights_of(again)
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(FersynError, match="steps 4 in the checkpoint, 5 now"):
        train_verifier(small_table, again, Settings(steps=5, batch=2), seed=3, resume=True)
    with pytest.raises(FersynError, match="holds a training already"):
        train_verifier(small_table, again, TINY, seed=3)
    (again / "run.json").unlink()  # killed between the last checkpoint and this file
    train_verifier(small_table, again, TINY, seed=3, resume=True)
    assert verifier.read_about(again)["loss"] == verifier.read_about(run)["loss"]


def test_one_person_cannot_be_told_apart(small_table, tmp_path):
    with pytest.raises(FersynError, match="1 people to train on; a verifier needs two"):
        train_verifier(small_table.view(people=1), tmp_path / "run", TINY)
    with pytest.raises(FersynError, match=r"verifier: steps is 0: .*\(range: >= 1"):
        Settings(steps=0)


def test_a_folder_that_cannot_be_written(small_table, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FersynError, match="cannot be written"):
        train_verifier(small_table, tmp_path / "file" / "run", TINY)


def test_every_face_comes_once_an_epoch():
    seen = np.concatenate([verifier.chosen_faces(10, 4, step, seed=1) for step in range(5)])
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10)) and list(seen[:10]) != list(seen[10:])


def test_variation_cuts_mirrors_and_lights():
    row, column = torch.arange(144)[:, None], torch.arange(144)[None]
    face = ((row + column) // 2).byte()[None, None].repeat(64, 1, 1, 1)
    torch.manual_seed(0)
    found = verifier.varied(face)
    assert found.shape == (64, 1, 128, 128) and 0 <= found.min() and found.max() <= 1
    slope = (found[:, 0, 64, 96] - found[:, 0, 64, 32]).sign()
    assert {-1.0, 1.0} == set(slope.tolist()), "some are mirrored, some are not"
    assert found[:, 0, 64, 64].std() > 0.03


def test_the_rate_rises_and_falls_to_nothing():
    rates = [verifier.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == 1 and rates[-1] < 0.001
    assert np.argmax(rates) == 9 and all(a >= b for a, b in zip(rates[9:], rates[10:], strict=False))


def test_the_command_trains_on_a_table(small_table, tmp_path):
    out = tmp_path / "run"
    arguments = [
        "train-verifier",
        "--out",
        str(out),
        "--data",
        str(small_table.path),
        "--people",
        "2",
        "--steps",
        "1",
        "--batch",
        "2",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "LightCNN-9, 2 openpeople people" in result.output
    assert len(json.loads((out / "people.json").read_text())) == 2


def test_without_a_table_it_renders_people_of_its_own(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "fersyn.building.preprocess.build_table", lambda frames, path: asked.update(frames=frames, path=path)
    )
    monkeypatch.setattr("fersyn.building.workers.start_server", lambda: None)
    verifier.rendered(tmp_path / "faces", 5, seed=0)
    subjects = {frame.subject for frame in asked["frames"].frames}
    assert len(subjects) == 5 and all(name.startswith("R1000-") for name in subjects), "not those of --seed 0"
