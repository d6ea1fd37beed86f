"""How judges name faces: rows of scores, a face each.

A judge names expressions and learns nothing any more. The kit's own recogniser (`fidelity.train_judge`) learns from the kit's
faces and believes whatever they do; `fer` and `facex` (`fersyn.nets.instruments`) have learnt from photographs and do not.
They look on: no recogniser is trained by what they say. Each is a metric, 1 where a face was named rightly. The two know no
contempt: such faces have no row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn.evaluation import recognition
from fersyn.evaluation.fidelity import TRUE, OwnJudge
from fersyn.evaluation.recognition import CrossValidation
from fersyn.evaluation.scores import GUIDE, METRICS, Metric, Scores, guided, register, rows_of, summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import instruments
from fersyn.nets.instruments import Judge
from fersyn.pixels import to_floats

KIT = "right"  # the metric of the kit's own recogniser
JUDGED = {name: f"named_{name}" for name in instruments.JUDGES}  # judge -> its metric
NAMED = (KIT, *JUDGED.values())  # the metrics of all who name expressions
ALL = "all"
TITLES = {KIT: "the kit's recogniser", **{JUDGED[name]: instruments.TITLES[name] for name in JUDGED}}

opened = cache(instruments.get)  # a judge is read from its file once


def rightly(judge: Judge | OwnJudge | None, faces: Tensor, labels: np.ndarray) -> np.ndarray | None:
    """Whether a judge names faces (N, 3, H, H), bytes or in [-1, 1], as they should be: 1 or 0, NaN where it does not know the
    expression, float (N,); None without a judge.
    """
    if judge is None:
        return None
    found = np.full(len(labels), np.nan)
    asked = np.flatnonzero(np.isin(labels, judge.classes))
    if len(asked):
        chosen = faces[torch.from_numpy(asked)]
        found[asked] = judge.named(to_floats(chosen) if chosen.dtype == torch.uint8 else chosen) == labels[asked]
    return found


def there(name: str) -> Judge | None:
    """A judge of `instruments.JUDGES`; None where its weights are missing."""
    return opened(name) if instruments.available(name) else None


_NAMED = {"better": "higher", "unit": "%", "digits": 1, "scale": 100.0, "group": "named"}
register(
    Metric(
        KIT,
        "named by the kit's recogniser",
        **_NAMED,
        function=lambda made, true: rightly(true.judge, made.faces, true.labels),
    )  # fmt: skip
)
for _name in JUDGED:
    _function = partial(lambda name, made, true: rightly(there(name), made.faces, true.labels), _name)
    register(Metric(JUDGED[_name], f"named by {_name}", **_NAMED, weights=_name, function=_function))


def marked(metric: str, guides: Collection[str]) -> dict[str, bool]:
    """The column that marks a row of a metric whose instrument is among the guides; {}: it is not."""
    return {GUIDE: True} if METRICS[metric].weights in guides else {}


def of_faces(
    faces: Tensor, labels: np.ndarray, people: Sequence, items: Sequence, guides: Collection[str] = (), **keys: Any
) -> Scores:
    """What the two judges say of any faces; no row of a judge whose weights are missing.

    Args:
        faces: (N, 3, H, H), bytes or in [-1, 1], aligned.
        labels: int (N,), indices into EXPRESSIONS: what they should be called.
        people, items: (N,), for the rows.
        guides: instruments that had a hand in making the faces.
        keys: method, seed, table.
    """
    names, parts = [EXPRESSIONS[label] for label in labels], []
    for name, metric in JUDGED.items():
        if (found := rightly(there(name), faces, labels)) is not None:
            parts.append(
                rows_of(metric, found, people, items, names, **marked(metric, guides), **keys).dropna(subset="value")
            )
    return Scores(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def true_pictures(table, method: str = TRUE) -> Scores:
    """What the two judges say of a table's own pictures: of every person's and sequence's clearest of each expression
    (`recognition.usable`); without a table nothing.
    """
    if table is None:
        return Scores(pd.DataFrame())
    index = recognition.usable(table.rows)
    about = {"method": method, "seed": 0, "table": table.path.name, "guides": table.guides}
    return of_faces(table.tensor(index), table.labels(index), table.people[index], index, **about)


def by_expression(scores: Scores, seed: int = 0) -> pd.DataFrame:
    """`scores.summarise` of what judges say, by table, method and expression, and of `ALL` expressions, each weighing the
    same, however many pictures of it a person has.
    """
    named = scores.of(metric=list(NAMED)) if len(scores.rows) else scores
    by = ("table", "method", "expression")
    keys = [name for name in named.rows if name not in ("item", "value")]
    alike = named.rows.groupby(keys, sort=False, dropna=False)["value"].mean().reset_index() if keys else named.rows
    alike = alike.assign(item=alike["person"] + ", " + alike["expression"]) if keys else alike
    whole = summarise(Scores(alike), by[:2], seed=seed)
    parts = [summarise(named, by, seed=seed), whole.assign(expression=ALL)]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def overall(summary: pd.DataFrame, method: str = TRUE) -> dict[str, float]:
    """Judge and face table, and whether it is a guide there -> the share 0..1 that it names rightly of all expressions together, of
    `by_expression`.
    """
    own = summary[(summary["expression"] == ALL) & (summary["method"] == method)] if len(summary) else summary
    return {
        f"{name} ({row['table']}{', a guide' if guided(row) else ''})": row["value"]
        for name, metric in JUDGED.items()
        for row in own[own["metric"] == metric].to_dict("records")
    }


def of_answers(tests: Sequence[CrossValidation], table: str) -> Scores:
    """What the kit's recognisers say of faces of people whom they have not seen, in the same rows: a method each."""
    parts = []
    for test in tests:
        for seed, own in test.answers.groupby("seed", sort=True):
            about = own["person"], own["row"], own["expression"]
            found = (own["expression"] == own["named"]).astype(float)
            parts.append(rows_of(KIT, found, *about, method=test.name, seed=seed, table=table))
    return Scores(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())
