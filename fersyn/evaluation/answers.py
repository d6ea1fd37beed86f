"""What recognisers call the faces of people whom they have not seen, and how often they are right (notebooks 01 and 06).

Answers are a table with a row a face: seed, fold, row (position in the face table), person, expression, named. A *run* is one
seed and fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fersyn.evaluation.scores import Metric, register, rows_of
from fersyn.expressions import EXPRESSIONS

register(Metric("accuracy", "named rightly, pictures alike", "higher", "%", 1, 100.0))
register(Metric("balanced", "named rightly, expressions alike", "higher", "%", 1, 100.0))
register(Metric("pooled", "named rightly, all runs together", "higher", "%", 1, 100.0))
register(Metric("recall", "of one expression named rightly", "higher", "%", 1, 100.0))


def answers(table, index: np.ndarray, named: Sequence[int], **about: Any) -> pd.DataFrame:
    """Answers to the faces of rows `index` (N,): `named` (N,) are indices into EXPRESSIONS, `about` columns alike in all."""
    labels = table.labels(index)
    return pd.DataFrame(
        {
            **about, "row": index, "person": table.people[index],
            "expression": [EXPRESSIONS[k] for k in labels], "named": [EXPRESSIONS[k] for k in named],
        }
    )  # fmt: skip


def by_run(found: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """Rows of accuracy and balanced accuracy, one a run; a summary's deviation is that over folds and seeds."""
    parts = []
    for (seed, fold), own in found.groupby(["seed", "fold"], sort=True):
        for metric, value in (("accuracy", (own["expression"] == own["named"]).mean()), ("balanced", balanced(own))):
            parts.append(rows_of(metric, [value], [""], ["run"], [""], seed=f"{seed}, fold {fold}", **keys))
    return pd.concat(parts, ignore_index=True)


def by_expression(found: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """Rows of recall, one an expression, and of the accuracy of all pictures; all runs together."""
    share = (found["expression"] == found["named"]).groupby(found["expression"]).mean()
    names = [name for name in EXPRESSIONS if name in share.index]
    nobody = [""] * len(names)
    every = rows_of("pooled", [(found["expression"] == found["named"]).mean()], [""], ["all"], [""], **keys)
    return pd.concat([rows_of("recall", share[names], nobody, names, names, **keys), every], ignore_index=True)


def balanced(found: pd.DataFrame) -> float:
    """Mean over the expressions of the share named rightly, 0..1 (scikit-learn)."""
    from sklearn.metrics import recall_score

    there = sorted(set(found["expression"]))  # not those that are only named: nobody asked for them
    return float(recall_score(found["expression"], found["named"], labels=there, average="macro", zero_division=0))


def confusion(found: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Counts true x named, int64 (K, K), all runs together, and the K names of both (scikit-learn)."""
    from sklearn.metrics import confusion_matrix

    names = [name for name in EXPRESSIONS if name in set(found["expression"]) | set(found["named"])]
    return confusion_matrix(found["expression"], found["named"], labels=names).astype(np.int64), names
