"""`landmark-flow`: bend the source along its landmarks, and paint only what bending cannot bring. [ours]

The triangles between the landmarks give a dense flow, and the training people's mean ratio images (`fersyn.nets.ratio_images`)
the light and shade of folds. A small network that sees both heatmaps, the label maps and that flow,
but no pixel, corrects it by a few pixels. A small U-Net that sees the source and the bent source too gives a mask and new
pixels (teeth, tongue, wrinkles, shadows), above all where the inner lips have opened: output = bent source * (1 - m) +
new * m. Where nothing moves and nothing is painted the pixel is the source's own. Trained with L1 + perceptual + adversarial
loss, and a price for the painted area: a low one at mouth, eyes, brows and folds, a high one elsewhere, because generated and
rendered pairs differ there by what no expression does. In an edit the nose, and the places of the eyes, follow the landmarks
only in part (`settle`), and teeth that are bared are somebody's (`fersyn.nets.teeth`).

The person's pixels come from the person's picture, which is why it keeps identity after a few minutes on two cores, and on
photographs of people while it was trained on people who do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from fersyn.expressions import EXPRESSIONS
from fersyn.faces.heatmaps import folds, head, heatmaps, opening
from fersyn.losses import perceptual, pixel
from fersyn.losses.adversarial import Kind, channels_last, play
from fersyn.methods.base import Method, MethodConfig, Synthesiser, pairs_of
from fersyn.nets.affine_flow import EYES, NOSE, dense_flow, settle, warp
from fersyn.nets.flow_unet import FlowUNet, compose
from fersyn.nets.labels import label_code, label_maps
from fersyn.nets.patchgan import FeatureGAN
from fersyn.nets.ratio_images import relight
from fersyn.pixels import rescale, resize
from fersyn.progress import say

CROP = 0.5  # part of the picture's side on which the perceptual loss looks: a quarter of its cost
EACH = 2  # it looks at every second face, for it costs as much as all the rest
PLACES = (0.15, 0.35), (0.15, 0.48)  # where that part begins: from left to right, from top to bottom
WARM = 0.3  # part of the steps in which the price of painting rises: nothing that cannot paint yet would open a mask
LAYERS = ("conv1_2", "conv2_2", "conv3_1")  # grain, edges, and parts: the last is what the discriminator sees, too
MANY = 128  # people whose faces make a ratio image
SHADE = 1.25
CHANNELS = 256  # of the last layer


class Config(MethodConfig):
    """Settings; weights and sizes are [ours]."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"size": 64, "steps": 12, "batch": 4, "width": 8, "discriminator_width": 8, "lr": 1e-3, "ema": 0.8},
        "laptop": {"size": 128, "steps": 640, "batch": 16, "width": 32, "lr": 1e-3, "ema": 0.98, "decay_share": 0.5},
        "paper": {"size": 128, "steps": 20_000, "batch": 32, "width": 64, "discriminator_width": 64, "lr": 5e-4},
    }
    betas: tuple[float, float] = (0.5, 0.99)
    cross_share: float = Field(0.25, ge=0, le=1, description="part of the pairs between two expressive faces")
    augment: float = Field(1.0, ge=0, le=1, description="strength of the augmentation of the pairs")
    width: int = Field(32, ge=8, le=256, multiple_of=8, description="channels of the U-Net's first level")
    discriminator_width: int = Field(
        16, ge=2, le=128, multiple_of=2, description="a quarter of the discriminator's channels"
    )
    sigma: float = Field(2.5, gt=0, le=20, description="heatmap width at 128 px")
    reach: float = Field(0.03, ge=0, le=0.2, description="largest correction of the flow, part of the side")
    weight_pixel: float = Field(10.0, ge=0)
    weight_perceptual: float = Field(0.5, ge=0)
    weight_adversarial: float = Field(0.15, ge=0, description="0 trains without a discriminator")
    weight_mask: float = Field(
        0.05, ge=0, description="price of painting instead of bending, where nothing should change"
    )
    cheap: float = Field(0.1, ge=0, le=1, description="part of that price at mouth, eyes, brows and folds")
    adversarial: Kind = "hinge"
    perceptual_network: perceptual.Network = Field("auto", description="network of the perceptual loss")


def inputs(config: Config, source_landmarks: Tensor, target_landmarks: Tensor, label: Tensor, intensity: Tensor):
    """Dense flow (N, 2, size, size), the U-Net's further channels (N, 10, size, size), and where the mouth was opened."""
    size, sigma = config.size, config.sigma * config.size / 128
    flow = dense_flow(source_landmarks, target_landmarks, size)
    maps = [heatmaps(points, size, sigma) for points in (source_landmarks, target_landmarks)]
    extra = torch.cat([*maps, label_maps(label, intensity, size)], 1)
    return flow, extra, opened(source_landmarks, target_landmarks, size)


