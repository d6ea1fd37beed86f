"""Find faces with dlib's frontal detector (HOG and a linear SVM over a pyramid; King, JMLR 2009, and Kazemi &
Sullivan, CVPR 2014).
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

# The detector's window is 80 px, so that at a long side of 320 px it finds faces that fill a quarter of the picture or
# more: portraits and frames of expression sets. Time grows with the area (6 ms at 320 px, 26 ms at 640 px), hence small
# first, and larger only where nothing was found.
FIRST_TRY = 320
SECOND_TRY = 1000
LAST_TRY_UPSAMPLED = 1600
SMALLEST = 20  # px: a picture whose shorter side is less holds no face that could be aligned


class Box(NamedTuple):
    """A face's box in px of the picture (float; may reach over its edge) with the detector's score."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0.0

    @property
    def area(self) -> float:
        """Width times height, px^2."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


@lru_cache(maxsize=1)
def _detector():
    import dlib

    return dlib.get_frontal_face_detector()


def find_faces(image: np.ndarray) -> list[Box]:
    """Return the boxes of all faces found in a uint8 RGB picture (H, W, 3), the largest first; empty where there are
    none.

    First on a copy of at most 320 px, then, if nothing is found, at 1000 px, then enlarged twice (at most to 1600 px).
    """
    if min(image.shape[:2]) < SMALLEST:
        return []
    tried = 0.0
    for scale in _scales(image):
        if scale <= tried * 1.05:
            continue
        boxes = _at_scale(image, scale)
        if boxes:
            return sorted(boxes, key=lambda box: (-box.area, box.left, box.top))
        tried = scale
    return []


def resize(image: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a copy `scale` times as large, antialiased when smaller, and the true factors (x, y), which rounding
    to whole px makes differ.
    """
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return image, np.ones(2)
    copy = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return copy, np.array([size[0] / width, size[1] / height])


def _scales(image: np.ndarray) -> list[float]:
    limits = ((1.0, FIRST_TRY), (1.0, SECOND_TRY), (2.0, LAST_TRY_UPSAMPLED))
    return [min(most, side / max(image.shape[:2])) for most, side in limits]


def _at_scale(image: np.ndarray, scale: float) -> list[Box]:
    copy, factors = resize(image, scale)
    fx, fy = map(float, factors)
    rectangles, scores, _ = _detector().run(np.ascontiguousarray(copy), 0, 0.0)
    # Pixel centres are whole numbers in both pictures: hence the halves.
    return [
        Box(
            (r.left() + 0.5) / fx - 0.5,
            (r.top() + 0.5) / fy - 0.5,
            (r.right() + 0.5) / fx - 0.5,
            (r.bottom() + 0.5) / fy - 0.5,
            float(s),
        )
        for r, s in zip(rectangles, scores, strict=True)
    ]


def find_all_faces(image: np.ndarray) -> list[Box]:
    """Return the boxes of all faces of a photograph of several people, the largest first.

    `find_faces` stops at the size at which it finds any; this looks at all sizes, and where two boxes show one face keeps
    the one that the detector is surer of.
    """
    boxes = sorted(
        (box for scale in set(_scales(image)) for box in _at_scale(image, scale)), key=lambda box: -box.score
    )
    kept: list[Box] = []
    for box in boxes:
        if all(_overlap(box, other) < 0.3 for other in kept):
            kept.append(box)
    return sorted(kept, key=lambda box: -box.area)


def _overlap(a: Box, b: Box) -> float:
    """Shared area over that of the smaller box."""
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    return max(0.0, width) * max(0.0, height) / max(min(a.area, b.area), 1e-9)
