"""`fersyn draw` with a generator of one colour; and, where its weights are, with the one that the kit knows."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fersyn import cli, drawing
from fersyn.nets import generators, mobile_stylegan


@pytest.fixture
def asked(monkeypatch):
    """What portraits were asked for; each is of one colour."""
    calls = []

    def portrait(*known, draft):
        calls.append((*known, draft))
        return np.full((known[6], known[6], 3), 10 * len(calls), np.uint8)

    monkeypatch.setattr(drawing, "portrait", portrait)
    monkeypatch.setattr(mobile_stylegan, "missing", list)
    return calls


def run(*arguments):
    return CliRunner().invoke(cli.app, ["draw", *map(str, arguments)])


def test_what_is_asked_for_arrives(asked, tmp_path):
    about = ["--expression", "scared", "--strength", 0.6, "--action", "eyeBlink=0.3", "--action", "jawOpen=0.5"]
    who = ["--seed", 4, "--person", 7, "--truncation", 0.5, "--size", 128]
    done = run("--out", tmp_path / "a.png", *about, *who)
    assert done.exit_code == 0, done.output
    actions = (("eyeBlinkLeft", 0.3), ("eyeBlinkRight", 0.3), ("jawOpen", 0.5))
    assert asked == [(4, 7, 0.5, "fear", 0.6, actions, 128, False)]
    assert "a.png: person 7 of seed 4, fear at 60%, eyeBlink +0.30, jawOpen +0.50" in done.output
    made = Image.open(tmp_path / "a.png")
    assert made.size == (128, 128)
    assert made.text["Description"].startswith("AI-generated: fear at 60%, eyeBlink +0.30, jawOpen +0.50; fersyn ")
    assert "weights mapper.safetensors" in made.text["Description"] and made.text["Expression"] == "fear"
    assert "/trainedAlgorithmicMedia" in made.text["XML:com.adobe.xmp"]


def test_without_more_it_is_the_first_persons_neutral_face(asked, tmp_path):
    done = run("--out", tmp_path / "a.jpg")
    assert done.exit_code == 0 and asked[0][:2] == (0, 0) and asked[0][3] == "neutral" and asked[0][6] == 256
    assert "person 0 of seed 0, neutral" in done.output and "%" not in done.output


def test_a_sheet_has_every_expression(asked, tmp_path):
    done = run("--out", tmp_path / "a.png", "--sheet", "--size", 64, "--strength", 0.5, "--action", "jawOpen=0.2")
    assert done.exit_code == 0 and "every expression at 50%, jawOpen +0.20" in done.output
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert picture.shape == (64 + 30, 8 * 64, 3)
    assert picture[40, 32::64, 0].tolist() == [10 * k for k in range(1, 9)]
    assert {call[4:6] for call in asked} == {(0.5, (("jawOpen", 0.2),))}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--action", "jawopen=0.5"], "there is no action 'jawopen'; use some of: browDownLeft"),
        (["--action", "jawOpen"], "--action jawOpen: write NAME=AMOUNT, as in jawOpen=0.5"),
        (["--action", "jawOpen=1.2"], "jawOpen = 1.2: it must lie between -1 and 1"),
        (["--action", "jawOpen=nan"], "jawOpen = nan: it must lie between -1 and 1"),
        (["--strength", "1.6"], "--strength 1.6: it must lie between 0 and 1.5"),
        (["--strength", "nan"], "--strength nan: it must lie between 0 and 1.5"),
        (["--truncation", "-0.1"], "--truncation -0.1: it must lie between 0 and 1"),
        (["--seed", "-1"], "--seed -1: use 0 or more"),
        (["--person", "-1"], "--person -1: use 0 or more"),
        (["--expression", "bored"], "'bored' is no expression"),
        (["--out", "a.gif"], "--out a.gif: use a name that ends in .png"),
        (["--out", "none/a.png"], "--out none/a.png: there is no folder none; make it first"),
    ],
)
def test_wrong_wishes_are_one_line_before_anything_is_done(asked, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    done = run("--out", "a.png", *arguments)
    assert done.exit_code == 2 and done.stderr.startswith(f"fersyn: {told}") and done.stderr.count("\n") == 1
    assert not asked and not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_not_lost(asked, tmp_path):
    out = tmp_path / "a.png"
    assert run("--out", out).exit_code == 0
    before = out.read_bytes()
    again = run("--out", out)
    assert again.exit_code == 2 and "is there already; give another name, or --overwrite" in again.stderr
    assert out.read_bytes() == before
    assert run("--out", out, "--overwrite").exit_code == 0 and out.read_bytes() != before


def test_missing_weights_are_fetched_or_named(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(mobile_stylegan, "missing", lambda: ["stylegan-mapping"])
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("FERSYN_OFFLINE", "1")
    done = run("--out", tmp_path / "a.png")
    assert done.exit_code == 2 and "fersyn weights add stylegan-mapping FILE" in done.stderr and not asked
    fetched = []
    monkeypatch.setattr(drawing.weights, "fetch", fetched.append)
    assert run("--out", tmp_path / "a.png").exit_code == 0 and fetched == ["stylegan-mapping"]


def test_help_says_which_actions_move():
    text = " ".join(run("--help").output.split())
    assert "jawOpen=" not in text and "move well: eyeBlink," in text and "hardly at all" in text


@pytest.mark.skipif(not generators.available(), reason="the generator's weights are not here")
def test_a_true_picture():
    own = {"seed": 1, "person": 7, "size": 64}
    calm, loud, wide = (
        np.asarray(drawing.draw(*asked, **own)).astype(int)
        for asked in (("neutral",), ("surprise", 1.0), ("neutral", 1.0, {"jawOpen": 0.9}))
    )
    assert calm.shape == (64, 64, 3) and calm.std() > 20
    assert np.array_equal(calm, np.asarray(drawing.draw("surprise", 0.0, **own)))
    mouth = np.s_[44:54, 22:42]
    for moved in (loud, wide):
        assert np.abs(moved - calm)[mouth].mean() > 3 * np.abs(moved - calm)[:12].mean()
    assert not np.array_equal(loud, wide)
