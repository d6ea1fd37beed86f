"""A run as one file: it edits as the run does, says what it is, and is refused where it does not fit."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from bench_explore import still_motion
from safetensors import safe_open
from typer.testing import CliRunner

from fersyn import methods
from fersyn.cli import app
from fersyn.errors import FersynError
from fersyn.files import write_json
from fersyn.nets import shipped
from fersyn.training import checkpoint, model, runs


@pytest.fixture(scope="module")
def run(small_table, tmp_path_factory):
    """A finished run of landmark-flow: the settings of smoke but one, weights by chance."""
    folder = tmp_path_factory.mktemp("model") / "flow"
    folder.mkdir()
    method = methods.get("landmark-flow")
    config = method.preset("smoke", width=16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = method.networks(config)
        for weight in networks["generator"].parameters():
            weight.data += 0.02 * torch.randn(weight.shape)
    runs.write_config(folder, method, config, 3)
    runs.write_people(folder, small_table.people_of("train"))
    state = {
        "method": method.name, "config": config.model_dump(mode="json"), "table": "none", "seed": 3, "step": 12,
        "networks": {name: each.state_dict() for name, each in networks.items()}, "averages": {}, "optimisers": {},
    }  # fmt: skip
    checkpoint.save(folder, state)
    replace(still_motion(), tables=np.array([small_table.fingerprint])).save(folder / "motion.npz")
    about = {"fingerprint": small_table.fingerprint, "guides": ["fer"]}
    write_json(folder / "run.json", {"finished": True, "seed": 3, "steps": 12, "commit": "abc", "table": about})
    return folder


@pytest.fixture(scope="module")
def file(run, small_table, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported") / "flow.safetensors"
    done = CliRunner().invoke(app, ["export", str(run), "--out", str(out), "--data", str(small_table.path)])
    assert done.exit_code == 0, done.output
    assert hashlib.sha256(out.read_bytes()).hexdigest() in done.output and "licence: MIT" in done.output
    return out


def test_it_edits_as_the_run_does(run, file, small_table):
    faces, points = small_table.tensor([0, 8]), torch.from_numpy(small_table.landmarks([0, 8]))
    made = [model.load(path).edit(faces, "happiness", 0.8, None, points) for path in (run, file)]
    assert (made[0] - faces).abs().mean() > 0.01
    assert (made[0] - made[1]).abs().max() < 1 / 127.5  # halves: less than a grey level
    one, other = (model.load(path) for path in (run, file))
    assert one.guides == other.guides == ("fer",) and one.expressions == other.expressions
    assert other.weights.startswith("flow.safetensors ") and one.weights.startswith("flow ")
    left = [each.without(["0", "7"]).edit(faces, "anger", 1.0, None, points) for each in (one, other)]
    assert (left[0] - left[1]).abs().max() < 1 / 127.5


def test_it_says_what_it_is(run, file, small_table):
    about = model.facts(file)
    assert about["method"] == "landmark-flow" and about["seed"] == 3 and about["commit"] == "abc"
    assert (
        about["command"] == "fersyn train landmark-flow --data TABLE --out RUN --profile smoke --seed 3 --set width=16"
    )
    assert about["licence"] == "MIT" and about["people"] == sorted(small_table.people_of("train"))
    (learnt,) = about["learnt_from"]
    assert learnt["dataset"] == "openpeople" and learnt["taught"] == ["networks", "motion"]
    assert model.people(file) == model.people(run)
    with safe_open(file, "pt") as content:
        names = list(content.keys())
        halves = [content.get_tensor(name).dtype for name in names if name.startswith("generator.")]
    assert set(halves) == {torch.float16} and not any(name.startswith("discriminator") for name in names)


def test_what_does_not_belong_is_refused(run, file, small_table, tmp_path):
    with pytest.raises(FersynError, match=r"name the tables with fingerprint .* \(the training\) by --data"):
        model.export(run, tmp_path / "a.safetensors", [])
    with pytest.raises(FersynError, match="ends in .safetensors"):
        model.export(run, tmp_path / "a.pt", [small_table])
    write_json(run / "run.json", json.loads((run / "run.json").read_text()) | {"finished": False})
    try:
        with pytest.raises(FersynError, match="is not finished; go on with it first"):
            model.export(run, tmp_path / "a.safetensors", [small_table])
    finally:
        write_json(run / "run.json", json.loads((run / "run.json").read_text()) | {"finished": True})
    with pytest.raises(FersynError, match="mapper.safetensors is no exported model"):
        model.load(shipped.FOLDER / "mapper.safetensors")


def test_a_file_of_another_version_says_what_to_do(file, tmp_path):
    from safetensors.torch import load_file, save_file

    with safe_open(file, "pt") as content:
        about = content.metadata()
    other = tmp_path / "other.safetensors"
    save_file(load_file(file), other, about | {"config": json.dumps(json.loads(about["config"]) | {"width": 24})})
    with pytest.raises(FersynError, match="other.safetensors does not fit this version of fersyn .* export a run"):
        model.load(other)


def test_the_one_that_comes_with_the_kit_fits_it_and_its_card(small_table):
    """Whoever changes the network: train it, and export it anew; fersyn/nets/shipped/README.md says how."""
    made = model.load()
    assert made.name == "landmark-flow" and {"happiness", "fear", "contempt"} <= set(made.expressions)
    points = torch.from_numpy(small_table.landmarks([0]))
    faces = small_table.tensor([0])
    assert (made.edit(faces, "happiness", 1.0, None, points) - faces).abs().mean() > 0.02
    assert model.SHIPPED.stat().st_size < 20e6
    about, card = model.facts(), (shipped.FOLDER / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(model.SHIPPED.read_bytes()).hexdigest() in card
    assert about["command"] in card and about["commit"] in card and about["licence"] in card
    for each in about["learnt_from"]:
        assert each["fingerprint"][:12] in card


def test_without_it_the_message_says_how_to_train(monkeypatch, tmp_path):
    monkeypatch.setattr(model, "SHIPPED", tmp_path / "none.safetensors")
    with pytest.raises(
        FersynError, match="no trained model came with this installation; train one: fersyn data .*--run"
    ):
        model.load()
