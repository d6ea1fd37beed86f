"""How hard are the labels? Expression recognition on people whom the classifier has never seen.

Two classifiers: a linear one that sees the 68 landmarks alone, and a small CNN that sees the pixels. Both are trained
and tested on disjoint people, and report the last epoch, never the best one on the test fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.evaluation.answers import answers, by_run, confusion
from fersyn.evaluation.recogniser import named, train_recogniser
from fersyn.evaluation.scores import Scores

CLASSIFIERS = {"cnn": "CNN on pixels", "landmarks": "linear, on landmarks"}


def landmark_features(landmarks: np.ndarray, size: int) -> np.ndarray:
    """Landmarks (N, 68, 2) px of aligned crops of ``size`` px as features (N, 136), crop units, centre 0."""
    return (np.asarray(landmarks, np.float64) / size - 0.5).reshape(len(landmarks), -1)


def landmark_classifier(seed: int = 0):
    """The classifier that sees landmarks alone: multinomial logistic regression (scikit-learn), every class weighing
    the same.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced", random_state=seed)
    )


@dataclass(frozen=True)
class CrossValidation:
    """What one classifier called the faces of people that it has not seen.

    Attributes:
        name: of the classifier.
        answers: a row a face and seed (see `fersyn.evaluation.answers`).
        losses: training loss over epochs, one list per fold of the first seed (empty for the landmark classifier).
    """

    name: str
    answers: pd.DataFrame
    losses: list[list[float]] = field(default_factory=list)

    @property
    def people(self) -> int:
        """Number of people."""
        return self.answers["person"].nunique()

    @property
    def faces(self) -> int:
        """Number of pictures, each named once a seed."""
        return self.answers["row"].nunique()

    @property
    def runs(self) -> int:
        """Number of trainings: folds times seeds."""
        return len(self.answers[["seed", "fold"]].drop_duplicates())

    @property
    def chance(self) -> float:
        """Accuracy of always naming the most frequent expression, 0..1."""
        return float(self.answers["expression"].value_counts(normalize=True).max())

    def facts(self) -> dict:
        """For the JSON, beside the scores: numbers, chance, the accuracy of each run, and the confusion matrix, counts true x named."""
        matrix, names = confusion(self.answers)
        numbers = {name: getattr(self, name) for name in ("people", "faces", "runs", "chance")}
        hit = self.answers["expression"] == self.answers["named"]
        each = hit.groupby([self.answers["seed"], self.answers["fold"]]).mean().tolist()
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
    device: str | torch.device = "cpu",
) -> CrossValidation:
    """Trains on all folds of people but one and tests on that one, for each fold and seed.

    Args:
        table: a face table.
        folds: number of folds; reduced to the number of people if there are fewer.
        epochs: of the CNN.
        seeds: how often all of it is repeated, with other folds and other weights.
        classifier: ``"cnn"`` or ``"landmarks"``.
        seed: the first seed.
        device: of the CNN.

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
    learn = _cnn(table, index, own, epochs, device) if classifier == "cnn" else _linear(table, index, own)
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


def _cnn(table, index: np.ndarray, labels: np.ndarray, epochs: int, device: str | torch.device):
    """(train, test, seed) -> what the CNN calls the test faces, and its loss over epochs."""
    faces, classes = table.tensor(index), int(labels.max()) + 1

    def learn(train: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, list[float]]:
        curve: list[float] = []
        network = train_recogniser(
            faces[train], torch.from_numpy(labels[train]), epochs, seed, classes, device=device,
            report=lambda _, loss: curve.append(loss),
        )  # fmt: skip
        return named(network, faces[test]), curve

    return learn


def _linear(table, index: np.ndarray, labels: np.ndarray):
    """(train, test, seed) -> what the landmark classifier calls the test faces, and no loss."""
    features = landmark_features(table.landmarks(index), table.size)
    return lambda train, test, seed: (
        landmark_classifier(seed).fit(features[train], labels[train]).predict(features[test]), [],
    )  # fmt: skip
