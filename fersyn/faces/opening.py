"""Where a mouth is open, read off its inner lips: the one place in a face that new landmarks fill with new matter. [ours]"""

import torch
from torch import Tensor

UPPER = (60, 61, 62, 63, 64)  # inner lips from corner to corner, along the upper lip
LOWER = (60, 67, 66, 65, 64)  # and along the lower one


def opening(landmarks: Tensor, size: int) -> Tensor:
    """Draw the area between the inner lips.

    Args:
        landmarks: (N, 68, 2), (x, y) px with pixel centres at whole numbers, of pictures of `size` px; any device.
        size: side of the map, px.

    Returns:
        (N, 1, size, size) in [0, 1], float32: which part of each pixel lies between the lips. A closed mouth is black.
    """
    points = landmarks.float()
    line = torch.arange(size, device=points.device, dtype=torch.float32)
    upper, lower = (_height(points[:, list(lip)], line) for lip in (UPPER, LOWER))
    left, right = points[:, UPPER[0], :1], points[:, UPPER[-1], :1]
    wide = _covered(line, left, right)
    return (_covered(line[:, None], upper[:, None], lower[:, None]) * wide[:, None])[:, None]


def _height(curve: Tensor, x: Tensor) -> Tensor:
    """y (N, S) of curves through points (N, K, 2), at x (S,); beyond their ends as at the ends."""
    start, step = curve[:, :-1], curve[:, 1:] - curve[:, :-1]
    part = ((x - start[..., :1]) / step[..., :1].clamp(min=1e-3)).clamp(0, 1)  # (N, K - 1, S)
    return curve[:, :1, 1] + (part * step[..., 1:]).sum(1)


def _covered(place: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Part of each pixel, centred at `place`, between `low` and `high`."""
    return (torch.minimum(place + 0.5, high) - torch.maximum(place - 0.5, low)).clamp(0, 1)
