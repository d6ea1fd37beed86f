"""Verifiers whose networks torch runs: LightCNN and VGG-Face, the columns of Table 6 of Li, Qi & Sun with their authors'
weights, and a LightCNN-9 that the kit has trained itself (`fersyn train-verifier`): a stand-in, and named so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fersyn import weights
from fersyn.evaluation.verifiers.base import check_input, load, present
from fersyn.faces import align
from fersyn.faces.crop import light_cnn_crop
from fersyn.nets import light_cnn, vgg_face
from fersyn.weights import cure


@torch.inference_mode()
def _in_batches(network: nn.Module, images, landmarks, batch: int, width: int, cut: Callable, seen: Callable):
    """Descriptors float32 (N, width) of faces uint8 RGB (N, H, W, 3): `cut` with its landmarks each, and `seen` as the
    network wants a batch of them.
    """
    check_input(images, landmarks)
    found = [np.zeros((0, width), np.float32)]
    for start in range(0, len(images), batch):
        part = zip(images[start : start + batch], landmarks[start : start + batch], strict=True)
        faces = torch.from_numpy(np.stack([cut(image, points) for image, points in part]))
        found.append(network(seen(faces)).numpy())
    return np.concatenate(found)


def describe(network: nn.Module, images: np.ndarray, landmarks: np.ndarray, batch: int = 32) -> np.ndarray:
    """LightCNN's descriptors float32 (N, 256) of faces uint8 RGB (N, H, W, 3) with landmarks (N, 68, 2) px."""
    return _in_batches(
        network, images, landmarks, batch, light_cnn.FEATURES, light_cnn_crop,
        lambda grey: grey[:, None].float().div_(255),
    )  # fmt: skip


def describe_vgg(network: nn.Module, images: np.ndarray, landmarks: np.ndarray, batch: int = 8) -> np.ndarray:
    """VGG-Face's descriptors float32 (N, D) of faces uint8 RGB (N, H, W, 3) with landmarks (N, 68, 2) px.

    The crop is the kit's own [ours: the authors aligned with a detector of theirs]: forehead to chin, eyes level.
    """
    return _in_batches(
        network, images, landmarks, batch, network.fc7.out_features,
        lambda image, points: align.fit(points, vgg_face.SIZE).warp(image),
        lambda faces: faces.permute(0, 3, 1, 2).float(),
    )  # fmt: skip


@lru_cache(maxsize=3)
def _light_cnn(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        return load(light_cnn.network(name), weights.state_dict(name), name, "fc2")


@lru_cache(maxsize=1)
def _vgg_face() -> nn.Module:
    # Half a gigabyte of first weights would be drawn only to be replaced.
    with torch.device("meta"):
        network = vgg_face.VGGFace()
    return load(network.to_empty(device="cpu"), weights.state_dict("vgg-face"), "vgg-face", "fc8")


@lru_cache(maxsize=2)
def _trained(run: Path, written: float) -> nn.Module:
    from fersyn.training import checkpoint

    with torch.random.fork_rng(devices=[]):
        return load(light_cnn.LightCNN9(), checkpoint.read(run)["networks"]["verifier"], str(run), "fc2")


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
        return describe(_light_cnn(self.name), images, landmarks)


class VGGFace:
    """`fc7` of VGG-Face; 4096 numbers, cosine (their distance of vectors of length 1 gives the same order)."""

    name, title, score, weights = "vgg-face", "VGG-Face", "cosine", "vgg-face"
    how = cure(weights)

    def available(self) -> bool:
        """Whether the file is in the cache."""
        return present(self.weights)

    def embed(self, images, landmarks):
        """See `Verifier.embed`."""
        return describe_vgg(_vgg_face(), images, landmarks)


class Trained:
    """The verifier of a run folder; 256 numbers, cosine.

    Raises:
        FersynError: the folder holds no verifier.
    """

    name, score, weights = "light-cnn-9-trained", "cosine", ""

    def __init__(self, run: str | Path):
        from fersyn.training.verifier import read_about

        self.run = Path(run)
        self.about = read_about(self.run)
        self.title = f"LightCNN-9, trained on {self.about['kind']} people"
        self.how = f"fersyn train-verifier --out {run}"

    def available(self) -> bool:
        """Whether a checkpoint is there."""
        from fersyn.training import checkpoint

        return checkpoint.find(self.run) is not None

    @property
    def people(self) -> set[str]:
        """Whom it was trained on, as 'dataset/subject'."""
        from fersyn.training.runs import trained_people

        return trained_people(self.run)

    def embed(self, images, landmarks):
        """See `Verifier.embed`."""
        from fersyn.training import checkpoint

        file = checkpoint.find(self.run)
        return describe(_trained(self.run, file.stat().st_mtime if file else 0.0), images, landmarks)
