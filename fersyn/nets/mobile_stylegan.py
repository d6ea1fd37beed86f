"""MobileStyleGAN (Belousov, arXiv:2104.04767, 2021) trained on FFHQ: a small network whose faces nobody owns.

It works on the coefficients of a wavelet: each level takes its picture apart from four times fewer channels. Its 1024 px
picture, averaged to 512 px or less, needs no work at 1024 px: the mean of the 2 x 2 pixels that the last inverse Haar
transform makes is half of their average coefficient.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.nets import shipped, stylegan

NAMES = ("stylegan-mapping", "stylegan-mapping-graph", "stylegan-synthesis", "stylegan-synthesis-graph")
CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64)  # of the levels of 4 to 512 px
HEAD = "head.safetensors"  # of those that come with the kit
SIDE, DRAFT = 128, 256  # of the features and of the picture of the short way, px


def rows(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H W, C): no copy where a pixel's channels lie together in memory (channels last), as they do here:
    convolutions of each channel by itself are two and a half times faster so.
    """
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def pointwise(x: Tensor, weight: Tensor) -> Tensor:
    """A 1x1 convolution as a product of matrices, faster on a CPU: (N, I, H, W), (O, I) or (N, O, I) -> (N, O, H, W)."""
    return torch.matmul(rows(x), weight.mT).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


