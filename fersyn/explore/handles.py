"""Handles: a few landmarks pulled by hand, in units of the distance between the eyes' centres.

Each handle moves the iBUG points that its muscles move, and no others; what it does is linear in the amount, up to a limit
at which lids, lips or brows would pass through each other. [ours: the shares were set by eye on open and closed mouths]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.ibug import EYES


@dataclass(frozen=True)
class Handle:
    """A handle.

    Attributes:
        title: as on its slider.
        least, most: range of the amount, eye distances.
        moves: point -> (outwards, down), how far it goes at amount 1; outwards is away from the middle of the face.
        help: what it does.
    """

    title: str
    least: float
    most: float
    moves: Mapping[int, tuple[float, float]]
    help: str


def _both(points: Mapping[tuple[int, int], tuple[float, float]]) -> dict[int, tuple[float, float]]:
    return {point: move for pair, move in points.items() for point in pair}


HANDLES: dict[str, Handle] = {
    "mouth_open": Handle(
        "Mouth open", -0.15, 0.5,
        {57: (0, 1.0), 66: (0, 1.0), 8: (0, 0.75), 51: (0, -0.1), 62: (0, -0.12)}
        | _both({
            (56, 58): (0, 0.92), (55, 59): (0, 0.6), (65, 67): (0, 0.92), (61, 63): (0, -0.1), (50, 52): (0, -0.08),
            (48, 54): (-0.08, 0.22), (60, 64): (-0.06, 0.22),
            (7, 9): (0, 0.7), (6, 10): (0, 0.55), (5, 11): (0, 0.36), (4, 12): (0, 0.18),
        }),
        "Lower lip, chin and jaw go down; below 0 an open mouth closes, until the lips meet",
    ),
    "mouth_corners": Handle(
        "Mouth corners", -0.2, 0.2,
        _both({
            (48, 54): (0.4, -1.0), (60, 64): (0.4, -1.0), (49, 53): (0.2, -0.45), (55, 59): (0.2, -0.45),
            (61, 63): (0.1, -0.3), (65, 67): (0.1, -0.3),
        }),
        "Up and outwards as in a smile; below 0 down and inwards",
    ),
    "brow_height": Handle(
        "Brow height", -0.15, 0.2,
        _both({(17, 26): (0, -0.7), (18, 25): (0, -0.9), (19, 24): (0, -1.0), (20, 23): (0, -1.0), (21, 22): (0, -1.0)}),
        "Up; below 0 down, until the brows come near the lids",
    ),
    "eye_opening": Handle(
        "Eye opening", -0.15, 0.15,
        _both({(37, 44): (0, -0.75), (38, 43): (0, -0.75), (40, 47): (0, 0.25), (41, 46): (0, 0.25)}),
        "Upper lids up, lower lids a little down; below 0 the eyes close",
    ),
}  # fmt: skip

# What must not pass through each other: (upper points, lower points, least distance left), in eye distances.
_LIMITS = {
    "mouth_open": (((61, 62, 63), (67, 66, 65), 0.0),),
    "brow_height": (((18, 19, 20), (36, 37, 38), 0.08), ((23, 24, 25), (43, 44, 45), 0.08)),
    "eye_opening": (((37, 38), (41, 40), 0.03), ((43, 44), (47, 46), 0.03)),
}


def check(amounts: Mapping[str, float]) -> dict[str, float]:
    """The amounts that are not 0, as floats; raises FersynError for a handle that there is not, or one out of range."""
    found = {}
    for name, amount in amounts.items():
        if name not in HANDLES:
            raise FersynError(f"there is no handle '{name}'; use one of: {', '.join(HANDLES)}")
        handle = HANDLES[name]
        if not handle.least <= float(amount) <= handle.most:
            raise FersynError(f"{name} = {amount:g}: it must lie between {handle.least:g} and {handle.most:g}")
        if amount:
            found[name] = float(amount)
    return found


def pull(landmarks: Tensor, amounts: Mapping[str, float]) -> Tensor:
    """Landmarks (N, 68, 2) px with some handles pulled.

    Args:
        landmarks: (N, 68, 2) px.
        amounts: handle -> amount, in distances of the eyes' centres.

    Returns:
        (N, 68, 2) px; the same tensor where nothing is pulled.

    Raises:
        FersynError: as `check`.
    """
    amounts = check(amounts)
    if not amounts:
        return landmarks
    right, left = (landmarks[:, eye].mean(1) for eye in EYES)
    across = left - right
    unit = across.norm(dim=-1, keepdim=True).clamp(min=1e-6)  # (N, 1) px
    across = across / unit
    down = torch.stack([-across[:, 1], across[:, 0]], -1)
    moved = landmarks.clone()
    for name, amount in amounts.items():
        # Each pulls at the face as the others left it, so that a limit is one of what is seen.
        strength = _limited(name, moved, amount, unit, down)  # (N, 1) px
        for point, (out, fall) in HANDLES[name].moves.items():
            side = -1.0 if _is_right(point) else 1.0  # the person's right stands left in the picture
            moved[:, point] += strength * (out * side * across + fall * down)
    return moved


def _limited(name: str, landmarks: Tensor, amount: float, unit: Tensor, down: Tensor) -> Tensor:
    """The amount in px (N, 1), less where points would pass through each other."""
    wanted = amount * unit
    if amount > 0:
        return wanted
    for upper, lower, least in _LIMITS.get(name, ()):
        moves = HANDLES[name].moves
        for above, below in zip(upper, lower, strict=True):
            gap = ((landmarks[:, below] - landmarks[:, above]) * down).sum(-1, keepdim=True)
            closing = moves.get(below, (0, 0))[1] - moves.get(above, (0, 0))[1]
            wanted = torch.maximum(wanted, -(gap - least * unit).clamp(min=0) / closing)
    return wanted


def _is_right(point: int) -> bool:
    return point in (*range(0, 8), *range(17, 22), 31, 32, *range(36, 42), 48, 49, 50, 58, 59, 60, 61, 67)
