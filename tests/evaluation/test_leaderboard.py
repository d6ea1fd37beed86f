"""The leaderboard on very few faces: what each row learns from, who is tested, and what is said by which rule."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import leaderboard, recognition
from fersyn.evaluation.augmentation import gain
from fersyn.evaluation.augmentation.banks import CLASSICAL, NOBODY, Bank, varied
from fersyn.evaluation.leaderboard import HELPS, NOT, REAL, UNKNOWN, Outcome, Protocol
from fersyn.nets.recogniser import Recogniser
from fersyn.table import FaceTable


def renamed(table, name="other"):
    rows = table.rows.assign(subject=f"{name}-" + table.rows["subject"].astype(str))
    return FaceTable(table.path.with_name(name), rows, {**table.info, "fingerprint": name}, table.skipped)


@pytest.fixture
def rows(small_table):
    grey = torch.full((6, 3, 64, 64), 127, dtype=torch.uint8)
    people = sorted(set(small_table.people))
    own = Bank("painter", grey, np.arange(6), np.array([*people[:3], *people[:3]], object))
    new = Bank("other people", grey[:4], np.arange(4), np.full(4, NOBODY, object))
    return leaderboard.rows_of(varied(small_table, 2), [own, new], [new], ["painter", "other people"])


def test_rows_learn_from_what_they_are_called_after(small_table, rows, monkeypatch):
    seen = []

    def learn(faces, labels, **given):
        seen.append((faces, labels, given))
        return Recogniser().eval()

    monkeypatch.setattr(leaderboard, "train_recogniser", learn)
    asked = Protocol(people=1, deals=2, folds=2, steps=3, seed=5)
    found = leaderboard.run(small_table, leaderboard.across(None), rows, asked)
    assert list(rows) == [
        REAL,
        CLASSICAL,
        "+ painter",
        "+ other people",
        "+ painter and other people",
        "other people only",
    ]
    # Without the lab's faces both folds of a deal have the same recogniser.
    assert len(seen) == 2 * (2 * 5 + 1) and {given["steps"] for *_, given in seen} == {3}
    assert [given["seed"] for *_, given in seen] == [5] * 11 + [6] * 11
    real = len(seen[0][0])
    assert [len(faces) for faces, *_ in seen[1:5]][:1] == [3 * real]
    for faces, _, given in seen[2:5]:
        lab = given["pool"] < 3 * real
        assert len(faces) > 3 * real and lab.float().mean() >= 0.5 and not lab.all()
    people = set(small_table.people)
    for (seed, fold), own in found[found["method"] == REAL].groupby(["seed", "fold"]):
        view = small_table.view(f"{fold}/2", 1, seed)
        assert set(own["person"]) == view.people_of("test") and not set(own["person"]) & view.people_of("train")
    assert set(found["person"]) == people and (found["people"] == 1).all()
    assert found.attrs["people"] == 1


def test_synthetic_faces_are_those_of_the_people_learnt_from(small_table, rows):
    view = small_table.view("1/2", 1, 0)
    (who,) = view.people_of("train")
    bank = rows["+ painter"].made
    _, labels = bank.of({who})
    assert labels.tolist() == bank.labels[bank.people == who].tolist()
    both, others = rows["+ painter and other people"].made, rows["+ other people"].made
    assert both.of({who})[1].tolist() == [*labels.tolist(), *others.labels.tolist()] and len(both.faces) == 10


def test_what_is_not_there_is_given_with_nothing(small_table, rows):
    own = rows["+ painter"].made
    for together in (["painter", "nobody"], ["painter"], []):
        assert list(leaderboard.rows_of(varied(small_table, 2), [own], [], together)) == [REAL, CLASSICAL, "+ painter"]


def test_across_sets_nobody_is_learnt_from(small_table, rows):
    asked = Protocol(people=0, deals=1, folds=2, steps=1)
    with pytest.raises(SubjectLeak):
        leaderboard.run(small_table, leaderboard.across(small_table), rows, asked)
    away = renamed(small_table)
    ((table, index),) = leaderboard.across(away)
    assert table is away and np.array_equal(index, recognition.usable(away.rows))
    view = away.view("1/2", 0, 0)
    ((_, index),) = leaderboard.across(view, learnt_from=True)
    assert set(view.people[index]) == view.people_of("test")


def test_it_runs_and_a_systems_own_recogniser_stands_beside(small_table, rows, monkeypatch):
    run = leaderboard.run
    asked = Protocol(people=1, deals=1, folds=2, steps=2)
    right = {
        face.numpy().tobytes(): label for face, label in zip(small_table.tensor(), small_table.labels(), strict=True)
    }

    def recognise(faces):
        return torch.nn.functional.one_hot(torch.tensor([right[face.numpy().tobytes()] for face in faces]), 8).float()

    frame = leaderboard.measured(small_table, [], rows, {"joint": SimpleNamespace(recognise=recognise)}, asked)
    outcome = Outcome(frame, small_table.path.name)
    assert outcome.rows == [*rows, "joint's own"] and outcome.tables == [small_table.path.name]
    whole = outcome.summary.set_index(["method", "metric"])["value"]
    assert whole["joint's own", gain.BALANCED] == whole["joint's own", gain.PLAIN] == 1
    gaps = outcome.gaps
    assert set(gaps["minus"]) == {REAL, CLASSICAL} and REAL not in set(gaps["method"])
    wanted = 1 - whole[CLASSICAL, gain.PLAIN]
    assert outcome.gap("joint's own", small_table.path.name, CLASSICAL, gain.PLAIN)["value"] == pytest.approx(wanted)
    calls = []
    monkeypatch.setattr(leaderboard, "run", lambda *given: calls.append(given[-1]) or run(*given))
    lengths = leaderboard.curve(small_table, [], rows, asked, frame, [1, 0, 9], ["painter"])
    assert [(each.people, each.deals) for each in calls] == [(2, 1)], "what is known is not trained again"
    assert set(lengths["people"]) == {1, 2} and set(lengths["method"]) == {REAL, CLASSICAL, "+ painter"}


def test_without_a_lab_there_is_nothing():
    nothing = leaderboard.measured(None, [], {}, {}, Protocol())
    outcome = Outcome(nothing)
    assert not outcome.rows and not outcome.tables and not len(outcome.scores.rows)
    assert not len(outcome.summary) and not len(outcome.gaps)
    assert not len(leaderboard.curve(None, [], {}, Protocol(), nothing, [1]))


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"deals": 0}, {"steps": 0}, {"people": -1}])
def test_a_protocol_that_cannot_be_is_refused(wrong):
    with pytest.raises(FersynError, match=next(iter(wrong))):
        Protocol(**wrong)


def test_plain_accuracy_weighs_pictures_balanced_weighs_expressions():
    answers = pd.DataFrame({"person": "a", "expression": ["neutral"] * 3 + ["fear"], "named": ["neutral"] * 4})
    keys = {"method": "m", "table": "t", "seed": 0}
    assert gain.plain(answers, **keys)["value"].tolist() == [0.75]
    assert gain.balanced(answers, **keys)["value"].mean() == 0.5


@pytest.mark.parametrize(
    ("value", "low", "high", "people", "word"),
    [
        (0.1, 0.01, 0.2, 9, HELPS),
        (-0.1, -0.2, -0.01, 9, NOT),
        (0.1, -0.01, 0.2, 9, UNKNOWN),
        (0.1, 0.01, 0.2, 3, UNKNOWN),
    ],
)
def test_the_rule(value, low, high, people, word):
    assert leaderboard.verdict({"value": value, "low": low, "high": high, "people": people}) == word
