"""A synthesiser out of another one: two expressions blended, and landmarks pulled by hand.

It knows the other by its `edit` alone, and is itself what the rest of the kit expects of a method, so that photographs,
sheets and sweeps work with it as with any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.explore import handles
from fersyn.expressions import parse
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.methods.base import Synthesiser
from fersyn.methods.target import intensities_of, labels_of


class Shaped:
    """`edit` of another synthesiser with a second expression mixed in and handles pulled.

    With the landmarks s of the face taken back to neutral, the motions Delta_1 and Delta_2 of the two expressions, the
    intensity a and the second's share b, the target is s + a ((1 - b) Delta_1 + b Delta_2) + handles. A label is one
    expression and not a mixture, so the method edits twice, with either label and both times to that one target, and the
    two results are averaged with weights 1 - b and b: their features lie on the same places, so nothing appears doubled.
    A method that is given no landmarks (c-gan) has its two results averaged as they are, and no handle moves it.

    Args:
        inner: the method.
        second: expression that is mixed in; empty: none.
        share: 0..1 of the second.
        **amounts: of `fersyn.explore.handles.HANDLES`, in eye distances.

    Raises:
        FersynError: an unknown expression or handle, or a value out of range.
    """

    def __init__(self, inner: Synthesiser, second: str = "", share: float = 0.0, **amounts: float):
        if not 0 <= share <= 1:
            raise FersynError(f"share = {share:g}: it must lie between 0 and 1")
        self.inner, self.second, self.share = inner, parse(second) if second else "", float(share)
        self.amounts: Mapping[str, float] = handles.check(amounts)
        self.name, self.needs_landmarks, self.size = inner.name, inner.needs_landmarks, inner.size
        self.motion = getattr(inner, "motion", None)

    def target(self, source: Tensor, expression: str | Sequence[str], intensity: float | Tensor, side: int):
        """The landmarks (N, 68, 2) px that faces of `side` px with landmarks `source` are to have; None: the method
        looks at none, or has no motion model (it then says so itself).
        """
        if not self.needs_landmarks or self.motion is None:
            return None
        count = len(source)
        label, degree = labels_of(expression, count), intensities_of(intensity, count)
        points = self.motion.predict(source, label, degree, size=side)
        if self.second and self.share:
            other = self.motion.predict(source, labels_of(self.second, count), degree, size=side)
            points = (1 - self.share) * points + self.share * other
        return handles.pull(points, self.amounts)

    def edit(
        self,
        faces: Tensor,
        expression: str | Sequence[str],
        intensity: float | Tensor = 1.0,
        landmarks: Tensor | None = None,
        source_landmarks: Tensor | None = None,
    ) -> Tensor:
        """See `Synthesiser.edit`; given `landmarks` of the target are taken as they are, neither blended nor pulled."""
        if self.needs_landmarks and landmarks is None:
            source_landmarks = find_source_landmarks(faces) if source_landmarks is None else source_landmarks
            landmarks = self.target(source_landmarks, expression, intensity, faces.shape[-1])
        share = self.share if self.second else 0.0
        if share in (0.0, 1.0):
            expression = self.second if share else expression
            return self.inner.edit(faces, expression, intensity, landmarks, source_landmarks)
        count = len(faces)
        first = [expression] * count if isinstance(expression, str) else list(expression)

        def twice(values):
            return None if values is None else torch.cat([values, values])

        made = self.inner.edit(
            twice(faces), [*first, *([self.second] * count)], twice(intensities_of(intensity, count, faces.device)),
            twice(landmarks), twice(source_landmarks),
        )  # fmt: skip
        return (1 - share) * made[:count] + share * made[count:]
