"""Losses of what learns to move a generated face, by what guides say of it (`fersyn.nets.guides`): (N,), a number a face. [ours]

Meshes are MediaPipe's (N, 478, 2 or 3) in parts of the kit's crop, pictures (N, 3, H, H) in [-1, 1] in FFHQ's frame.
"""

import torch
from torch import Tensor
from torch.nn import functional

from fersyn.pixels import constant

# Points of the mesh.
LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
BROWS = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
LIDS = (
    33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7,
    263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249,
)  # fmt: skip
NOSE = (64, 294, 98, 327, 2, 94, 48, 278, 102, 331)
CORNERS = ((61, 185, 146, 40), (291, 409, 375, 270))  # of the mouth: the person's right, left
REGIONS = ((BROWS, 1.0), (LIDS, 0.7), (NOSE, 0.5), (LIPS, 1.0))  # and how much each counts
SCORN = (0.017, -0.027)  # way of contempt's corner at strength 1: out and up, parts of the crop
FREE, FAR = 0.31, 0.42  # of dlib's distance; two true pictures of openpeople's people: 0.37
# Where glasses sit and faces hardly move: bridge, temples, lower rims; left, right, top, bottom in parts of the picture.
RIMS = (
    (0.45, 0.55, 0.44, 0.50), (0.25, 0.33, 0.42, 0.53), (0.67, 0.75, 0.42, 0.53), (0.31, 0.45, 0.51, 0.57),
    (0.55, 0.69, 0.51, 0.57),
)  # fmt: skip


def margin(logits: Tensor, wanted: Tensor, least: float = 3.0, most: float = 10.0) -> Tensor:
    """By how much the wanted class falls short of leading all others by `least`.

    A face that is far off pulls, but does not drown the others: above `most` it counts 0.15 fold. `wanted`: int64 (N,),
    -1: none, 0.
    """
    known, column = wanted >= 0, wanted.clamp_min(0)[:, None]
    rest = logits.scatter(1, column, -1e4).logsumexp(1)
    short = functional.relu(least - logits.gather(1, column)[:, 0] + rest)
    return known * torch.where(short < most, short, most + 0.15 * (short - most))


def called(logits: Tensor, unwanted: int, least: float = 1.5, most: float = 8.0) -> Tensor:
    """How near a face is to being called by a name that it must not have: the class leads the others but by -`least`."""
    others = constant(tuple(k for k in range(logits.shape[1]) if k != unwanted), logits.device)
    return functional.relu(least + logits[:, unwanted] - logits[:, others].logsumexp(1)).clamp_max(most)


def opening(mesh: Tensor) -> Tensor:
    """Height of the eyes over their width, the mean of both."""

    def length(a: int, b: int) -> Tensor:
        return (mesh[:, a, :2] - mesh[:, b, :2]).norm(dim=1)

    return (length(159, 145) / length(33, 133) + length(386, 374) / length(263, 362)) / 2


def turned(mesh: Tensor) -> Tensor:
    """How far the tip of the nose lies from the middle between the cheeks, parts of the face's width; 0: frontal."""
    left, nose, right = mesh[:, 234, 0], mesh[:, 1, 0], mesh[:, 454, 0]
    return (nose - (left + right) / 2) / (right - left).clamp_min(1e-6)


def shape(moved: Tensor, wanted: Tensor, lips: Tensor) -> Tensor:
    """Squared distance of displacements of the mesh from those wanted, brows, lids, nose and lips each by its mean; `lips`
    (N,): how much the lips count.
    """
    gap = (moved - wanted).square().sum(2)
    parts = [gap[:, constant(points, gap.device)].mean(1) * weight for points, weight in REGIONS]
    return sum(parts[:-1]) + lips * parts[-1]


def one_corner(moved: Tensor, strength: Tensor, left: Tensor) -> Tensor:
    """Contempt: one corner of the mouth goes out and up, the other stays; `left` (N,), bool: the person's left one."""
    way = constant(SCORN, moved.device) * strength[:, None, None]
    right_way = way * constant((-1.0, 1.0), way.device)
    corners = [moved[:, constant(points, moved.device), :2] for points in CORNERS]

    def off(points: Tensor, target: Tensor | float) -> Tensor:
        return (points - target).square().sum(2).mean(1)

    return torch.where(
        left, off(corners[1], way) + off(corners[0], 0.0), off(corners[0], right_way) + off(corners[1], 0.0)
    )


def slider(actions: Tensor, wanted: Tensor, asked: Tensor) -> Tensor:
    """Distance of asked-for actions (N, 52) on a logarithmic scale: the meter is nearly dead near 0, and so are squares."""
    gap = (actions.clamp_min(0) + 1e-3).log() - (wanted + 1e-3).log()
    return (asked * gap.square()).sum(1) / 9


def another(distance: Tensor, strength: Tensor) -> Tensor:
    """How much further than `FREE` a face is from the own neutral one by dlib's distance, at strength 1; the less moves, the less
    is free. Above `FAR` three fold: at 0.5 it counts as another person's.
    """
    free = FREE * (0.3 + 0.7 * strength.clamp(0, 1))
    return functional.relu(distance - free) + 2 * functional.relu(distance - FAR)


def rims(picture: Tensor, before: Tensor) -> Tensor:
    """How much of the edges come or go where glasses sit."""
    side = picture.shape[-1]

    def edges(faces: Tensor, box: tuple[float, ...]) -> Tensor:
        left, right, top, bottom = (int(side * part) for part in box)
        grey = functional.avg_pool2d(faces[:, :, top:bottom, left:right].mean(1, keepdim=True), 2)
        across = functional.avg_pool2d(grey.diff(dim=3).abs(), (3, 3), 2).flatten(1)
        return torch.cat([across, functional.avg_pool2d(grey.diff(dim=2).abs(), (3, 3), 2).flatten(1)], 1)

    return sum((edges(picture, box) - edges(before, box)).abs().mean(1) for box in RIMS) / len(RIMS)


def inside(side: int, device: torch.device | str = "cpu") -> Tensor:
    """Where the face stands in FFHQ's frame: (side, side), 1 in it, 0 around it, softly."""
    at = torch.linspace(0, 1, side, device=device)
    away = (((at[None] - 0.5) / 0.30) ** 2 + ((at[:, None] - 0.60) / 0.38) ** 2).sqrt()
    return torch.sigmoid(18 * (1 - away))


def around(picture: Tensor, before: Tensor) -> Tensor:
    """How much changes outside the face."""
    outside = 1 - inside(picture.shape[-1], picture.device)
    return ((picture - before).abs().mean(1) * outside).mean((1, 2))


def light(picture: Tensor, before: Tensor) -> Tensor:
    """How much light and colour of the face change, coarsely."""
    change = (picture - before) * inside(picture.shape[-1], picture.device)
    return functional.avg_pool2d(change, picture.shape[-1] // 16).abs().mean((1, 2, 3))
