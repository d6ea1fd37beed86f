"""What recognisers call the faces of people whom they have not seen, and how often they are right (notebooks 01 and 06).

Notebook 01 asks how hard the labels are, of a linear classifier that sees the 68 landmarks alone and of a small CNN that
sees the pixels. Both are trained and tested on disjoint people, and report the last epoch, never the best on the test fold.

Answers are a table with a row a face: seed, fold, row (position in the face table), person, expression, named. A *run* is one
seed and fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.evaluation.scores import Metric, Scores, register, rows_of
from fersyn.expressions import EXPRESSIONS
from fersyn.nets.recogniser import named, train_recogniser

CLASSIFIERS = {"cnn": "CNN on pixels", "landmarks": "linear, on landmarks"}

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
    from sklearn.metrics import recall_score

    parts = []
    for (seed, fold), own in found.groupby(["seed", "fold"], sort=True):
        there = sorted(set(own["expression"]))  # not those that are only named: nobody asked for them
        kinds = {"labels": there, "average": "macro", "zero_division": 0}
        for metric, value in (
            ("accuracy", (own["expression"] == own["named"]).mean()),
            ("balanced", recall_score(own["expression"], own["named"], **kinds)),
        ):
            parts.append(rows_of(metric, [value], [""], ["run"], [""], seed=f"{seed}, fold {fold}", **keys))
    return pd.concat(parts, ignore_index=True)


def by_expression(found: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """Rows of recall, one an expression, and of the accuracy of all pictures; all runs together."""
    right = found["expression"] == found["named"]
    share = right.groupby(found["expression"]).mean()
    names = [name for name in EXPRESSIONS if name in share.index]
    every = rows_of("pooled", [right.mean()], [""], ["all"], [""], **keys)
    return pd.concat(
        [rows_of("recall", share[names], [""] * len(names), names, names, **keys), every], ignore_index=True
    )


def confusion(found: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Counts true x named, int64 (K, K), all runs together, and the K names of both (scikit-learn)."""
    from sklearn.metrics import confusion_matrix

    names = [name for name in EXPRESSIONS if name in set(found["expression"]) | set(found["named"])]
    return confusion_matrix(found["expression"], found["named"], labels=names).astype(np.int64), names


@dataclass(frozen=True)
class CrossValidation:
    """What one classifier called the faces of people that it has not seen.

    Attributes:
        name: of the classifier.
        answers: a row a face and seed.
        losses: training loss over epochs, one list per fold of the first seed (empty for the landmark classifier).
    """

    name: str
    answers: pd.DataFrame
    losses: list[list[float]] = field(default_factory=list)

    def facts(self) -> dict:
        """For the JSON, beside the scores: numbers of people, faces (each named once a seed) and runs (folds times seeds),
        chance (accuracy of always naming the most frequent expression, 0..1), the accuracy of each run, and the confusion
        matrix, counts true x named.
        """
        own, (matrix, names) = self.answers, confusion(self.answers)
        each = (own["expression"] == own["named"]).groupby([own["seed"], own["fold"]]).mean().tolist()
        chance = float(own["expression"].value_counts(normalize=True).max())
        numbers = {
            "people": own["person"].nunique(),
            "faces": own["row"].nunique(),
            "runs": len(each),
            "chance": chance,
        }
        return {"classifier": self.name, **numbers, "each": each, "classes": names, "confusion": matrix}


def scores(tests: Sequence[CrossValidation], table: str) -> Scores:
    """Accuracy and balanced accuracy of each classifier (the method) in each of its runs."""
    rows = [by_run(test.answers, method=test.name, table=table) for test in tests]
    return Scores(pd.concat(rows, ignore_index=True) if rows else pd.DataFrame())


def usable(rows) -> np.ndarray:
    """Positions of the rows with a label that can be seen: neutral, or at half its intensity or more (or of unknown
    intensity).
    """
    intensity = rows["intensity"].astype(float).to_numpy()
    label = rows["expression"]
    strong = (label == "neutral").to_numpy() | ~(intensity < 0.5)
    return np.flatnonzero(label.notna().to_numpy() & strong & distinct(rows))


