"""Networks that say how alike two faces are, by name: the columns of Table 6.

`dlib` is there from the start, `sface` can always be had; the columns of the paper, LightCNN and VGG-Face, take the
authors' files where they lie in the cache (`fersyn weights add`).

Example:
    >>> from fersyn.evaluation import verifiers
    >>> verifiers.get("light-cnn-9").title
    'LightCNN-9'
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fersyn.errors import FersynError
from fersyn.evaluation.verifiers import dlib_face, opencv, torch_networks
from fersyn.evaluation.verifiers.base import AXES, Verifier, distances

__all__ = ["AXES", "NAMES", "Verifier", "chosen", "distances", "get"]

NAMES = ("dlib", "sface", "arcface-mbf", "light-cnn-9", "light-cnn-29", "light-cnn-29v2", "vgg-face")


def get(name: str) -> Verifier:
    """Return a verifier, available or not; raises FersynError with the list if there is none of that name."""
    if name not in NAMES:
        raise FersynError(f"there is no verifier '{name}'; use some of: {', '.join(NAMES)}")
    for kind in (dlib_face.DlibFace, opencv.SFace, opencv.ArcFace, torch_networks.VGGFace):
        if kind.name == name:
            return kind()
    return torch_networks.LightCNN(name)


def chosen(wanted: Iterable[str], run: str | Path = "") -> dict[str, Verifier]:
    """The verifiers of these names, and of a run folder of `fersyn train-verifier` (empty: none), by name."""
    found = {name: get(name) for name in wanted}
    if str(run):
        from fersyn.evaluation.verifiers.torch_networks import Trained

        found[Trained.name] = Trained(run)
    return found
