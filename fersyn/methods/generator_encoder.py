"""Method `generator-encoder`: the inverse of a generator, learnt from its own samples, whose codes are known exactly. [ours]

No photograph is learnt from, and no face table. Samples are plain people, and people whom the kit's mapper has moved to
expressions and single actions, which FFHQ hardly shows; each picture is disturbed as photographs are. The losses: the code
itself, and the generator's features, so that codes that look alike count as alike. `fersyn.nets.encoder` is the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.crop import ffhq_alignment
from fersyn.manners import drawn_sliders
from fersyn.methods.base import Method, Stage
from fersyn.methods.config import MethodConfig
from fersyn.nets import encoder, expression_mapper, generators, mobile_stylegan
from fersyn.nets.guides import resample, vary
from fersyn.nets.stylegan import Generator
from fersyn.pixels import onto

FEATURES = 64  # px: level of the generator whose features are compared
CROP = 128  # px: side of a face table's faces
RISE = 50  # steps to the full learning rate
TRUNCATION = 0.5, 0.9
MOVED, MOST, SLID = (
    2 / 3,
    1.3,
    0.4,
)  # part of the samples that are moved, their greatest strength, part of these with sliders


class Config(MethodConfig):
    """Settings of `generator-encoder`; `size` is that of the pictures."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"steps": 2, "batch": 2},
        "laptop": {"steps": 600, "batch": 8},
        "paper": {"steps": 1000, "batch": 48, "draft": False},
    }
    size: int = Field(encoder.SIDE, ge=encoder.SIDE, le=encoder.SIDE, description="side of the pictures, px")
    batch: int = Field(8, ge=2, description="samples a step, over all devices")
    lr: float = Field(1.5e-3, gt=0, le=1, description="learning rate")
    betas: tuple[float, float] = (0.9, 0.99)
    decay_share: float = Field(0.7, ge=0, le=1, description="last part of the steps, in which lr falls to 0 linearly")
    ema: float = Field(0.995, ge=0, lt=1, description="decay of the weights' running average; 0: none")
    averaged: tuple[str, ...] = ("encoder",)
    draft: bool = Field(True, description="whether pictures are made by the short way")
    disturbed: float = Field(0.3, ge=0, le=1, description="strength of what is done to light, colour, focus; noise")
    cropped: float = Field(0.5, ge=0, le=1, description="part of the pictures of which a face table's crop is known")
    weight_code: float = Field(1.0, ge=0)
    weight_features: float = Field(2.0, ge=0)


class Counts:
    """Batches: how many samples; the step draws them."""

    def __init__(self, config: Config, table: Any, device: Any):
        pass

    def batch(self, step: int, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1) -> int:
        """See `methods.base.Batches`."""
        return batch_size // world


class Inversion(Method):
    """See the module."""

    Config = Config
    edits = needs_landmarks = needs_source = needs_table = False

    def forward(self, config, networks, faces, source, target, label, intensity):
        """Raise FersynError: codes are no faces."""
        raise FersynError(f"{self.name} edits no faces: it gives the codes of pictures (fersyn.generating.inversion)")

    def networks(self, config):
        """The encoder, its axes the mapper's; generator and mapper, which are frozen."""
        generator = generators.get()
        mapper = expression_mapper.get(generator)
        made = encoder.Encoder(generator.styles, generator.width)
        for name in ("mean", "sd", "axes"):
            getattr(made, name).copy_(getattr(mapper, name))
        return {"encoder": made, "generator": generator, "mapper": mapper}

    def needs_weights(self, config):
        """The generator's."""
        return mobile_stylegan.NAMES

    def stages(self, config):
        """One; the learning rate rises before it falls."""

        def rate(place: int) -> float:
            return min(1.0, (place + 1) / RISE) * config.lr_factor(place)

        return (Stage("training", config.steps, self.step, Counts, rate=rate),)

    def step(self, config, networks, optimisers, batch, fabric, step):
        """Samples, their pictures disturbed; their codes are wanted."""
        net, generator = networks["encoder"], networks["generator"]
        with torch.no_grad():
            layers = drawn_codes(generator, networks["mapper"], batch)
            parts = layers.split(1 if layers.device.type == "cpu" else batch)  # more do not fit into a CPU's cache
            pictures = torch.cat([generator.synthesise(part, config.size, config.draft) for part in parts])
            features = torch.cat([generator.features(part, FEATURES) for part in parts])
            shown = torch.where(
                onto(torch.rand(batch, 1, 1, 1) < config.cropped, layers.device), _cropped(pictures), pictures
            )
            shown = vary(shown.clamp(-1, 1), config.disturbed, still=True)
        own = getattr(net, "module", net)
        white, wanted = net(shown, white=True), own.whitened(layers)
        seen = own.sd / own.sd.mean()  # axes along which w hardly varies hardly show
        made = torch.cat([generator.features(part, FEATURES) for part in own.layers(white).split(len(parts[0]))])
        off = (made - features).abs().mean((1, 2, 3)) / features.std((1, 2, 3))
        losses = {"code": (seen * (white - wanted).square()).mean(), "features": off.mean()}
        optimisers["encoder"].zero_grad(set_to_none=True)
        fabric.backward(sum(getattr(config, f"weight_{name}") * value for name, value in losses.items()))
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimisers["encoder"].step()
        return {name: value.detach() for name, value in losses.items()}


def drawn_codes(generator: Generator, mapper: expression_mapper.ExpressionMapper, count: int) -> Tensor:
    """W+ (count, styles, width) of people as they are and of people who are moved; drawn from torch's global generator."""
    device = next(generator.parameters()).device
    rng = np.random.default_rng(int(torch.randint(2**62, ())))
    z = onto(torch.from_numpy(rng.standard_normal((count, generator.width), dtype=np.float32)), device)
    w = torch.cat([generator.sample(each[None], rng.uniform(*TRUNCATION)) for each in z])
    names = rng.choice(EXPRESSIONS, count).tolist()
    strength = onto(torch.from_numpy(rng.uniform(0, MOST, count).astype(np.float32)), device)
    sliders = np.stack([drawn_sliders(rng) * (rng.random() < SLID) for _ in range(count)])
    moved = mapper.edit(w, names, strength, onto(torch.from_numpy(sliders).float(), device), generator.styles)
    chosen = onto(torch.from_numpy(rng.random(count) < MOVED), device)
    return torch.where(chosen[:, None, None], moved, generator.layers(w))


def _cropped(pictures: Tensor) -> Tensor:
    """What is left of pictures in FFHQ's frame, where a face table's crop of them is all that is known."""
    there = ffhq_alignment(pictures.shape[-1], CROP)
    return resample(resample(pictures, there.matrix, CROP), there.inverse, pictures.shape[-1])


METHOD = Inversion()
