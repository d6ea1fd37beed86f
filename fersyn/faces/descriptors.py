"""dlib's face ResNet (King, 2017), in the package face_recognition_models and so always there: 128 numbers a face, by which
a person is known again.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from fersyn.faces.landmarks import model_path

FILE = "dlib_face_recognition_resnet_model_v1.dat"


@lru_cache(maxsize=1)
def _network():
    import dlib

    return dlib.face_recognition_model_v1(model_path(FILE))


def describe(images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 RGB pictures (H, W, 3) and the landmarks (68, 2) px of the face in each -> float64 (N, 128).

    Their length is about 1 to 1.5; by Euclidean distance two pictures of one person mostly lie closer than 0.6.

    Raises:
        FersynError: the model file is missing.
    """
    import dlib

    chips = []
    for image, points in zip(images, landmarks, strict=True):
        low, high = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int)
        shape = dlib.full_object_detection(
            dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1])),
            [dlib.point(round(float(x)), round(float(y))) for x, y in points],
        )
        chips.append(dlib.get_face_chip(np.ascontiguousarray(image), shape, size=150, padding=0.25))
    return np.array(_network().compute_face_descriptor(chips))
