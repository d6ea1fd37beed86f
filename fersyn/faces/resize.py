"""Faces and landmarks between the size that a network was trained for and the size that it is asked for."""

from torch import Tensor
from torch.nn import functional


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
