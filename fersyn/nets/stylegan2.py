"""StyleGAN2 (Karras et al., CVPR 2020, configuration F) for weights of the user's own.

Taken are state dicts of the PyTorch port that most of its users have (K. Seonghyeon's, github.com/rosinality/stylegan2-pytorch:
`style.1.weight`, `convs.0.conv.weight` ...), bare, or in a checkpoint under `g_ema`. The sizes are read off the weights. Factors
by which its layers multiply their weights at each use (equalised learning rate) are multiplied in once, when they are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.nets import stylegan
from fersyn.pixels import constant
from fersyn.weights.readers import read_torch

_MAPPING_RATE = 0.01  # the mapping's layers learnt that much slower than the rest, and are stored larger
_BLUR = (1.0, 3.0, 3.0, 1.0)


def blur(x: Tensor, pads: tuple[int, int]) -> Tensor:
    """Low pass by the binomial filter, as after doubling a side; (left and top, right and bottom) zeros are put round."""
    line = constant(_BLUR, x.device).to(x.dtype) / 4  # twice its mean: three of four pixels that come in are zeros
    kernel = torch.outer(line, line).expand(x.shape[1], 1, -1, -1)
    return functional.conv2d(functional.pad(x, pads * 2), kernel, groups=x.shape[1])


class Modulated(nn.Module):
    """A convolution whose input channels w scales; `demodulated`: its outputs are brought back to length 1.

    ``forward``: features (N, inside, H, H), w (N, width) -> (N, outside, H, H), or 2 H with `up`.
    """

    def __init__(self, inside: int, outside: int, kernel: int, width: int, up: bool = False, demodulated: bool = True):
        super().__init__()
        self.up, self.demodulated = up, demodulated
        self.weight = nn.Parameter(torch.randn(1, outside, inside, kernel, kernel) / (kernel * inside**0.5))
        self.modulation = nn.Linear(width, inside)
        nn.init.ones_(self.modulation.bias)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """See the class."""
        style, weight = self.modulation(w), self.weight[0]
        x = x * style[:, :, None, None]
        if self.up:
            x = blur(functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2), (1, 1))
        else:
            x = functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
        if self.demodulated:
            length = style.square() @ weight.square().sum((2, 3)).T + 1e-8
            x = x * length.rsqrt()[:, :, None, None]
        return x


class Styled(nn.Module):
    """A modulated convolution, noise, bias, LeakyReLU 0.2 times the square root of 2."""

    def __init__(self, inside: int, outside: int, width: int, up: bool = False):
        super().__init__()
        self.conv = Modulated(inside, outside, 3, width, up)
        self.noise, self.activate = nn.Module(), nn.Module()
        self.noise.weight, self.activate.bias = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(outside))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """Features, w (N, width), noise (1, 1, H, H) of the result's side."""
        x = self.conv(x, w) + self.noise.weight * noise + self.activate.bias[:, None, None]
        return functional.leaky_relu(x, 0.2) * 2**0.5


