from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import new_people, recognition
from fersyn.evaluation.new_people import ALONE, ARMS, Arm
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.base import labels_of
from fersyn.nets import recogniser
from fersyn.table import FaceTable
from fersyn.training import runs


class Copyist:
    """A method whose new people are the table's own faces of the expression: not new at all."""

    name, guides, draws_people = "copyist", ("fer",), True

    def __init__(self, table):
        self.table = table
        self.expressions = tuple(name for name in EXPRESSIONS[1:] if name in set(table.rows["expression"]))

    def sample(self, count, expression, seed=0):
        labels = labels_of(expression, count)
        own = [
            np.flatnonzero((self.table.rows["split"] == "train") & (self.table.labels() == k)) for k in labels.tolist()
        ]
        return self.table.tensor(np.array([rows[seed % len(rows)] for rows in own], int)), labels


@pytest.fixture
def run(small_table, tmp_path, monkeypatch):
    """A folder that says it was trained on the small table's training people, and draws with `Copyist`."""
    runs.write_people(tmp_path, small_table.people_of("train"))
    monkeypatch.setattr(new_people, "load", lambda run: Copyist(small_table))
    return tmp_path


def test_expressions_take_turns_and_a_longer_draw_begins_with_a_shorter_one(run, small_table):
    longer, shorter = (new_people.draw(run, small_table, count, seed=1) for count in (10, 7))
    assert [EXPRESSIONS[k] for k in longer.labels[:8]] == ["neutral", *Copyist(small_table).expressions, "neutral"]
    assert torch.equal(longer.faces[:7], shorter.faces) and len(set(longer.people)) == 10
    assert longer.guides == ("fer",)


def test_who_has_seen_others_or_draws_nobody_is_refused(run, small_table, monkeypatch):
    monkeypatch.setattr(new_people, "load", lambda run: SimpleNamespace(draws_people=False, name="copy"))
    with pytest.raises(FersynError, match="copy draws no new people"):
        new_people.draw(run, small_table, 4)
    runs.write_people(run, {*small_table.people_of("train"), *small_table.people_of("test")})
    with pytest.raises(SubjectLeak, match="test people"):
        new_people.draw(run, small_table, 4)


def test_copies_are_nobody_new(run, small_table):
    drawn = new_people.draw(run, small_table, 7)
    rows = new_people.newness(drawn).rows
    assert set(rows["metric"]) == {"nearest_known", "stranger"} and set(rows["person"]) == set(drawn.people)
    calm = rows[(rows["metric"] == "nearest_known") & (rows["expression"] == "neutral")]
    assert (calm["value"] < 0.25).all(), "his own picture, its landmarks found anew"
    assert not rows[rows["metric"] == "stranger"]["value"].all()


def test_judges_that_guided_are_marked(run, small_table, monkeypatch):
    drawn = new_people.draw(run, small_table, 7)
    judge = SimpleNamespace(classes=range(8), named=lambda faces: np.zeros(len(faces), int))
    monkeypatch.setattr(new_people.judging, "there", lambda name: judge)
    rows = new_people.called(drawn, judge).rows
    assert rows[rows["metric"] == "named_fer"]["guide"].all() and not rows[rows["metric"] == "right"]["guide"].any()
    assert rows[rows["metric"] == "right"].set_index("expression")["value"].to_dict()["neutral"] == 1


def other(table):
    """The same faces under other names, in another table."""
    rows = table.rows.assign(subject="other-" + table.rows["subject"].astype(str))
    return FaceTable(table.path.with_name("other"), rows, {**table.info, "fingerprint": "other"}, table.skipped)


def test_all_arms_are_alike_but_for_what_they_claim(run, small_table, monkeypatch):
    drawn, seen = new_people.draw(run, small_table, 14), []

    def learn(faces, labels, **given):
        seen.append((len(faces), given))
        return recogniser.Recogniser().eval()

    monkeypatch.setattr(new_people, "train_recogniser", learn)
    away = other(small_table)
    monkeypatch.setattr(type(away), "_read", lambda self, name: np.zeros((128, 128, 3), np.uint8))
    scores = new_people.ablation(drawn, away, steps=3, seeds=2)
    assert len(seen) == 2 * len(ARMS) and {given["steps"] for _, given in seen} == {3}
    train = len(recognition.usable(small_table.rows[small_table.rows["split"] == "train"]))
    for (faces, given), arm in zip(seen, [arm for arm in ARMS.values() for _ in range(2)], strict=True):
        told = given["synthesis"]
        assert faces == train + 14 * arm.synthesis and int(told.made.sum()) == 14 * arm.synthesis
        assert not told.made[:train].any() and told.smoothing == (0.0, arm.smoothing)
        assert told.intra_class == arm.intra_class
        assert (given["pool"] < train).float().mean() >= 0.5
    accuracy, gains = new_people.summaries(scores)
    assert set(accuracy["table"]) == {small_table.path.name, "other"} and (accuracy["seeds"] == 2).all()
    assert set(gains["minus"]) == {ALONE} and len(gains) == 2 * (len(ARMS) - 1)


def test_the_arms_are_those_of_the_abstract():
    kinds = [(arm.synthesis, bool(arm.intra_class), bool(arm.smoothing)) for arm in ARMS.values()]
    assert kinds == [
        (False, False, False),
        *((True, intra, smooth) for intra, smooth in ((0, 0), (1, 0), (0, 1), (1, 1))),
    ]
    assert ARMS[ALONE] == Arm(synthesis=False)


def test_nobody_who_is_learnt_from_is_tested_elsewhere(run, small_table):
    drawn = new_people.draw(run, small_table, 7)
    twin = FaceTable(small_table.path, small_table.rows, {**small_table.info, "fingerprint": "x"}, small_table.skipped)
    with pytest.raises(SubjectLeak):
        new_people.ablation(drawn, twin, steps=1)


def test_without_new_people_there_is_nothing_to_measure():
    for scores in (new_people.newness(None), new_people.called(None, None), new_people.ablation(None, None)):
        assert not len(scores.rows)
    assert all(not len(frame) for frame in new_people.summaries(scores))
