"""What evaluation knows of a verifier, a network that turns a face into numbers that lie close together for one person,
and what the verifiers share: batches, distances, weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fersyn import weights
from fersyn.errors import FersynError

if TYPE_CHECKING:
    from torch import nn

AXES = {"cosine": "1 - cosine of the two descriptors", "euclidean": "Euclidean distance of the two descriptors"}


class Verifier:
    """A network that describes faces; a subclass says how it describes some of them.

    Attributes:
        name: as in a notebook's parameter `verifiers`.
        title: the column's heading.
        score: how two descriptors are compared, as the network's authors do: one of `AXES`.
        weights: name in `fersyn.weights`; empty where the weights are our own.
        how: what to do where it is not available.
        width: numbers of a descriptor.
        batch: faces described at once.
    """

    name: str
    title: str
    score = "cosine"
    weights: str
    how: str
    width: int
    batch = 1

    def available(self) -> bool:
        """Whether its weights are on this machine."""
        return weights.find(self.weights) is not None

    def embed(self, images: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Describe faces.

        Args:
            images: uint8 RGB (N, H, W, 3).
            landmarks: (N, 68, 2) px of the images.

        Returns:
            float32 (N, D).

        Raises:
            NoFace: landmarks from which no crop can be cut; the whole call fails.
            FersynError: numbers of images and landmarks differ, or the weights are missing.
        """
        if len(images) != len(landmarks):
            raise FersynError(
                f"{len(images)} images but {len(landmarks)} sets of landmarks; give one set of landmarks an image"
            )
        found = np.zeros((len(images), self.width), np.float32)
        for part in (slice(start, start + self.batch) for start in range(0, len(images), self.batch)):
            found[part] = self.describe(images[part], landmarks[part])
        return found

    def describe(self, images: np.ndarray, landmarks: np.ndarray) -> Any:
        """`embed` of a batch."""
        raise NotImplementedError


def distances(score: str, gallery: np.ndarray, probe: np.ndarray) -> np.ndarray:
    """Distances (P, G) of all probes (P, D) to all gallery descriptors (G, D): 0 for equal ones."""
    if score == "cosine":
        return 1 - _unit(probe) @ _unit(gallery).T
    squares = (probe**2).sum(1)[:, None] + (gallery**2).sum(1)[None] - 2 * probe @ gallery.T
    return np.sqrt(np.maximum(squares, 0))


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def load(network: nn.Module, state: Mapping[str, Any], name: str, classifier: str) -> nn.Module:
    """Put published weights into a network without a classifier; return it ready for use.

    Args:
        network: made without classes.
        state: weights by name, or a checkpoint that holds them under `state_dict`; the prefix `module.` of
            DataParallel is taken off.
        name: of the weights, for messages.
        classifier: the last layer, which a descriptor does not need: its weights are left out.

    Raises:
        FersynError: what is missing, too much or of another shape.
    """
    found = state["state_dict"] if "state_dict" in state else state
    found = {key.removeprefix("module."): value for key, value in found.items()}
    found = {key: value for key, value in found.items() if not key.startswith(f"{classifier}.")}
    wanted = network.state_dict()
    wrong = [f"{key} is missing" for key in wanted if key not in found]
    wrong += [f"{key} is not known" for key in found if key not in wanted]
    wrong += [
        f"{key} is {tuple(found[key].shape)}, not {tuple(wanted[key].shape)}"
        for key in wanted
        if key in found and tuple(found[key].shape) != tuple(wanted[key].shape)
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise FersynError(
            f"the file of {name} does not hold the weights of that network: {'; '.join(wrong[:3])}{more}. "
            f"Put the authors' own there: fersyn weights add {name} FILE"
        )
    network.load_state_dict(found)
    return network.eval().requires_grad_(False)
