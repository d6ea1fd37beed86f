"""Landmark error against known positions, as a share of the inter-ocular distance."""

import numpy as np

from fersyn.faces.landmarks import GROUPS

# Points that lie on an edge of a rendered face, the rims of lids and lips, and so owe their place to no detector: eyes,
# corners of the mouth, inner lips. The other 46 were set at dlib's own median (fersyn.rendering.landmarks).
INDEPENDENT = (*GROUPS["eyes"], 48, 54, *range(60, 68))


def interocular(landmarks: np.ndarray) -> np.ndarray:
    """Distance (N,) of the outer eye corners, points 37 and 46 (36 and 45 counted from 0), of landmarks (N, 68, 2); px.

    The normalisation of the 300-W challenge (Sagonas et al., 2013).
    """
    return np.linalg.norm(landmarks[:, 36] - landmarks[:, 45], axis=-1)


def errors(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance (N, 68) of each found landmark from the true one, in % of the true inter-ocular distance.

    Args:
        found: (N, 68, 2) px.
        truth: (N, 68, 2) px of the same pictures.

    Raises:
        ValueError: shapes differ.
    """
    if found.shape != truth.shape:
        raise ValueError(f"found {found.shape} and true landmarks {truth.shape} differ in shape")
    return 100 * np.linalg.norm(found - truth, axis=-1) / interocular(truth)[:, None]


def by_group(error: np.ndarray) -> dict[str, float]:
    """Mean error of jaw, brows, nose, eyes and lips, of errors (N, 68)."""
    return {name: float(error[:, list(points)].mean()) for name, points in GROUPS.items()}


def known(rows) -> np.ndarray:
    """Which rows (N,) of a table bring true landmarks."""
    return np.array([points is not None for points in rows["truth_landmarks"]], bool)


def truth_of(rows) -> np.ndarray:
    """True landmarks float32 (N, 68, 2), px of the crop, of rows that all bring them."""
    return np.array([np.stack(list(points)) for points in rows["truth_landmarks"]], np.float32).reshape(-1, 68, 2)
