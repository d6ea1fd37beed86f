from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from fersyn.evaluation import new_people as measured
from fersyn.evaluation.scores import Scores, rows_of
from fersyn.figures import new_people
from fersyn.figures.picture import Picture
from fersyn.figures.table import Note

CURVE = [
    {"name": "8 to 64 px", "named": 0.7, "distance": 0.5, "strangers": 0.7, "taken": False},
    {"name": "8 to 64 px, 16 directions × 1.5", "named": 0.65, "distance": 0.6, "strangers": 0.96, "taken": True},
]


def drawn():
    faces = torch.randint(0, 255, (9, 3, 32, 32), dtype=torch.uint8)
    method = SimpleNamespace(name="stylegan-fer", curve=lambda: CURVE)
    return measured.Drawn(method, None, faces, np.array([0, 5, 6] * 3))


def test_the_curve_says_what_was_taken_and_the_people_stand_by_expression():
    curve, people = new_people.drawn(drawn())
    assert "8 to 64 px: 70 % named, distance 0.50, 70 % strangers" in curve.alt
    assert "Chosen: 8 to 64 px, 16 directions" in curve.alt
    assert isinstance(people, Picture) and "stylegan-fer" in people.alt and "9 people" in people.caption


def answers():
    parts, random = [], np.random.default_rng(0)
    people = [f"p{k}" for k in range(8)]
    for table in ("home", "photos"):
        for seed in (0, 1):
            for number, arm in enumerate(measured.ARMS):
                value = 0.5 + 0.1 * (number > 0) + 0.01 * random.standard_normal(8)
                keys = {"method": arm, "table": table, "seed": seed}
                parts.append(rows_of("person_balanced", value, people, people, ["fear"] * 8, **keys))
    return Scores(pd.concat(parts, ignore_index=True))


def test_the_ablation_has_a_row_an_arm_and_gains_that_are_more_than_chance_are_bold():
    accuracy, gains = measured.summaries(answers())
    whole, against = new_people.ablation(accuracy, gains, 2)
    assert list(whole.frame.iloc[:, 0]) == list(measured.ARMS) and "home, at home, %" in whole.frame
    assert "2 recognisers" in whole.caption and "8 people" in whole.caption
    assert list(against.frame.iloc[:, 0]) == list(measured.ARMS)[1:]
    assert len(against.bold) == 8 and against.frame.iloc[0, 1].startswith("+")


def test_how_new_and_how_named():
    values = np.array([0.5, 0.6, 0.4])
    who = ["a", "b", "c"]
    parts = [
        rows_of(metric, each, who, who, ["fear"] * 3, method="stylegan-fer", table="t", seed=0)
        for metric, each in (("nearest_known", values), ("stranger", values > 0.45), ("right", values > 0.45))
    ]
    scores = Scores(pd.concat(parts, ignore_index=True))
    new = new_people.newness(measured.summarise(scores.of(metric=["nearest_known", "stranger"])))
    assert new.frame.iloc[0, 1].startswith("66.7") and "3 people" in new.caption
    named = new_people.named(measured.judging.by_expression(scores))
    assert list(named.frame.iloc[:, 0]) == ["fear", "all"]


def test_nobody():
    nothing = pd.DataFrame()
    notes = [*new_people.drawn(None), new_people.newness(nothing), new_people.named(nothing)]
    notes += new_people.ablation(nothing, nothing, 1)
    assert all(isinstance(note, Note) for note in notes)


def test_a_method_that_tried_nothing_has_no_curve():
    new = measured.Drawn(SimpleNamespace(name="fesgan"), None, drawn().faces, drawn().labels)
    (people,) = new_people.drawn(new)
    assert "fesgan" in people.alt
