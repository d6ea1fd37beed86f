"""A new person in the panel: openpeople's pictures stand where the generator draws."""

import io
import shlex
from collections import Counter
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fersyn import cli, drawing
from fersyn.errors import FersynError
from fersyn.explore import Explorer, keep, newcomer
from fersyn.explore.explorer import PHOTO
from fersyn.explore.newcomer import METHOD, NEW
from fersyn.explore.view import jpeg
from fersyn.generating.actions import LITTLE, WELL
from fersyn.nets import generators, mobile_stylegan


def result(panel):
    return panel.cards[0].result.value


def moved(panel, widget, value):
    """Set a widget's value; whether the result's bytes changed."""
    before = result(panel)
    widget.value = value
    assert panel.wait()
    return result(panel) != before


def error(panel):
    return panel.status.value if 'role="alert"' in panel.status.value else ""


@pytest.fixture
def drawn(monkeypatch, portraits):
    """Who is drawn, how: a person's neutral picture and another, mixed by the strength; each action darkens a row of it."""
    calls = []

    def portrait(seed, index, truncation, expression, strength, actions=(), size=256, draft=True):
        calls.append((seed, index, expression, strength, actions, draft))
        calm, loud = (portraits[f"P00{1 + index % 4}", name] for name in ("neutral", expression))
        mixed = (1 - strength) * calm + strength * cv2.resize(loud, calm.shape[1::-1])
        for row, (_, amount) in enumerate(actions):
            mixed[90 + row] *= 1 - amount
        return mixed.astype(np.uint8)

    for module in (newcomer, drawing):
        monkeypatch.setattr(module, "portrait", portrait)
    monkeypatch.setattr(newcomer, "missing", list)
    monkeypatch.setattr(mobile_stylegan, "missing", list)
    monkeypatch.setattr(newcomer, "choose", lambda people, seed, *_: ([2 * k for k in range(people)], Counter()))
    monkeypatch.setattr(newcomer, "makers", lambda: (None, SimpleNamespace(guides=("fer", "facex"))))
    return calls


@pytest.fixture
def somebody(drawn, panel):
    """A panel with a new person in it."""
    panel.set_.value = NEW
    assert panel.wait() and not error(panel)
    return panel


def test_offered_and_nothing_is_drawn_before(drawn, panel):
    assert panel.set_.options[-1] == NEW and panel.set_.value != NEW and not drawn
    for each in (panel.seed, panel.next, panel.wish.single):
        assert each.layout.display == "none"


def test_expression_strength_and_actions_change_the_picture(somebody, drawn):
    assert somebody.cards[0].title.value.count(METHOD) == 1 and "G8-00000, neutral" in somebody.title.value
    assert "fer, facex have guided its mapper: they are no judges" in somebody.about.value
    assert somebody.run.disabled and somebody.wish.second.disabled and somebody.wish.handles["mouth_open"].disabled
    assert moved(somebody, somebody.wish.expression, "surprise") and moved(somebody, somebody.wish.intensity, 0.3)
    assert [*somebody.wish.actions] == [*WELL, *LITTLE]
    for name in ("eyeBlink", "jawOpen", "browDown"):
        assert moved(somebody, somebody.wish.actions[name], 0.5), name
    assert drawn[-1][2:4] == ("surprise", 0.3) and ("eyeBlinkLeft", 0.5) in drawn[-1][4] and drawn[-1][5]
    assert "jawOpen +0.50" in somebody.cards[0].title.value
    somebody.wish.calm.click()
    assert somebody.wait() and drawn[-1][4] == () and not somebody.wish.wish.actions
    assert moved(somebody, somebody.wish.expression, "neutral")
    assert moved(somebody, somebody.wish.actions["jawOpen"], 0.9)
    assert "dlib distance" in somebody.cards[0].measures.value and not error(somebody)


def test_the_next_person_and_other_people(somebody, drawn):
    before = result(somebody)
    somebody.next.click()
    assert somebody.wait() and drawn[-1][:2] == (8, 2) and result(somebody) != before
    somebody.next.click()
    assert somebody.wait() and drawn[-1][:2] == (8, 4)
    somebody.seed.value = 7
    assert somebody.wait() and drawn[-1][:2] == (7, 0) and "G7-00000" in somebody.title.value


