"""The networks of `landmark-flow`: one corrects a landmark flow, one paints what a flow cannot bring. [ours]

What corrects the flow sees the landmarks, the label and the flow, and no pixel: how skin moves with the landmarks holds for a
photograph as for a rendered face, while a correction that was read from pixels has learnt the renderer's skin with it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.nets.affine_flow import warp
from fersyn.nets.ratio_images import RatioImages, relight
from fersyn.nets.teeth import Teeth
from fersyn.pixels import grey

OPENED = 4.0  # added to the mask's logit where the mouth was opened: it begins at 0.88 there
STILL = 0.05 / 128  # part of the side: what moves by less stays
MOVING = 1.5 / 128  # part of the side: where the landmarks move the skin by so much its flow is corrected in full
SHUT = 0.04  # a mask below it is none
GREY, COLOUR = (
    0.01,
    0.04,
)  # mean distance from grey, of pixels in [-1, 1]: below it a photograph is grey, above it coloured
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
        told: length of a code that scales and shifts the lowest level (FiLM, Perez et al., AAAI 2018); 0: none. What is
            constant over a picture hardly passes the norms otherwise.
    """

    def __init__(self, inside: int, outside: int, levels: list[int], told: int = 0):
        super().__init__()
        self.told = nn.Linear(told, 2 * levels[-1]) if told else None
        pairs = list(zip(levels, levels[1:], strict=False))
        self.enter = _conv(inside, levels[0])
        self.down = nn.ModuleList(nn.Sequential(_conv(a, b, 2), _conv(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(_conv(a + b, a) for a, b in pairs)
        self.leave = nn.Sequential(_conv(levels[0], levels[0]), nn.Conv2d(levels[0], outside, 3, 1, 1))
        nn.init.zeros_(self.leave[-1].weight)
        nn.init.zeros_(self.leave[-1].bias)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """(N, inside, H, W), code (N, told) -> (N, outside, H, W)."""
        skips = [self.enter(x)]
        for level in self.down:
            skips.append(level(skips[-1]))
        x = skips.pop()
        if self.told is not None:
            scale, shift = self.told(code)[..., None, None].chunk(2, 1)
            x = x * (1 + scale) + shift
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
    """output = bent * (1 - mask) + new pixels * mask, with bent = warp(source, flow + correction) under the light of the
    expression (`RatioImages`).

    Mask and new pixels come from a U-Net at half the picture's resolution (pixel unshuffle), which quarters its cost and
    loses nothing of the source: the warp itself is done at full resolution. Both are nothing outside the head, the flow where
    landmarks move no skin, and the mask where it would be faint: there the pixel is the source's own, bit for bit.

    Args:
        extra: channels beside source, bent source and flow (heatmaps, label maps).
        width: channels of the first level; a multiple of 8.
        reach: of the correction, see `FlowCorrection`.
        told: length of the label's code.
        size: side of the ratio images and of the picture of teeth, px.

    Attributes:
        ratios: the ratio images, which are no weights: they are worked out once (`RatioImages.learn`).
        teeth: likewise chosen once (`Teeth.learn`), and laid in at the edit.
    """

    def __init__(self, extra: int, width: int = 32, reach: float = 0.03, told: int = 8, size: int = 128):
        super().__init__()
        self.ratios, self.teeth = RatioImages(size), Teeth(size)
        self.correction = FlowCorrection(extra, reach)
        levels = [width, 2 * width, 3 * width, 4 * width]
        self.painter = UNet(4 * (3 + 3 + 2 + extra + 1), 4 * 4, levels, told)
        with torch.no_grad():
            self.painter.leave[-1].bias[:4] = -2.0  # the mask begins almost shut: the plain warp is the starting point

    def forward(
        self, source: Tensor, flow: Tensor, extra: Tensor, opened: Tensor, head: Tensor, code: Tensor, light: Tensor
    ) -> dict[str, Tensor]:
        """Make the picture, and what it is made of.

        Args:
            source: (N, 3, H, W) in [-1, 1].
            flow: (N, 2, H, W) px.
            extra: (N, C, H, W).
            opened: (N, 1, H, W) in [0, 1], where the bent source can have nothing of what belongs there.
            head: (N, 1, H, W) in [0, 1], where anything may change.
            code: (N, told) of the label.
            light: (N, 1, H, W), what `ratios` gives.

        Returns:
            image, bent, mask, flow (px), paint, light (N, C, H, W); colour (N, 1, 1, 1), see `colour_of`.
        """
        # In mixed precision they come in bfloat16, in which a place beyond 128 px is known to half a pixel.
        source, flow, opened, head, light = (each.float() for each in (source, flow, opened, head, light))
        side = source.shape[-1]
        moving = (_length(flow) / (MOVING * side)).clamp(max=1)
        flow = quiet((flow + self.correction(flow, extra) * moving) * head, STILL * side)
        light = light * head
        bent = relight(warp(source, flow), light)
        # Detached: the correction learns from the picture that it bends, not by what it shows the painter.
        seen = torch.cat([source, bent.detach(), flow.detach() * (8 / side), extra, opened], 1)
        out = functional.pixel_shuffle(self.painter(functional.pixel_unshuffle(seen, 2), code), 2)
        soft, paint = torch.sigmoid(out[:, :1].float() + OPENED * opened) * head, out[:, 1:].float()
        mask = soft + (((soft - SHUT) / (1 - SHUT)).clamp(min=0) - soft).detach()  # shut, it can still learn to open
        colour = colour_of(source, head)
        image = compose(bent, mask, paint, opened, colour)
        made = {"image": image, "bent": bent, "mask": mask, "flow": flow, "paint": paint}
        return made | {"light": light, "colour": colour}


def quiet(flow: Tensor, least: float) -> Tensor:
    """Displacements (N, 2, H, W) px made shorter by `least` px; shorter ones are nothing."""
    return flow * (1 - least / _length(flow).clamp(min=least))


def _length(flow: Tensor) -> Tensor:
    return (flow.square().sum(1, keepdim=True) + 1e-12).sqrt()


def colour_of(faces: Tensor, head: Tensor) -> Tensor:
    """How much colour faces (N, 3, H, W) in [-1, 1] have where the head is (N, 1, H, W): (N, 1, 1, 1), 0 grey, 1 coloured."""
    away = (faces - grey(faces)).abs().mean(1, keepdim=True)
    mean = (away * head).sum((1, 2, 3), keepdim=True) / head.sum((1, 2, 3), keepdim=True).clamp(min=1)
    return ((mean - GREY) / (COLOUR - GREY)).clamp(0, 1)


def compose(bent: Tensor, mask: Tensor, paint: Tensor, opened: Tensor, colour: Tensor) -> Tensor:
    """bent * (1 - mask) + new * mask. The new pixels are a change of the bent ones on an unbounded scale, of light and shade alone:
    lips and skin keep the person's colour. Where the mouth was opened the bent ones are stretched lips, and the change is one of
    mid-grey, in colour. The new pixels have as much of it as the source (`colour_of`): a grey photograph stays grey.
    """
    paint = torch.lerp(grey(paint).expand_as(paint), paint, opened)
    new = torch.tanh(torch.atanh(bent.detach().clamp(-0.98, 0.98)) * (1 - opened) + paint)
    return bent + mask * (torch.lerp(grey(new).expand_as(new), new, colour) - bent)
