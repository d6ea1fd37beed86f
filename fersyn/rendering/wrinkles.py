"""Wrinkles that come with the facial actions: furrows as height maps in mm on the face map.

Each group of furrows answers to the action units that fold the skin there (Ekman & Friesen, FACS manual, "appearance
changes"): forehead lines AU1+2, glabella AU4, bunny lines AU9, crow's feet AU6+12, nasolabial fold AU9+10+12, chin AU17 ...
The map's right half (x > 0) is the subject's left side and follows the left actions. The furrows stand in wrinkles.yaml.
"""

from functools import lru_cache

import cv2
import numpy as np

from fersyn.files import data_of
from fersyn.rendering import facemap
from fersyn.rendering.person import Person

FURROWS: dict[str, dict] = data_of(__file__)


def _arc(points: list[list[float]]) -> np.ndarray:
    """A smooth curve (12, 2) through three or more points (x, z), by quadratic interpolation of the parameter."""
    points = np.array(points, float)
    t, fine = np.linspace(0, 1, len(points)), np.linspace(0, 1, 12)
    return np.stack([np.polyval(np.polyfit(t, along, 2), fine) for along in points.T], -1)


def _profile(lines: list[np.ndarray], width: float, depth: float) -> np.ndarray:
    """Furrows of a given width and depth with the small bulges that flank them."""
    canvas = facemap.strokes(lines, 255, 1.0) * 255
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
    maps = np.zeros((len(FURROWS), facemap.HEIGHT, facemap.WIDTH), np.float32)
    middle = facemap.WIDTH // 2
    for out, group in zip(maps, FURROWS.values(), strict=True):
        lines = [_arc(curve) + rng.normal(0, 0.9, 2) + rng.normal(0, 0.35, (12, 2)) for curve in group["curves"]]
        left = _profile(lines, group["width"] * rng.uniform(0.85, 1.2), group["depth"] * rng.uniform(0.7, 1.3))
        out[:, middle:] = left[:, middle:]
        out[:, :middle] = left[:, ::-1][:, :middle]
    return maps


def weights(person: Person, actions: dict[str, float]) -> np.ndarray:
    """How much deeper than at rest each group's furrow is now, (groups, 2) for the subject's (right, left) side."""
    out = np.zeros((len(FURROWS), 2), np.float32)
    for row, group in zip(out, FURROWS.values(), strict=True):
        for side, suffix in enumerate(("Right", "Left")):
            for action, share in group["actions"].items():
                row[side] += share * max(actions.get(action + suffix, 0.0), actions.get(action, 0.0))
    return np.minimum(out, 1.3) * (1.24 + person.age)


@lru_cache(maxsize=3)
def _resting_relief(person: Person) -> np.ndarray:
    """Every furrow in the resting face: age leaves part of its depth."""
    return (0.03 + 0.42 * person.age**1.5) * height_maps(person).sum(0)


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
