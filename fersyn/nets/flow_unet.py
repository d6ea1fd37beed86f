"""The network of `landmark-flow`: a small U-Net that corrects a landmark flow and paints what a flow cannot bring. [ours]"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.nets.tps import warp


def _conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.GroupNorm(8, outside), nn.SiLU(inplace=True)
    )


class FlowUNet(nn.Module):
    """output = warp(source, flow + correction) * (1 - mask) + new pixels * mask.

    Works at half the picture's resolution (pixel unshuffle), which quarters its cost and loses nothing of the source: the
    warp itself is done at full resolution.

    Args:
        extra: channels beside source, warped source and flow (heatmaps, label maps).
        width: channels of the first level; a multiple of 8.
        reach: the correction is at most this part of the picture's side in each direction, so that it cannot run away
            from the landmarks.
    """

    def __init__(self, extra: int, width: int = 32, reach: float = 0.03):
        super().__init__()
        self.reach = reach
        levels = [width, 2 * width, 3 * width, 4 * width]
        self.enter = _conv(4 * (3 + 3 + 2 + extra), width)
        self.down = nn.ModuleList(
            nn.Sequential(_conv(a, b, 2), _conv(b, b)) for a, b in zip(levels, levels[1:], strict=False)
        )
        self.up = nn.ModuleList(_conv(a + b, a) for a, b in zip(levels, levels[1:], strict=False))
        self.leave = nn.Sequential(_conv(width, width), nn.Conv2d(width, 4 * 6, 3, 1, 1))
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)
        with torch.no_grad():
            self.leave[-1].bias[8:12] = -2.0  # the mask begins almost shut: the plain warp is the starting point

    def forward(self, source: Tensor, flow: Tensor, extra: Tensor) -> dict[str, Tensor]:
        """source (N, 3, H, W) in [-1, 1], flow (N, 2, H, W) px, extra (N, C, H, W) -> image, warped, mask, flow (px), paint."""
        side = source.shape[-1]
        warped = warp(source, flow)
        x = functional.pixel_unshuffle(torch.cat([source, warped, flow * (8 / side), extra], 1), 2)
        skips = [self.enter(x)]
        for level in self.down:
            skips.append(level(skips[-1]))
        x = skips.pop()
        for level in reversed(self.up):
            x = level(torch.cat([skips.pop(), functional.interpolate(x, scale_factor=2, mode="nearest")], 1))
        out = functional.pixel_shuffle(self.leave(x), 2)
        correction = functional.avg_pool2d(out[:, :2], 5, 1, 2)  # smooth: it moves skin, it does not draw
        moved = flow + torch.tanh(correction) * (self.reach * side)
        brought = warp(source, moved)
        mask = torch.sigmoid(out[:, 2:3])
        return {
            "image": compose(brought, mask, out[:, 3:6]), "warped": warped, "mask": mask, "flow": moved, "paint": out[:, 3:6],
        }  # fmt: skip


def compose(brought: Tensor, mask: Tensor, paint: Tensor) -> Tensor:
    """brought * (1 - mask) + new * mask, the new pixels given as a change of the brought ones on an unbounded scale."""
    new = torch.tanh(torch.atanh(brought.detach().clamp(-0.98, 0.98)) + paint)
    return brought + mask * (new - brought)
