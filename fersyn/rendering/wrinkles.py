"""Wrinkles that come with the facial actions: furrows as height maps in mm on the face map.

Each group of furrows answers to the action units that fold the skin there (Ekman & Friesen, FACS manual, "appearance
changes"): forehead lines AU1+2, glabella AU4, bunny lines AU9, crow's feet AU6+12, nasolabial fold AU9+10+12, chin AU17 ...
The map's right half (x > 0) is the subject's left side and follows the left actions.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from fersyn.rendering import facemap
from fersyn.rendering.person import Person

_CURVE = np.linspace(0, 1, 12)


def _arc(*points: tuple[float, float]) -> np.ndarray:
    """A smooth curve through three or more points (x, z), by quadratic interpolation of the parameter."""
    points = np.array(points, float)
    t = np.linspace(0, 1, len(points))
    fit = [np.polyval(np.polyfit(t, points[:, k], min(2, len(points) - 1)), _CURVE) for k in range(2)]
    return np.stack(fit, -1)


# group -> (furrows as polylines in mm for x > 0, width mm, depth mm, {action: share})
FURROWS = {
    "forehead inner": (
        [_arc((-3, 36), (12, 38), (24, 37)), _arc((-3, 45), (12, 47), (26, 45)), _arc((-3, 54), (12, 56), (24, 54))],
        1.5,
        0.55,
        {"browInnerUp": 1.0, "browOuterUp": 0.4},
    ),
    "forehead outer": (
        [_arc((22, 37), (36, 37), (52, 31)), _arc((24, 45), (38, 44), (54, 38)), _arc((22, 54), (36, 53), (48, 48))],
        1.5,
        0.5,
        {"browOuterUp": 1.0, "browInnerUp": 0.2},
    ),
    "glabella": (
        [_arc((6.5, 6), (7.5, 14), (6.0, 26)), _arc((12.5, 11), (12.0, 17), (10.5, 24))],
        1.6,
        0.85,
        {"browDown": 1.0},
    ),
    "nose root": (
        [_arc((-2, 3), (6, 3.5), (12, 1)), _arc((-2, -1.5), (6, -1.5), (11, -4))],
        1.4,
        0.6,
        {"noseSneer": 0.8, "browDown": 0.35},
    ),
    "bunny": (
        [_arc((4, -7), (10, -11), (14, -18)), _arc((8, -5), (14, -10), (18, -17)), _arc((5, -14), (9, -18), (12, -24))],
        1.3,
        0.6,
        {"noseSneer": 1.0},
    ),
    "crow's feet": (
        [
            _arc((53, 1), (60, 4), (67, 9)),
            _arc((53, -3), (61, -2.5), (69, -1)),
            _arc((52, -7), (60, -10), (67, -12)),
            _arc((51, -11), (58, -16), (63, -20)),
        ],
        1.3,
        0.55,
        {"cheekSquint": 0.8, "eyeSquint": 0.45},
    ),
    "under eye": (
        [_arc((24, -9), (37, -13.5), (49, -8.5)), _arc((25, -13), (37, -19), (48, -15))],
        2.4,
        0.5,
        {"cheekSquint": 0.75, "eyeSquint": 0.6},
    ),
    "nasolabial": (
        [_arc((18.5, -36), (25, -46), (32, -58), (37, -72))],
        4.4,
        1.0,
        {"mouthSmile": 0.75, "noseSneer": 0.5, "mouthUpperUp": 0.6, "mouthStretch": 0.25, "mouthDimple": 0.3},
    ),
    "cheek": ([_arc((43, -50), (47, -62), (45, -76))], 4.5, 0.6, {"mouthSmile": 0.8, "cheekSquint": 0.2}),
    "dimple": ([_arc((33, -68), (35, -73), (33.5, -79))], 3.6, 1.1, {"mouthDimple": 1.0, "mouthPress": 0.25}),
    "marionette": (
        [_arc((29, -77), (32, -85), (33, -95))],
        4.0,
        0.8,
        {"mouthFrown": 0.9, "mouthStretch": 0.5, "mouthShrugLower": 0.2},
    ),
    "chin": (
        [
            _arc((-2, -91), (8, -92), (16, -96)),
            _arc((3, -98), (8, -100), (12, -99)),
            _arc((2, -104), (7, -103), (11, -106)),
        ],
        2.6,
        0.6,
        {"mouthShrugLower": 0.9, "mouthFrown": 0.3, "mouthPress": 0.2},
    ),
}
GROUPS = tuple(FURROWS)


def _profile(lines: list[np.ndarray], width: float, depth: float) -> np.ndarray:
    """Furrows of a given width and depth with the small bulges that flank them."""
    canvas = np.zeros((facemap.HEIGHT, facemap.WIDTH), np.uint8)
    facemap.strokes(canvas, lines, 255, 1.0)
    canvas = canvas.astype(np.float32)
    sigma = width * facemap.SCALE * 0.5
    valley = cv2.GaussianBlur(canvas, (0, 0), sigma)
    bulge = cv2.GaussianBlur(canvas, (0, 0), sigma * 2.4)
    # Tapered ends: the wide blur is low where a line ends, and damps the valley there.
    valley *= np.clip(bulge / (bulge.max() * 0.8), 0, 1)
    return (0.5 * bulge / bulge.max() - valley / valley.max()) * depth


@lru_cache(maxsize=3)
def height_maps(person: Person) -> np.ndarray:
    """This person's furrows at full strength, (groups, HEIGHT, WIDTH) float32 in mm; the halves meet on the midline."""
    rng = person.rng(2)
    maps = np.zeros((len(GROUPS), facemap.HEIGHT, facemap.WIDTH), np.float32)
    for out, (lines, width, depth, _) in zip(maps, FURROWS.values(), strict=True):
        lines = [line + rng.normal(0, 0.9, 2) + rng.normal(0, 0.35, line.shape) for line in lines]
        left = _profile(lines, width * rng.uniform(0.85, 1.2), depth * rng.uniform(0.7, 1.3))
        mirrored = left[:, ::-1]
        middle = facemap.WIDTH // 2
        out[:, middle:] = left[:, middle:]
        out[:, :middle] = mirrored[:, :middle]
    return maps


