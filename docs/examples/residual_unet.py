"""`residual-unet`: bend the source to the target's landmarks, then let a U-Net repaint a little. The worked example.

A method is one file in fersyn/methods/ that says what is its own: settings, networks, what they make of a face, and one
training step. All else is the kit's: pairs of faces, optimisers, loop, checkpoints, GPUs, sizes, landmarks of a face that
nobody has seen, the notebooks' tables. docs/new-method.md walks through.

    output = warped source + reach * network(source, warped source, label maps),    loss = mean |output - target|
"""

import torch
from pydantic import Field

from fersyn.losses import pixel
from fersyn.methods.base import Method, MethodConfig
from fersyn.nets.affine_flow import dense_flow, warp
from fersyn.nets.labels import label_maps
from fersyn.nets.unet import UNet


class Config(MethodConfig):
    """Settings beside those that all methods share (size, steps, lr ...): `fersyn train residual-unet --set reach=0.8`."""

    presets = {
        "smoke": {"size": 64, "steps": 12, "batch": 4, "width": 8, "ema": 0.8},
        "laptop": {"size": 64, "steps": 1500, "batch": 8, "width": 24, "ema": 0.99},
        "paper": {"size": 128, "steps": 40_000, "batch": 16, "width": 64},
    }
    width: int = Field(24, ge=1, le=256, description="channels of the U-Net's first layer")
    reach: float = Field(0.6, ge=0, le=2, description="largest change of a pixel, whose range is -1..1")


class ResidualUNet(Method):
    """Bending brings what the landmarks know; the network adds what they do not, and cannot make another person of it."""

    Config = Config

    def networks(self, config):
        """Drawn from torch's global generator, which the loop has seeded. The one named `generator` is averaged (ema)."""
        return {"generator": UNet(3 + 3 + 8, config.size, config.width, dropout=0.0)}

    def forward(self, config, networks, faces, source, target, label, intensity):
        """Faces (N, 3, size, size) in [-1, 1], landmarks (N, 68, 2) px, labels and intensities (N,) -> faces like them."""
        warped = warp(faces, dense_flow(source, target, config.size))
        change = networks["generator"](torch.cat([faces, warped, label_maps(label, intensity, config.size)], 1))
        return (warped + config.reach * change).clamp(-1, 1)

    def step(self, config, networks, optimisers, batch, fabric, step):
        """What it returns becomes columns of RUN/log.csv and curves in notebook 02."""
        given = (batch.source, batch.source_landmarks, batch.target_landmarks, batch.label, batch.intensity)
        loss = pixel(self.forward(config, networks, *given), batch.target)
        optimisers["generator"].zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimisers["generator"].step()
        return {"pixel": loss.detach()}


METHOD = ResidualUNet()