class ToRGB(nn.Module):
    """Features and w -> a level's own picture (N, 3, H, H)."""

    def __init__(self, inside: int, width: int):
        super().__init__()
        self.conv = Modulated(inside, 3, 1, width, demodulated=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """See the class."""
        return self.conv(x, w) + self.bias


class StyleGAN2(stylegan.Generator):
    """See `stylegan.Generator`; the sum of all levels' pictures, with fixed noise.

    The first w steers the level of 4 px, two each further one, and the last the last level's picture; each level's picture
    is steered by the w that comes next. There is no short way: `draft` is refused.

    Args:
        channels: of the features of its levels, from 4 px on.
        width, depth: of the mapping.
    """

    name = "StyleGAN2"

    def __init__(self, channels: tuple[int, ...], width: int = 512, depth: int = 8):
        super().__init__()
        sides = [4 << k for k in range(len(channels))]
        self.width, self.size = width, sides[-1]
        self.levels = (4, *(side for side in sides[1:] for _ in range(2)), self.size)
        self.style = stylegan.mapping(width, depth)
        self.input = nn.Module()
        self.input.input = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.conv1, self.to_rgb1 = Styled(channels[0], channels[0], width), ToRGB(channels[0], width)
        self.convs, self.to_rgbs, self.noises = nn.ModuleList(), nn.ModuleList(), nn.Module()
        for inside, outside in zip(channels, channels[1:], strict=False):
            self.convs.extend([Styled(inside, outside, width, up=True), Styled(outside, outside, width)])
            self.to_rgbs.append(ToRGB(outside, width))
        random = torch.Generator().manual_seed(0)
        for k, side in enumerate(self.levels[:-1]):
            self.noises.register_buffer(f"noise_{k}", torch.randn(1, 1, side, side, generator=random))
        self.eval().requires_grad_(False)

    def synthesise(self, layers: Tensor, size: int = 256, draft: bool = False) -> Tensor:
        """See `stylegan.Generator.synthesise`."""
        layers = self._checked(layers, size)
        if draft:
            raise FersynError("StyleGAN2 has no short way to a picture; leave `draft` out")
        noise = [getattr(self.noises, f"noise_{k}") for k in range(len(self.convs) + 1)]
        x = self.conv1(self.input.input.expand(len(layers), -1, -1, -1), layers[:, 0], noise[0])
        picture = self.to_rgb1(x, layers[:, 1])
        for k, to_rgb in enumerate(self.to_rgbs):
            for i in (2 * k, 2 * k + 1):
                x = self.convs[i](x, layers[:, i + 1], noise[i + 1])
            apart = picture.new_zeros(*picture.shape[:2], 2 * picture.shape[2], 2 * picture.shape[3])
            apart[..., ::2, ::2] = picture
            picture = to_rgb(x, layers[:, 2 * k + 3]) + blur(apart, (2, 1))
        return functional.avg_pool2d(picture, self.size // size) if size < self.size else picture


def load(file: str | Path) -> StyleGAN2:
    """The network of a file of weights, on the CPU; nothing of it is unpickled but tensors.

    Raises:
        FersynError: there is no such file, it is damaged, or it holds another network.
    """
    path = Path(file)
    if not path.is_file():
        raise FersynError(f"{path} is not a file; give StyleGAN2's weights (.pt) in the layout of stylegan2-pytorch")
    state = {
        key: value for key, value in read_torch(path, "g_ema").items() if not key.endswith((".blur.kernel", ".upsample.kernel"))
    }  # fmt: skip
    try:
        levels = 1 + sum(key.startswith("to_rgbs.") and key.endswith(".bias") and key.count(".") == 2 for key in state)
        channels = [state["conv1.activate.bias"], *(state[f"convs.{2 * k}.activate.bias"] for k in range(levels - 1))]
        depth = sum(key.startswith("style.") and key.endswith(".weight") for key in state)
        with torch.random.fork_rng(devices=[]):
            network = StyleGAN2(tuple(len(bias) for bias in channels), state["style.1.weight"].shape[0], depth)
        own = network.noises.state_dict(prefix="noises.")  # old files have none
        network.load_state_dict({**own, **_equalised(state)})
    except (KeyError, RuntimeError, IndexError, TypeError) as error:
        reason = str(error).strip().split("\n")[-1].strip()
        raise FersynError(
            f"{path} does not hold StyleGAN2 in the layout of stylegan2-pytorch (its `g_ema`): {reason}; convert it by "
            f"that project's convert_weight.py, or take another file"
        ) from error
    if lost := [name for name, value in network.state_dict().items() if not value.isfinite().all()]:
        raise FersynError(f"{path} is damaged: {lost[0]} holds numbers that are none; get it again")
    return network


def _equalised(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with what their layers multiply them by: 1 / sqrt(inputs), and the rate of the mapping."""
    found = {}
    for key, value in state.items():
        factor = _MAPPING_RATE if key.startswith("style.") else 1.0
        if value.dim() > 1 and key.endswith(".weight"):  # of dense layers and convolutions, all inputs of an output
            factor /= (value[0, 0] if value.dim() > 2 else value[0]).numel() ** 0.5
        found[key] = value * factor
    return found
