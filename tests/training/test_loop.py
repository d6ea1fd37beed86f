import csv
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from fersyn.cli import app
from fersyn.errors import FersynError
from fersyn.methods.base import Synthesiser
from fersyn.table import FaceTable
from fersyn.training import checkpoint, loop, process, runs
from fersyn.training.runs import load


def cpu():
    return loop.make_fabric(accelerator="cpu")


@pytest.fixture
def train(toy, table, tmp_path):
    def run(config=None, resume=False, method=toy, data=table, seed=0, **options):
        config = config or toy.Config(steps=4)
        return loop.train(method, config, data, tmp_path / "run", seed, resume, cpu(), **options)

    return run


def test_a_run_folder(train, toy, table, capsys):
    state = torch.get_rng_state()
    out = train()
    assert torch.equal(state, torch.get_rng_state()), "the caller's generator is given back"
    info = json.loads((out / "run.json").read_text())
    assert info["finished"] and info["step"] == 4 and info["table"]["fingerprint"] == table.fingerprint
    assert info["samples_of"] == "test" and info["parameters"]["generator"] == 459
    assert info["versions"]["torch"] and re.search(r"\b(1 thread|\d+ threads)\b", info["device"])
    rows = list(csv.DictReader((out / "log.csv").open()))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row["lr_factor"]) for row in rows] == [1, 1, 1, 0.5]
    assert np.array(Image.open(out / "samples" / "0000004.jpg")).shape == (3 * 16, 6 * 16, 3)
    assert "toy (CPU, " in capsys.readouterr().err


def test_load_gives_the_averaged_weights(train, toy, table):
    out = train()
    synthesiser = load(out)
    assert isinstance(synthesiser, Synthesiser) and synthesiser.size == 16
    state = checkpoint.read(out)
    weight = synthesiser.networks["generator"][0].weight
    assert torch.equal(weight, state["averages"]["generator"]["0.weight"])
    assert not torch.equal(weight, state["networks"]["generator"]["0.weight"])
    assert synthesiser.edit(torch.zeros(2, 3, 16, 16), "happy").shape == (2, 3, 16, 16)


def test_the_rate_falls_and_the_average_follows(train, toy):
    state = checkpoint.read(train(toy.Config(steps=4, decay_share=1.0, ema=0.0)))
    assert state["averages"] == {}
    assert state["optimisers"]["generator"]["param_groups"][0]["lr"] == pytest.approx(0.01 / 4)


def test_a_run_is_not_overwritten(train):
    out = train()
    before = (out / checkpoint.NAME).read_bytes()
    with pytest.raises(FersynError, match="holds a training already; go on with it by --resume"):
        train()
    train(resume=True)  # says that all is done
    assert (out / checkpoint.NAME).read_bytes() == before


def test_checkpoints_of_another_training_are_refused(train, toy, table):
    train()
    other = FaceTable(table.path, table.rows, {**table.info, "fingerprint": "f" * 64}, table.skipped)
    renamed = type("Other", (type(toy),), {"name": "other"})()
    for changes, message in (
        (dict(config=toy.Config(steps=4, lr=0.02, batch=8)), "batch 4 in the checkpoint, 8 now; lr 0.01 in the check"),
        (dict(data=other), f"face table {table.fingerprint[:12]} in the checkpoint, ffffffffffff now"),
        (dict(method=renamed), "method toy in the checkpoint, other now"),
        (dict(seed=1), "seed 0 in the checkpoint, 1 now"),
    ):
        with pytest.raises(checkpoint.CheckpointError, match=message):
            train(resume=True, **changes)


def test_half_a_training_does_not_go_on_with_another_perceptual_network(train, toy, monkeypatch):
    monkeypatch.setattr(type(toy), "features", lambda self, config: "VGG-16", raising=False)
    toy.hook = lambda step: float("nan") if step >= 3 else 1.0
    with pytest.raises(FersynError, match="nan"):
        train(checkpoint_every=2, log_every=1)
    toy.hook = lambda step: 1.0
    monkeypatch.setattr(type(toy), "features", lambda self, config: "VGG-19")  # its weights have arrived
    with pytest.raises(checkpoint.CheckpointError, match="perceptual network VGG-16 in the checkpoint, VGG-19 now"):
        train(resume=True)
    monkeypatch.setattr(type(toy), "features", lambda self, config: "VGG-16")
    out = train(resume=True)
    monkeypatch.setattr(type(toy), "features", lambda self, config: "VGG-19")
    assert train(resume=True) == out, "a finished run is read, whatever arrives"


