"""The inverse of a generator: a picture in FFHQ's frame -> its code in W+, in one pass. [ours]

    w+ = mean + axes (base(picture) + own(picture) basis)

One w for all styles and, for each style, an offset of its own out of a small basis; both in units of the principal axes of w
and their deviations, as the mapper's (`fersyn.nets.expression_mapper`). So what it answers lies near W, where edits work
(Tov et al., "Designing an encoder for StyleGAN image manipulation", SIGGRAPH 2021, say why). It learns from the generator's
own samples, whose codes are known exactly (`fersyn.methods.generator_encoder`): no photograph takes part.

Example:
    >>> generator = generators.get()                                        # doctest: +SKIP
    >>> layers = encoder.get(generator)(pictures)                           # doctest: +SKIP
    >>> again = generator.synthesise(layers, 256)                           # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.nets import shipped
from fersyn.nets.stylegan import Generator
from fersyn.pixels import onto

FILE = "encoder.safetensors"
SIDE = 256  # px, of the pictures


class Block(nn.Module):
    """Two convolutions beside a short cut (He et al., CVPR 2016): (N, inside, H, W) -> (N, outside, H / stride, W / stride)."""

    def __init__(self, inside: int, outside: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outside), nn.BatchNorm2d(outside)
        change = nn.AvgPool2d(stride), nn.Conv2d(inside, outside, 1, bias=False)
        self.skip = nn.Sequential(*(() if inside == outside and stride == 1 else change))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        inner = functional.leaky_relu(self.norm1(self.conv1(x)), 0.2)
        return functional.leaky_relu(self.skip(x) + self.norm2(self.conv2(inner)), 0.2)


class Encoder(nn.Module):
    """``forward``: pictures (N, 3, 256, 256), RGB in [-1, 1], in FFHQ's frame -> W+ (N, styles, width).

    Args:
        styles, width: of the generator's W+.
        rank: directions a style, in which it may leave the others.
        code: half the numbers that the picture comes to.

    Attributes:
        mean, sd, axes: of w: middle (width,), deviations (width,) along the principal axes (width, width), by rows.
    """

    def __init__(self, styles: int = 23, width: int = 512, rank: int = 48, code: int = 256):
        super().__init__()
        self.body = nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(48, 48, 3, 1, 1), nn.LeakyReLU(0.2), Block(48, 64), Block(64, 96, 2),
            Block(96, 96), Block(96, 160, 2), Block(160, 160), Block(160, 256, 2), nn.Conv2d(256, 64, 1), nn.Flatten(),
        )  # fmt: skip
        self.first, self.norm = nn.Linear(64 * (SIDE // 32) ** 2, 2 * code), nn.BatchNorm1d(2 * code)
        self.base, self.own = nn.Linear(2 * code, width), nn.Linear(2 * code, styles * rank)
        self.basis = nn.Parameter(0.05 * torch.randn(styles, rank, width))
        for name, shape in {"mean": (width,), "sd": (width,), "axes": (width, width)}.items():
            self.register_buffer(name, torch.zeros(shape))

    def whitened(self, layers: Tensor) -> Tensor:
        """W+ (N, styles, width) in units of w's deviations along the axes, of the same shape."""
        return ((onto(layers, self.mean.device) - self.mean) @ self.axes.t()) / self.sd

    def layers(self, white: Tensor) -> Tensor:
        """What `whitened` gave -> W+."""
        return self.mean + (onto(white, self.mean.device) * self.sd) @ self.axes

    def forward(self, pictures: Tensor, white: bool = False) -> Tensor:
        """See the class; `white`: as `whitened` would give it."""
        found = functional.leaky_relu(self.norm(self.first(self.body(pictures))), 0.2)
        own = self.own(found).unflatten(1, self.basis.shape[:2])
        code = self.base(found)[:, None] + torch.einsum("nsr,srd->nsd", own, self.basis)
        return code if white else self.layers(code)


def get(generator: Generator, file: str | Path = FILE) -> Encoder:
    """The encoder that comes with the kit, or another one of `file`, ready for use on the generator's device.

    Raises:
        FersynError: the file is missing, damaged or no encoder, or has learnt on another generator.
    """
    state, about = shipped.read(file, generator.fingerprint)
    try:
        with torch.random.fork_rng(devices=[]):
            encoder = Encoder(len(state["basis"]), state["mean"].shape[0], **about["config"])
        encoder.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FersynError(f"{file} is no encoder of pictures ({error}); take the one of a finished training") from error
    return encoder.eval().requires_grad_(False).to(generator.device)
