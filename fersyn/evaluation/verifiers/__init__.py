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
from fersyn.evaluation.verifiers.base import Verifier, distances

__all__ = ["Verifier", "chosen", "distances", "get", "names"]

_NAMES = ("dlib", "sface", "arcface-mbf", "light-cnn-9", "light-cnn-29", "light-cnn-29v2", "vgg-face")


def names() -> tuple[str, ...]:
    """Names of all verifiers."""
    return _NAMES


def get(name: str) -> Verifier:
    """Return a verifier, available or not; raises FersynError with the list if there is none of that name."""
    if name not in _NAMES:
        raise FersynError(f"there is no verifier '{name}'; use some of: {', '.join(_NAMES)}")
    # Plain imports: the report hashes the modules that it finds in them.
    from fersyn.evaluation.verifiers import arcface, dlib_face, light_cnn, sface, vgg_face

    makers = {
        "dlib": dlib_face.DlibFace,
        "sface": sface.SFace,
        "arcface-mbf": arcface.ArcFace,
        "vgg-face": vgg_face.VGGFace,
    }
    return makers[name]() if name in makers else light_cnn.LightCNN(name)


def chosen(wanted: Iterable[str], run: str | Path = "") -> dict[str, Verifier]:
    """The verifiers of these names, and of a run folder of `fersyn train-verifier` (empty: none), by name."""
    found = {name: get(name) for name in wanted}
    if str(run):
        from fersyn.evaluation.verifiers.trained import Trained

        verifier = Trained(run)
        found[verifier.name] = verifier
    return found
