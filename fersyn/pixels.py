"""Faces as bytes (uint8 in 0..255, where they are kept or shown), as floats (float32 in [-1, 1], where networks see them), and
at the size that a network was trained for.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def onto(values: Tensor, device: torch.device | str) -> Tensor:
    """A tensor of the host on a device, where the host does not wait until a GPU has come to it."""
    return values.to(device, non_blocking=values.device.type == "cpu")


@lru_cache(maxsize=256)
def constant(values: Sequence, device: torch.device) -> Tensor:
    """Numbers that never change (tuples of them), on a device: copied there once in a process. Never write to it."""
    with torch.inference_mode(False):
        return torch.tensor(values).to(device)


def to_tensor(images: np.ndarray) -> Tensor:
    """Bytes as OpenCV and Pillow hold them, uint8 (N, H, W, 3), as torch holds them, uint8 (N, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).contiguous()


def to_floats(pixels: Tensor | np.ndarray) -> Tensor:
    """Bytes, uint8 of any shape, as float32 in [-1, 1]; a tensor stays on its device.

    >>> to_floats(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-1.,  1.])
    """
    return torch.as_tensor(pixels).float().div_(127.5).sub_(1)


def to_bytes(faces: Tensor) -> Tensor:
    """Faces in [-1, 1] (what lies outside is clamped) as uint8, rounded, detached, on the device where they are.

    >>> to_bytes(torch.tensor([-1.0, 0.0, 3.0]))
    tensor([  0, 128, 255], dtype=torch.uint8)
    """
    return ((faces.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def to_images(pixels: Tensor) -> np.ndarray:
    """Bytes, uint8 (N, 3, H, W) on any device, as pictures, uint8 (N, H, W, 3)."""
    return np.ascontiguousarray(pixels.cpu().permute(0, 2, 3, 1).numpy())


def grey(faces: Tensor) -> Tensor:
    """RGB (N, 3, H, W) -> luma of ITU-R BT.601 (N, 1, H, W), as OpenCV and most trainings on grey faces have it."""
    return (faces * constant((0.299, 0.587, 0.114), faces.device)[:, None, None]).sum(1, keepdim=True)


def resize(faces: Tensor, size: int) -> Tensor:
    """Faces (N, 3, H, H) at another size (bilinear, antialiased); the same tensor where nothing changes.

    Raises:
        ValueError: not square colour faces.
    """
    if faces.ndim != 4 or faces.shape[1] != 3 or faces.shape[2] != faces.shape[3]:
        raise ValueError(f"faces must be (N, 3, H, H), got {tuple(faces.shape)}")
    if faces.shape[2] == size:
        return faces
    if not len(faces):  # interpolate refuses an empty batch
        return faces.new_zeros(0, 3, size, size)
    return functional.interpolate(faces, (size, size), mode="bilinear", antialias=True, align_corners=False)


def rescale(landmarks: Tensor, before: int, after: int) -> Tensor:
    """Landmarks in px of a picture of side `before` -> of side `after` (pixel centres at whole numbers)."""
    return landmarks if before == after else (landmarks + 0.5) * (after / before) - 0.5
