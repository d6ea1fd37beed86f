"""The 68 landmarks of the iBUG scheme by dlib's ensemble of regression trees (Kazemi & Sullivan, CVPR 2014)."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fersyn.errors import FersynError
from fersyn.faces.detect import Box, find_faces, resize

if TYPE_CHECKING:
    from torch import Tensor

# The trees compare single pixels and were trained on faces of a few hundred px: larger ones are reduced, or they
# compare noise.
_FACE_PX = 300
_SEARCHED = 256  # px: side at which dlib looks at an aligned crop
# Where dlib's box lies in an aligned crop, of its side (24 openpeople and 60 London faces).
_BOX = (0.142, 0.142, 0.83, 0.83)


def model_path(name: str) -> str:
    """Return the path of one of dlib's model files, as 'shape_predictor_68_face_landmarks.dat': in the package
    face_recognition_models, which is found but not imported (that needs setuptools). Raises FersynError without it.
    """
    spec = find_spec("face_recognition_models")
    path = Path(spec.origin).parent / "models" / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FersynError(f"dlib's model {name} is missing; install it with: pip install face_recognition_models")
    return str(path)


@lru_cache(maxsize=1)
def _predictor():
    import dlib

    return dlib.shape_predictor(model_path("shape_predictor_68_face_landmarks.dat"))


def find_landmarks(image: np.ndarray, box: Box) -> np.ndarray:
    """Return the 68 landmarks, float (68, 2), (x, y) px, of the face in `box` of a uint8 RGB picture (H, W, 3)."""
    import dlib

    height, width = image.shape[:2]
    side = max(box.right - box.left, box.bottom - box.top, 1.0)
    # Cut out the face with half its size around it (more than the trees look at), so that reducing does not touch the
    # rest of a big photo.
    left, top = max(0, int(box.left - side / 2)), max(0, int(box.top - side / 2))
    right, bottom = min(width, int(box.right + side / 2) + 2), min(height, int(box.bottom + side / 2) + 2)
    copy, factors = resize(image[top:bottom, left:right], min(1.0, _FACE_PX / side))
    corners = np.array([[box.left - left, box.top - top], [box.right - left, box.bottom - top]])
    (x0, y0), (x1, y1) = np.rint((corners + 0.5) * factors - 0.5).astype(int)
    shape = _predictor()(np.ascontiguousarray(copy), dlib.rectangle(int(x0), int(y0), int(x1), int(y1)))
    points = np.array([(p.x, p.y) for p in shape.parts()], dtype=np.float64)
    return (points + 0.5) / factors - 0.5 + (left, top)


def find_source_landmarks(faces: Tensor) -> Tensor:
    """Landmarks (N, 68, 2) px of aligned faces (N, 3, H, H) in [-1, 1], by dlib.

    Where dlib's detector finds no face, its landmark trees start from the place at which aligned faces lie.
    """
    import torch

    from fersyn.faces.resize import rescale
    from fersyn.faces.resize import resize as resized  # preprocessing, which looks for landmarks too, needs no torch
    from fersyn.pixels import to_bytes, to_images

    size = faces.shape[-1]
    large = resized(faces.detach().float().cpu(), max(_SEARCHED, size))
    side = large.shape[-1]
    pixels = to_images(to_bytes(large))
    usual = Box(*(part * side for part in _BOX))
    points = [find_landmarks(image, next(iter(find_faces(image)), usual)) for image in pixels]
    found = torch.from_numpy(np.stack(points).astype(np.float32)) if points else torch.zeros(0, 68, 2)
    return rescale(found, side, size).to(faces.device)