def test_nobody_to_be_found_is_told_and_the_state_stays(somebody, monkeypatch):
    before = result(somebody), somebody.code.text

    def nobody(*_):
        raise FersynError("only 0 of 160 candidates can be taken")

    monkeypatch.setattr(newcomer, "choose", nobody)
    somebody.next.click()
    assert "only 0 of 160" in error(somebody) and (result(somebody), somebody.code.text) == before


def test_a_run_beside_edits_the_same_face_without_the_actions(somebody):
    somebody.wish.actions["jawOpen"].value = 0.5
    somebody.beside.value = "c-gan"
    assert somebody.wait() and somebody.cards[1].box.layout.display is None
    assert "c-gan" in somebody.cards[1].title.value and "jawOpen" not in somebody.cards[1].title.value
    assert somebody.cards[1].result.value != result(somebody)


def test_back_to_a_table_all_is_as_before(somebody):
    table = somebody.set_.options[0]
    somebody.wish.actions["jawOpen"].value = 0.5
    somebody.set_.value = table
    assert somebody.wait() and "landmark-flow" in somebody.cards[0].title.value and not somebody.wish.wish.actions
    assert not somebody.run.disabled and not somebody.wish.second.disabled
    assert not somebody.wish.handles["mouth_open"].disabled and somebody.wish.single.layout.display == "none"
    assert "never seen" in somebody.about.value and somebody.person.layout.display is None


def test_a_photograph_takes_its_place(somebody, portrait):
    somebody.upload("me.jpg", jpeg(portrait))
    assert somebody.wait() and not error(somebody) and "landmark-flow" in somebody.cards[0].title.value
    somebody.set_.value = NEW
    assert somebody.wait() and METHOD in somebody.cards[0].title.value
    somebody.beside.value = "c-gan"  # cuts a photograph anew, and must not take this for one
    somebody.again.click()
    assert somebody.wait() and "G8-00000" in somebody.title.value and not error(somebody)


def test_both_lines_make_what_is_saved_again(somebody, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    somebody.wish.intensity.value, somebody.wish.actions["eyeBlink"].value = 0.6, 0.4
    assert somebody.wait()
    somebody.keep["picture"].click()
    saved = np.asarray(Image.open(somebody.last_saved))
    assert somebody.last_saved.name == "G8-00000-happiness-60.png" and not error(somebody)
    exec(somebody.code.text, {})
    assert np.array_equal(np.asarray(Image.open("happiness.png")), saved)
    words = shlex.split(somebody.shell.text.replace("happiness.png", "by-command.png"))[len(keep.command()) :]
    assert words[0] == "draw" and CliRunner().invoke(cli.app, words).exit_code == 0
    assert np.array_equal(np.asarray(Image.open("by-command.png")), saved)


def test_a_film_of_actions_alone_moves(somebody):
    somebody.wish.expression.value = "neutral"
    somebody.keep["gif"].click()
    assert "neutral alone has nothing" in error(somebody)
    somebody.wish.actions["jawOpen"].value = 0.9
    somebody.keep["gif"].click()
    assert not error(somebody) and Image.open(somebody.last_saved).n_frames > 15


def test_without_weights_nobody_is_offered_and_a_line_says_what_to_fetch(small_table, runs, monkeypatch):
    monkeypatch.setattr(newcomer, "missing", lambda: ["stylegan-mapping", "facex"])
    panel = Explorer([small_table.path], runs, judge_epochs=0)
    assert panel.wait() and NEW not in panel.set_.options and result(panel) and not error(panel)
    assert "New people cannot be drawn" in panel.status.value
    assert "fersyn weights fetch stylegan-mapping facex" in panel.status.value


def test_without_any_run_or_table_new_people_are_there(drawn, tmp_path):
    panel = Explorer([tmp_path / "none"], tmp_path / "runs", judge_epochs=0)
    assert panel.set_.value == PHOTO and not drawn, "a portrait of openpeople, by the model that comes with the kit"
    panel.set_.value = NEW
    assert panel.wait() and result(panel) and not error(panel)
    assert not any(each.disabled for each in panel.keep.values())


@pytest.mark.slow
@pytest.mark.skipif(not generators.available(), reason="the generator's weights are not here")
def test_a_true_person(panel):
    panel.set_.value = NEW
    assert panel.wait() and not error(panel), panel.status.value
    assert Image.open(io.BytesIO(result(panel))).size == (512, 512)
    assert moved(panel, panel.wish.actions["jawOpen"], 0.9)
