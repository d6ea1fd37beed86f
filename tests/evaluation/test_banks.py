"""Faces beside the real ones: of whom each is made, by what, and who may not be among those learnt from."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import recognition
from fersyn.evaluation.augmentation import banks
from fersyn.evaluation.augmentation.banks import NOBODY, Bank
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.base import labels_of
from fersyn.table import FaceTable
from fersyn.training import runs


class Painter:
    """A system that makes each face grey, the lighter the higher its label, and keeps what it was asked."""

    name, guides, expressions = "painter", ("fer",), tuple(EXPRESSIONS[1:])

    def __init__(self):
        self.asked = []

    def edit(self, faces, names, strength, landmarks, source_landmarks):
        assert landmarks is None and source_landmarks.shape == (len(faces), 68, 2)
        self.asked += list(zip(names, strength.tolist(), strict=True))
        grey = labels_of(names, len(faces)).float()[:, None, None, None] / 8 - 0.5
        return grey.expand_as(faces).clone()


def renamed(table, name="other"):
    rows = table.rows.assign(subject=f"{name}-" + table.rows["subject"].astype(str))
    return FaceTable(table.path.with_name(name), rows, {**table.info, "fingerprint": name}, table.skipped)


def test_each_person_is_edited_as_often_as_asked_in_all_expressions(small_table):
    painter = Painter()
    bank = banks.edited(painter, small_table, 3, seed=1, about={"steps": 5})
    index = recognition.usable(small_table.rows)
    for person in set(small_table.people[index]):
        own = bank.labels[bank.people == person]
        assert len(own) == 3 * (small_table.people[index] == person).sum()
        assert set(own.tolist()) == set(small_table.labels(index).tolist()), "neutral, too"
    assert [EXPRESSIONS[k] for k in bank.labels] == [name for name, _ in painter.asked]
    strengths = np.array([strength for name, strength in painter.asked if name != "neutral"])
    assert strengths.min() >= 0.7 - 1e-6 and strengths.max() <= 1.3 + 1e-6 and strengths.std() > 0.1
    assert {strength for name, strength in painter.asked if name == "neutral"} == {0.0}
    shade = (bank.faces.float().mean((1, 2, 3)) / 127.5 - 1).numpy()
    assert np.allclose(shade, bank.labels / 8 - 0.5, atol=0.02), "each face has the label that it was made with"
    assert bank.about["steps"] == 5 and bank.about["each"] > 0 and bank.guides == ("fer",)
    again = banks.edited(Painter(), small_table, 3, seed=1)
    assert torch.equal(again.faces, bank.faces)


def test_what_is_made_of_a_person_depends_on_that_person_alone(small_table):
    """So the faces of a fold's people are the same, whoever else is in the lab."""
    people = sorted(set(small_table.people))
    part = FaceTable(
        small_table.path, small_table.rows[np.isin(small_table.people.astype(str), people[:1])].reset_index(drop=True),
        small_table.info, small_table.skipped,
    )  # fmt: skip
    whole, alone = (banks.edited(Painter(), table, 2, seed=4) for table in (small_table, part))
    own = whole.people == people[0]
    assert np.array_equal(whole.labels[own], alone.labels) and torch.equal(whole.faces[own], alone.faces)


def test_nobody_to_edit_is_said(small_table):
    loud = small_table.rows[small_table.rows["expression"] != "neutral"].reset_index(drop=True)
    with pytest.raises(FersynError, match="no neutral face"):
        banks.edited(Painter(), FaceTable(small_table.path, loud, small_table.info, small_table.skipped))


def test_a_bank_gives_the_faces_of_those_learnt_from_and_of_nobody():
    bank = Bank("x", torch.arange(4).reshape(4, 1, 1, 1), np.array([0, 1, 2, 3]), np.array(["a", "b", NOBODY, "a"]))
    faces, labels = bank.of({"a"})
    assert faces.flatten().tolist() == [0, 2, 3] == labels.tolist()


def test_variation_keeps_labels_and_people(small_table):
    bank, index = banks.varied(small_table, 3), recognition.usable(small_table.rows)
    assert len(bank.faces) == 3 * len(index) and np.array_equal(bank.labels, np.repeat(small_table.labels(index), 3))
    copies = bank.faces.reshape(len(index), 3, -1).float()
    apart = [not torch.equal(each[0], each[1]) and not torch.equal(each[1], each[2]) for each in copies]
    assert np.mean(apart) > 0.7, "a face's copies do not share their draws"


def test_who_is_tested_was_not_learnt_from(small_table, tmp_path, monkeypatch):
    runs.write_people(tmp_path, small_table.people_of("train"))
    forgot = []
    motion = SimpleNamespace(without=lambda people: forgot.append(set(people)))
    monkeypatch.setattr(banks.runs, "load", lambda run: motion)
    monkeypatch.setattr(banks.runs, "facts", lambda run: {"step": 7, "seconds": 1.5})
    _, about = banks.trained(tmp_path, ["x/y"])
    assert forgot == [{"x/y"}] and about["steps"] == 7 and about["people"] == len(small_table.people_of("train"))
    with pytest.raises(SubjectLeak, match="parameter lab"):
        banks.trained(tmp_path, small_table.people)
    with pytest.raises(SubjectLeak):
        banks.true(small_table, small_table.people)
    view = small_table.view("1/2", 0, 0)
    bank = banks.true(view, view.people_of("test"))
    assert set(bank.people) == {NOBODY} and len(bank.labels) and bank.name == "small people"


def test_the_lab_is_who_stands_nowhere_else(small_table):
    people = sorted(set(small_table.people))
    other = renamed(small_table)
    assert len(set(banks.apart(small_table, other, None).people)) == len(people)
    shared = FaceTable(
        small_table.path, small_table.rows[small_table.people == people[0]], small_table.info, small_table.skipped
    )
    assert set(banks.apart(small_table, shared).people) == set(people[1:])
    assert banks.apart(small_table, small_table) is None is banks.apart(None, other)


def test_a_system_that_can_move_nobody_is_left_out_and_named(small_table, tmp_path, monkeypatch):
    able, unable = Painter(), Painter()
    able.recognises, unable.recognises, unable.expressions = True, False, ()
    monkeypatch.setattr(banks, "trained", lambda run, tested: ({"a": able, "b": unable}[run.name], {"steps": 1}))
    folders = {name: tmp_path / name for name in "ab"}
    made, speaking, note = banks.of_systems(folders, small_table, [], {"a": 1, "b": 1})
    assert [bank.name for bank in made] == ["painter"] and speaking == {"a": able} and note.endswith(": b")
    assert not banks.of_systems({"a": tmp_path / "a"}, small_table, [], {"a": 1})[2]
