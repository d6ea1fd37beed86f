"""SFace (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss", IEEE TIP 2021) as OpenCV's zoo has it, by
OpenCV's own `FaceRecognizerSF`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fersyn.evaluation.verifiers.base import check_input, cure, onnx, present
from fersyn.evaluation.verifiers.crops import five_points
from fersyn.evaluation.verifiers.opencv import quiet


@lru_cache(maxsize=1)
def _recogniser(path: str):
    import cv2

    with quiet():
        return cv2.FaceRecognizerSF.create(path, "")


class SFace:
    """A MobileFaceNet for 112 x 112 px; 128 numbers, cosine."""

    name, title, score, weights = "sface", "SFace", "cosine", "sface"
    how = cure(weights)

    def available(self) -> bool:
        """Whether the ONNX file is in the cache."""
        return present(self.weights)

    def embed(self, images, landmarks):
        """See `Verifier.embed`; the crop is OpenCV's, by five points made of the 68."""
        check_input(images, landmarks)
        recogniser = _recogniser(onnx(self))
        found = np.zeros((len(images), 128), np.float32)
        for row, (image, points) in enumerate(zip(images, five_points(landmarks), strict=True)):
            face = np.zeros((1, 15), np.float32)  # box, five points, confidence, as OpenCV's detector gives them
            face[0, 4:14] = points.ravel()
            chip = recogniser.alignCrop(np.ascontiguousarray(image[..., ::-1]), face)
            found[row] = recogniser.feature(chip)[0]
        return found
