"""Trainings on a part of the people: what is recorded of them, and who may go on with them."""

from concurrent.futures import ThreadPoolExecutor, TimeoutError
from contextlib import ExitStack

import pytest
import torch
from typer.testing import CliRunner

from fersyn import methods, splits, weights
from fersyn.cli import app
from fersyn.errors import FersynError
from fersyn.files import locked
from fersyn.training import checkpoint, requests
from fersyn.training.requests import Request, trained
from fersyn.training.runs import read_seed, trained_people


def test_a_fold_is_trained_on_its_own_people_and_says_so(toy, table, tmp_path):
    asked = {k: Request(f"part/fold{k}", "toy", "smoke", 3, ("steps=2", "batch=2"), f"{k}/2") for k in (1, 2)}
    runs = trained(asked, table, tmp_path)
    assert runs[1] == tmp_path / "part" / "fold1"
    one, two = (trained_people(run) for run in runs.values())
    assert one | two == set(table.people) and not one & two, "each fold's test people train the other"
    view = asked[1].view(table)
    assert set(view.people[(view.rows["split"] == "train").to_numpy()]) == one
    assert view.fingerprint == table.fingerprint and set(table.rows["split"]) == {"train", "test"}
    splits.check_disjoint(view.rows[view.rows["split"] == "train"], view.rows[view.rows["split"] == "test"])


def test_methods_whose_weights_are_missing_are_left_out_and_named(monkeypatch, capsys):
    settings = ["emotion-gan.axes=mapper", "emotion-gan.transfer=true", "c-gan.steps=3"]
    chosen = requests.chosen(["copy", "c-gan"], slow=["emotion-gan", "copy"])
    assert chosen == ["copy", "c-gan", "emotion-gan"]
    needed = requests.weights_of(chosen, settings, "smoke")
    assert "actions" in needed and "stylegan-mapping" in needed and "sface" not in needed
    assert "actions" not in requests.weights_of(["emotion-gan"], [], "smoke")
    monkeypatch.setattr(weights, "find", lambda name: name)
    assert requests.able(chosen, settings, "smoke") == (chosen, "")
    monkeypatch.setattr(weights, "find", lambda name: None if name == "actions" else name)
    left, note = requests.able(chosen, settings, "smoke")
    assert left == ["copy", "c-gan"] and "emotion-gan (fersyn weights fetch actions)" in note
    assert note in capsys.readouterr().err
    with pytest.raises(FersynError, match="no method is left to look at.*fetch actions"):
        requests.able(["emotion-gan"], settings, "smoke")
    assert set(requests.of_methods(["copy"], settings, "smoke", slow=["emotion-gan"])) == {"copy", "emotion-gan"}
    assert set(requests.of_methods(["copy"], settings, "smoke", method="c-gan", slow=["emotion-gan"])) == {"c-gan"}


def test_a_run_that_another_process_holds_is_waited_for(toy, table, tmp_path, capsys):
    asked = Request("run", "toy", "smoke", 3, ("steps=2", "batch=2"))
    asked.train(table, tmp_path)
    held = ExitStack()
    held.enter_context(locked(tmp_path / "run" / ".lock"))  # as notebook 02 holds it while notebook 03 comes
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(asked.train, table, tmp_path)
        with pytest.raises(TimeoutError):
            other.result(timeout=1)
        held.close()
        assert other.result(timeout=60) == tmp_path / "run"
    assert "another process is at it; waiting" in "".join(capsys.readouterr())


def test_another_fold_does_not_go_on_with_a_run(toy, table, tmp_path):
    Request("run", "toy", "smoke", 3, ("steps=2", "batch=2"), "1/2").train(table, tmp_path)
    with pytest.raises(FersynError, match="2 training people in the checkpoint, 2 now, 0 of them the same"):
        Request("run", "toy", "smoke", 3, ("steps=2", "batch=2"), "2/2").train(table, tmp_path)


def test_the_command_line_takes_folds_people_and_the_runs_own_seed(toy, table, tmp_path):
    asked = Request("run", "toy", "smoke", 5, ("steps=2", "batch=2"), "1/2", 1)
    arguments = ["train", "toy", "--data", str(table.path), "--out", str(tmp_path / "run"), *asked.arguments]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert len(trained_people(tmp_path / "run")) == 1 and read_seed(tmp_path / "run") == 5
    again = [
        "train",
        "toy",
        "--data",
        str(table.path),
        "--out",
        str(tmp_path / "run"),
        "--fold",
        "1/2",
        "--people",
        "1",
    ]
    result = CliRunner().invoke(app, [*again, "--resume"])
    assert result.exit_code == 0, result.output
    assert checkpoint.read(tmp_path / "run")["seed"] == 5
    view = asked.view(table)
    assert torch.equal(*(torch.tensor(v.labels()) for v in (view, table)))


def test_a_run_without_its_people_is_refused(tmp_path):
    with pytest.raises(FersynError, match=r"people\.json is missing"):
        trained_people(tmp_path)


def test_the_command_line_trains_without_a_table_what_needs_none(toy_module, table, tmp_path, monkeypatch):
    class Coded(toy_module.TwoStages):
        name, needs_table = "coded", False

        def stages(self, config):
            return super().stages(config)[1:]

    monkeypatch.setitem(methods._REGISTERED, "coded", Coded())
    monkeypatch.setitem(methods._REGISTERED, "toy", toy_module.Toy())
    words = ["train", "coded", "--steps", "4", "--accelerator", "cpu", "--out", str(tmp_path / "coded")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    state = checkpoint.read(tmp_path / "coded")
    assert state["step"] == 2 and state["table"] == "none" and trained_people(tmp_path / "coded") == set()
    for more, message in (
        (["toy"], "toy learns from a face table: name one (on the command line: --data TABLE)"),
        (["coded", "--people", "1"], "--fold and --people choose among the people of a face table: name one by --data"),
    ):
        result = CliRunner().invoke(app, ["train", *more, "--out", str(tmp_path / "none")])
        assert result.exit_code == 2 and result.stderr == f"fersyn: {message}\n"
        assert not (tmp_path / "none").exists()
