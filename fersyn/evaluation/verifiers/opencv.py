"""Verifiers whose networks OpenCV runs from an ONNX file: SFace, ArcFace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.evaluation.verifiers.base import check_input, present
from fersyn.faces.crop import arcface_crop, five_points


@contextmanager
def quiet() -> Iterator[None]:
    """OpenCV's log, which would stand on a notebook's page, says only errors within the `with`."""
    from cv2.utils import logging

    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        logging.setLogLevel(before)


class _Onnx:
    """What both share; a subclass says how its file is opened, and how a face is described."""

    name: str
    title: str
    width: int  # numbers of a descriptor
    score = "cosine"

    def __init__(self):
        self.weights, self.how = self.name, weights.cure(self.name)

    def available(self) -> bool:
        """Whether the ONNX file is in the cache."""
        return present(self.weights)

    def embed(self, images, landmarks):
        """See `Verifier.embed`."""
        check_input(images, landmarks)
        path = weights.find(self.weights)
        if path is None:
            raise FersynError(f"the weights of {self.title} are missing: {self.how}")
        network = _opened(type(self), str(path))
        found = np.zeros((len(images), self.width), np.float32)
        for row, (image, points) in enumerate(zip(images, landmarks, strict=True)):
            found[row] = self.describe(network, image, points)
        return found


@lru_cache(maxsize=2)
def _opened(kind: type, path: str):
    with quiet():
        return kind.open(path)


class SFace(_Onnx):
    """A MobileFaceNet for 112 x 112 px; 128 numbers, cosine. By OpenCV's own `FaceRecognizerSF`, from its zoo.

    Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss", IEEE TIP 2021. The crop is OpenCV's, by five points made
    of the 68.
    """

    name, title, width = "sface", "SFace", 128

    @staticmethod
    def open(path: str):
        """The network of a file."""
        import cv2

        return cv2.FaceRecognizerSF.create(path, "")

    @staticmethod
    def describe(network, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """One face."""
        face = np.zeros((1, 15), np.float32)  # box, five points, confidence, as OpenCV's detector gives them
        face[0, 4:14] = five_points(points).ravel()
        return network.feature(network.alignCrop(np.ascontiguousarray(image[..., ::-1]), face))[0]


class ArcFace(_Onnx):
    """ArcFace (Deng et al., CVPR 2019) on MobileFaceNet, InsightFace's `w600k_mbf`: small and strong, for research only.

    112 x 112 px, RGB in [-1, 1]; 512 numbers, cosine.
    """

    name, title, width = "arcface-mbf", "ArcFace MobileFaceNet", 512

    @staticmethod
    def open(path: str):
        """The network of a file."""
        import cv2

        return cv2.dnn.readNetFromONNX(path)

    @staticmethod
    def describe(network, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """One face."""
        import cv2

        chip = arcface_crop(image, points)
        with quiet():
            network.setInput(cv2.dnn.blobFromImage(chip, 1 / 127.5, (112, 112), (127.5,) * 3))
            return network.forward()[0]