def opened(source: Tensor, target: Tensor, size: int) -> Tensor:
    """Where the target's mouth is open (N, 1, size, size), weaker as the source's was open too: that one's teeth are bent."""
    before, after = opening(source, size), opening(target, size)
    areas = [each.sum((1, 2, 3), keepdim=True) for each in (before, after)]
    return after * (1 - areas[0] / areas[1].clamp(min=1)).clamp(min=0)


class LandmarkFlow(Method):
    """See the module."""

    Config = Config
    mixes = True

    def networks(self, config: Config) -> dict[str, torch.nn.Module]:
        """generator (FlowUNet), and discriminator (FeatureGAN on features and label) unless its weight is 0."""
        made = {"generator": FlowUNet(10, config.width, config.reach, size=config.size)}
        if config.weight_adversarial:
            made["discriminator"] = FeatureGAN(CHANNELS + 8, config.discriminator_width)
        return {name: network.to(memory_format=torch.channels_last) for name, network in made.items()}

    def prepare(self, config: Config, networks, table) -> None:
        """Work out the ratio images, of the training people's strongest faces, and whose teeth are lent: somebody's whose
        faces may be shown.
        """
        pairs = pairs_of(config, table, "cpu")
        strongest = pairs.examples(len(pairs))
        for label in range(1, len(EXPRESSIONS)):
            if len(chosen := strongest[table.labels(strongest[:, 1]) == label][:MANY]):
                found = pairs.gather(chosen)
                given = (found.source, found.target, found.source_landmarks, found.target_landmarks)
                networks["generator"].ratios.learn(label, *given)
                shown = torch.from_numpy(table.rows["publishable"].to_numpy(bool)[chosen[:, 1]])
                networks["generator"].teeth.learn(label, found.target[shown], found.target_landmarks[shown])
        if lacks := _toothless(networks):
            say(lacks)

    def features(self, config: Config) -> str | None:
        """Which network the perceptual loss compares features of on this machine, in words; None: it is not used."""
        used = config.weight_perceptual or config.weight_adversarial
        return perceptual.describe(config.perceptual_network, LAYERS) if used else None

    def step(self, config: Config, networks, optimisers, batch, fabric, step: int) -> dict[str, Any]:
        """Discriminator, then generator."""
        given = (batch.source, batch.source_landmarks, batch.target_landmarks, batch.label, batch.intensity)
        made = self.parts(config, networks, *given)
        image, target = made["image"], batch.target
        small = config.size // 4  # it is smooth, and 60 places are dear
        free = folds(rescale(batch.target_landmarks, config.size, small), small)
        price = 1 - (1 - config.cheap) * functional.interpolate(free, image.shape[-2:], mode="bilinear")
        found = {
            "pixel": (config.weight_pixel, pixel(image, target)),
            "mask": (config.weight_mask * min(1.0, step / (WARM * config.steps)), (made["mask"] * price).mean()),
        }
        seen, wanted = [image], [target]
        if self.features(config):
            phi = perceptual.shared(config.perceptual_network, LAYERS, image.device)
            ours, true = crops(image, target)
            with fabric.autocast():
                seen = phi.features(ours)
                with torch.no_grad():
                    wanted = phi.features(true)
            found["perceptual"] = (config.weight_perceptual, phi.relative(seen, wanted))
        size = wanted[-1].float().abs().mean()
        code = label_maps(batch.label, batch.intensity, wanted[-1].shape[-1])[::EACH]

        def told(features: Tensor) -> dict[str, Tensor]:
            if "discriminator" not in networks:
                return {}
            return {"discriminator": channels_last(torch.cat([features / size, code], 1))}

        def terms(score):
            return found | (
                {"adversarial": (config.weight_adversarial, score())} if "discriminator" in networks else {}
            )

        _, judged, parts = play(
            networks, optimisers, fabric, config.adversarial, seen[-1].float(), wanted[-1].float(), told, terms
        )
        return judged | parts

    def forward(self, config: Config, networks, faces, source, target, label, intensity) -> Tensor:
        """The image of `parts`."""
        return self.parts(config, networks, faces, source, target, label, intensity)["image"]

    def parts(self, config: Config, networks, faces, source, target, label, intensity) -> dict[str, Tensor]:
        """What the generator makes of faces and landmarks as they are (see `FlowUNet`)."""
        intensity = intensity.clamp(max=1)  # the paint of what is stronger has not been learnt
        flow, extra, gap = inputs(config, source, target, label, intensity)
        inside = torch.maximum(head(source, config.size), head(target, config.size))
        light = networks["generator"].ratios(source, target, label)
        return networks["generator"](faces, flow, extra, gap, inside, label_code(label, intensity), light)

    def synthesiser(self, config: Config, networks, motion=None) -> Flow:
        """See `Flow`."""
        return Flow(config, networks, motion)


