"""The eight expressions as recipes of ARKit facial actions.

The action units (AU) of each prototype follow EMFACS (Friesen & Ekman 1983; Ekman, Friesen & Hager, "FACS Investigator's
Guide", 2002, table 10-2) and the criteria by which CK+ was labelled (Lucey et al. 2010, table 1: anger needs AU23 and AU24,
disgust AU9 or AU10, fear AU1+2+4, happiness AU12, sadness AU1+4+15, surprise AU1+2 or AU5, contempt a one-sided AU14).
How strong each ARKit action must be to show its AU on anny's mesh is ours, chosen by eye and by what two networks that have
learnt from photographs (`fer`, `facex`) name on people of seed 0; they also like AU15 in fear, AU20 in sadness, AU18 (lips
drawn together) and a trace of AU2 (the brow's steep outer end) in anger, teeth (AU25+26) in disgust. What made dlib lose
the person was made milder again on people of seed 2, and after looks at Rank-1 of seed 1, never at its judges. The recipes
stand in recipes.yaml.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.files import data_of


@dataclass(frozen=True)
class Recipe:
    """Full-strength actions, the ways in which people differ when they wear the expression, and what one side does."""

    source: str
    actions: dict[str, float]
    variants: Sequence[dict[str, float]] = ({},)
    one_sided: Sequence[str] = ()


_DATA = data_of(__file__)
ACTION_UNITS: dict[str, str] = _DATA["units"]  # ARKit action, without Left or Right -> FACS action unit
RECIPES = {name: Recipe(**recipe) for name, recipe in _DATA["recipes"].items()}


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
        if name in _DATA["sideless"]:
            out[name] = strength
        elif name in recipe.one_sided:
            out[name + side] = strength
        else:
            out[name + "Left"], out[name + "Right"] = strength * (1 + skew), strength * (1 - skew)
    return out


def scaled(actions: dict[str, float], intensity: float) -> dict[str, float]:
    """The same display at an intensity of 0 (neutral) .. 1 (peak)."""
    return {name: value * intensity for name, value in actions.items()}
