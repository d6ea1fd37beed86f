"""What the panel shows first: an edit that those who name it agree with. A newcomer who sees happiness that nobody takes for happiness
looks for a fault in his own hands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fersyn.explore.choices import Face
from fersyn.explore.measures import Measured, Measures
from fersyn.explore.painter import changed
from fersyn.explore.shaped import Wish
from fersyn.methods.base import Synthesiser

SEEN = 8  # edits that are tried at most


def agreed(
    measures: Measures, faces: Sequence[Face], wish: Wish, expressions: Sequence[str], synthesiser: Synthesiser
) -> tuple[Face, str] | None:
    """The first face and expression whose edit is named as it was asked for, by everybody who knows that expression.

    Args:
        measures: who names it.
        faces: in order; for each of them the wish's own expression is tried first, on all faces.
        wish: what is asked for, apart from the expression.
        expressions: the others to try.
        synthesiser: of the chosen run.

    Returns:
        None where nobody names anything, or none of `SEEN` edits is such.
    """
    wanted = [wish.expression, *(name for name in expressions if name not in (wish.expression, "neutral"))]
    tries = [(face, name) for name in wanted for face in faces]
    for face, name in tries[:SEEN]:
        crop, target = changed(face, replace(wish, expression=name), synthesiser)
        points = face.landmarks
        if says(measures.of(face.crop, points, crop, points if target is None else target), name):
            return face, name
    return None


def says(found: Measured, expression: str) -> bool:
    """Whether all who know an expression name it, and there is somebody who does."""
    known = [shares for shares in found.named.values() if expression in shares]
    return bool(known) and all(max(shares, key=lambda name: shares[name]) == expression for shares in known)
