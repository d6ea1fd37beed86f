"""Verifiers whose networks OpenCV runs from an ONNX file: SFace, ArcFace. OpenCV computes on the CPU; on a GPU torch runs SFace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch

from fersyn import weights
from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.evaluation.verifiers.base import Verifier
from fersyn.faces.crop import arcface_crop, five_points
from fersyn.nets import sface
from fersyn.pixels import to_floats, to_tensor


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


class _Onnx(Verifier):
    """What both share: a subclass says how its file is opened, and how one face is described."""

    def __init__(self):
        self.weights, self.how = self.name, weights.cure(self.name)

    def describe(self, images, landmarks):
        """See `Verifier.describe`."""
        path = weights.find(self.weights)
        if path is None:
            raise FersynError(f"the weights of {self.title} are missing: {self.how}")
        return [self.one(_opened(type(self), str(path)), *face) for face in zip(images, landmarks, strict=True)]


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

    def embed(self, images, landmarks):
        """See `Verifier.embed`; the numbers of a GPU differ from OpenCV's by rounding alone."""
        self.batch = 1 if default_device().type == "cpu" else 64
        return super().embed(images, landmarks)

    @torch.inference_mode()
    def describe(self, images, landmarks):
        """See `Verifier.describe`."""
        if (device := default_device()).type == "cpu" or not self.available():
            return super().describe(images, landmarks)
        aligner = _opened(type(self), str(weights.find(self.weights)))
        cut = [self.cut(aligner, *face)[..., ::-1] for face in zip(images, landmarks, strict=True)]
        return _sface(str(device))(to_floats(to_tensor(np.stack(cut))).to(device)).cpu().numpy()

    @staticmethod
    def cut(network, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The face as it sees it, uint8 BGR (112, 112, 3)."""
        face = np.zeros((1, 15), np.float32)  # box, five points, confidence, as OpenCV's detector gives them
        face[0, 4:14] = five_points(points).ravel()
        return network.alignCrop(np.ascontiguousarray(image[..., ::-1]), face)

    @staticmethod
    def one(network, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Its numbers for one face."""
        return network.feature(SFace.cut(network, image, points))[0]


@lru_cache(maxsize=1)
def _sface(device: str):
    return sface.load().to(device)


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
    def one(network, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Its numbers for one face."""
        import cv2

        with quiet():
            network.setInput(cv2.dnn.blobFromImage(arcface_crop(image, points), 1 / 127.5, (112, 112), (127.5,) * 3))
            return network.forward()[0]
