"""A LightCNN-9 that the kit has trained itself (`fersyn train-verifier`): a stand-in, and named so."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from fersyn.evaluation.verifiers.light_cnn import describe
from fersyn.evaluation.verifiers.loading import load
from fersyn.nets.light_cnn import LightCNN9


@lru_cache(maxsize=2)
def _network(run: Path, written: float) -> nn.Module:
    from fersyn.training import checkpoint

    with torch.random.fork_rng(devices=[]):
        return load(LightCNN9(), checkpoint.read(run)["networks"]["verifier"], str(run), "fc2")


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
        return describe(_network(self.run, file.stat().st_mtime if file else 0.0), images, landmarks)
