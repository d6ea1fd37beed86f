"""FESGAN's generator and the discriminator of its codes (arXiv 2002.02194, of which only the abstract is known here).

[sec] Encoder: convolutions of 4x4 and stride 2, 64 to 1024 channels, five at 128 px, pooled to a code of 64 numbers, tanh. Decoder:
code and label as a map of 1x1, transposed convolutions, six up to 128 px. A prior U(-1, 1)^64 of codes, kept by a discriminator.
[ours] Batch norm as in pix2pix, ReLU; at other sizes as many layers as it takes; the code's discriminator.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fersyn.expressions import EXPRESSIONS
from fersyn.nets.patchgan import initialise


class FESGAN(nn.Module):
    """``forward``: faces (N, 3, size, size) and label codes (k N, 8), k for each, and M codes of the prior with theirs -> faces
    (k N + M, 3, size, size) in [-1, 1], and the N codes.

    Args:
        size: side of the faces, px, a power of two from 16 on.
        width: channels of the encoder's first layer and the decoder's last; published: 64.
        code: numbers of an identity code; published: 64.
        pooled: whether the encoder's last maps, 4x4, are averaged before they become a code, as published.
    """

    def __init__(self, size: int = 128, width: int = 64, code: int = 64, pooled: bool = True):
        super().__init__()
        self.size, self.code = size, code
        levels = size.bit_length() - 3  # from size down to 4 px
        channels = [width * 2 ** min(level, 4) for level in range(levels)]
        down: list[nn.Module] = []
        for before, after in zip([3, *channels], channels, strict=False):
            norm = before != 3
            down += [nn.Conv2d(before, after, 4, stride=2, padding=1, bias=not norm)]
            down += [*([nn.BatchNorm2d(after)] if norm else []), nn.LeakyReLU(0.2, True)]
        pool = nn.AdaptiveAvgPool2d(1) if pooled else nn.Identity()
        last = channels[-1] * (1 if pooled else 16)
        self.encoder = nn.Sequential(*down, pool, nn.Flatten(), nn.Linear(last, code), nn.Tanh())
        inside, up = code + len(EXPRESSIONS), []
        for level, outside in enumerate([*reversed(channels), 3]):
            step, edge = (1, 0) if level == 0 else (2, 1)  # 1x1 becomes 4x4
            up.append(nn.ConvTranspose2d(inside, outside, 4, step, edge, bias=outside == 3))
            up += [nn.Tanh()] if outside == 3 else [nn.BatchNorm2d(outside), nn.ReLU(True)]
            inside = outside
        self.decoder = nn.Sequential(*up)
        initialise(self)

    def forward(
        self, faces: Tensor, label: Tensor, prior: Tensor | None = None, prior_label: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        codes = self.encoder(faces)
        every = codes.repeat(len(label) // max(1, len(codes)), 1)
        if prior is None:
            return self.decode(every, label), codes
        return self.decode(torch.cat([every, prior]), torch.cat([label, prior_label])), codes

    def decode(self, codes: Tensor, label: Tensor) -> Tensor:
        """Codes (N, code) in [-1, 1] and label codes (N, 8) -> faces (N, 3, size, size)."""
        return self.decoder(torch.cat([codes, label], 1)[:, :, None, None])


class CodeDiscriminator(nn.Sequential):
    """Codes (N, code) -> logits (N, 1): drawn from the prior, or a face's? Three dense layers. [ours]"""

    def __init__(self, code: int = 64, width: int = 64):
        dense = (nn.Linear(code, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2))
        super().__init__(*dense, nn.Linear(width, 1))
