"""What evaluation knows of a verifier: it turns a face into numbers that lie close together for one person."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np

from fersyn.errors import FersynError

Score = Literal["cosine", "euclidean"]
AXES = {"cosine": "1 - cosine of the two descriptors", "euclidean": "Euclidean distance of the two descriptors"}


@runtime_checkable
class Verifier(Protocol):
    """A network that describes faces.

    Attributes:
        name: as in a notebook's parameter `verifiers`.
        title: the column's heading.
        score: how two descriptors are compared, as the network's authors do.
        weights: name in `fersyn.weights`; empty where the weights are our own.
        how: what to do where it is not available.
    """

    name: str
    title: str
    score: Score
    weights: str
    how: str

    def available(self) -> bool:
        """Whether its weights are on this machine."""
        ...

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
        ...


def distances(score: Score, gallery: np.ndarray, probe: np.ndarray) -> np.ndarray:
    """Distances (P, G) of all probes (P, D) to all gallery descriptors (G, D): 0 for equal ones."""
    if score == "euclidean":
        from fersyn.evaluation.identity import distances as euclidean

        return euclidean(gallery, probe)
    return 1 - _unit(probe) @ _unit(gallery).T


def cure(name: str) -> str:
    """How the weights of a name in `fersyn.weights` come onto the machine."""
    from fersyn import weights

    by_hand = weights.entry(name).by_hand
    return f"{by_hand}; then: fersyn weights add {name} FILE" if by_hand else f"fersyn weights fetch {name}"


def present(name: str) -> bool:
    """Whether the weights of a name in `fersyn.weights` are on this machine."""
    from fersyn import weights

    return weights.find(name) is not None


def onnx(verifier: Verifier) -> str:
    """The path of a verifier's ONNX file; raises FersynError with the cure where it is missing."""
    from fersyn import weights

    path = weights.find(verifier.weights)
    if path is None:
        raise FersynError(f"the weights of {verifier.title} are missing: {verifier.how}")
    return str(path)


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def check_input(images: np.ndarray, landmarks: np.ndarray) -> None:
    """Raise FersynError unless there is one set of landmarks an image."""
    if len(images) != len(landmarks):
        raise FersynError(
            f"{len(images)} images but {len(landmarks)} sets of landmarks; give one set of landmarks an image"
        )