@pytest.mark.parametrize("harm", ["cut", "flip", "empty"])
def test_a_damaged_checkpoint_is_refused_with_the_way_out(train, toy, harm):
    out = train(checkpoint_every=2)
    path = out / checkpoint.NAME
    data = bytearray(path.read_bytes())
    tensor = torch.load(path, weights_only=True)["networks"]["generator"]["0.weight"].numpy().tobytes()
    if harm == "cut":
        data = data[: len(data) // 2]
    elif harm == "flip":
        data[bytes(data).index(tensor) + 40] ^= 1
    else:
        data = bytearray()
    path.write_bytes(data)
    with pytest.raises(checkpoint.CheckpointError, match="is damaged .*; delete it, and --resume goes on from check"):
        train(resume=True)
    path.unlink()
    train(resume=True)
    assert checkpoint.read(out)["step"] == 4 and tensor in path.read_bytes()


def test_nan_stops_with_the_step_named_and_the_last_checkpoint_is_good(train, toy):
    toy.hook = lambda step: float("nan") if step >= 6 else 1.0
    with pytest.raises(FersynError, match="at step 7 the loss generator is nan; .*checkpoint.pt is still good"):
        train(toy.Config(steps=20), log_every=4, checkpoint_every=4)
    toy.hook = lambda step: 1.0
    out = train(toy.Config(steps=20), resume=True, log_every=4, checkpoint_every=4)
    assert checkpoint.read(out)["step"] == 20


def test_checkpoints_come_by_time_and_take_a_small_part_of_it():
    every = loop.Every.of(steps=20_000, log=None, checkpoint=None, samples=None)
    assert not every.due(50, since=59, cost=0.1) and every.due(50, since=61, cost=0.1)
    assert not every.due(50, since=190, cost=10) and every.due(50, since=201, cost=10)
    assert loop.Every.of(20_000, None, 70, None).checkpoint == 100, "after a row of the log"


def test_a_disk_that_is_full_is_said_and_the_checkpoint_before_is_good(train, toy, monkeypatch):
    real, count = checkpoint.write_atomic, []

    def write(path, work):
        count.append(path)
        if len(count) > 1:
            raise OSError(28, "No space left on device")
        real(path, work)

    monkeypatch.setattr(checkpoint, "write_atomic", write)
    with pytest.raises(FersynError, match="cannot be written: .*No space left"):
        train(toy.Config(steps=8), log_every=2, checkpoint_every=2)
    monkeypatch.undo()
    assert checkpoint.read(train(toy.Config(steps=8), resume=True))["step"] == 8


def test_two_processes_do_not_write_one_run(train, tmp_path):
    from fersyn.files import locked

    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run" / ".lock"), pytest.raises(FersynError, match="is being trained by another process"):
        train()


def test_settings_that_cannot_be(train, toy):
    with pytest.raises(FersynError, match="averaged: toy has no network critic; it has: generator, discriminator"):
        train(toy.Config(averaged=("critic",)))
    with pytest.raises(FersynError, match="--seed is -1"):
        train(seed=-1)
    with pytest.raises(FersynError, match="--devices 1 --precision 7-true"):
        loop.make_fabric(precision="7-true")


def test_a_method_without_networks(train, toy):
    untrained = type("Untrained", (type(toy),), {"name": "untrained", "networks": lambda self, config: {}})()
    out = train(method=untrained)
    assert json.loads((out / "run.json").read_text())["finished"] and not (out / "log.csv").exists()


def test_bf16(toy, table, tmp_path):
    fabric = loop.make_fabric(precision="bf16-mixed", accelerator="cpu")
    out = loop.train(toy, toy.Config(steps=2), table, tmp_path / "run", fabric=fabric)
    assert checkpoint.read(out)["networks"]["generator"]["0.weight"].dtype == torch.float32


@pytest.mark.parametrize(("units", "mixes", "taken"), [(1, 1, "bf16-mixed"), (1, 0, "32-true"), (0, 1, "32-true")])
def test_precision_of_its_own_accord(toy, table, tmp_path, monkeypatch, units, mixes, taken):
    monkeypatch.setattr(process, "fast_in_bf16", lambda device: bool(units))
    monkeypatch.setattr(type(toy), "mixes", bool(mixes))
    out = loop.train(toy, toy.Config(steps=2), table, tmp_path / "run")
    assert runs.read_precision(out) == taken


def test_a_run_goes_on_in_its_own_precision(toy, table, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "fast_in_bf16", lambda device: True)
    monkeypatch.setattr(type(toy), "mixes", True)
    words = [
        str(word) for word in ("train", "toy", "--data", table.path, "--out", tmp_path / "r", "--accelerator", "cpu")
    ]
    for more in (["--steps", "1", "--precision", "32-true"], ["--resume", "--steps", "1"]):
        assert CliRunner().invoke(app, [*words, *more]).exit_code == 0
        assert runs.read_precision(tmp_path / "r") == "32-true"


def test_command_line(toy, table, tmp_path):
    def run(*arguments):
        words = ["train", "toy", "--data", table.path, "--out", tmp_path / "r", "--accelerator", "cpu", *arguments]
        return CliRunner().invoke(app, [str(word) for word in words])

    assert run("--steps", 2, "--set", "ema=0.5").exit_code == 0
    assert json.loads((tmp_path / "r" / "config.json").read_text())["config"]["ema"] == 0.5
    assert run("--resume").exit_code == 0, "the run's own settings are taken"
    result = run("--resume", "--set", "batch=8")
    assert result.exit_code == 2 and "batch 4 in the checkpoint, 8 now" in result.stderr
    result = run("--set", "batsch=8")
    assert result.exit_code == 2 and "batsch is no setting" in result.stderr


def test_who_had_a_hand_in_the_faces_had_one_in_the_method(train, table):
    """A run remembers the guides of its table: a judge that they were to please is none of what was learnt from them."""
    guided = FaceTable(table.path, table.rows, {**table.info, "guides": ["fer", "facex"]}, table.skipped)
    assert load(train(data=guided)).guides == ("fer", "facex")
