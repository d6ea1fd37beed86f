"""The U-Net of pix2pix (Isola et al., CVPR 2017, section 6.1.1)."""

import torch
from torch import Tensor, nn

from fersyn.nets.patchgan import initialise


class UNet(nn.Module):
    """Encoder C64-C128-C256-C512-..., down to 1x1, decoder CD512-..., with skips between layers of one size.

    Convolutions of 4x4 and stride 2; LeakyReLU 0.2 in the encoder, ReLU in the decoder; batch norm in all layers but
    the first, the innermost (one px: nothing to normalise over) and the last; dropout in the decoder's first three (two
    at 64 px, where fewer carry 512 channels).

    Args:
        inside: channels of the input: 3 and what it is conditioned on.
        size: side of the faces, px, a power of two from 16 on.
        width: channels of the first layer; published: 64.
        dropout: 0.5 in the paper.
    """

    def __init__(self, inside: int, size: int = 128, width: int = 64, dropout: float = 0.5):
        super().__init__()
        depth = size.bit_length() - 1
        if size != 2**depth or depth < 4:
            raise ValueError(f"size must be a power of two from 16 on, got {size}")
        self.inside, self.size = inside, size
        channels = [min(2**level, 8) * width for level in range(depth)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level in range(depth):
            before, norm = (inside if level == 0 else channels[level - 1]), 0 < level < depth - 1
            layers: list[nn.Module] = [] if level == 0 else [nn.LeakyReLU(0.2)]
            layers.append(nn.Conv2d(before, channels[level], 4, stride=2, padding=1, bias=not norm))
            self.down.append(nn.Sequential(*layers, *([nn.BatchNorm2d(channels[level])] if norm else [])))
        for level in reversed(range(depth)):
            before = channels[level] * (1 if level == depth - 1 else 2)  # beside the skip, but for the innermost
            after = 3 if level == 0 else channels[level - 1]
            layers = [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=level == 0)]
            if level == 0:
                layers.append(nn.Tanh())
            else:
                layers.append(nn.BatchNorm2d(after))
                if level >= depth - 3 and level > 3:
                    layers.append(nn.Dropout(dropout))
            self.up.append(nn.Sequential(*layers))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, size, size) -> (N, 3, size, size) in [-1, 1]."""
        assert x.shape[1:] == (self.inside, self.size, self.size), (x.shape, self.inside, self.size)
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for layer in self.up[1:]:
            x = layer(torch.cat([x, skips.pop()], 1))
        return x
