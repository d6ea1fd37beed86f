"""A synthesiser out of another one: two expressions blended, and landmarks pulled by hand.

It knows the other by its `edit` alone, and is itself what the rest of the kit expects of a method, so that photographs,
sheets and sweeps work with it as with any other.

A handle pulls a few landmarks, in units of the distance between the eyes' centres: the iBUG points that its muscles move, and
no others; what it does is linear in the amount, up to a limit at which lids, lips or brows would pass through each other.
[ours: the shares were set by eye on open and closed mouths]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import yaml
from torch import Tensor

from fersyn import marks
from fersyn.errors import FersynError
from fersyn.explore.newcomer import Newcomer
from fersyn.expressions import parse
from fersyn.faces.landmarks import EYES, find_source_landmarks
from fersyn.methods.base import Synthesiser, intensities_of, labels_of
from fersyn.nets.affine_flow import warp


@dataclass(frozen=True)
class Handle:
    """A handle.

    Attributes:
        title: as on its slider.
        help: what it does.
        least, most: range of the amount, eye distances.
        moves: point -> (outwards, down), how far it goes at amount 1; outwards is away from the middle of the face.
        limits: (upper points, lower points, least distance left in eye distances): they must not pass through each other.
    """

    title: str
    help: str
    least: float
    most: float
    moves: Mapping[int, tuple[float, float]]
    limits: Sequence[tuple[Sequence[int], Sequence[int], float]]


def _handle(title: str, help: str, range: Sequence[float], moves: Sequence, limits: Sequence = ()) -> Handle:
    return Handle(title, help, *range, {point: (out, fall) for points, out, fall in moves for point in points}, limits)


_FILE = Path(__file__).with_name("handles.yaml")
HANDLES = {name: _handle(**own) for name, own in yaml.safe_load(_FILE.read_text(encoding="utf-8")).items()}

RIGHT = (*range(0, 8), *range(17, 22), 31, 32, *range(36, 42), 48, 49, 50, 58, 59, 60, 61, 67)  # points, of the person


def _check(amounts: Mapping[str, float]) -> dict[str, float]:
    """The amounts that are not 0, as floats; raises FersynError for a handle that there is not, or one out of range."""
    for name, amount in amounts.items():
        if name not in HANDLES:
            raise FersynError(f"there is no handle '{name}'; use one of: {', '.join(HANDLES)}")
        handle = HANDLES[name]
        if not handle.least <= float(amount) <= handle.most:
            raise FersynError(f"{name} = {amount:g}: it must lie between {handle.least:g} and {handle.most:g}")
    return {name: float(amount) for name, amount in amounts.items() if amount}


def pull(landmarks: Tensor, amounts: Mapping[str, float]) -> Tensor:
    """Landmarks (N, 68, 2) px with some handles pulled.

    Args:
        landmarks: (N, 68, 2) px.
        amounts: handle -> amount, in distances of the eyes' centres.

    Returns:
        (N, 68, 2) px; the same tensor where nothing is pulled.

    Raises:
        FersynError: a handle that there is not, or an amount out of range.
    """
    amounts = _check(amounts)
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
            side = -1.0 if point in RIGHT else 1.0  # the person's right stands left in the picture
            moved[:, point] += strength * (out * side * across + fall * down)
    return moved


def _limited(name: str, landmarks: Tensor, amount: float, unit: Tensor, down: Tensor) -> Tensor:
    """The amount in px (N, 1), less where points would pass through each other."""
    wanted = amount * unit
    if amount > 0:
        return wanted
    moves = HANDLES[name].moves
    for upper, lower, least in HANDLES[name].limits:
        for above, below in zip(upper, lower, strict=True):
            gap = ((landmarks[:, below] - landmarks[:, above]) * down).sum(-1, keepdim=True)
            closing = moves.get(below, (0, 0))[1] - moves.get(above, (0, 0))[1]
            wanted = torch.maximum(wanted, -(gap - least * unit).clamp(min=0) / closing)
    return wanted


class Shaped(Synthesiser):
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
        **amounts: of `HANDLES`, in eye distances.

    Raises:
        FersynError: an unknown expression or handle, or a value out of range.
    """

    def __init__(self, inner: Synthesiser, second: str = "", share: float = 0.0, **amounts: float):
        if not 0 <= share <= 1:
            raise FersynError(f"share = {share:g}: it must lie between 0 and 1")
        self.inner, self.second, self.share = inner, parse(second) if second else "", float(share)
        self.amounts: Mapping[str, float] = _check(amounts)
        self.name, self.needs_landmarks, self.size = inner.name, inner.needs_landmarks, inner.size
        self.motion, self.weights = getattr(inner, "motion", None), inner.weights

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
        return pull(points, self.amounts)

    def words(self, expression: str, intensity: float) -> str:
        """See `Synthesiser.words`: a blend is named as such, and so are handles."""
        return marks.words(expression, intensity, self.second, self.share, self.amounts)

    @torch.no_grad()
    def explain(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None) -> dict[str, Tensor]:
        """See `Synthesiser.explain`; given `landmarks` of the target are taken as they are, neither blended nor pulled."""
        if self.needs_landmarks and landmarks is None:
            source_landmarks = find_source_landmarks(faces) if source_landmarks is None else source_landmarks
            landmarks = self.target(source_landmarks, expression, intensity, faces.shape[-1])
        share = self.share if self.second else 0.0
        if share in (0.0, 1.0):
            expression = self.second if share else expression
            return self.inner.explain(faces, expression, intensity, landmarks, source_landmarks)
        count = len(faces)
        first = [expression] * count if isinstance(expression, str) else list(expression)

        def twice(values):
            return None if values is None else torch.cat([values, values])

        made = self.inner.explain(
            twice(faces), [*first, *([self.second] * count)], twice(intensities_of(intensity, count, faces.device)),
            twice(landmarks), twice(source_landmarks),
        )  # fmt: skip
        if "flow" not in made:
            return {"image": self._mixed(made["image"])}
        flow = self._mixed(made["flow"])
        bent = warp(faces, flow)
        # What each label paints is moved along with the source's places: averaged where they lie, two mouths had four lips.
        painted = warp(made["image"] - made["bent"], twice(flow) - made["flow"])
        return {"image": bent + self._mixed(painted), "bent": bent, "flow": flow}

    def _mixed(self, both: Tensor) -> Tensor:
        """What the two labels made, (2N, ...), averaged: (N, ...)."""
        first, second = both.chunk(2)
        return (1 - self.share) * first + self.share * second

    def edit(
        self,
        faces: Tensor,
        expression: str | Sequence[str],
        intensity: float | Tensor = 1.0,
        landmarks: Tensor | None = None,
        source_landmarks: Tensor | None = None,
    ) -> Tensor:
        """See `Synthesiser.edit`: the image of `explain`."""
        return self.explain(faces, expression, intensity, landmarks, source_landmarks)["image"]


