"""A person that nobody is: everything that stays the same from picture to picture, drawn from (seed, index) alone."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from skimage.color import lab2rgb

from fersyn.files import data_of
from fersyn.rendering.rig import Rig, load_rig

_DATA = data_of(__file__)  # colours of skin, hair and iris; hair styles; changes of the face to be gentle with
STYLES = tuple(_DATA["styles"])


@dataclass(frozen=True, eq=False)
class Person:
    """Identity of one rendered subject. Colours are linear RGB in [0, 1], lengths mm."""

    seed: int
    index: int
    rest: np.ndarray  # (V, 3) neutral face, origin between the eyes
    age: float  # 0 young adult .. 1 old
    gender: float  # 0 .. 1 of anny's phenotype
    skin: np.ndarray  # (3,)
    melanin: float  # 0 lightest .. 1 darkest
    hair: np.ndarray  # (3,)
    hair_style: str
    iris: np.ndarray  # (3,)
    glasses: bool
    beard: float  # 0 none .. 1 full
    lids: float  # how far the lids hang at rest, of ARKit's eyeBlink
    texture_seed: int

    def rng(self, purpose: int) -> np.random.Generator:
        """A generator of one's own for one purpose, so that adding a feature does not redraw the others."""
        return np.random.default_rng([self.texture_seed, purpose])


@lru_cache(maxsize=4)
def draw_person(seed: int, index: int, glasses: float = 0.15) -> Person:
    """Person `index` of the population `seed`, the same whoever was drawn before.

    The shape is rounded to whole micrometres, below which one BLAS differs from another.

    Args:
        seed, index: non-negative integers.
        glasses: share of people who wear glasses, 0..1. Changing it changes nothing else about anyone.
    """
    rng = np.random.default_rng([seed, index])
    rig = load_rig()
    ancestry = rng.dirichlet([0.45, 0.45, 0.45])
    gender, age = float(rng.random()), float(rng.beta(1.1, 1.7))
    phenotypes = {"gender": gender, "age": 0.60 + 0.38 * age, "muscle": float(rng.uniform(0.2, 0.9))}
    phenotypes |= {"weight": float(rng.uniform(0.15, 0.9)), "proportions": float(rng.random())}
    changes = _changes(rig, rng)
    melanin = float(np.clip(np.dot(ancestry, [0.78, 0.34, 0.22]) + rng.normal(0, 0.15), 0, 1))
    tones = np.array(_DATA["skin"], float)
    lab = [np.interp(melanin * (len(tones) - 1), np.arange(len(tones)), channel) for channel in tones.T]
    lab = np.array(lab) + rng.normal(0, [1.5, 1.2, 1.5])
    skin = linear(lab2rgb(lab))
    grey = rng.random() < np.clip(age * 1.6 - 0.7, 0, 0.9)
    fair = 1 - melanin
    shares = np.array([0.15 + 2 * melanin, 0.5, 0.45 * fair, 0.12 * fair, 0.4 * fair])
    natural = _choice(rng, ["black", "dark brown", "brown", "red", "blond"], shares)
    hair = np.array(_DATA["hair"]["grey" if grey else natural]) * rng.uniform(0.8, 1.25)
    colour = _choice(rng, list(_DATA["iris"]), np.array([0.3 + 3 * melanin, 0.3, 0.15, 0.35, 0.15]))
    iris = np.array(_DATA["iris"][colour]) * rng.uniform(0.8, 1.2)
    weights = np.array([styles[gender >= 0.5] for styles in _DATA["styles"].values()])
    weights[STYLES.index("curly")] += melanin
    style = _choice(rng, list(STYLES), weights)
    beard = 0.0
    if gender > 0.6:
        beard = float(rng.choice([0, rng.uniform(0.15, 0.45), rng.uniform(0.6, 1.0)], p=[0.45, 0.35, 0.2]))
    lids = float(rng.uniform(0.09, 0.2))
    texture_seed = int(rng.integers(2**62))
    wears = bool(np.random.default_rng([seed, index, 1]).random() < glasses)
    rest = np.round(rig.pose(rig.rest(ancestry, phenotypes, changes), _DATA["at ease"]), 3) + 0.0
    return Person(seed, index, rest, age, gender, skin, melanin, hair, style, iris, wears, beard, lids, texture_seed)


def linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] -> linear light (IEC 61966-2-1)."""
    srgb = np.asarray(srgb, float)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _changes(rig: Rig, rng: np.random.Generator) -> np.ndarray:
    """Local changes of the face, the right side as the left with a little asymmetry."""
    values: dict[str, float] = {}
    for label in rig.change_labels:
        left = "l-" + label.removeprefix("r-")
        if label.startswith("r-") and left in values:
            values[label] = values[left] + rng.normal(0, 0.04)
        else:
            spread = 0.16 if any(part in label for part in _DATA["gentle"]) else 0.32
            values[label] = float(np.clip(rng.normal(0, spread), -0.85, 0.85))
    return np.array(list(values.values()))


def _choice(rng: np.random.Generator, names: list[str], weights: np.ndarray) -> str:
    return str(rng.choice(names, p=weights / weights.sum()))
