"""dlib's face ResNet: in the package face_recognition_models, so always there."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fersyn.errors import FersynError
from fersyn.evaluation.verifiers.base import check_input
from fersyn.faces.landmarks import model_path

FILE = "dlib_face_recognition_resnet_model_v1.dat"


@lru_cache(maxsize=1)
def _network():
    import dlib

    return dlib.face_recognition_model_v1(model_path(FILE))


class DlibFace:
    """King, 2017; trained on some 3 million photographs of 7485 people; 128 numbers, Euclidean distance."""

    name, title, score, weights = "dlib", "dlib ResNet", "euclidean", "dlib-face"
    how = "pip install face_recognition_models"

    def available(self) -> bool:
        """Whether the model file is installed."""
        try:
            return bool(model_path(FILE))
        except FersynError:
            return False

    def embed(self, images: np.ndarray, landmarks: np.ndarray, batch: int = 64) -> np.ndarray:
        """See `Verifier.embed`: float32 (N, 128), of length about 1 to 1.5; two pictures of one person mostly lie closer
        than 0.6. `batch` faces are given to the network at once.
        """
        import dlib

        check_input(images, landmarks)
        found = np.zeros((len(images), 128), np.float32)
        for start in range(0, len(images), batch):
            chips = []
            for image, points in zip(images[start : start + batch], landmarks[start : start + batch], strict=True):
                low, high = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int)
                shape = dlib.full_object_detection(
                    dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1])),
                    [dlib.point(round(float(x)), round(float(y))) for x, y in points],
                )
                chips.append(dlib.get_face_chip(np.ascontiguousarray(image), shape, size=150, padding=0.25))
            found[start : start + batch] = np.array(_network().compute_face_descriptor(chips))
        return found