@dataclass(frozen=True)
class Wish:
    """What a face is to become: all that the panel's sliders say.

    Attributes:
        expression, intensity: as `Synthesiser.edit` takes them.
        second, share: expression that is mixed in, and its share 0..1; empty: none.
        amounts: handle -> amount, in eye distances.
        actions: single action -> wanted displacement; of a new person alone.
    """

    expression: str
    intensity: float = 1.0
    second: str = ""
    share: float = 0.0
    amounts: dict[str, float] = field(default_factory=dict)
    actions: dict[str, float] = field(default_factory=dict)

    def shape(self, synthesiser: Synthesiser) -> Shaped:
        """The synthesiser that does it."""
        if isinstance(synthesiser, Newcomer):
            synthesiser = replace(synthesiser, actions=self.actions)
        return Shaped(synthesiser, self.second, self.share, **self.amounts)

    def part(self, done: float) -> Wish:
        """The wish fulfilled to a part 0..1: intensity, handles and actions from 0 to what they are."""
        amounts, actions = (
            {name: amount * done for name, amount in each.items()} for each in (self.amounts, self.actions)
        )
        return Wish(self.expression, self.intensity * done, self.second, self.share, amounts, actions)

    @property
    def graded(self) -> bool:
        """Whether the intensity has an effect: neutral alone knows no degrees."""
        return self.expression != "neutral" or bool(self.second and self.share)

    @property
    def words(self) -> str:
        """In words: `happiness at 60 %`, `happiness and surprise (30 %) at 60 %, mouth open 0.2`."""
        return marks.words(self.expression, self.intensity, self.second, self.share, self.amounts | self.actions)

    def arguments(self) -> str:
        """As arguments of `make`, without what has its default value."""
        parts = [repr(self.expression).replace("'", '"'), f"{self.intensity:.4g}"]
        if self.second and self.share:
            parts += [f'second="{self.second}"', f"share={self.share:.4g}"]
        return ", ".join([*parts, *(f"{name}={amount:.4g}" for name, amount in self.amounts.items() if amount)])
