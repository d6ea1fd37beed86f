"""One picture to one aligned face."""

from dataclasses import dataclass

import numpy as np

from fersyn.errors import NoFace
from fersyn.faces.align import Alignment, fit
from fersyn.faces.detect import SMALLEST, Box, find_faces
from fersyn.faces.landmarks import find_landmarks


@dataclass(frozen=True)
class Face:
    """An aligned face and how it was cut out.

    Attributes:
        crop: uint8 RGB (size, size, 3).
        landmarks: float (68, 2), px of the crop.
        alignment: between the picture and the crop.
        box: dlib's box, px of the picture.
    """

    crop: np.ndarray
    landmarks: np.ndarray
    alignment: Alignment
    box: Box


def crop_face(image: np.ndarray, size: int = 128) -> Face:
    """Find the largest face of a uint8 RGB picture (H, W, 3) and align it; raises NoFace with the reason.

    Example:
        >>> face = crop_face(photo)                                # doctest: +SKIP
        >>> photo = face.alignment.paste(edited, photo)            # doctest: +SKIP
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        raise NoFace(f"too small to hold a face ({width}x{height} px)")
    boxes = find_faces(image)
    if not boxes:
        raise NoFace(f"no face found ({width}x{height} px, also tried enlarged)")
    points = find_landmarks(image, boxes[0])
    alignment = fit(points, size)
    return Face(alignment.warp(image), alignment.apply(points), alignment, boxes[0])