def distinct(rows) -> np.ndarray:
    """Mask of one frame for each expression in a sequence, the clearest: the last of a peak, the first of a neutral
    start.

    Neighbouring frames are all but copies: they cost time and make an accuracy look surer than it is.
    """
    order = np.where(rows["expression"] == "neutral", -1, 1) * rows["frame"].to_numpy()
    # Not every row has a label (CK+), and pandas keeps what is missing as it is in a conversion to text.
    keys = [rows[name].fillna("").astype(str).to_numpy() for name in ("dataset", "subject", "sequence", "expression")]
    # Without sequences every picture stands for itself.
    alone = (rows["sequence"].astype(str) == "").to_numpy()
    sequence = np.array(["\0".join(key) for key in zip(*keys, strict=True)], dtype=object)
    name = np.where(alone, rows["file_name"].astype(str).to_numpy(dtype=object), sequence)
    best = rows.assign(_order=order, _name=name).groupby("_name")["_order"].transform("max").to_numpy()
    return order == best


def possible(rows) -> bool:
    """Whether there are two people and two labelled expressions at least."""
    part = rows.iloc[usable(rows)]
    return len(set(splits.people(part))) >= 2 and part["expression"].nunique() >= 2


def cross_validate(
    table,
    folds: int = 3,
    epochs: int = 60,
    seeds: int = 1,
    classifier: str = "cnn",
    seed: int = 0,
    network: str = "cnn",
) -> CrossValidation:
    """Trains on all folds of people but one and tests on that one, for each fold and seed.

    Args:
        table: a face table.
        folds: number of folds; reduced to the number of people if there are fewer.
        epochs: of the CNN.
        seeds: how often all of it is repeated, with other folds and other weights.
        classifier: ``"cnn"`` or ``"landmarks"``.
        seed: the first seed.
        network: which CNN, one of `recogniser.NETWORKS`.

    Raises:
        FersynError: fewer than two people or than two expressions, fewer than two folds, no epoch, no repetition, or
            an unknown classifier.
        SubjectLeak: never, unless the folds are broken; it is checked for each.
    """
    if classifier not in CLASSIFIERS:
        raise FersynError(f"classifier '{classifier}' is unknown; use 'cnn' or 'landmarks'")
    for name, value, least in (("folds", folds, 2), ("epochs", epochs, 1), ("seeds", seeds, 1)):
        if value < least:
            raise FersynError(f"{name} = {value}: at least {least} is needed")
    index = usable(table.rows)
    rows = table.rows.iloc[index]
    labels = table.labels(index)
    classes = np.array(sorted(set(labels.tolist())))
    people = len(set(splits.people(rows)))
    if people < 2 or len(classes) < 2:
        raise FersynError(
            f"{people} people with {len(classes)} labelled expressions; recognition needs two of each or more"
        )
    own, losses, found = np.searchsorted(classes, labels), [], []
    learn = _cnn(table, index, own, epochs, network) if classifier == "cnn" else _linear(table, index, own)
    for repeat in range(seed, seed + seeds):
        fold_of = splits.assign(rows, splits.kfold(rows, min(folds, people), repeat))
        for number, fold in enumerate(sorted(set(fold_of)), 1):
            train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
            splits.check_disjoint(rows.iloc[train], rows.iloc[test])
            called, curve = learn(train, test, repeat)
            found.append(answers(table, index[test], classes[called], seed=repeat, fold=number))
            if repeat == seed and curve:
                losses.append(curve)
    return CrossValidation(CLASSIFIERS[classifier], pd.concat(found, ignore_index=True), losses)


def _cnn(table, index: np.ndarray, labels: np.ndarray, epochs: int, network: str):
    """(train, test, seed) -> what the CNN calls the test faces, and its loss over epochs."""
    faces, classes = table.tensor(index), int(labels.max()) + 1

    def learn(train: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, list[float]]:
        curve: list[float] = []
        taught = train_recogniser(
            faces[train], torch.from_numpy(labels[train]), epochs, seed, classes,
            report=lambda _, loss: curve.append(loss), network=network,
        )  # fmt: skip
        return named(taught, faces[test]), curve

    return learn


def _linear(table, index: np.ndarray, labels: np.ndarray):
    """(train, test, seed) -> what multinomial logistic regression on the landmarks (crop units, centre 0) calls the test
    faces, every class weighing the same (scikit-learn); and no loss.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = (table.landmarks(index).astype(np.float64) / table.size - 0.5).reshape(len(index), -1)

    def learn(train: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, list[float]]:
        linear = LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced", random_state=seed)
        return make_pipeline(StandardScaler(), linear).fit(features[train], labels[train]).predict(features[test]), []

    return learn
