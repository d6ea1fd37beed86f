"""Variation of pairs, alike on source and target, so that what was learnt on few or rendered people holds on
photographs. [ours]

Mirror image, small turn, scale and shift (the landmarks go along), brightness, contrast, colour, gamma, loss of colour
and blur. All is drawn on the CPU from a numpy generator, so that a batch is the same on every device (up to rounding).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fersyn.faces.landmarks import MIRROR
from fersyn.pixels import constant, grey, onto

Variation = dict[str, np.ndarray]  # what happens to each of N pairs; made by `draw`


def draw(count: int, strength: float, random: np.random.Generator) -> Variation:
    """Draw a variation for `count` pairs; `strength` in 0..1 scales every range (mirror images: half of the pairs).

    Returns:
        float64 (count,) each, `gain` (count, 3): mirror, grey, moved (0 or 1); turn (radians), scale (factor), shift_x and
        shift_y (parts of the side); brightness (added to values in 0..1), contrast, saturation, gain (factors), gamma
        (exponent); blur (standard deviation, part of the side; 0 none).
    """
    a = float(strength)

    def around(spread: float, *more: int) -> np.ndarray:
        return a * spread * random.uniform(-1, 1, (count, *more))

    def happens(chance: float) -> np.ndarray:
        return (random.uniform(size=count) < chance).astype(np.float64)

    return dict(
        mirror=happens(0.5 if a > 0 else 0.0),
        moved=happens(0.7 if a > 0 else 0.0),  # the others keep their pixels: sampling anew softens them
        turn=around(np.radians(8)),
        scale=np.exp(around(0.10)),
        shift_x=around(0.04),
        shift_y=around(0.04),
        brightness=around(0.12),
        contrast=np.exp(around(0.30)),
        saturation=np.exp(around(0.50)),
        gain=np.exp(around(0.10, 3)),
        gamma=np.exp(around(0.30)),
        grey=happens(0.15 * a),
        blur=happens(0.3 * a) * random.uniform(0.3, 1.2, count) / 128,
    )


def apply(variation: Variation, images: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Vary N pictures.

    Args:
        variation: of the N pictures.
        images: (N, 3, H, H) in [-1, 1].
        landmarks: (N, 68, 2), (x, y) px.

    Returns:
        pictures and landmarks of the same shapes, on the same device; new tensors.
    """
    images, landmarks = _mirror(variation, images, landmarks)
    images, landmarks = _move(variation, images, landmarks)
    return _blur(variation, _colour(variation, images)), landmarks


def _mirror(variation: Variation, images: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    chosen = onto(torch.from_numpy(variation["mirror"] > 0), images.device)
    flipped = landmarks[:, constant(MIRROR, landmarks.device)]
    flipped = torch.stack([images.shape[-1] - 1 - flipped[..., 0], flipped[..., 1]], -1)
    return (
        torch.where(chosen[:, None, None, None], images.flip(-1), images),
        torch.where(chosen[:, None, None], flipped, landmarks),
    )


def _move(variation: Variation, images: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """Turn, scale and shift about the middle; the edge is repeated outside."""
    rows = np.flatnonzero(variation["moved"])
    if not len(rows):
        return images, landmarks
    part = {name: variation[name][rows] for name in ("turn", "scale", "shift_x", "shift_y")}
    cos, sin = np.cos(part["turn"]) * part["scale"], np.sin(part["turn"]) * part["scale"]
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)  # (n, 2, 2), old to new
    shift = np.stack([part["shift_x"], part["shift_y"]], -1) * 2  # in affine_grid's unit: the side is 2
    # affine_grid goes from the new picture to the old; its coordinates are (pixel + 0.5) / side * 2 - 1.
    back = np.linalg.inv(linear)
    theta = np.concatenate([back, -(back @ shift[..., None])], -1)
    tensor = onto(torch.from_numpy(theta).to(images.dtype), images.device)
    chosen = onto(torch.from_numpy(rows), images.device)
    old = images[chosen]
    grid = F.affine_grid(tensor, list(old.shape), align_corners=False)
    new = F.grid_sample(old, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp_(-1, 1)
    side = images.shape[-1]
    unit = (landmarks[chosen] + 0.5) / side * 2 - 1
    turn, shift = (onto(torch.from_numpy(each).to(unit.dtype), unit.device) for each in (linear, shift))
    moved = (unit[:, :, None] * turn[:, None]).sum(-1) + shift[
        :, None
    ]  # no matrix product: TF32 would lose tenths of a px
    return images.index_copy(0, chosen, new), landmarks.index_copy(0, chosen, (moved + 1) / 2 * side - 0.5)


def _colour(variation: Variation, images: Tensor) -> Tensor:
    def each(values: np.ndarray) -> Tensor:
        return onto(torch.from_numpy(values).to(images.dtype), images.device).reshape(len(values), -1, 1, 1)

    light = images.mul(0.5).add_(0.5).clamp_(1e-4, 1)
    light = light.pow(each(variation["gamma"])) * each(variation["gain"])  # not in place: a guide wants gradients
    light = torch.lerp(grey(light), light, each(variation["saturation"] * (1 - variation["grey"])))
    # About a fixed grey and not each picture's mean: source and target must change alike.
    light = light.sub_(0.5).mul_(each(variation["contrast"])).add_(0.5 + each(variation["brightness"]))
    return light.clamp_(0, 1).mul_(2).sub_(1)


def _blur(variation: Variation, images: Tensor) -> Tensor:
    rows = np.flatnonzero(variation["blur"])
    if not len(rows):
        return images
    chosen = onto(torch.from_numpy(rows), images.device)
    sigma = onto(torch.from_numpy(variation["blur"][rows] * images.shape[-1]).to(images.dtype), images.device)
    reach = max(1, int(np.ceil(3 * variation["blur"].max() * images.shape[-1])))
    offset = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernel = torch.softmax(-(offset**2) / (2 * sigma[:, None] ** 2), -1).repeat_interleave(3, 0)  # (3 n, taps)
    old = images[chosen].flatten(0, 1)[None]
    groups = old.shape[1]
    new = F.conv2d(F.pad(old, (reach, reach, 0, 0), "replicate"), kernel[:, None, None, :], groups=groups)
    new = F.conv2d(F.pad(new, (0, 0, reach, reach), "replicate"), kernel[:, None, :, None], groups=groups)
    return images.index_copy(0, chosen, new.reshape(len(rows), *images.shape[1:]))
