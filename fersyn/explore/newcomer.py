"""A new person in the panel of notebook 07: the generator draws somebody, and its mapper stands where a method does. [ours]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image
from torch import Tensor

from fersyn.datasets.generated import choose, missing
from fersyn.drawing import METHOD, draw, mapper
from fersyn.explore.choices import Face
from fersyn.faces.align import Alignment
from fersyn.faces.crop import crop_face
from fersyn.generating.actions import both_sides
from fersyn.generating.portrait import SIZE, TRUNCATION, makers, portrait
from fersyn.methods.base import Synthesiser
from fersyn.pixels import to_floats, to_tensor

NEW = "a new person"
SEED = 8  # whom it begins with: nobody whom a profile trains on, and adults at first sight


@dataclass(frozen=True)
class Newcomer(Synthesiser):
    """Somebody of a population, as a synthesiser that knows this one face: `edit` draws it anew, the short way.

    Attributes:
        seed, index: who it is.
        alignment: how the face is cut out of the picture.
        actions: wanted displacements of single actions beside the expression, by name.
    """

    seed: int
    index: int
    alignment: Alignment
    actions: Mapping[str, float] = field(default_factory=dict)

    name, needs_landmarks, motion, size = METHOD, False, None, SIZE

    @property
    def weights(self) -> str:
        """Name and hash of the mapper's file."""
        return mapper()

    def edit(
        self,
        faces: Tensor,
        expression: str | Sequence[str],
        intensity: float | Tensor = 1.0,
        landmarks: Tensor | None = None,
        source_landmarks: Tensor | None = None,
    ) -> Tensor:
        """See `Synthesiser.edit`; of one face, and looking at nothing but the expression's name and the intensity."""
        wanted = tuple(both_sides(self.actions).items())
        drawn = portrait(self.seed, self.index, TRUNCATION, expression, float(intensity), wanted)
        return to_floats(to_tensor(self.alignment.warp(drawn)[None]))

    def picture(self, expression: str, intensity: float) -> Image.Image:
        """The whole picture, sharp, as `fersyn.drawing.draw` makes it."""
        return draw(expression, intensity, self.actions, seed=self.seed, person=self.index)


def meet(seed: int, number: int) -> tuple[Newcomer, Face]:
    """Person `number` (0, 1 ...) of those whom a face table would take, and the own neutral face.

    Raises:
        FersynError: hardly anybody can be taken; weights are missing.
    """
    index = choose(number + 1, seed, TRUNCATION, 0)[0][number]
    cut = crop_face(portrait(seed, index, TRUNCATION, "neutral", 0.0), SIZE)
    return Newcomer(seed, index, cut.alignment), Face(cut.crop, cut.landmarks, f"G{seed}-{index:05d}, neutral", NEW)


def lacking() -> str:
    """What is missing for new people, with the cure; empty: nothing."""
    names = " ".join(missing())
    return f"New people cannot be drawn: weights are not on this machine: fersyn weights fetch {names}" if names else ""


def about() -> str:
    """What has to be known of a new person's pictures."""
    guides = ", ".join(makers()[1].guides)
    return f"Nobody: a generator has drawn this face. {guides} have guided its mapper: they are no judges of it."
