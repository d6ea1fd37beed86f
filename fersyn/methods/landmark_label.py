"""Landmark and expression label guided synthesis: Li, Qi & Sun, "Facial Landmarks and Expression Label Guided
Photorealistic Facial Expression Synthesis", IEEE Access 9, 2021. The kit's reference system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from fersyn.faces.heatmaps import heatmaps
from fersyn.losses import perceptual, pixel
from fersyn.losses.adversarial import Kind, channels_last, play
from fersyn.losses.perceptual import Network
from fersyn.methods.base import Method, MethodConfig
from fersyn.nets.generator import LandmarkLabelGenerator
from fersyn.nets.labels import label_code
from fersyn.nets.patchgan import PatchGAN

if TYPE_CHECKING:
    from fersyn.pairs import Batch


class Config(MethodConfig):
    """Settings; the defaults are those published, `laptop` and `smoke` shrink the networks, the faces and the steps.

    Example:
        >>> Config.preset("paper").weight_perceptual
        10.0
    """

    width: int = Field(64, ge=1, le=256, description="channels of the generator's widest maps")
    blocks: int = Field(9, ge=0, le=32, description="migration unit blocks, T; 0: the landmarks are not looked at")
    heatmap_channels: Literal[1, 68] = Field(1, description="one map of all landmarks or one each")
    sigma: float = Field(2.0, gt=0, le=32, description="deviation of the heatmaps' Gaussians, px of the faces")
    initialise_networks: bool = Field(True, description="False: Table 7, without the feature initialise network")
    label_maps: bool = Field(True, description="False: Table 7, without the label")
    dropout: float = Field(0.5, ge=0, lt=1, description="rate inside the migration unit blocks")
    discriminator_width: int = Field(64, ge=1, le=256, description="channels of the discriminators' first layer")
    discriminator_last_norm: bool = Field(False, description="Table 3's batch norm on the logits")
    adversarial: Kind = Field("minimax", description="adversarial loss; minimax: eq. (4) as printed")
    weight_adversarial: float = Field(5.0, ge=0, description="lambda_1 of eq. (7)")
    weight_perceptual: float = Field(10.0, ge=0, description="lambda_2 of eq. (7)")
    weight_pixel: float = Field(10.0, ge=0, description="lambda_3 of eq. (7)")
    perceptual_network: Network = Field("auto", description="network of the perceptual loss")

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": dict(size=32, steps=4, batch=4, width=4, blocks=1, sigma=1.0, discriminator_width=4, ema=0.5),
        # The paper gives no dropout rate; a network this small wants little of it. [ours]
        "laptop": dict(
            size=64, steps=1000, batch=8, width=16, blocks=4, sigma=1.25, discriminator_width=24, dropout=0.1, ema=0.995
        ),
        # Published: size, batch, rate and weights. T, the rate's decay and the betas after PATN. Steps: ours. No
        # average of the weights is published.
        "paper": dict(size=128, steps=60_000, batch=16, lr=2e-4, betas=(0.5, 0.999), decay_share=0.5, ema=0.0),
    }

    @field_validator("size")
    @classmethod
    def _fits(cls, size: int) -> int:
        if size % 4 or size < 32:
            raise ValueError("divisible by 4 and at least 32")
        return size


class LandmarkLabel(Method):
    """Generator, image discriminator (source, target) and geometry discriminator (target, its heatmaps)."""

    Config = Config
    mixes = steady = True
    needs_source = False

    def networks(self, config: Config) -> dict[str, nn.Module]:
        """Return generator, image_discriminator and geometry_discriminator."""
        heat, width, norm = config.heatmap_channels, config.discriminator_width, config.discriminator_last_norm
        made = {
            "generator": LandmarkLabelGenerator(
                config.blocks, config.width, heat, config.initialise_networks, config.label_maps, config.dropout
            ),
            "image_discriminator": PatchGAN(3 + 3, width, norm),
            "geometry_discriminator": PatchGAN(3 + heat, width, norm),
        }
        return {name: network.to(memory_format=torch.channels_last) for name, network in made.items()}

    def features(self, config: Config) -> str:
        """Which network the perceptual loss compares features of on this machine, in words."""
        return perceptual.describe(config.perceptual_network)

    def step(self, config: Config, networks, optimisers, batch: Batch, fabric, step: int) -> dict[str, Tensor]:
        """Both discriminators, then the generator: L = 5 L_GAN + 10 L_per + 10 L_pixel (7)."""
        source, target = channels_last(batch.source), channels_last(batch.target)
        heat = heatmaps(batch.target_landmarks, config.size, config.sigma, config.heatmap_channels)
        fake = networks["generator"](source, heat, label_code(batch.label, batch.intensity))

        def pairs(faces: Tensor) -> dict[str, Tensor]:
            image, geometry = torch.cat([source, faces], 1), torch.cat([faces, heat], 1)
            return {"image_discriminator": channels_last(image), "geometry_discriminator": channels_last(geometry)}

        def terms(score):
            found = {
                "adversarial": (config.weight_adversarial, score()),
                "pixel": (config.weight_pixel, pixel(fake, target)),
            }
            if config.weight_perceptual:
                compare = perceptual.shared(config.perceptual_network, ("conv1_2",), fake.device)
                found["perceptual"] = (config.weight_perceptual, compare(fake, target))
            return found

        total, judged, parts = play(networks, optimisers, fabric, config.adversarial, fake, target, pairs, terms)
        return {"generator": total, **judged, **parts}

    def forward(self, config: Config, networks, faces, source, target, label, intensity) -> Tensor:
        """What the generator makes of faces, heatmaps of the target's landmarks, and label code."""
        heat = heatmaps(target, config.size, config.sigma, config.heatmap_channels)
        return networks["generator"](channels_last(faces), heat, label_code(label, intensity))


METHOD = LandmarkLabel()