def resting(person: Person) -> float:
    """Depth of every furrow in the resting face: age leaves part of it."""
    return 0.03 + 0.42 * person.age**1.5


def weights(person: Person, actions: dict[str, float]) -> np.ndarray:
    """How much deeper than at rest each group's furrow is now, (groups, 2) for the subject's (right, left) side."""
    out = np.zeros((len(GROUPS), 2), np.float32)
    for row, (_, _, _, shares) in zip(out, FURROWS.values(), strict=True):
        for side, suffix in enumerate(("Right", "Left")):
            for action, share in shares.items():
                row[side] += share * max(actions.get(action + suffix, 0.0), actions.get(action, 0.0))
    return np.minimum(out, 1.3) * (0.62 + 0.5 * person.age)


@lru_cache(maxsize=3)
def _resting_relief(person: Person) -> np.ndarray:
    return resting(person) * height_maps(person).sum(0)


def relief(person: Person, actions: dict[str, float]) -> np.ndarray:
    """Height of the skin above its smooth surface, (HEIGHT, WIDTH) float32 in mm."""
    out = _resting_relief(person).copy()
    middle = facemap.WIDTH // 2
    for group, (right, left) in zip(height_maps(person), weights(person, actions), strict=True):
        if right > 0.01:
            out[:, :middle] += right * group[:, :middle]
        if left > 0.01:
            out[:, middle:] += left * group[:, middle:]
    # Left and right may differ: a few millimetres of blending keep the midline free of a step.
    out[:, middle - 6 : middle + 6] = cv2.blur(out[:, middle - 12 : middle + 12], (9, 1))[:, 6:18]
    return out
