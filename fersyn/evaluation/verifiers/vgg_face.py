"""VGG-Face with the authors' weights: a column of Table 6 of Li, Qi & Sun."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import nn

from fersyn.evaluation.verifiers.base import check_input, cure, present
from fersyn.evaluation.verifiers.loading import load
from fersyn.faces import align
from fersyn.nets import vgg_face


@lru_cache(maxsize=1)
def _network() -> nn.Module:
    from fersyn import weights

    # Half a gigabyte of first weights would be drawn only to be replaced.
    with torch.device("meta"):
        network = vgg_face.VGGFace()
    return load(network.to_empty(device="cpu"), weights.state_dict("vgg-face"), "vgg-face", "fc8")


@torch.inference_mode()
def describe(network: nn.Module, images: np.ndarray, landmarks: np.ndarray, batch: int = 8) -> np.ndarray:
    """Descriptors float32 (N, D) of faces uint8 RGB (N, H, W, 3), cut out by their landmarks (N, 68, 2) px.

    The crop is the kit's own [ours: the authors aligned with a detector of theirs]: forehead to chin, eyes level.
    """
    check_input(images, landmarks)
    found = [np.zeros((0, network.fc7.out_features), np.float32)]
    for start in range(0, len(images), batch):
        part = zip(images[start : start + batch], landmarks[start : start + batch], strict=True)
        faces = np.stack([align.fit(points, vgg_face.SIZE).warp(image) for image, points in part])
        found.append(network(torch.from_numpy(faces).permute(0, 3, 1, 2).float()).numpy())
    return np.concatenate(found)


class VGGFace:
    """`fc7` of VGG-Face; 4096 numbers, cosine (their distance of vectors of length 1 gives the same order)."""

    name, title, score, weights = "vgg-face", "VGG-Face", "cosine", "vgg-face"
    how = cure(weights)

    def available(self) -> bool:
        """Whether the file is in the cache."""
        return present(self.weights)

    def embed(self, images, landmarks):
        """See `Verifier.embed`."""
        return describe(_network(), images, landmarks)
