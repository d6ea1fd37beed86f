"""What the kit knows of a generator of faces that has StyleGAN's two parts: z -> w, and w by layers -> a picture.

Two stand behind it: MobileStyleGAN-FFHQ, whose weights `fersyn weights fetch` brings, and StyleGAN2 with weights of the
user's own. Their pictures are in FFHQ's frame (Karras et al., CVPR 2019); `fersyn.faces.crop` takes them to the kit's crop.

Example:
    >>> from fersyn.nets import generators
    >>> generator = generators.get()                                       # doctest: +SKIP
    >>> w = generator.sample(torch.randn(4, generator.width), truncation=0.7)      # doctest: +SKIP
    >>> generator.synthesise(generator.layers(w), 256).shape               # doctest: +SKIP
    torch.Size([4, 3, 256, 256])
"""

from __future__ import annotations

import hashlib
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.pixels import onto

AVERAGED = 10_000  # samples behind `mean`
UNSTAMPED = torch.zeros(32, dtype=torch.uint8)  # `Generator.stamp` of what has learnt nothing yet


class Generator(nn.Module):
    """A network that makes faces; it learns nothing any more, but gives gradients to what it is given.

    W+ is (N, styles, width): a w for each layer. What changes the styles of a level changes the picture at that grain.

    Attributes:
        name: of the network.
        size: side of its pictures, px.
        width: of z and of w.
        levels: side in px of the features that each style steers; as many as there are styles.
    """

    name: str
    size: int
    width: int
    levels: tuple[int, ...]
    style: nn.Sequential  # of `mapping`

    @property
    def styles(self) -> int:
        """How many w a picture has."""
        return len(self.levels)

    @property
    def device(self) -> torch.device:
        """Where it computes; it takes what it is given there."""
        return next(self.style.parameters()).device

    def mapping(self, z: Tensor) -> Tensor:
        """z (N, width), standard normal -> w (N, width)."""
        return self.style(z)

    def synthesise(self, layers: Tensor, size: int = 256, draft: bool = False) -> Tensor:
        """W+ -> pictures (N, 3, size, size), RGB in about [-1, 1], with gradients to W+.

        Args:
            layers: (N, styles, width).
            size: side of the picture, px: the network's own, or that divided by 2, 4 ...: the average of its pixels.
            draft: by a shorter way, where there is one: several times faster, a little softer.

        Raises:
            FersynError: W+ of another network; no such size, or no such way.
        """
        raise NotImplementedError

    def layers(self, w: Tensor) -> Tensor:
        """The same w (N, width) for every layer: W+ (N, styles, width)."""
        return w[:, None].expand(-1, self.styles, -1)

    @cached_property
    def mean(self) -> Tensor:
        """The middle of all w, (width,): of 10 000 samples, always the same ones."""
        with torch.inference_mode(False), torch.no_grad():  # what is kept is asked for with gradients later
            z = torch.randn(AVERAGED, self.width, generator=torch.Generator().manual_seed(0))
            weight = next(self.style.parameters())
            return torch.cat([self.mapping(part.to(weight)) for part in z.split(1000)]).mean(0)

    def sample(self, z: Tensor, truncation: float = 0.7) -> Tensor:
        """z (N, width) -> w (N, width), drawn towards the mean: 1 as it is, 0 the mean face. 0.7 to 0.8 looks good."""
        z = onto(z, self.device)
        return torch.lerp(self.mean.to(z), self.mapping(z), truncation)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the weights that lead from z to w: what has learnt W of one generator is lost in another's."""
        digest = hashlib.sha256()
        for value in self.style.state_dict().values():
            digest.update(value.cpu().float().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def stamp(self) -> Tensor:
        """`fingerprint` as a buffer of what learns in W+ holds it: uint8 (32,)."""
        return torch.tensor(list(bytes.fromhex(self.fingerprint)), dtype=torch.uint8)

    def check(self, stamp: Tensor) -> None:
        """Raise FersynError, if a stamp is another generator's; `UNSTAMPED` is nobody's."""
        if stamp.any() and not torch.equal(stamp.cpu(), self.stamp):
            raise FersynError("this training was in the W+ of another generator than this one: train again")

    def _checked(self, layers: Tensor, size: int) -> Tensor:
        """W+ where the network is."""
        if layers.shape[1:] != (self.styles, self.width):
            raise FersynError(
                f"{self.name} takes W+ (N, {self.styles}, {self.width}), got {tuple(layers.shape)}; make it of a w by "
                f"`layers`, or by an encoder of this generator"
            )
        if size not in (sizes := [self.size >> k for k in range(self.size.bit_length()) if self.size >> k >= 4]):
            raise FersynError(f"{self.name} makes no pictures of {size} px; its sizes: {', '.join(map(str, sizes))}")
        return onto(layers, self.device)


class PixelNorm(nn.Module):
    """z (N, width) at length sqrt(width): only its direction counts."""

    def forward(self, z: Tensor) -> Tensor:
        """See the class."""
        return z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)


class Dense(nn.Linear):
    """A dense layer with LeakyReLU 0.2, times the square root of 2."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside) -> (N, outside)."""
        return functional.leaky_relu(super().forward(x), 0.2) * 2**0.5


def mapping(width: int, depth: int = 8) -> nn.Sequential:
    """StyleGAN's network z -> w (Karras et al., CVPR 2019)."""
    return nn.Sequential(PixelNorm(), *(Dense(width, width) for _ in range(depth)))
