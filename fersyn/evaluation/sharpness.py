"""What an edit leaves of a photograph's sharpness: the variance of the Laplacian (Pech-Pacheco et al., ICPR 2000), as a part of that of
the photograph itself, inside the face; and over the pixels that do not have to move. [ours]
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from fersyn.nets.affine_flow import dense_flow

STILL = 0.01  # part of the side: pixels that landmarks bend less far need not move
LEAST = 0.05  # part of the face: with fewer pixels that need not move nothing is said


def inside(landmarks: np.ndarray, side: int) -> np.ndarray:
    """Where the faces are, within the convex hull of their landmarks (N, 68, 2) px: bool (N, side, side)."""
    masks = np.zeros((len(landmarks), side, side), np.uint8)
    for mask, points in zip(masks, landmarks, strict=True):
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 1)
    return masks.astype(bool)


def unmoved(source: np.ndarray, target: np.ndarray, side: int) -> np.ndarray:
    """Which pixels of the faces need not move, bool (N, side, side), where landmarks (N, 68, 2) px go from source to target:
    inside both faces, and bent less than STILL by the triangles between the landmarks.
    """
    points = (torch.from_numpy(np.asarray(each, np.float32)) for each in (source, target))
    far = dense_flow(*points, side).norm(dim=1).numpy()
    return (far < STILL * side) & inside(source, side) & inside(target, side)


def variance(pictures: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Variance of the Laplacian of pictures' luma, uint8 RGB (N, H, W, 3), over masks (N, H, W): (N,); NaN where one is empty."""
    found = []
    for picture, mask in zip(pictures, masks, strict=True):
        edges = cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)[mask]
        found.append(float(edges.var()) if len(edges) else float("nan"))
    return np.array(found)


def kept(made: np.ndarray, source: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Sharpness kept inside the face (N,), 1 as the photograph's: the edited pictures' over that of the photographs.

    Args:
        made, source: uint8 RGB (N, H, H, 3).
        before, after: landmarks (N, 68, 2) px, of the photographs and those asked for.
    """
    side = source.shape[1]
    return variance(made, inside(after, side)) / variance(source, inside(before, side))


def kept_still(made: np.ndarray, source: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The same over the pixels that need not move; NaN where these are too few."""
    side = source.shape[1]
    still, face = unmoved(before, after, side), inside(before, side)
    enough = still.mean((1, 2)) > LEAST * face.mean((1, 2))
    return np.where(enough, variance(made, still) / variance(source, still), np.nan)