def crops(image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The same part of both, CROP of the side, at a random place from brows to chin; of every EACH-th face."""
    side = image.shape[-1]
    part = int(side * CROP)
    left, top = (int(side * (low + (high - low) * float(torch.rand(())))) for low, high in PLACES)
    window = (slice(None, None, EACH), slice(None), slice(top, top + part), slice(left, left + part))
    return image[window], target[window]


def _toothless(networks) -> str:
    missing = " and ".join(networks["generator"].teeth.missing)
    why = "no training person bares teeth there whose face may be shown (publishable)"
    return f"landmark-flow lends no teeth in {missing}: {why}; they stay as they are painted." if missing else ""


class Flow(Synthesiser):
    """Synthesiser of `landmark-flow`.

    Faces may have any size: the network looks at them at its own, and its flow, mask and paint are then applied to the
    pixels as they are, so that a large face stays as sharp as it came.

    Args:
        config: of the training.
        networks: the trained ones; `generator` is used.
        motion: predicts landmarks where an edit is given none, or None.
        nose, eyes: parts of their way that an edit follows, 0..1 (`settle`); at the edit alone: in training the landmarks
            and the true picture agree.
        shade: by how much the ratio images are made stronger, likewise: a mean of many people's folds is softer than any of them.
    """

    def __init__(
        self, config: Config, networks, motion=None, nose: float = NOSE, eyes: float = EYES, shade: float = SHADE
    ):
        super().__init__(METHOD, config, networks, motion)
        self.nose, self.eyes, self.shade = nose, eyes, shade

    @property
    def lacks(self) -> str:
        """Of whom no teeth could be lent."""
        return _toothless(self.networks)

    def asked(self, faces, expression, intensity, landmarks, source_landmarks) -> tuple[Tensor, ...]:
        """See `Synthesiser.asked`; landmarks that were given say themselves how strong it is, up to the intensity."""
        source, target, label, strength = super().asked(faces, expression, intensity, landmarks, source_landmarks)
        if landmarks is not None:
            moved = (target - source) * (self.size / faces.shape[-1])
            part = self.networks["generator"].ratios.strength(moved.to(self.device), label.to(self.device))
            strength = torch.minimum(strength, part.to(strength.device))
        return source, target, label, strength

    def make(self, faces, source, target, label, intensity) -> Tensor:
        """See `Flow`."""
        return self._parts(faces, source, target, label, intensity)["image"]

    @torch.no_grad()
    def explain(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None) -> dict[str, Tensor]:
        """As `edit`, with what it is made of: image, bent (N, 3, H, W), mask (N, 1, H, W), flow (N, 2, H, W) px."""
        return self._parts(faces, *self.asked(faces, expression, intensity, landmarks, source_landmarks))

    def _parts(self, faces, source, target, label, intensity) -> dict[str, Tensor]:
        """The network's flow, mask and paint on faces of any size; a face that is asked for nothing stays, bit for bit."""
        back, device = faces.device, self.device
        faces, source, target, label, intensity = (
            each.to(device) for each in (faces, source, target, label, intensity)
        )
        changes = ((intensity != 0) | (source != target).flatten(1).any(1)).float()[:, None, None, None]
        target = settle(source, target, self.nose, self.eyes)
        side, size = faces.shape[-1], self.size
        points = rescale(source, side, size), rescale(target, side, size)
        made = self.method.parts(self.config, self.networks, resize(faces, size), *points, label, intensity)
        flow, mask, paint, light = (
            functional.interpolate(made[name], (side, side), mode="bilinear") if side != size else made[name]
            for name in ("flow", "mask", "paint", "light")
        )
        flow, mask = flow * (changes * side / size), mask * changes
        bent, gap = warp(faces, flow), opened(source, target, side)
        image = compose(relight(bent, light * (changes * self.shade)), mask, paint, gap, made["colour"])
        image = self.networks["generator"].teeth(image, target, label, gap * changes, made["colour"])
        return {
            name: each.to(back) for name, each in (("image", image), ("bent", bent), ("mask", mask), ("flow", flow))
        }


METHOD = LandmarkFlow()
