"""How far landmarks have to move until a bent picture shows as much as the person's true peak did. [ours]

Landmarks know nothing of folds, lids and teeth: a picture that is bent along a person's own displacement shows 60 to 85 % of
the true peak's actions (`fersyn.nets.instruments`), whichever way it is bent. How much more it takes is measured by part of
the face on people who are trained on, from pictures bent without any network, so that it is the same for every method.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.interpolate import make_interp_spline

from fersyn.nets.affine_flow import dense_flow, warp
from fersyn.nets.instruments import ACTIONS

DEGREES = (1.0, 1.5, 2.0)  # how far pictures are bent along a displacement
LEAST = 0.5  # nothing is moved less far than so many displacements, nor further than the last of DEGREES
QUIET = 0.1  # length of a displacement of actions below which a part says nothing about how far it should move
# Landmarks (iBUG), and how the names of the actions begin that they make. The nose goes as the whole face does.
PARTS = (
    (tuple(range(17, 27)), ("brow",)),
    (tuple(range(36, 48)), ("eye",)),
    ((*range(17), *range(48, 68)), ("mouth", "jaw")),
)


def measure(table, neutral: np.ndarray, peak: np.ndarray, meter) -> tuple[np.ndarray, np.ndarray]:
    """By how much actions differ from those of the neutral face.

    Args:
        table: FaceTable.
        neutral, peak: int (N,), positions of faces of one person each.
        meter: `fersyn.nets.instruments.ActionMeter`.

    Returns:
        of the true peak, float32 (N, 52), and of the neutral picture bent along DEGREES times the landmarks' displacement,
        float32 (N, DEGREES, 52).
    """
    faces = table.tensor(neutral)
    start, end = (torch.from_numpy(table.landmarks(rows)) for rows in (neutral, peak))
    still = meter.measured(faces)
    bent = [
        meter.measured(warp(faces, dense_flow(start, start + degree * (end - start), table.size))) - still
        for degree in DEGREES
    ]
    return meter.measured(table.tensor(peak)) - still, np.stack(bent, 1)


def gains(true: np.ndarray, bent: np.ndarray) -> np.ndarray:
    """By how much to multiply each landmark's displacement, (68,), LEAST to DEGREES[-1], so that the mean actions of an
    expression come nearest to the true ones.

    Args:
        true, bent: as `measure` gives them, of one expression; without any rows all gains are 1.
    """
    if not len(true):
        return np.ones(68)
    wanted, found = true.mean(0, dtype=float), bent.mean(0, dtype=float)
    whole = _gain(wanted, found, 1.0)
    each = np.full(68, whole)
    for points, beginnings in PARTS:
        own = [k for k, name in enumerate(ACTIONS) if name.startswith(beginnings)]
        each[list(points)] = _gain(wanted[own], found[:, own], whole)
    return each


def _gain(wanted: np.ndarray, found: np.ndarray, otherwise: float) -> float:
    """The degree at which actions `found` (DEGREES, A) come nearest to those `wanted` (A,)."""
    if np.linalg.norm(wanted) < QUIET:
        return otherwise
    degrees = np.linspace(LEAST, DEGREES[-1], 151)
    between = make_interp_spline((0.0, *DEGREES), np.concatenate([0 * found[:1], found]), k=1)(degrees)
    return float(degrees[np.linalg.norm(between - wanted, axis=1).argmin()])
