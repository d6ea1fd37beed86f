"""Batches of pairs (source face, target face) of one person, out of a face table.

What step s sees follows from (seed, s) alone: the sampler has no state beside the step, so that a resumed training goes
on exactly where it stopped. The pictures lie in memory as bytes, on the device that trains.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn import augment as augmentation
from fersyn import splits
from fersyn.errors import FersynError
from fersyn.expressions import NEUTRAL
from fersyn.pixels import onto, to_floats, to_tensor
from fersyn.table import FaceTable

STEP = 0.25  # two faces with one expression make a pair where their strengths differ by more


@dataclass
class Batch:
    """N pairs of faces.

    Attributes:
        source, target: float32 (N, 3, size, size) in [-1, 1].
        source_landmarks, target_landmarks: float32 (N, 68, 2), (x, y) px of pictures of that size.
        label, source_label: int64 (N,), index into EXPRESSIONS, of target and source.
        intensity: float32 (N,), 0..1, of the target (where the table does not know it: 1, neutral 0).
        index_source, index_target: int64 (N,), positions of the rows in the table.
    """

    source: Tensor
    target: Tensor
    source_landmarks: Tensor
    target_landmarks: Tensor
    label: Tensor
    source_label: Tensor
    intensity: Tensor
    index_source: Tensor
    index_target: Tensor

    def to(self, device: Any) -> Batch:
        """Return the batch on a device."""
        return Batch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def __len__(self) -> int:
        return len(self.label)


class Pairs:
    """Ordered pairs of two faces of one person with different expressions or strengths.

    Both faces are of one sequence where that holds neutral and another expression (so pose and light are alike), as in
    Li et al. 2021; people without such sequences give pairs over all their pictures. One side is neutral, unless a
    person has no neutral face at all: then any two expressions; or where pairs between two expressive faces are asked for.
    Faces without a label are left out.

    Args:
        table: the faces.
        rows_index: positions (or mask) of the rows to use; None: those of split 'train'.
        size: side of the faces in px; None: the table's.
        neutral_share: part of the pairs that lead back to neutral, 0..1.
        cross_share: part of the pairs between two expressive faces, of other expressions or other strengths, 0..1; 0 where
            there are none.
        augment: strength of the variation of `batch`, 0..1 (see fersyn.augment).
        training: refuse people of the table's test side.
        device: where pictures lie and batches come into being.

    Attributes:
        forward, back, cross: int64 (P, 2), positions (source, target) in the table of pairs that lead to an expression,
            back to neutral, and from one expressive face to another; in the table's order.

    Raises:
        SubjectLeak: somebody of the test side is to be trained on.
        FersynError: no pairs.

    Example:
        >>> pairs = Pairs(FaceTable.open("data/laptop/rendered"), size=64)      # doctest: +SKIP
        >>> pairs.batch(step=0, batch_size=16, seed=0).source.shape              # doctest: +SKIP
        torch.Size([16, 3, 64, 64])
    """

    def __init__(
        self,
        table: FaceTable,
        rows_index: Any = None,
        size: int | None = None,
        *,
        neutral_share: float = 0.25,
        cross_share: float = 0.0,
        augment: float = 0.0,
        training: bool = True,
        device: Any = "cpu",
    ):
        shares = (("neutral_share", neutral_share), ("cross_share", cross_share))
        for name, value in (
            *shares,
            ("neutral_share + cross_share", neutral_share + cross_share),
            ("augment", augment),
        ):
            if not 0 <= value <= 1:
                raise FersynError(f"{name} is {value}: a number between 0 and 1 is needed")
        self.table, self.size, self.augment = table, int(size or table.size), augment
        index = (table.rows["split"] == "train").to_numpy() if rows_index is None else np.asarray(rows_index)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        if training:
            splits.check_disjoint(table.rows.iloc[index], table.rows[table.rows["split"] == "test"])
        self.forward, self.back, self.cross = _pairs(table, index)
        if not len(self.forward) + len(self.back):
            raise FersynError(
                f"{table.path}: nobody of the {len(index)} faces is there with two expressions, so there is nothing "
                "to learn from; use a table of people with a neutral face and others"
            )
        across = float(cross_share) if len(self.cross) else 0.0
        back = 0.0 if not len(self.back) else 1.0 - across if not len(self.forward) else float(neutral_share)
        self._share, self._across = back + across, across / (back + across) if across else 0.0
        self._load(device)

    def __len__(self) -> int:
        return len(self.forward) + len(self.back)

    def _load(self, device: Any) -> None:
        used = np.unique(np.concatenate([self.forward, self.back]))
        images, factor = self.table.images(used), self.size / self.table.size
        if factor != 1:
            how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
            images = np.stack([cv2.resize(image, (self.size, self.size), interpolation=how) for image in images])
        self.device = torch.device(device)
        self._images = to_tensor(images).to(device)
        landmarks = (self.table.landmarks(used).astype(np.float64) + 0.5) * factor - 0.5  # pixel centres are whole
        self._landmarks = torch.from_numpy(landmarks.astype(np.float32)).to(device)
        self._labels = torch.from_numpy(self.table.labels(used)).to(device)
        self._intensity = torch.from_numpy(self.table.intensities(used).astype(np.float32)).to(device)
        self._place = np.full(len(self.table), -1, np.int64)
        self._place[used] = np.arange(len(used))

    def chosen(self, step: int, batch_size: int, seed: int = 0) -> np.ndarray:
        """Return the pairs of a step, int64 (batch_size, 2), positions (source, target) in the table.

        Pair number g = step * batch_size + i does not start from neutral where g * (neutral_share + cross_share) passes a
        whole number, and leads then from one expression to another in the same way. The pairs of each kind are dealt in
        epochs, each a permutation by (seed, epoch).
        """
        number = step * batch_size + np.arange(batch_size, dtype=np.int64)
        before, after = (np.floor(n * self._share).astype(np.int64) for n in (number, number + 1))
        crossed, then = (np.floor(n * self._across).astype(np.int64) for n in (before, before + 1))
        other, cross = after > before, (after > before) & (then > crossed)
        kinds = (
            (self.forward, ~other, number - before),
            (self.back, other & ~cross, before - crossed),
            (self.cross, cross, crossed),
        )
        out = np.empty((batch_size, 2), np.int64)
        for kind, (pool, mask, place) in enumerate(kinds):
            for i in np.flatnonzero(mask):
                epoch, position = divmod(int(place[i]), len(pool))
                out[i] = pool[_permutation(seed, kind, epoch, len(pool))[position]]
        return out

    def batch(self, step: int, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1) -> Batch:
        """Return what process `rank` of `world` sees at a step: its part of the `batch_size` pairs of all.

        Pairs and augmentation are a function of (seed, step) and do not depend on `world`; nothing else is drawn from,
        torch's generator least of all.

        Raises:
            FersynError: `batch_size` does not divide by `world`.
        """
        if batch_size % world:
            raise FersynError(f"a batch of {batch_size} does not divide among {world} devices; use a multiple of it")
        part = slice(rank * batch_size // world, (rank + 1) * batch_size // world)
        batch = self.gather(self.chosen(step, batch_size, seed)[part])
        if self.augment > 0:
            variation = augmentation.draw(batch_size, self.augment, np.random.default_rng([seed, step, 2]))
            variation = {name: values[part] for name, values in variation.items()}
            batch.source, batch.source_landmarks = augmentation.apply(variation, batch.source, batch.source_landmarks)
            batch.target, batch.target_landmarks = augmentation.apply(variation, batch.target, batch.target_landmarks)
        return batch

    def gather(self, pairs: np.ndarray) -> Batch:
        """Return the given pairs, int64 (N, 2) as in `forward`, as they are (no augmentation)."""
        pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
        source, target = (onto(torch.from_numpy(self._place[pairs[:, side]]), self.device) for side in (0, 1))
        return Batch(
            source=to_floats(self._images[source]),
            target=to_floats(self._images[target]),
            source_landmarks=self._landmarks[source],
            target_landmarks=self._landmarks[target],
            label=self._labels[target],
            source_label=self._labels[source],
            intensity=self._intensity[target],
            index_source=onto(torch.from_numpy(pairs[:, 0]), self.device),
            index_target=onto(torch.from_numpy(pairs[:, 1]), self.device),
        )

    def examples(self, count: int) -> np.ndarray:
        """Return up to `count` pairs for pictures, (n, 2), always the same: strongest targets, one expression after
        the other, of as many people as there are.
        """
        pool = self.forward if len(self.forward) else self.back
        place = self._place[pool[:, 1]]
        frame = pd.DataFrame(
            {
                "label": self._labels.cpu().numpy()[place],
                "person": self.table.people[pool[:, 1]],
                "strength": -self._intensity.cpu().numpy()[place],
            }
        )
        one = frame.sort_values(["strength", "person"], kind="stable").groupby(["label", "person"], sort=True).head(1)
        one = one.assign(turn=one["label"].map({label: i for i, label in enumerate(sorted(set(one["label"])))}))
        people = {person: i for i, person in enumerate(sorted(set(one["person"])))}
        # Round by round: in round r the expression number k goes to person (k + r), as a Latin square.
        one["round"] = (one["person"].map(people) - one["turn"]) % len(people)
        return pool[one.sort_values(["round", "turn"], kind="stable").index[:count]]


@lru_cache(maxsize=4)
def _permutation(seed: int, kind: int, epoch: int, length: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, kind]).permutation(length)


def _pairs(table: FaceTable, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels, degree = table.labels(), table.intensities()
    index = index[labels[index] >= 0]
    forward: list[tuple[int, int]] = []
    back: list[tuple[int, int]] = []
    cross: list[tuple[int, int]] = []
    own: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for (person, sequence), group in table.sequences(index).items():
        own.setdefault(person, []).extend([group] if sequence and all(map(len, group)) else [])
    for person, groups in own.items():
        rows = index[table.people[index] == person]
        for neutral, other in groups or [(rows[labels[rows] == NEUTRAL], rows[labels[rows] != NEUTRAL])]:
            forward += [(n, o) for n in neutral for o in other]
            back += [(o, n) for n in neutral for o in other]
            if len(neutral):
                far = (labels[other][:, None] != labels[other]) | (abs(degree[other][:, None] - degree[other]) > STEP)
                cross += [(other[s], other[t]) for s, t in np.argwhere(far)]
            else:  # nobody of them is neutral
                forward += [(s, t) for s in rows for t in rows if labels[s] != labels[t]]
    return tuple(np.array(pairs, np.int64).reshape(-1, 2) for pairs in (forward, back, cross))
