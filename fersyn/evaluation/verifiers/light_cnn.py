"""LightCNN-9, -29 and -29v2 with the authors' checkpoints: a column of Table 6 of Li, Qi & Sun."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import nn

from fersyn.evaluation.verifiers.base import check_input, cure, present
from fersyn.evaluation.verifiers.crops import light_cnn_crop
from fersyn.evaluation.verifiers.loading import load
from fersyn.nets import light_cnn


@lru_cache(maxsize=3)
def _network(name: str) -> nn.Module:
    from fersyn import weights

    with torch.random.fork_rng(devices=[]):
        return load(light_cnn.network(name), weights.state_dict(name), name, "fc2")


@torch.inference_mode()
def describe(network: nn.Module, images: np.ndarray, landmarks: np.ndarray, batch: int = 32) -> np.ndarray:
    """Descriptors float32 (N, 256) of faces uint8 RGB (N, H, W, 3), cut out by their landmarks (N, 68, 2) px."""
    check_input(images, landmarks)
    found = [np.zeros((0, light_cnn.FEATURES), np.float32)]
    for start in range(0, len(images), batch):
        part = zip(images[start : start + batch], landmarks[start : start + batch], strict=True)
        grey = torch.from_numpy(np.stack([light_cnn_crop(image, points) for image, points in part]))
        found.append(network(grey[:, None].float().div_(255)).numpy())
    return np.concatenate(found)


class LightCNN:
    """A published LightCNN; 256 numbers, cosine (as their paper compares them)."""

    score = "cosine"

    def __init__(self, name: str):
        self.name = self.weights = name
        self.title = name.replace("light-cnn", "LightCNN")
        self.how = cure(name)

    def available(self) -> bool:
        """Whether the checkpoint is in the cache."""
        return present(self.weights)

    def embed(self, images, landmarks):
        """See `Verifier.embed`."""
        return describe(_network(self.name), images, landmarks)
