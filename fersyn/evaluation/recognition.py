"""How hard are the labels? Expression recognition on people whom the classifier has never seen.

Two classifiers: a linear one that sees the 68 landmarks alone, and a small CNN that sees the pixels. Both are
trained and
tested on disjoint people, and report the last epoch, never the best one on the test fold.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.evaluation.recogniser import predict, train_recogniser
from fersyn.expressions import EXPRESSIONS


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
    """Accuracy of one classifier on people that it has not seen.

    Attributes:
        accuracy: (seeds * folds,) share of right answers, 0..1, each on one fold's people.
        balanced: (seeds * folds,) mean over the expressions of the share named rightly.
        matrix: (K, K) counts, true x named, summed over folds and seeds.
        classes: the K labels (indices into EXPRESSIONS) that occur.
        people: number of people; faces: number of pictures that were classified once per seed.
        losses: training loss over epochs, one list per fold of the first seed (empty for the landmark classifier).
    """

    name: str
    accuracy: np.ndarray
    balanced: np.ndarray
    matrix: np.ndarray
    classes: list[int]
    people: int
    faces: int
    losses: list[list[float]] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Mean accuracy over folds and seeds, 0..1."""
        return float(self.accuracy.mean())

    @property
    def deviation(self) -> float:
        """Standard deviation over folds and seeds (n - 1), 0..1; NaN with one."""
        return float(self.accuracy.std(ddof=1)) if len(self.accuracy) > 1 else float("nan")

    @property
    def balanced_mean(self) -> float:
        """Mean balanced accuracy over folds and seeds, 0..1."""
        return float(self.balanced.mean())

    @property
    def balanced_deviation(self) -> float:
        """Standard deviation of the balanced accuracy over folds and seeds (n - 1), 0..1; NaN with one."""
        return float(self.balanced.std(ddof=1)) if len(self.balanced) > 1 else float("nan")

    @property
    def names(self) -> list[str]:
        """Names of the classes."""
        return [EXPRESSIONS[label] for label in self.classes]

    @property
    def chance(self) -> float:
        """Accuracy of always naming the most frequent expression, 0..1."""
        return float(self.matrix.sum(1).max() / self.matrix.sum())


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
    if classifier not in ("cnn", "landmarks"):
        raise FersynError(f"classifier '{classifier}' is unknown; use 'cnn' or 'landmarks'")
    for name, value, least in (("folds", folds, 2), ("epochs", epochs, 1), ("seeds", seeds, 1)):
        if value < least:
            raise FersynError(f"{name} = {value}: at least {least} is needed")
    index = usable(table.rows)
    rows = table.rows.iloc[index]
    labels = table.labels(index)
    classes = sorted(set(labels.tolist()))
    people = len(set(splits.people(rows)))
    if people < 2 or len(classes) < 2:
        raise FersynError(
            f"{people} people with {len(classes)} labelled expressions; recognition needs two of each or more"
        )
    own = np.searchsorted(classes, labels)
    faces = table.tensor(index) if classifier == "cnn" else None
    features = landmark_features(table.landmarks(index), table.size) if classifier == "landmarks" else None
    accuracy, balanced, losses = [], [], []
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    for repeat in range(seed, seed + seeds):
        fold_of = splits.assign(rows, splits.kfold(rows, min(folds, people), repeat))
        for fold in sorted(set(fold_of)):
            train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
            splits.check_disjoint(rows.iloc[train], rows.iloc[test])
            if classifier == "cnn":
                curve: list[float] = []
                network = train_recogniser(
                    faces[train], torch.from_numpy(own[train]), epochs, repeat, len(classes), device=device,
                    report=lambda _, loss, curve=curve: curve.append(loss),
                )  # fmt: skip
                named = predict(network, faces[test]).argmax(1).numpy()
                if repeat == seed:
                    losses.append(curve)
            else:
                named = landmark_classifier(repeat).fit(features[train], own[train]).predict(features[test])
            right = named == own[test]
            accuracy.append(right.mean())
            balanced.append(np.mean([right[own[test] == k].mean() for k in np.unique(own[test])]))
            np.add.at(matrix, (own[test], named), 1)
    return CrossValidation(
        {"cnn": "CNN on pixels", "landmarks": "linear, on landmarks"}[classifier],
        np.array(accuracy), np.array(balanced), matrix, classes, people, len(rows), losses,
    )  # fmt: skip
