"""Verifiers whose networks torch runs: LightCNN and VGG-Face, the columns of Table 6 of Li, Qi & Sun with their authors'
weights, and a LightCNN-9 that the kit has trained itself (`fersyn train-verifier`): a stand-in, and named so.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from fersyn import weights
from fersyn.devices import default_device
from fersyn.evaluation.verifiers.base import Verifier, load
from fersyn.faces import align
from fersyn.faces.crop import light_cnn_crop
from fersyn.nets import light_cnn, vgg_face
from fersyn.weights import cure


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


def _described(network: nn.Module, faces: torch.Tensor) -> np.ndarray:
    device = default_device()
    return network.to(device)(faces.to(device)).cpu().numpy()


class LightCNN(Verifier):
    """A published LightCNN; 256 numbers, cosine (as their paper compares them)."""

    width, batch = light_cnn.FEATURES, 32

    def __init__(self, name: str):
        self.name = self.weights = name
        self.title = name.replace("light-cnn", "LightCNN")
        self.how = cure(name)

    def network(self) -> nn.Module:
        """As it describes faces."""
        return _light_cnn(self.name)

    @torch.inference_mode()
    def describe(self, images, landmarks):
        """See `Verifier.describe`."""
        grey = np.stack([light_cnn_crop(*face) for face in zip(images, landmarks, strict=True)])
        return _described(self.network(), torch.from_numpy(grey)[:, None].float().div_(255))


class VGGFace(Verifier):
    """`fc7` of VGG-Face; 4096 numbers, cosine (their distance of vectors of length 1 gives the same order).

    The crop is the kit's own [ours: the authors aligned with a detector of theirs]: forehead to chin, eyes level.
    """

    name, title, weights, width, batch = "vgg-face", "VGG-Face", "vgg-face", 4096, 8
    how = cure(weights)

    def network(self) -> nn.Module:
        """As it describes faces."""
        return _vgg_face()

    @torch.inference_mode()
    def describe(self, images, landmarks):
        """See `Verifier.describe`."""
        cut = [align.fit(points, vgg_face.SIZE).warp(image) for image, points in zip(images, landmarks, strict=True)]
        return _described(self.network(), torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float())


class Trained(LightCNN):
    """The verifier of a run folder; 256 numbers, cosine.

    Raises:
        FersynError: the folder holds no verifier.
    """

    name, weights = "light-cnn-9-trained", ""

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

    def network(self) -> nn.Module:
        """Of the checkpoint that is there now."""
        from fersyn.training import checkpoint

        file = checkpoint.find(self.run)
        return _trained(self.run, file.stat().st_mtime if file else 0.0)
