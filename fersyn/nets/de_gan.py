"""DE-GAN's networks (arXiv 1912.01456, of which only the abstract is known here): an expression code, and an identity with it.

[doc] An encoder-decoder reconstructs an expression image, and so learns an expression representation apart from identity; the
recogniser takes it together with the expressive component that the encoder has recorded. [sec] The identity is given to the
decoder. The rest is [ours]: the identity is given as a face of the person, so that people never seen can be edited, and what the
decoder makes is the change of that face.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fersyn.expressions import EXPRESSIONS

GRID = 2  # places a side over which an intermediate map is pooled


def widths(size: int, width: int) -> list[int]:
    """Channels of the levels from size / 2 down to 4 px: `width` to at most 8 times as many."""
    return [width * 2 ** min(level, 3) for level in range(size.bit_length() - 3)]


class ExpressionEncoder(nn.Module):
    """``forward``: faces (N, 3, size, size) -> codes (N, code) in [-1, 1], the pooled intermediate maps (N, `recorded`), and logits
    (N, 8), which a linear layer reads in the code.

    Args:
        size: side of the faces, px, a power of two from 16 on.
        width: channels of the first convolution, 4x4 with stride 2, as all are.
        code: numbers of an expression code.
    """

    def __init__(self, size: int, width: int, code: int):
        super().__init__()
        self.levels, inside, channels = nn.ModuleList(), 3, widths(size, width)
        for outside in channels:
            convolution = nn.Conv2d(inside, outside, 4, stride=2, padding=1, bias=False)
            self.levels.append(nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.LeakyReLU(0.2)))
            inside = outside
        self.pool = nn.AdaptiveAvgPool2d(GRID)
        self.code = nn.Sequential(nn.Flatten(), nn.Linear(16 * inside, code), nn.Tanh())
        self.head = nn.Linear(code, len(EXPRESSIONS))
        self.recorded = GRID**2 * sum(channels)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        maps = []
        for level in self.levels:
            faces = level(faces)
            maps.append(self.pool(faces).flatten(1))
        codes = self.code(faces)
        return codes, torch.cat(maps, 1), self.head(codes)


class Decoder(nn.Module):
    """``forward``: faces (N, 3, size, size) of the people wanted, and expression codes (k N, code), k for each -> changes
    (k N, 3, size, size) in [-2, 2]: added to the face, they give it the expression.

    A U-Net; the code scales and shifts the maps of each level on the way up.
    """

    def __init__(self, size: int, width: int, code: int):
        super().__init__()
        channels = widths(size, width)
        self.down, self.up, self.scale = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for level, (before, after) in enumerate(zip([3, *channels], channels, strict=False)):
            norm = [nn.BatchNorm2d(after)] if level else []
            convolution = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=not norm)
            self.down.append(nn.Sequential(convolution, *norm, nn.LeakyReLU(0.2)))
        outer = [channels[0], *channels[:-1]]
        for level in reversed(range(len(channels))):
            inside = channels[level] * (1 if level == len(channels) - 1 else 2)
            convolution = nn.ConvTranspose2d(inside, outer[level], 4, stride=2, padding=1, bias=False)
            self.up.append(nn.Sequential(convolution, nn.BatchNorm2d(outer[level], affine=False)))
            self.scale.append(nn.Linear(code, 2 * outer[level]))
        self.last = nn.Conv2d(channels[0], 3, 3, padding=1)
        nn.init.normal_(self.last.weight, 0.0, 0.01)

    def forward(self, faces: Tensor, codes: Tensor) -> Tensor:
        """See the class."""
        x, skips, times = faces, [], len(codes) // max(1, len(faces))
        for level in self.down:
            x = level(x)
            skips.append(x)
        x = skips.pop().repeat(times, 1, 1, 1)
        for number, (level, scale) in enumerate(zip(self.up, self.scale, strict=True)):
            given = x if number == 0 else torch.cat([x, skips.pop().repeat(times, 1, 1, 1)], 1)
            more, shift = scale(codes)[:, :, None, None].chunk(2, 1)
            x = torch.relu(level(given) * (1 + more) + shift)
        return 2 * torch.tanh(self.last(x))


class ResidueRecogniser(nn.Module):
    """``forward``: expression codes (N, code) and pooled maps (N, recorded) -> logits (N, 8).

    Args:
        code, recorded: how many numbers each has.
        parts: which are looked at: "both", "code" or "maps".

    Attributes:
        centres, counts: sum of the codes of each expression's faces (8, code), and how many these were.
    """

    def __init__(self, code: int, recorded: int, parts: str = "both"):
        super().__init__()
        self.parts = parts
        inside = {"both": code + recorded, "code": code, "maps": recorded}[parts]
        self.layers = nn.Sequential(
            nn.BatchNorm1d(inside), nn.Dropout(0.3), nn.Linear(inside, 128), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(128, len(EXPRESSIONS)),
        )  # fmt: skip
        self.register_buffer("centres", torch.zeros(len(EXPRESSIONS), code))
        self.register_buffer("counts", torch.zeros(len(EXPRESSIONS)))

    def forward(self, codes: Tensor, maps: Tensor) -> Tensor:
        """See the class."""
        given = {"both": lambda: torch.cat([codes, maps], 1), "code": lambda: codes, "maps": lambda: maps}
        return self.layers(given[self.parts]())

    def count(self, codes: Tensor, labels: Tensor, weight: Tensor) -> None:
        """Add codes (N, code) of labels (N,) to the centres, each with its weight (N,)."""
        self.centres.index_add_(0, labels, codes.detach().float() * weight[:, None])
        self.counts.index_add_(0, labels, weight)

    def centre(self, labels: Tensor) -> Tensor:
        """Mean codes (N, code) of labels (N,)."""
        return self.centres[labels] / self.counts[labels].clamp_min(1e-6)[:, None]
