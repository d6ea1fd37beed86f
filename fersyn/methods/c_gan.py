"""C-GAN: pix2pix (Isola et al., CVPR 2017) conditional on the expression's label, without landmarks.

A baseline of Li, Qi & Sun, IEEE Access 9, 2021, Table 6; they do not describe theirs, so that all but pix2pix itself
is [ours].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from fersyn.losses import pixel
from fersyn.losses.adversarial import Kind, channels_last, play
from fersyn.methods.base import Method, MethodConfig
from fersyn.methods.config import power_of_two
from fersyn.nets.labels import label_maps
from fersyn.nets.patchgan import PatchGAN
from fersyn.nets.unet import UNet

if TYPE_CHECKING:
    from fersyn.pairs import Batch

LABELS = 8  # maps


class Config(MethodConfig):
    """Settings; the defaults are those of pix2pix but for the batch, which is that of `landmark-label`."""

    width: int = Field(64, ge=1, le=256, description="channels of the U-Net's first layer")
    dropout: float = Field(0.5, ge=0, lt=1, description="rate in the decoder's first layers")
    discriminator_width: int = Field(64, ge=1, le=256, description="channels of the discriminator's first layer")
    adversarial: Kind = Field("non-saturating", description="adversarial loss")
    weight_adversarial: float = Field(1.0, ge=0, description="of L_GAN")
    weight_pixel: float = Field(100.0, ge=0, description="of the L1 loss")

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": dict(size=32, steps=4, batch=4, width=4, discriminator_width=4, ema=0.5),
        # A batch of 8: on two cores, twice the steps gain more than twice the pairs a step. [ours]
        "laptop": dict(size=64, steps=800, batch=8, width=32, discriminator_width=24, ema=0.995),
        "paper": dict(size=128, steps=60_000, batch=16, lr=2e-4, betas=(0.5, 0.999), decay_share=0.5, ema=0.0),
    }

    _fits = field_validator("size")(power_of_two)


class CGan(Method):
    """U-Net on (source, label maps); one discriminator on (source, target, label maps)."""

    Config = Config
    needs_landmarks = False
    steady = True

    def networks(self, config: Config) -> dict[str, nn.Module]:
        """Return generator and discriminator."""
        made = {
            "generator": UNet(3 + LABELS, config.size, config.width, config.dropout),
            "discriminator": PatchGAN(3 + 3 + LABELS, config.discriminator_width),
        }
        return {name: network.to(memory_format=torch.channels_last) for name, network in made.items()}

    def step(self, config: Config, networks, optimisers, batch: Batch, fabric, step: int) -> dict[str, Tensor]:
        """The discriminator, then the generator: L = L_GAN + 100 L1 (pix2pix, eq. 4)."""
        given = torch.cat([batch.source, label_maps(batch.label, batch.intensity, config.size)], 1)
        fake = networks["generator"](channels_last(given))

        def pairs(faces: Tensor) -> dict[str, Tensor]:
            return {"discriminator": channels_last(torch.cat([given, faces], 1))}

        def terms(score):
            return {
                "adversarial": (config.weight_adversarial, score()),
                "pixel": (config.weight_pixel, pixel(fake, batch.target)),
            }

        total, judged, parts = play(networks, optimisers, fabric, config.adversarial, fake, batch.target, pairs, terms)
        return {"generator": total, **parts, **judged}

    def forward(self, config: Config, networks, faces, source, target, label, intensity) -> Tensor:
        """What the generator makes of faces and label maps."""
        given = torch.cat([faces, label_maps(label, intensity, config.size)], 1)
        return networks["generator"](channels_last(given))


METHOD = CGan()
