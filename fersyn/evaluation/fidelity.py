"""Does the face do what it was asked to do? The right expression, the asked landmarks, the same person.

Every instrument is used on the true pictures as well: what it reads there is the best that any method can be expected
to reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fersyn import splits
from fersyn.evaluation.recognition import usable
from fersyn.faces.landmarks import GROUPS
from fersyn.nets.recogniser import predict, train_recogniser

LEAST_CLASSES = 2
# Points that lie on an edge of a rendered face, the rims of lids and lips, and so owe their place to no detector: eyes,
# corners of the mouth, inner lips. The other 46 were set at dlib's own median (fersyn.rendering.landmarks).
INDEPENDENT = (*GROUPS["eyes"], 48, 54, *range(60, 68))
TRUE = "true picture"  # the row of what the instruments read on the true pictures


@dataclass(frozen=True)
class OwnJudge:
    """The kit's recogniser, frozen: a judge that has learnt from the kit's faces (others: `fersyn.nets.instruments`).

    Attributes:
        network: the recogniser.
        classes: what it can name, indices into EXPRESSIONS, rising.
        people, faces: how many it was trained on.
    """

    network: torch.nn.Module
    classes: tuple[int, ...]
    people: int
    faces: int

    def named(self, faces: Tensor) -> np.ndarray:
        """What it calls faces (N, 3, H, W) in [-1, 1]: indices into EXPRESSIONS, int64 (N,)."""
        return np.asarray(self.classes, np.int64)[predict(self.network, faces).argmax(1).numpy()]


def train_judge(table, epochs: int = 60, seed: int = 0, network: str = "cnn") -> OwnJudge | None:
    """Train the recogniser on the real faces of the training people of a table, and freeze it after the last epoch.

    Args:
        table: FaceTable; of its column `split` only "train" is learnt from.
        epochs: passes over the faces.
        seed: of weights, order and augmentation: the same judge for all methods and seeds.
        network: one of `recogniser.NETWORKS`.

    Returns:
        the judge; None where the training people show fewer than two expressions.

    Raises:
        SubjectLeak: somebody stands on both sides.
    """
    rows = table.rows
    index = usable(rows)
    index = index[(rows["split"] == "train").to_numpy()[index]]
    splits.check_disjoint(rows.iloc[index], rows[rows["split"] == "test"])
    labels = table.labels(index)
    classes = sorted(set(labels.tolist()))
    if len(classes) < LEAST_CLASSES:
        return None
    own = torch.from_numpy(np.searchsorted(classes, labels))
    taught = train_recogniser(table.tensor(index), own, epochs, seed, len(classes), network=network)
    return OwnJudge(taught, tuple(classes), len(set(table.people[index])), len(index))


def landmark_errors(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance (N, 68) of each found landmark from the true one, in % of the true distance of the outer eye corners, which
    is the normalisation of the 300-W challenge (Sagonas et al., 2013).

    Args:
        found: (N, 68, 2) px.
        truth: (N, 68, 2) px of the same pictures.

    Raises:
        ValueError: shapes differ.
    """
    if found.shape != truth.shape:
        raise ValueError(f"found {found.shape} and true landmarks {truth.shape} differ in shape")
    eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=-1)  # points 37 and 46, counted from 1
    return 100 * np.linalg.norm(found - truth, axis=-1) / eyes[:, None]


def by_group(error: np.ndarray) -> dict[str, float]:
    """Mean error of jaw, brows, nose, eyes and lips, of errors (N, 68)."""
    return {name: float(error[:, list(points)].mean()) for name, points in GROUPS.items()}


def with_truth(rows) -> np.ndarray:
    """Which rows (N,) of a table bring true landmarks."""
    return np.array([points is not None for points in rows["truth_landmarks"]], bool)


def true_landmarks(rows) -> np.ndarray:
    """True landmarks float32 (N, 68, 2), px of the crop, of rows that all bring them."""
    return np.array([np.stack(list(points)) for points in rows["truth_landmarks"]], np.float32).reshape(-1, 68, 2)


def identity_distance(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Distance (N,) of two sets of dlib descriptors (N, 128), face by face; 0 alike, two pictures of one person mostly
    below 0.6.
    """
    return np.linalg.norm(np.asarray(made, float) - np.asarray(real, float), axis=1)
