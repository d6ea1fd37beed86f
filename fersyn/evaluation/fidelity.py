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
from fersyn.evaluation.landmark_errors import errors
from fersyn.evaluation.recogniser import Recogniser, predict, train_recogniser
from fersyn.faces.landmarks import find_source_landmarks

LEAST_CLASSES = 2
TRUE = "true picture"  # the row of what the instruments read on the true pictures


@dataclass(frozen=True)
class Judge:
    """A recogniser that is frozen: it names expressions and learns nothing any more.

    Attributes:
        network: the recogniser.
        classes: what it can name, indices into EXPRESSIONS, rising.
        people, faces: how many it was trained on.
    """

    network: Recogniser
    classes: tuple[int, ...]
    people: int
    faces: int

    def named(self, faces: Tensor) -> np.ndarray:
        """What it calls faces (N, 3, H, W) in [-1, 1]: indices into EXPRESSIONS, int64 (N,)."""
        return np.asarray(self.classes, np.int64)[predict(self.network, faces).argmax(1).numpy()]


def train_judge(table, epochs: int = 60, seed: int = 0, device: str | torch.device = "cpu") -> Judge | None:
    """Train the recogniser on the real faces of the training people of a table, and freeze it after the last epoch.

    Args:
        table: FaceTable; of its column `split` only "train" is learnt from.
        epochs: passes over the faces.
        seed: of weights, order and augmentation: the same judge for all methods and seeds.
        device: where it is trained.

    Returns:
        the judge; None where the training people show fewer than two expressions.

    Raises:
        SubjectLeak: somebody stands on both sides.
    """
    from fersyn.evaluation.recognition import usable

    rows = table.rows
    index = usable(rows)
    index = index[(rows["split"] == "train").to_numpy()[index]]
    splits.check_disjoint(rows.iloc[index], rows[rows["split"] == "test"])
    labels = table.labels(index)
    classes = sorted(set(labels.tolist()))
    if len(classes) < LEAST_CLASSES:
        return None
    own = torch.from_numpy(np.searchsorted(classes, labels))
    network = train_recogniser(table.tensor(index), own, epochs, seed, len(classes), device=device)
    return Judge(network.cpu(), tuple(classes), len(set(table.people[index])), len(index))


def landmarks_on(faces: Tensor) -> np.ndarray:
    """Landmarks (N, 68, 2) px that dlib finds on faces (N, 3, H, H) in [-1, 1]; detected anew, as on any picture."""
    return find_source_landmarks(faces).numpy()


def landmark_error(found: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Mean distance (N,) of found landmarks (N, 68, 2) px from those asked for, in % of the asked eyes' distance."""
    return errors(found, asked).mean(1)


def identity_distance(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Distance (N,) of two sets of dlib descriptors (N, 128), face by face; 0 alike, two pictures of one person mostly
    below 0.6.
    """
    return np.linalg.norm(np.asarray(made, float) - np.asarray(real, float), axis=1)
