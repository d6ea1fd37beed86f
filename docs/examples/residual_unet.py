"""`residual-unet`: bend the source to the target's landmarks, then let a U-Net repaint a little. The worked example.

A method is one file in fersyn/methods/ that says four things: which settings it has (`Config`), which networks they make,
what one training step is, and how a trained network edits a face. All else is the kit's: pairs of faces, the training loop,
checkpoints, several GPUs, landmarks of a face that nobody has seen, the notebooks' tables. docs/new-method.md walks through.

    output = warped source + reach * network(source, warped source, label maps),    loss = mean |output - target|

Bending brings everything that the landmarks know; the network adds what they do not (teeth, wrinkles, shadows). Its change is
bounded by `reach`, so that it can never turn one person into another.
"""

import torch
from pydantic import Field

from fersyn.faces.resize import rescale, resize
from fersyn.losses.pixel import pixel
from fersyn.methods.adversaries import adam
from fersyn.methods.base import Method, MethodConfig
from fersyn.methods.target import target_landmarks
from fersyn.nets.affine_flow import dense_flow, warp
from fersyn.nets.labels import label_maps
from fersyn.nets.unet import UNet


class Config(MethodConfig):
    """Settings beside those that all methods share (size, steps, batch, lr ...), each with its range.

    `fersyn train residual-unet --set reach=0.8` and a notebook's `settings` change them; what is out of range is refused.
    """

    presets = {
        "smoke": {"size": 64, "steps": 12, "batch": 4, "width": 8, "ema": 0.8},
        "laptop": {"size": 64, "steps": 1500, "batch": 8, "width": 24, "ema": 0.99},
        "paper": {"size": 128, "steps": 40_000, "batch": 16, "width": 64},
    }
    width: int = Field(24, ge=1, le=256, description="channels of the U-Net's first layer")
    reach: float = Field(0.6, ge=0, le=2, description="largest change of a pixel, whose range is -1..1")


def repaint(config, network, faces, source, target, label, intensity):
    """Faces (N, 3, size, size) in [-1, 1], landmarks (N, 68, 2) px, labels and intensities (N,) -> faces like them."""
    warped = warp(faces, dense_flow(source, target, config.size))
    change = network(torch.cat([faces, warped, label_maps(label, intensity, config.size)], 1))
    return (warped + config.reach * change).clamp(-1, 1)


class ResidualUNet(Method):
    """What the training loop knows: it calls these in turn and looks at nothing else."""

    name, Config = "residual-unet", Config

    def networks(self, config):
        """Made of torch's global generator, which the loop has seeded. The one named `generator` is averaged (ema)."""
        return {"generator": UNet(3 + 3 + 8, config.size, config.width, dropout=0.0)}

    def optimisers(self, config, networks):
        """One for each network; the loop lets the rate fall."""
        return adam(config, networks)

    def step(self, config, networks, optimisers, batch, fabric, step):
        """One step. What it returns becomes columns of RUN/log.csv and curves in notebook 02."""
        given = (batch.source, batch.source_landmarks, batch.target_landmarks, batch.label, batch.intensity)
        loss = pixel(repaint(config, networks["generator"], *given), batch.target)
        optimisers["generator"].zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimisers["generator"].step()
        return {"pixel": loss.detach()}

    def synthesiser(self, config, networks, motion=None):
        """What `training.runs.load(RUN)` gives. `motion` predicts the target's landmarks; the loop has learnt it."""
        return Synthesiser(config, networks["generator"], motion)


class Synthesiser:
    """All that notebooks, `fersyn edit` and the widgets know of the method."""

    name, needs_landmarks = "residual-unet", True

    def __init__(self, config, network, motion):
        self.config, self.network, self.motion, self.size = config, network, motion, config.size

    @torch.inference_mode()
    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        """See `Synthesiser.edit` in fersyn/methods/base.py: faces of any size, landmarks where there are any."""
        source, target, *asked = target_landmarks(
            self.name, faces, expression, intensity, landmarks, source_landmarks, self.motion
        )
        side, size = faces.shape[-1], self.size
        points = [rescale(each, side, size) for each in (source, target)]
        return resize(repaint(self.config, self.network, resize(faces, size), *points, *asked), side)


METHOD = ResidualUNet()
