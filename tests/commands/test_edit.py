"""`fersyn edit` as it is typed, with a synthesiser that only tints."""

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from fersyn.cli import app
from fersyn.methods.base import Synthesiser
from fersyn.training import model


class Tint(Synthesiser):
    name, needs_landmarks, size, motion = "tint", False, 64, None

    def __init__(self):
        self.asked_for = []

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        self.asked_for.append(expression)
        return (faces + 0.2 * torch.as_tensor(intensity).reshape(-1, 1, 1, 1)).clamp(-1, 1)


@pytest.fixture
def tint(monkeypatch):
    made, runs = Tint(), []
    monkeypatch.setattr(model, "load", lambda run: runs.append(str(run)) or made)
    made.runs = runs
    return made


def run(*arguments):
    return CliRunner().invoke(app, ["edit", *map(str, arguments)])


def test_without_a_run_the_model_of_the_kit_edits(tint, portrait, save, tmp_path):
    photo = save(portrait, tmp_path / "a.png")
    done = run(photo, "--expression", "happy", "--out", tmp_path / "out.png")
    assert done.exit_code == 0 and "1 face now happiness at 100%, by tint" in done.output and tint.runs == [""]


def test_a_blend_is_named_as_such(tint, portrait, save, tmp_path):
    photo = save(portrait, tmp_path / "a.png")
    more = ["--blend", "surprise", "--share", 0.3, "--intensity", 1.5]
    done = run(photo, "--expression", "happy", *more, "--out", tmp_path / "many")
    assert done.exit_code == 0 and "now happiness and surprise (30%) at 150%" in done.output, done.output
    made = Image.open(tmp_path / "many" / "a-happiness-and-surprise.png")
    assert made.text["Expression"] == "happiness and surprise (30%)" and made.text["Strength"] == "150%"


def test_what_failed_stands_at_the_end_and_in_the_exit_code(tint, portrait, save, tmp_path):
    save(portrait, tmp_path / "in" / "a.png")
    save(portrait[:30, :30], tmp_path / "in" / "b.png")
    done = run(tmp_path / "in", "--expression", "sad", "--out", tmp_path / "out")
    assert done.exit_code == 1 and done.stdout.splitlines()[0].startswith("1/2 ")
    first, reason = done.stderr.splitlines()
    assert first == "fersyn: 1 of 2 photographs could not be edited:" and reason.startswith("  b.png: no face found")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--expression", "happy", "--share", 0.5], "--share 0.5 is that of a second expression: name it by --blend"),
        (["--sheet", "--blend", "happy"], "--sheet shows every expression by itself"),
        (["--sheet", "--expression", "happy"], "--sheet shows every expression, and --expression asks for one"),
        (["--expression", "happy", "--blend", "sad", "--share", 2], "share = 2: it must lie between 0 and 1"),
        (["--expression", "happy", "--intensity", 2], "--intensity 2: it must lie between 0 and 1.5"),
    ],
)
def test_options_that_contradict_each_other_are_told(tint, tmp_path, arguments, message):
    done = run(tmp_path / "a.png", *arguments, "--out", tmp_path / "out.png")
    assert done.exit_code == 2 and message in done.stderr
