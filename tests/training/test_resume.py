"""Processes that are really killed."""

import csv
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fersyn.training import checkpoint, loop

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def never_stopped(toy_module, table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "whole"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loop.train(toy_module.Toy(), toy_module.Config(), table, out, 3, fabric=loop.make_fabric(accelerator="cpu"))
    finally:
        torch.set_num_threads(threads)
    return out


def start(toy_file, table, out, *arguments):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, str(toy_file), str(table.path), str(out), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "FERSYN_PROGRESS": "plain", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, (list, tuple)):
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        assert a == b


def last_whole(run, died):
    """Step of the run's checkpoint: the last before it died, or the one before if that was still being written."""
    step = checkpoint.read(run)["step"] if checkpoint.find(run) else 0
    assert step in (died // 2 * 2, died // 2 * 2 - 2), f"killed at {died}"
    return step


def states(run):
    state = checkpoint.read(run)
    del state["seconds"]
    return state


def losses(run):
    with (run / "log.csv").open() as file:
        return [[row["step"], row["generator"], row["discriminator"], row["lr_factor"]] for row in csv.DictReader(file)]


def test_killed_twice_and_resumed_it_ends_bit_for_bit_the_same(toy_file, table, tmp_path, never_stopped):
    """Once in the middle of a step, once in the middle of writing a checkpoint."""
    out, at = tmp_path / "run", random.randrange(3, 8)
    done = start(toy_file, table, out, "--die", at)
    assert done.returncode == -signal.SIGKILL, done.stderr
    first = last_whole(out, at)
    done = start(toy_file, table, out, "--resume", "--die-saving", 1)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list(out.glob(".checkpoint*.tmp"))) == 1 and checkpoint.read(out)["step"] == first + 2
    done = start(toy_file, table, out, "--resume")
    assert done.returncode == 0, done.stderr
    assert f"going on after step {first + 2}" in done.stderr and not list(out.glob(".checkpoint*.tmp"))
    assert_same(states(out), states(never_stopped))
    assert losses(out) == losses(never_stopped) and len(losses(out)) == 12


def test_sigterm_saves_the_step_and_resumes(toy_module, table, tmp_path, never_stopped):
    toy, config, threads = toy_module.Toy(), toy_module.Config(), torch.get_num_threads()
    toy.hook = lambda step: os.kill(os.getpid(), signal.SIGTERM) or 1.0 if step == 4 else 1.0
    torch.set_num_threads(1)
    try:
        with pytest.raises(KeyboardInterrupt, match="stopped after step 5"):
            loop.train(toy, config, table, tmp_path, 3, fabric=loop.make_fabric(accelerator="cpu"))
        assert checkpoint.read(tmp_path)["step"] == 5
        toy.hook = lambda step: 1.0
        loop.train(toy, config, table, tmp_path, 3, True, loop.make_fabric(accelerator="cpu"))
    finally:
        torch.set_num_threads(threads)
    assert_same(states(tmp_path), states(never_stopped))


def test_two_processes_train_and_give_one_checkpoint(toy_file, table, tmp_path, never_stopped):
    out = tmp_path / "run"
    done = start(toy_file, table, out, "--devices", 2)
    assert done.returncode == 0, done.stderr
    state, alone = checkpoint.read(out), checkpoint.read(never_stopped)
    assert state["step"] == 12 and len(losses(out)) == 12
    assert sorted(path.name for path in out.glob("checkpoint*")) == ["checkpoint.previous.pt", "checkpoint.pt"]
    # The same pairs, but batch norm and dropout see half batches: near, not equal.
    one, two = (s["networks"]["discriminator"]["1.weight"] for s in (state, alone))
    assert not torch.equal(one, two) and (one - two).abs().mean() < 0.05
    assert '"devices": 2' in (out / "run.json").read_text()


