import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.evaluation.augmentation.banks import CLASSICAL, NOBODY, Bank
from fersyn.evaluation.leaderboard import REAL, Outcome, Protocol
from fersyn.figures import leaderboard as figures
from fersyn.figures.picture import Picture
from fersyn.figures.table import Note

KINDS = ("neutral", "neutral", "neutral", "fear", "happiness")


def answers(method, right, table="lab", people=8, seed=0, most=8):
    """`right`: (person, picture) -> whether it is named rightly."""
    lines = [
        {
            "method": method, "table": table, "seed": seed, "fold": 1, "people": most, "row": k, "person": f"p{p}",
            "expression": kind, "named": kind if right(p, k) else "anger",
        }
        for p in range(people) for k, kind in enumerate(KINDS)
    ]  # fmt: skip
    return pd.DataFrame(lines)


@pytest.fixture
def outcome():
    """`+ good` names one face more of each person than real faces and their variation do; `+ odd` all expressive and no neutral."""
    parts = []
    for table in ("lab", "photos"):
        for seed in (0, 1):
            parts += [
                answers(REAL, lambda p, k: k < 2, table, seed=seed),
                answers(CLASSICAL, lambda p, k: k < 2 or (k == 2 and p % 2), table, seed=seed),
                answers("+ good", lambda p, k, most=4 if table == "lab" else 2: k < most, table, seed=seed),
                answers("+ odd", lambda p, k: k > 2, table, seed=seed),
            ]
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs = {"people": 8, "faces": 40, "tested": 40}
    return Outcome(frame, "lab")


def test_how_recognisers_learn_is_said(outcome):
    table = figures.setup(outcome.frame, Protocol(deals=2, folds=5, steps=77))
    assert table.frame.iloc[0, 1] == "2 × 5" and table.frame.iloc[3, 1].startswith("77 ×")


def test_the_board_has_a_row_each_and_the_surest_are_bold(outcome):
    whole, against, real = figures.board(outcome)
    assert list(whole.frame.iloc[:, 0]) == [REAL, CLASSICAL, "+ good", "+ odd"]
    assert any("at home" in name and "balanced" in name for name in whole.frame.columns)
    assert "8 people" in whole.caption
    assert list(against.frame.iloc[:, 0]) == ["+ good", "+ odd"] and (0, 1) in against.bold
    assert list(real.frame.iloc[:, 0]) == [CLASSICAL, "+ good", "+ odd"]
    assert against.frame.iloc[0, 1].startswith("+") and "classical variation" in against.caption


def test_a_sentence_a_row_by_rule(outcome):
    text = figures.verdicts(outcome).text
    good = next(line for line in text.splitlines() if "+ good" in line)
    assert "on lab against classical variation +" in good and good.count("**helps**") == 2
    odd = next(line for line in text.splitlines() if "+ odd" in line)
    assert "points the other way" not in odd
    assert "On photos no row" not in text, "+ odd helps there by rule"
    alone = Outcome(outcome.frame[outcome.frame["method"] != "+ odd"], "lab")
    assert "On photos no row is better than classical variation" in figures.verdicts(alone).text


def test_where_plain_accuracy_fell_it_is_said(outcome):
    """`+ odd`: balanced from 2/9 to 2/3, plain from 2/5 to 2/5; with one expressive face less it falls."""
    parts = [
        outcome.frame[outcome.frame["method"].isin([REAL, CLASSICAL])],
        answers("+ less", lambda p, k: k == 4 or k == 3 and p < 4),
    ]
    text = figures.verdicts(Outcome(pd.concat(parts, ignore_index=True), "lab")).text
    assert "Plain accuracy at home points the other way: against real only −" in text


def test_charts_say_their_numbers(outcome):
    picture = figures.gains(outcome)
    assert isinstance(picture, Picture) and "lab, + good +" in picture.alt and "classical variation" in picture.caption
    other = outcome.frame.assign(people=4)
    drawn = figures.curve(pd.concat([outcome.frame, other], ignore_index=True))
    assert f"lab, {REAL}: 4 people" in drawn.alt and "8 people" in drawn.alt
    assert isinstance(figures.curve(outcome.frame), Note)
    tables = figures.recall(outcome)
    assert len(tables) == 2 and "fear" in tables[0].frame.columns
    assert set(figures.key_figures(outcome)) >= {"+ good against classical variation, named: lab"}


def test_where_the_faces_come_from(small_table):
    faces = torch.zeros(4, 3, 64, 64, dtype=torch.uint8)
    people = sorted(set(small_table.people))
    own = Bank(
        "painter", faces, np.array([0, 1, 5, 5]), np.array([people[0]] * 4, object), (), {"people": 3, "each": 0.01}
    )
    new = Bank(
        "new people", faces, np.array([0, 1, 5, 6]), np.full(4, NOBODY, object), (), {"steps": 4, "seconds": 90.0}
    )
    table = figures.banks([own, new])
    assert table.frame.iloc[0].tolist() == ["painter", "3", "–", "–", "4", "10"] and table.frame.iloc[1, 3] == "1.5"
    shown = np.ones(len(small_table), bool)
    assert isinstance(figures.samples(small_table, shown, [own, new]), Picture)
    assert isinstance(figures.thumbnail(small_table, shown, [own, new]), Picture)
    assert isinstance(figures.samples(small_table, ~shown, [own]), Note)
    assert figures.thumbnail(small_table, ~shown, [own]) is None


def test_an_expression_that_was_not_made_of_one_person_is_shown_of_the_next(small_table, monkeypatch):
    one, two = list(dict.fromkeys(small_table.people.astype(str)))[:2]
    values = torch.tensor([10, 20, 30], dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 3, 64, 64)
    bank = Bank("few", values, np.array([1, 1, 5]), np.array([two, one, two], object))
    monkeypatch.setattr(figures.faces, "grid", lambda rows, *args, **about: rows)
    seen = np.ones(len(small_table), bool)
    assert [int(face.mean()) for face in figures.samples(small_table, seen, [bank])[0]] == [20, 30]
    private = figures.samples(small_table, small_table.people.astype(str) == one, [bank])[0]
    assert int(private[0].mean()) == 20 and private[1] is None, "who may not be shown is not"


def test_without_a_lab_there_are_sentences():
    nothing = Outcome(pd.DataFrame())
    found = [*figures.board(nothing), figures.verdicts(nothing), figures.gains(nothing), *figures.recall(nothing)]
    found += [
        figures.curve(pd.DataFrame()),
        figures.setup(pd.DataFrame(), Protocol()),
        figures.banks([]),
        figures.samples(None, None, []),
    ]
    assert all(isinstance(note, Note) for note in found)
    assert figures.key_figures(nothing) == {} and figures.thumbnail(None, None, []) is None


def test_published_rows_are_named():
    table = figures.published()
    assert "76.2" in table.frame.iloc[0].tolist() and "not comparable" in table.caption
