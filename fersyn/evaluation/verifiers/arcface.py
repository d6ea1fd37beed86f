"""ArcFace (Deng et al., CVPR 2019) on MobileFaceNet, InsightFace's `w600k_mbf`: small and strong, for research only."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from fersyn.evaluation.verifiers.base import check_input, cure, onnx, present
from fersyn.evaluation.verifiers.crops import arcface_crop
from fersyn.evaluation.verifiers.opencv import quiet


@lru_cache(maxsize=1)
def _network(path: str):
    import cv2

    with quiet():
        return cv2.dnn.readNetFromONNX(path)


class ArcFace:
    """112 x 112 px, RGB in [-1, 1]; 512 numbers, cosine."""

    name, title, score, weights = "arcface-mbf", "ArcFace MobileFaceNet", "cosine", "arcface-mbf"
    how = cure(weights)

    def available(self) -> bool:
        """Whether the ONNX file is in the cache."""
        return present(self.weights)

    def embed(self, images, landmarks):
        """See `Verifier.embed`."""
        import cv2

        check_input(images, landmarks)
        network = _network(onnx(self))
        found = np.zeros((len(images), 512), np.float32)
        for row, (image, points) in enumerate(zip(images, landmarks, strict=True)):
            chip = arcface_crop(image, points)
            with quiet():
                network.setInput(cv2.dnn.blobFromImage(chip, 1 / 127.5, (112, 112), (127.5,) * 3))
                found[row] = network.forward()[0]
        return found