def inverse_haar(x: Tensor) -> Tensor:
    """Inverse Haar transform: (N, 4 C, H, W), the C averages first, then three details of each -> (N, C, 2 H, 2 W)."""
    x = x.permute(0, 2, 3, 1)
    average, details = x[..., : x.shape[3] // 4], x[..., x.shape[3] // 4 :].unflatten(3, (-1, 3))
    across, down, both = details.unbind(4)
    low = torch.stack([average + across, average - across], 2).flatten(1, 2)
    high = torch.stack([down + both, down - both], 2).flatten(1, 2)
    return torch.stack([low + high, low - high], 3).mul_(0.5).flatten(2, 3).permute(0, 3, 1, 2)


class Styled(nn.Module):
    """A convolution whose input channels w scales, fixed noise, a bias, LeakyReLU 0.2.

    ``forward``: features (N, inside, side, side), w (N, width) -> (N, outside, side, side). `separable`: each channel by
    itself, then all together, as every one but the first.
    """

    def __init__(self, inside: int, outside: int, side: int, width: int, separable: bool = True):
        super().__init__()
        self.modulation = nn.Linear(width, inside)
        kernel = 1 if separable else 3
        self.depthwise = nn.Parameter(torch.randn(inside, 1, 3, 3) / 3) if separable else None
        self.weight = nn.Parameter(torch.randn(outside, inside, kernel, kernel) / (kernel * inside**0.5))
        self.register_buffer("noise", torch.randn(1, 1, side, side) / 10)
        self.bias = nn.Parameter(torch.zeros(1, outside, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """See the class."""
        scale = self.modulation(w)
        if self.depthwise is None:
            made = rows(functional.conv2d(x * scale[:, :, None, None], self.weight, padding=1)).clone()
        else:  # the scale goes through the first convolution into the matrix of the second
            x = functional.conv2d(x, self.depthwise, padding=1, groups=x.shape[1])
            made = torch.matmul(rows(x), (self.weight[:, :, 0, 0] * scale[:, None]).mT)
        # In place, but never of a view: its gradient would copy the whole.
        made = functional.leaky_relu_(made.add_(rows(self.noise)).add_(rows(self.bias)), 0.2)
        return made.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


class Level(nn.Module):
    """Twice the side: features (N, inside, H, H), its three w (N, 3, width) -> (N, outside, 2 H, 2 H)."""

    def __init__(self, inside: int, outside: int, side: int, width: int):
        super().__init__()
        self.up = nn.Linear(width, inside)
        self.conv1 = Styled(inside // 4, outside, side, width)
        self.conv2 = Styled(outside, outside, side, width)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """See the class."""
        x = inverse_haar(x * self.up(w[:, 0])[:, :, None, None])
        return self.conv2(self.conv1(x, w[:, 1]), w[:, 2])


class Head(nn.Module):
    """The short way from the features of the level of 128 px to the picture of 256 px. [ours]

    Distilled from the generator's own upper levels on its own samples. Their styles steer those levels, and they hold fixed
    noise: so the head gets both, the generator's own scales of channels, which modulate its blocks, and the noise as constant
    planes. (A head that is linear in the features knows neither, and stays at 22 to 28 dB.)

    ``forward``: features (N, channels, 128, 128) and scales (N, S) of the generator -> pictures (N, 3, 256, 256).

    Args:
        scales: numbers that steer it, S; the first `channels` of them scale the features.
        planes: the generator's noise, (1, P, 128, 128).
        channels: of the features.
        width, blocks, fine: of the head: channels and blocks at 128 px, channels at 256 px.
    """

    def __init__(
        self, scales: int, planes: Tensor, channels: int = 256, width: int = 96, blocks: int = 3, fine: int = 16
    ):
        super().__init__()
        self.channels, self.width, self.blocks = channels, width, blocks
        self.register_buffer("planes", planes, persistent=False)
        self.register_buffer("centre", torch.zeros(scales))
        self.register_buffer("spread_of", torch.ones(scales))
        self.steer = nn.Linear(scales, width * (2 * blocks + 1) + 3 * fine)

        def drawn(*shape: int, over: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape) / over**0.5)

        self.first = drawn(width, channels, 1, 1, over=channels)
        self.spread = nn.ParameterList(drawn(width, 1, 3, 3, over=9) for _ in range(blocks))
        self.inner = nn.ParameterList(drawn(width, width, 1, 1, over=width) for _ in range(blocks))
        self.outer = nn.ParameterList(drawn(width, width, 1, 1, over=9 * width) for _ in range(blocks))
        self.noise = nn.ParameterList(torch.zeros(width, planes.shape[1], 1, 1) for _ in range(blocks))
        self.bias = nn.ParameterList(torch.zeros(1, width, 1, 1) for _ in range(blocks))
        self.split = drawn(4 * fine, width, 1, 1, over=width)
        self.fine, self.fine_bias = drawn(fine, 1, 3, 3, over=9), nn.Parameter(torch.zeros(1, fine, 1, 1))
        self.mix, self.last = drawn(fine, fine, 1, 1, over=fine), drawn(3, 2 * fine, 1, 1, over=100 * fine)

    def forward(self, features: Tensor, scales: Tensor) -> Tensor:
        """See the class."""
        steered = self.steer((scales - self.centre) / self.spread_of)[:, :, None, None]
        coarse = (1 + steered[:, : self.width * (2 * self.blocks + 1)]).split(self.width, 1)
        gain, inner, offset = steered[:, self.width * (2 * self.blocks + 1) :].chunk(3, 1)
        first = self.first[:, :, 0, 0] * scales[:, None, : self.channels]
        x = pointwise(features, first) * coarse[0]
        for k in range(self.blocks):
            y = functional.conv2d(x, self.spread[k], padding=1, groups=self.width)
            y = pointwise(y, self.inner[k][:, :, 0, 0]) * coarse[2 * k + 1]
            y = y + pointwise(self.planes, self.noise[k][:, :, 0, 0]) + self.bias[k]
            x = x + pointwise(functional.leaky_relu(y, 0.2) * coarse[2 * k + 2], self.outer[k][:, :, 0, 0])
        x = inverse_haar(pointwise(x, self.split[:, :, 0, 0])) * (1 + gain)
        y = functional.conv2d(x, self.fine, padding=1, groups=x.shape[1])
        y = pointwise(y, self.mix[:, :, 0, 0]) * (1 + inner) + self.fine_bias + offset
        return pointwise(torch.cat([x, functional.leaky_relu(y, 0.2)], 1), self.last[:, :, 0, 0])


class MobileStyleGAN(stylegan.Generator):
    """See `stylegan.Generator`; 23 styles: the first at 4 px, three for each level of 8 to 512 px, one for the picture.

    Args:
        channels: of the features of its levels, from 4 px on.
        width: of w.
    """

    name = "MobileStyleGAN"

    def __init__(self, channels: tuple[int, ...] = CHANNELS, width: int = 512):
        super().__init__()
        sides = [4 << k for k in range(len(channels))]
        self.width, self.size = width, 2 * sides[-1]
        self.levels = (4, *(side for side in sides[1:] for _ in range(3)), self.size)
        self.style = stylegan.mapping(width)
        self.start = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.conv1 = Styled(channels[0], channels[0], 4, width, separable=False)
        self.upper = nn.ModuleList(
            Level(inside, outside, side, width)
            for inside, outside, side in zip(channels, channels[1:], sides[1:], strict=False)
        )
        self.image = nn.Linear(width, channels[-1])
        self.image_weight = nn.Parameter(torch.randn(12, channels[-1]) / channels[-1] ** 0.5)
        self.image_bias = nn.Parameter(torch.zeros(1, 12, 1, 1))
        self.eval().requires_grad_(False)

    def features(self, layers: Tensor, side: int) -> Tensor:
        """What stands at a level of `side` px (4, 8 ... 512): W+ -> (N, channels, side, side), with gradients."""
        x = self.conv1(self.start.expand(len(layers), -1, -1, -1), layers[:, 0])
        for k, level in enumerate(self.upper):
            if x.shape[-1] == side:
                break
            x = level(x, layers[:, 3 * k + 1 : 3 * k + 4])
        return x

    def synthesise(self, layers: Tensor, size: int = 256, draft: bool = False) -> Tensor:
        """See `stylegan.Generator.synthesise`."""
        layers = self._checked(layers, size)
        if draft:
            if size > DRAFT:
                raise FersynError(f"drafts have at most {DRAFT} px, not {size}; leave `draft` out")
            made = self.head.to(layers)(self.features(layers, SIDE), self.scales(layers))
        else:
            x = self.features(layers, self.size // 2)
            weight = self.image_weight * self.image(layers[:, -1])[:, None]
            if size == self.size:
                return inverse_haar(pointwise(x, weight) + self.image_bias)
            made = 0.5 * (pointwise(x, weight[:, :3]) + self.image_bias[:, :3])
        return functional.avg_pool2d(made, made.shape[-1] // size) if made.shape[-1] > size else made

    def scales(self, layers: Tensor) -> Tensor:
        """How W+ scales the channels of all that lies above 128 px: (N, 736)."""
        k = self.levels.index(2 * SIDE)
        above = [
            part for level in self.upper[-2:] for part in (level.up, level.conv1.modulation, level.conv2.modulation)
        ]
        return torch.cat([part(layers[:, k + i]) for i, part in enumerate([*above, self.image])], 1)

    @cached_property
    def head(self) -> Head:
        """The short way to 256 px.

        Raises:
            FersynError: this is another network than the one on which the head that comes with the kit has learnt.
        """
        noise = [convolution.noise for level in self.upper[-2:] for convolution in (level.conv1, level.conv2)]
        # Whoever comes first decides neither about gradients nor about what is drawn at random next.
        with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
            planes = torch.cat([functional.pixel_unshuffle(each, each.shape[-1] // SIDE) for each in noise], 1)
            state, about = shipped.read(HEAD, self.fingerprint)
            head = Head(len(state["centre"]), planes, **about["config"])
            head.load_state_dict(state)
            return head.eval().requires_grad_(False)


def missing() -> list[str]:
    """Names of its weights that are not on this machine."""
    return [name for name in NAMES if weights.find(name) is None]


def load() -> MobileStyleGAN:
    """The network with FFHQ's weights, on the CPU.

    Raises:
        FersynError: the weights are missing (the message says how to get them), or damaged.
    """
    if lost := missing():
        raise FersynError(f"weights of MobileStyleGAN are not on this machine; fersyn weights fetch {' '.join(lost)}")
    files = [weights.state_dict(name) for name in NAMES[::2]]
    with torch.random.fork_rng(devices=[]):
        network = MobileStyleGAN()
    try:
        network.load_state_dict(_renamed(*files))
    except (KeyError, RuntimeError) as error:
        raise FersynError(f"these are not the weights of MobileStyleGAN ({error}); fetch them again") from error
    return network


def _renamed(mapping: Mapping[str, Tensor], synthesis: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The files' constants by our names. Some have but a number there, which counts on from level to level; the file is
    known by its hash, so that they are always the same.
    """
    state = {}
    for k in range(8):
        state[f"style.{k + 1}.weight"], state[f"style.{k + 1}.bias"] = (
            mapping[f"{173 + 4 * k}"],
            mapping[f"{174 + 4 * k}"],
        )

    def modulation(ours: str, theirs: str, scale: str = "") -> None:
        factor = synthesis[scale].flatten() if scale else 1
        for part in ("weight", "bias"):
            state[f"{ours}.{part}"] = (synthesis[f"m.{theirs}.modulation.{part}"] * factor).squeeze(0)

    def convolution(ours: str, theirs: str, weight: int, noise: int, scale: int) -> None:
        modulation(f"{ours}.modulation", f"{theirs}.conv", f"Constant_{scale}")
        state[f"{ours}.weight"], state[f"{ours}.noise"] = synthesis[f"Mul_{weight}_copy"], synthesis[f"{noise}"]
        state[f"{ours}.bias"] = synthesis[f"m.{theirs}.bias"]
        if ours != "conv1":
            state[f"{ours}.depthwise"] = synthesis[f"m.{theirs}.conv.weight_dw"].squeeze(1)

    state["start"] = synthesis["m.input.input"]
    convolution("conv1", "conv1", 39, 1531, 18)
    for k in range(len(CHANNELS) - 1):
        modulation(f"upper.{k}.up", f"layers.{k}.up")
        convolution(f"upper.{k}.conv1", f"layers.{k}.conv1", 106 + 100 * k, 1560 + 41 * k, 84 + 100 * k)
        convolution(f"upper.{k}.conv2", f"layers.{k}.conv2", 139 + 100 * k, 1572 + 41 * k, 117 + 100 * k)
    last = f"layers.{len(CHANNELS) - 2}.to_img"
    modulation("image", f"{last}.conv", "Constant_750")
    state["image_weight"] = synthesis[f"m.{last}.conv.weight"].flatten(1)
    state["image_bias"] = synthesis[f"m.{last}.bias"]
    return state