@pytest.fixture(scope="module")
def two_stages_never_stopped(toy_file, table, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "two-stages"
    done = start(toy_file, table, out, "--method", "two-stages")
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("deaths", [(3,), (9,), (6,), (5, 7)], ids=["first", "second", "border", "both"])
def test_two_stages_killed_in_either_or_between_them_end_bit_for_bit_the_same(
    deaths, toy_file, table, tmp_path, two_stages_never_stopped
):
    """Stage 1: a recogniser on pairs; stage 2, from step 6 on: a mapper on codes, another batch, rate and average."""
    out = tmp_path / "run"
    for number, step in enumerate(deaths):
        done = start(toy_file, table, out, "--method", "two-stages", *["--resume"] * (number > 0), "--die", step)
        assert done.returncode == -signal.SIGKILL, done.stderr
        last_whole(out, step)
    done = start(toy_file, table, out, "--method", "two-stages", "--resume")
    assert done.returncode == 0 and "two-stages (CPU" in done.stderr and "12/12" in done.stderr, done.stderr
    assert_same(states(out), states(two_stages_never_stopped))
    logs = [[row[:5] for row in csv.reader((run / "log.csv").open())] for run in (out, two_stages_never_stopped)]
    assert [row[:2] for row in logs[0]] == [row[:2] for row in logs[1]] and len(logs[0]) == 13


def test_each_stage_trains_its_own_networks_and_nobody_the_frozen_one(two_stages_never_stopped):
    state = checkpoint.read(two_stages_never_stopped)
    assert set(state["networks"]) == {"judge", "generator"}, "a frozen network needs no checkpoint"
    assert state["optimisers"]["judge"]["state"][0]["step"] == 6
    assert state["optimisers"]["generator"]["state"][0]["step"] == 6
    assert state["optimisers"]["generator"]["param_groups"][0]["lr"] == pytest.approx(0.05 / 6)
    with (two_stages_never_stopped / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["named"]) for row in rows] == [True] * 6 + [False] * 6
    assert [bool(row["guided"]) for row in rows] == [False] * 6 + [True] * 6
    assert (
        not (two_stages_never_stopped / "motion.npz").exists() and not (two_stages_never_stopped / "samples").exists()
    )


def test_two_stages_train_in_two_processes(toy_file, table, tmp_path):
    done = start(toy_file, table, tmp_path / "run", "--method", "two-stages", "--devices", 2)
    assert done.returncode == 0, done.stderr
    assert checkpoint.read(tmp_path / "run")["step"] == 12


REAL = ["landmark-label", "landmark-flow"]


@pytest.mark.parametrize("name", REAL)
def test_a_real_method_killed_between_its_adversary_and_its_generator_ends_the_same(
    name, toy_file, toy_module, table, tmp_path
):
    whole, out = tmp_path / "whole", tmp_path / "run"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        method, config = toy_module.real_method(name)
        loop.train(method, config, table, whole, 3, fabric=loop.make_fabric(accelerator="cpu"))
    finally:
        torch.set_num_threads(threads)
    done = start(toy_file, table, out, "--method", name, "--die", 3)
    assert done.returncode == -signal.SIGKILL, done.stderr
    last_whole(out, 3)
    done = start(toy_file, table, out, "--method", name, "--resume")
    assert done.returncode == 0, done.stderr
    assert_same(states(out), states(whole))


@pytest.mark.parametrize("name", REAL)
def test_a_real_method_trains_in_two_processes(name, toy_file, table, tmp_path):
    out = tmp_path / "run"
    done = start(toy_file, table, out, "--method", name, "--devices", 2)
    assert done.returncode == 0, done.stderr
    state = checkpoint.read(out)
    assert state["step"] == 6 and state["machine"]["devices"] == 2
    weights = [value for network in state["networks"].values() for value in network.values()]
    assert all(torch.isfinite(value).all() for value in weights)
    resumed = start(toy_file, table, out, "--method", name, "--resume")
    assert resumed.returncode == 0 and "all 6 steps are done" in resumed.stderr


def test_resuming_on_another_number_of_threads_says_so(toy_module, table, tmp_path, monkeypatch, capsys):
    toy, config = toy_module.Toy(), toy_module.Config()
    toy.hook = lambda step: os.kill(os.getpid(), signal.SIGTERM) or 1.0 if step == 4 else 1.0
    with pytest.raises(KeyboardInterrupt):
        loop.train(toy, config, table, tmp_path, 3, fabric=loop.make_fabric(accelerator="cpu"))
    toy.hook = lambda step: 1.0
    before = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: before + 1)
    loop.train(toy, config, table, tmp_path, 3, True, loop.make_fabric(accelerator="cpu"))
    told = f"threads {before} before, {before + 1} now: the training goes on, but not bit for bit"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("made", [{"generator": (3, 2)}, {"generator": (2, 2), "judge": (2, 2)}])
def test_weights_of_another_version_name_the_folder_and_the_cure(made):
    states = {name: torch.nn.Linear(*shape).state_dict() for name, shape in made.items()}
    with pytest.raises(
        checkpoint.CheckpointError, match=r"runs/x.*delete the folder and train again, or take another --out"
    ):
        checkpoint.load_into({"generator": torch.nn.Linear(2, 2)}, states, Path("runs/x"))
