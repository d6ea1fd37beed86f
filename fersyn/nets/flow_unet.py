"""The networks of `landmark-flow`: one corrects a landmark flow, one paints what a flow cannot bring. [ours]

What corrects the flow sees the landmarks, the label and the flow, and no pixel: how skin moves with the landmarks holds for a
photograph as for a rendered face, while a correction that was read from pixels has learnt the renderer's skin with it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.nets.affine_flow import warp

OPENED = 4.0  # added to the mask's logit where the mouth was opened: it begins at 0.88 there
GEOMETRY_WIDTH = 24  # channels of the first level of `FlowCorrection`; skin moves smoothly: it needs no more


def _conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.GroupNorm(8, outside), nn.SiLU(inplace=True)
    )


class UNet(nn.Module):
    """Small U-Net; its last layer begins at 0.

    Args:
        inside, outside: channels.
        levels: channels of each level, multiples of 8; each level halves the side.
    """

    def __init__(self, inside: int, outside: int, levels: list[int]):
        super().__init__()
        pairs = list(zip(levels, levels[1:], strict=False))
        self.enter = _conv(inside, levels[0])
        self.down = nn.ModuleList(nn.Sequential(_conv(a, b, 2), _conv(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(_conv(a + b, a) for a, b in pairs)
        self.leave = nn.Sequential(_conv(levels[0], levels[0]), nn.Conv2d(levels[0], outside, 3, 1, 1))
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, outside, H, W)."""
        skips = [self.enter(x)]
        for level in self.down:
            skips.append(level(skips[-1]))
        x = skips.pop()
        for level in reversed(self.up):
            x = level(torch.cat([skips.pop(), functional.interpolate(x, scale_factor=2, mode="nearest")], 1))
        return self.leave(x)


class FlowCorrection(nn.Module):
    """Correction of a landmark flow, at a quarter of the picture's resolution: it is smooth.

    Args:
        extra: channels beside the flow (heatmaps, label maps).
        reach: the correction is at most this part of the picture's side in each direction, so that it cannot run away
            from the landmarks.
    """

    def __init__(self, extra: int, reach: float):
        super().__init__()
        self.reach = reach
        self.unet = UNet(4 * (2 + extra), 2, [GEOMETRY_WIDTH, 2 * GEOMETRY_WIDTH, 3 * GEOMETRY_WIDTH])

    def forward(self, flow: Tensor, extra: Tensor) -> Tensor:
        """flow (N, 2, H, W) px, extra (N, C, H, W) -> correction (N, 2, H, W) px."""
        side = flow.shape[-1]
        x = functional.pixel_unshuffle(torch.cat([flow * (8 / side), extra], 1), 2)
        small = self.unet(functional.avg_pool2d(x, 2))
        return torch.tanh(functional.interpolate(small, (side, side), mode="bilinear")) * (self.reach * side)


class FlowUNet(nn.Module):
    """output = bent * (1 - mask) + new pixels * mask, with bent = warp(source, flow + correction).

    Mask and new pixels come from a U-Net at half the picture's resolution (pixel unshuffle), which quarters its cost and
    loses nothing of the source: the warp itself is done at full resolution.

    Args:
        extra: channels beside source, bent source and flow (heatmaps, label maps).
        width: channels of the first level; a multiple of 8.
        reach: of the correction, see `FlowCorrection`.
    """

    def __init__(self, extra: int, width: int = 32, reach: float = 0.03):
        super().__init__()
        self.correction = FlowCorrection(extra, reach)
        self.painter = UNet(4 * (3 + 3 + 2 + extra + 1), 4 * 4, [width, 2 * width, 3 * width, 4 * width])
        with torch.no_grad():
            self.painter.leave[-1].bias[:4] = -2.0  # the mask begins almost shut: the plain warp is the starting point

    def forward(self, source: Tensor, flow: Tensor, extra: Tensor, opened: Tensor) -> dict[str, Tensor]:
        """source (N, 3, H, W) in [-1, 1], flow (N, 2, H, W) px, extra (N, C, H, W), opened (N, 1, H, W) in [0, 1], where
        the bent source can have nothing of what belongs there -> image, bent, mask, flow (px), paint.
        """
        side = source.shape[-1]
        flow = flow + self.correction(flow, extra)
        bent = warp(source, flow)
        # Detached: the correction learns from the picture that it bends, not by what it shows the painter.
        seen = torch.cat([source, bent.detach(), flow.detach() * (8 / side), extra, opened], 1)
        out = functional.pixel_shuffle(self.painter(functional.pixel_unshuffle(seen, 2)), 2)
        mask, paint = torch.sigmoid(out[:, :1] + OPENED * opened), out[:, 1:]
        return {"image": compose(bent, mask, paint, opened), "bent": bent, "mask": mask, "flow": flow, "paint": paint}


def compose(bent: Tensor, mask: Tensor, paint: Tensor, opened: Tensor) -> Tensor:
    """bent * (1 - mask) + new * mask. The new pixels are a change of the bent ones on an unbounded scale; where the mouth was
    opened the bent ones are stretched lips, and the change is one of mid-grey.
    """
    new = torch.tanh(torch.atanh(bent.detach().clamp(-0.98, 0.98)) * (1 - opened) + paint)
    return bent + mask * (new - bent)
