"""Landmarks as pictures, for networks that take geometry: heat maps (Li, Qi & Sun, IEEE Access 9, 2021); and where the
mouth is open, the head, and what expressions fold [ours]. Made on the device, in batch.
"""

import torch
from torch import Tensor

from fersyn.pixels import constant

UPPER = (60, 61, 62, 63, 64)  # inner lips from corner to corner, along the upper lip
LOWER = (60, 67, 66, 65, 64)  # and along the lower one
FOLD = 0.04  # width of a fold's surroundings, part of the side


def heatmaps(landmarks: Tensor, size: int | tuple[int, int] = 128, sigma: float = 2.0, channels: int = 1) -> Tensor:
    """Draw a Gaussian of height 1 at every landmark.

    The Gaussian is separable, so that a map is the outer product of a row and a column. The paper gives neither
    channels nor width. [ours]

    Args:
        landmarks: (N, K, 2), (x, y) px with pixel centres at whole numbers; any device. Points outside leave only the
            tail that reaches in.
        size: side of the maps in px, or (height, width).
        sigma: standard deviation, px.
        channels: K (68) for a map a point, 1 for the maximum over the points.

    Returns:
        (N, channels, height, width) in [0, 1], float32 (or float64 for float64 landmarks), on the device of the
        landmarks.

    Raises:
        ValueError: wrong shape, channels or sigma.

    Example:
        >>> heatmaps(torch.zeros(2, 68, 2), size=64).shape
        torch.Size([2, 1, 64, 64])
    """
    if landmarks.ndim != 3 or landmarks.shape[-1] != 2:
        raise ValueError(f"landmarks must be (N, K, 2), got {tuple(landmarks.shape)}")
    points = landmarks.shape[1]
    if channels not in (1, points):
        raise ValueError(f"channels must be 1 or {points} (one a landmark), got {channels}")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    height, width = (size, size) if isinstance(size, int) else size
    if not landmarks.dtype == torch.float64:
        landmarks = landmarks.float()
    columns = _gauss(landmarks[..., 0], width, sigma)  # (N, K, W)
    rows = _gauss(landmarks[..., 1], height, sigma)  # (N, K, H)
    if channels == points and channels != 1:
        return rows[..., :, None] * columns[..., None, :]
    # On a CPU point by point, which stay in its cache; on a GPU, which waits for each call, all at once: 140 MB for 32 faces.
    parts = zip(*(each.split(1 if each.device.type == "cpu" else points, 1) for each in (rows, columns)), strict=True)
    out = landmarks.new_zeros(landmarks.shape[0], height, width)
    for row, column in parts:
        out = torch.maximum(out, (row[..., :, None] * column[..., None, :]).amax(1))
    return out[:, None]


def head(landmarks: Tensor, size: int) -> Tensor:
    """Where an expression can change a picture: 1 inside the head, fading to 0 at ears, hair and neck.

    An ellipse round the landmarks, wide enough for a dropped jaw and raised brows.

    Args:
        landmarks: (N, 68, 2), (x, y) px of square pictures of `size` px.
        size: side of the map, px.

    Returns:
        (N, 1, size, size) in [0, 1], float32.
    """
    points = landmarks.float()
    centre = (points[:, 27] + points[:, 8]) / 2
    jaw = points[:, :17, 0]
    wide, tall = (jaw.amax(1) - jaw.amin(1)) * 0.60, (points[:, 8] - points[:, 27]).norm(dim=-1) * 0.98
    line = torch.arange(size, device=points.device, dtype=torch.float32)
    x, y = ((line - centre[:, k, None]) / half[:, None].clamp(min=1e-3) for k, half in enumerate((wide, tall)))
    inside = ((1.15 - torch.hypot(x[:, None, :], y[:, :, None])) / 0.3).clamp(0, 1)
    return (inside * inside * (3 - 2 * inside))[:, None]


def folds(landmarks: Tensor, size: int) -> Tensor:
    """Where expressions bring what no bending can: mouth, eyes, brows, and the folds beside and between them.

    Args and returns: as `head`.
    """
    p = landmarks.float()

    def beyond(start: int, end: int, part: float) -> Tensor:  # the point that lies a part of the way beyond `end`
        return p[:, end] + part * (p[:, end] - p[:, start])

    between = [(p[:, 21] + p[:, 22]) / 2, (p[:, 57] + p[:, 8]) / 2, beyond(39, 36, 0.4), beyond(42, 45, 0.4)]
    beside = [(p[:, 31] + p[:, 48]) / 2, (p[:, 35] + p[:, 54]) / 2, beyond(54, 48, 0.15), beyond(48, 54, 0.15)]
    forehead = [beyond(27, 21, 0.6), beyond(27, 22, 0.6), beyond(37, 19, 0.6), beyond(44, 24, 0.6)]
    places = torch.cat([p[:, 17:30], p[:, 31:], torch.stack(between + beside + forehead, 1)], 1)
    return heatmaps(places, size, FOLD * size)


def _gauss(centres: Tensor, length: int, sigma: float) -> Tensor:
    grid = torch.arange(length, device=centres.device, dtype=centres.dtype)
    return torch.exp(-((grid - centres[..., None]) ** 2) / (2 * sigma**2))


def opening(landmarks: Tensor, size: int) -> Tensor:
    """Draw the area between the inner lips: the one place in a face that new landmarks fill with new matter.

    Args:
        landmarks: (N, 68, 2), (x, y) px with pixel centres at whole numbers, of pictures of `size` px; any device.
        size: side of the map, px.

    Returns:
        (N, 1, size, size) in [0, 1], float32: which part of each pixel lies between the lips. A closed mouth is black.
    """
    points = landmarks.float()
    line = torch.arange(size, device=points.device, dtype=torch.float32)
    upper, lower = (_height(points[:, constant(lip, points.device)], line) for lip in (UPPER, LOWER))
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
