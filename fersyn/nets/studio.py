"""A generator of faces with its guides, and what they have seen of the people that something learns to move. [ours]"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from fersyn.errors import FersynError
from fersyn.losses import guided
from fersyn.nets import generators
from fersyn.nets.guides import Guides
from fersyn.pixels import to_bytes, to_floats

TURNED, SHUT = 0.11, 0.14  # the nose off the middle, parts of the face's width; opening of the eyes: who is learnt from
MOST_TRIED = 20  # samples a person wanted


class Studio(nn.Module):
    """The generator, the guides, and what they have seen of the people who are learnt from: made once, one by one.

    Nothing in it learns. What it remembers follows from (seed, number) and, of neutral faces, from the mapper's weights for
    neutral, which stand still meanwhile: a training that goes on finds the same again.
    """

    def __init__(self, draft: bool):
        super().__init__()
        self.generator, self.guides, self.draft = generators.get(), Guides(), draft
        self.requires_grad_(False)
        self._seed, self._tried, self._people, self._neutral = None, 0, [], {}

    def picture(self, layers: Tensor, size: int = 256) -> Tensor:
        """W+ -> pictures in FFHQ's frame, with gradients. On a CPU one by one: several at once leave its cache (a third more)."""
        parts = layers.split(1 if layers.device.type == "cpu" else len(layers))
        return torch.cat([self.generator.synthesise(part, size, draft=self.draft) for part in parts])

    @torch.no_grad()
    def people(self, seed: int, numbers: list[int]) -> list[dict[str, Tensor]]:
        """Samples who face the camera with open eyes: w and what guides see, (1, ...) each."""
        if self._seed != seed:
            self._seed, self._tried, self._people, self._neutral = seed, 0, [], {}
        device = next(self.generator.parameters()).device
        while len(self._people) <= max(numbers):
            if self._tried >= MOST_TRIED * (max(numbers) + 10):
                raise FersynError(
                    f"of {self._tried} samples of {self.generator.name} only {len(self._people)} face the camera"
                )
            rng = np.random.default_rng([seed, self._tried, 1])
            self._tried += 1
            z = torch.from_numpy(rng.standard_normal((1, self.generator.width), dtype=np.float32)).to(device)
            w = self.generator.sample(z, float(rng.uniform(0.6, 0.85)))
            seen = self.see(self.picture(self.generator.layers(w)))
            if abs(float(guided.turned(seen["mesh"]))) < TURNED and float(guided.opening(seen["mesh"])) > SHUT:
                self._people.append({"w": w, **seen})
        return [self._people[number] for number in numbers]

    @torch.no_grad()
    def neutral(self, mapper: nn.Module, seed: int, numbers: list[int]) -> list[dict[str, Tensor]]:
        """The same people's own neutral faces, by the mapper as it is when they are first asked for."""
        for number, person in zip(numbers, self.people(seed, numbers), strict=True):
            if number not in self._neutral:
                layers = mapper.edit(person["w"], "neutral", styles=self.generator.styles)
                self._neutral[number] = {"w": person["w"], "layers": layers, **self.see(self.picture(layers))}
        return [self._neutral[number] for number in numbers]

    def see(self, pictures: Tensor) -> dict[str, Tensor]:
        """What the losses compare with."""
        mesh = self.guides.mesh(pictures)
        seen = {"mesh": mesh, "actions": self.guides.meter.of_mesh(mesh), "picture": to_bytes(pictures)}
        return {**seen, "identity": self.guides.identity(pictures), "descriptor": self.guides.descriptor(pictures)}


def joined(people: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Several people's in one; pictures as floats in [-1, 1]."""
    found = {name: torch.cat([person[name] for person in people]) for name in people[0]}
    return {**found, "picture": to_floats(found["picture"])}
