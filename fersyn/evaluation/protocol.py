"""The protocol of Li, Qi & Sun (IEEE Access 9, 2021): which pairs are measured, who is beside the methods, and what a
method is told when it edits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fersyn.errors import FersynError, SubjectLeak
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.base import Synthesiser
from fersyn.methods.copy import CopySource
from fersyn.methods.warp import Warp
from fersyn.nets.affine_flow import EYES, NOSE
from fersyn.pairs import Batch, Pairs
from fersyn.pixels import to_bytes

BATCH = 16


def pairs_of(table, size: int | None = None, everybody: bool = False) -> Pairs:
    """The pairs of the people held out, or of `everybody`, for tables that nothing was trained on; faces of `size` px (None:
    as in the table).

    Raises:
        FersynError: nobody is held out, or nobody with two expressions.
    """
    rows = np.ones(len(table), bool) if everybody else (table.rows["split"] == "test").to_numpy()
    if not rows.any():
        raise FersynError(f"{table.path}: nobody is held out for the test; a table of more people is needed")
    return Pairs(table, rows, size, training=False)


def measured_pairs(table, size: int | None = None, everybody: bool = False) -> tuple[Pairs, np.ndarray]:
    """`pairs_of`, and those that are measured: of each person and expression the strongest picture, from the neutral one;
    int64 (P, 2), positions (source, target) in the table.
    """
    pairs = pairs_of(table, size, everybody)
    return pairs, pairs.examples(len(pairs))


def edited(synthesiser: Synthesiser, batch: Batch) -> Tensor:
    """The sources of a batch with their targets' expressions, by the targets' landmarks: (N, 3, H, W) in [-1, 1].

    Faces have the size of the pairs, whatever the method works at: a method that makes smaller ones has them enlarged.
    """
    names = [EXPRESSIONS[label] for label in batch.label.tolist()]
    return synthesiser.edit(batch.source, names, batch.intensity, batch.target_landmarks, batch.source_landmarks)


def edited_pairs(synthesiser: Synthesiser, pairs: Pairs, chosen: np.ndarray, batch: int = BATCH) -> Tensor:
    """`edited` of the chosen pairs (P, 2), some at a time: uint8 (P, 3, H, W) on the CPU, as they would be saved."""
    made = (edited(synthesiser, pairs.gather(chosen[k : k + batch])) for k in range(0, len(chosen), batch))
    return torch.cat([to_bytes(faces).cpu() for faces in made])


def moved(
    synthesiser: Synthesiser, table, rows: Sequence[int], expression: str | Sequence[str], intensity: float = 1.0
) -> Tensor:
    """Faces of a table with another expression (one for all, or N), by the method's own landmark motion: (N, 3, H, H) in
    [-1, 1].

    Nobody is edited by a motion that has learnt from him: each person's faces by one that knows all others.
    """
    rows = np.asarray(rows, int)
    names = np.broadcast_to(expression, len(rows))
    people = table.people[rows]
    made = torch.empty(len(rows), 3, table.size, table.size)
    for person in dict.fromkeys(people):
        own = np.flatnonzero(people == person)
        points = torch.from_numpy(table.landmarks(rows[own]))
        edit = synthesiser.without([person]).edit
        for start in range(0, len(own), BATCH):
            part = own[start : start + BATCH]
            faces = table.tensor(rows[part])
            made[part] = edit(faces, names[part].tolist(), intensity, None, points[start : start + BATCH]).cpu()
    return made


def beside(table, path):
    """The face table at a path, to be measured beside `table`; None without a path, where nothing is, or for the same table."""
    from fersyn.table import FaceTable

    other = FaceTable.open(path) if path and Path(path).is_dir() else None
    return None if other is None or other.fingerprint == table.fingerprint else other


def floor(size: int, motion=None) -> dict[str, Synthesiser]:
    """What every method has to beat: ``copy`` and ``warp``, for faces of ``size`` px."""
    return {"copy": CopySource(size), "warp": Warp(size, motion)}


def held_floor(size: int, motion=None) -> dict[str, Synthesiser]:
    """`warp` with nose and eyes held as `landmark-flow` holds them: what of its lead is due to that."""
    return {"warp, nose held": Warp(size, motion, NOSE, EYES)}


def motion_of(synthesisers: Iterable[Synthesiser]):
    """The landmark motion of the first method that has one, or None."""
    found = (getattr(each, "motion", None) for each in synthesisers)
    return next((motion for motion in found if motion is not None), None)


def check_people(runs: Iterable, people: Sequence[str]) -> None:
    """Refuse numbers of people that a run was trained on.

    Args:
        runs: run folders.
        people: 'dataset/subject' of those who are measured.

    Raises:
        SubjectLeak: somebody was trained on.
        FersynError: a run does not say whom it was trained on.
    """
    from fersyn.training.runs import trained_people

    for run in runs:
        both = sorted(trained_people(run) & set(people))
        if both:
            raise SubjectLeak(
                f"{run} was trained on {len(both)} of the people to be measured ({', '.join(both[:5])}); measure people of "
                "its hold-out, or train on others"
            )
