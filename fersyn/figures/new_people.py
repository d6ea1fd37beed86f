"""People whom a method draws (notebook 08): how the expression was found in codes, the people, what a recogniser learns from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fersyn.evaluation.augmentation import gain
from fersyn.evaluation.bootstrap import counted, marked
from fersyn.evaluation.judging import ALL, NAMED
from fersyn.evaluation.new_people import ALONE, ARMS, Drawn
from fersyn.evaluation.scores import METRICS
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts, faces
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import ScoreTable
from fersyn.figures.table import Note, described, note, sentence
from fersyn.methods.stylegan_fer import KNOWN, STRANGERS
from fersyn.pixels import to_images


def drawn(new: Drawn | None) -> list[Picture | Note]:
    """How the expression was found, and the people that came of it."""
    return [note("generator.nobody")] if new is None else [*([splits(new.curve)] if new.curve else []), people(new)]


def splits(curve: Sequence[Mapping[str, Any]]) -> Picture:
    """Which part of a code is the expression: named rightly over the distance to whose expression it is, a point a split; of
    `stylegan_fer.NewPeople.curve`.
    """
    said = [
        f"{own['name']}: {100 * own['named']:.0f} % named, distance {own['distance']:.2f}, {100 * own['strangers']:.0f} % strangers"
        for own in curve
    ]
    with charts.drawing(height=3.6) as (figure, axes):
        middle = np.mean([own["distance"] for own in curve])
        for k, own in enumerate(curve):
            able, taken = own["strangers"] >= STRANGERS, own["taken"]
            shade = charts.GREEN if taken else charts.BLUE if able else charts.SOFT
            axes.plot(own["distance"], 100 * own["named"], "D" if taken else "o", color=shade, ms=9 if taken else 6)
            place = (own["distance"], 100 * own["named"])
            right, up = -7 if own["distance"] > middle else 7, (4, -11)[k % 2]  # two points in one place have two names
            aside = {"xytext": (right, up), "ha": "left" if right > 0 else "right"}
            axes.annotate(own["name"], place, textcoords="offset points", fontsize=8, color=charts.INK, **aside)
        axes.set(xlabel="dlib's distance to the person whose expression it is", ylabel="named rightly, %")
        axes.margins(x=0.25, y=0.12)
        axes.grid()
        chosen = next(own["name"] for own in curve if own["taken"])
        about = {"said": "; ".join(said), "chosen": chosen, "strangers": 100 * STRANGERS, "known": KNOWN}
        return Picture.of_figure(figure, **described("new_people.splits", **about))


def people(new: Drawn, rows: int = 3) -> Picture:
    """New people, a column an expression; none of them stands there twice."""
    kinds = sorted(set(new.labels.tolist()))
    images = to_images(new.faces)
    places = [np.flatnonzero(new.labels == kind) for kind in kinds]
    rows = min(rows, max(map(len, places)))
    cells = [[images[own[row]] if row < len(own) else None for own in places] for row in range(rows)]
    names = [EXPRESSIONS[kind] for kind in kinds]
    about = {"people": counted(len(new.labels)), "method": new.method.name}
    return faces.grid(cells, [], names, cell=104, **described("new_people.people", **about))


def newness(summary: pd.DataFrame) -> ScoreTable | Note:
    """How far from everybody whom the method has seen; of `scores.summarise`."""
    if not len(summary):
        return note("generator.nobody")
    columns = {name: METRICS[name].label for name in ("stranger", "nearest_known")}
    return ScoreTable(
        summary, columns, caption=sentence("new_people.newness", people=counted(summary["people"].max())), bold=""
    )


def named(summary: pd.DataFrame) -> ScoreTable | Note:
    """Who names them, a line an expression; of `judging.by_expression`."""
    there = set(summary["metric"]) if len(summary) else ()
    columns = {name: METRICS[name].label for name in NAMED if name in there}
    if not columns:
        return note("generator.nobody")
    rows = [name for name in (*EXPRESSIONS, ALL) if name in set(summary["expression"])]
    caption = sentence("new_people.named")
    return ScoreTable(summary, columns, down="expression", rows=rows, corner="expression", caption=caption, bold="")


def ablation(summary: pd.DataFrame, gaps: pd.DataFrame, seeds: int) -> list[ScoreTable | Note]:
    """What a recogniser learns: balanced accuracy of each arm and table, and what comes to it against true faces alone; of
    `scores.summarise` and `scores.differences`.
    """
    if not len(summary):
        return [note("generator.nobody")]
    tables, rows = list(dict.fromkeys(summary["table"])), [name for name in ARMS if name in set(summary["method"])]
    home = summary[summary["table"] == tables[0]]
    many = int(home["people"].iloc[0])
    columns = {name: f"{name}{', at home' if name == tables[0] else ', across'}, %" for name in tables}
    form = {"across": "table", "corner": "learnt from"}
    caption = sentence("new_people.ablation", metric=METRICS[gain.BALANCED].title, seeds=seeds, people=counted(many))
    above = sentence("new_people.gains", alone=ALONE, marked=marked(many))
    return [
        ScoreTable(summary, columns, rows=rows, caption=caption, **form),
        ScoreTable(gaps, columns, rows=[name for name in rows if name != ALONE], caption=above, bold="sure", **form),
    ]
