"""Faces and their 68 landmarks, by dlib: its frontal detector (HOG and a linear SVM over a pyramid; King, JMLR 2009) and its
ensemble of regression trees (Kazemi & Sullivan, CVPR 2014); and the iBUG/300-W scheme of landmarks (Sagonas et al. 2013).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from fersyn.errors import FersynError

if TYPE_CHECKING:
    from torch import Tensor

GROUPS = {
    "jaw": range(0, 17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "lips": range(48, 68),
}
EYES = range(36, 42), range(42, 48)  # the person's right, left

# Where each point comes from in the mirror image: points[MIRROR] with x -> width - 1 - x is a face again.
MIRROR = (
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # bridge of the nose
    *range(35, 30, -1),  # its base
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lips
    *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lips
)

# The detector's window is 80 px, so that at a long side of 320 px it finds faces that fill a quarter of the picture or
# more: portraits and frames of expression sets. Time grows with the area (6 ms at 320 px, 26 ms at 640 px), hence small
# first, and larger only where nothing was found.
FIRST_TRY = 320
SECOND_TRY = 1000
LAST_TRY_UPSAMPLED = 1600
SMALLEST = 20  # px: a picture whose shorter side is less holds no face that could be aligned
# The trees compare single pixels and were trained on faces of a few hundred px: larger ones are reduced, or they
# compare noise.
_FACE_PX = 300
_SEARCHED = 256  # px: side at which dlib looks at an aligned crop
# Where dlib's box lies in an aligned crop, of its side (24 openpeople and 60 London faces).
_BOX = (0.142, 0.142, 0.83, 0.83)


def resize(image: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """A copy `scale` times as large, antialiased when smaller, and the true factors (x, y), which rounding makes differ."""
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return image, np.ones(2)
    copy = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return copy, np.array([size[0] / width, size[1] / height])


class Box(NamedTuple):
    """A face's box in px of the picture (float; may reach over its edge) with the detector's score."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0.0

    @property
    def area(self) -> float:
        """Width times height, px^2."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)


_own = threading.local()


def _detector():
    """The thread's own: a detector keeps the picture that it looks at."""
    import dlib

    if not hasattr(_own, "detector"):
        _own.detector = dlib.get_frontal_face_detector()
    return _own.detector


def find_faces(image: np.ndarray, sizes: int = 3) -> list[Box]:
    """Return the boxes of all faces found in a uint8 RGB picture (H, W, 3), the largest first; empty where there are
    none.

    First on a copy of at most 320 px, then, if nothing is found, at 1000 px, then enlarged twice (at most to 1600 px); only the first
    so many `sizes` are tried.
    """
    if min(image.shape[:2]) < SMALLEST:
        return []
    tried = 0.0
    for scale in _scales(image)[:sizes]:
        if scale <= tried * 1.05:
            continue
        boxes = _at_scale(image, scale)
        if boxes:
            return sorted(boxes, key=lambda box: (-box.area, box.left, box.top))
        tried = scale
    return []


def _scales(image: np.ndarray) -> list[float]:
    limits = ((1.0, FIRST_TRY), (1.0, SECOND_TRY), (2.0, LAST_TRY_UPSAMPLED))
    return [min(most, side / max(image.shape[:2])) for most, side in limits]


def _at_scale(image: np.ndarray, scale: float) -> list[Box]:
    copy, factors = resize(image, scale)
    found, scores, _ = _detector().run(np.ascontiguousarray(copy), 0, 0.0)
    corners = np.array([(r.left(), r.top(), r.right(), r.bottom()) for r in found], np.float64).reshape(-1, 4)
    # Pixel centres are whole numbers in both pictures: hence the halves.
    corners = (corners + 0.5) / np.tile(factors, 2) - 0.5
    return [Box(*sides, float(score)) for sides, score in zip(corners.tolist(), scores, strict=True)]


def find_all_faces(image: np.ndarray, sizes: int = 3) -> list[Box]:
    """Return the boxes of all faces of a photograph of several people, the largest first.

    `find_faces` stops at the size at which it finds any; this looks at all (or the first so many) sizes, and where two boxes show one face keeps
    the one that the detector is surer of.
    """
    boxes = [box for scale in set(_scales(image)[:sizes]) for box in _at_scale(image, scale)]
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda box: -box.score):
        if all(overlap(box, other) < 0.3 for other in kept):
            kept.append(box)
    return sorted(kept, key=lambda box: -box.area)


def overlap(a: Box, b: Box) -> float:
    """Shared area over that of the smaller box."""
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    return max(0.0, width) * max(0.0, height) / max(min(a.area, b.area), 1e-9)


def model_path(name: str) -> str:
    """The path of one of dlib's model files, in the package face_recognition_models; raises FersynError without it."""
    spec = find_spec("face_recognition_models")  # found, not imported: that needs setuptools
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


def search(faces: Tensor) -> list[tuple[np.ndarray, Box]]:
    """Aligned faces (N, 3, H, H) in [-1, 1] as dlib looks at them: each enlarged, uint8 RGB, with the face's box there.

    Where dlib's detector finds no face (score 0), it is the place at which aligned faces lie.
    """
    from fersyn import pixels  # preprocessing, which looks for landmarks too, needs no torch

    large = pixels.resize(faces.detach().float().cpu(), max(_SEARCHED, faces.shape[-1]))
    usual = Box(*(part * large.shape[-1] for part in _BOX))
    images = pixels.to_images(pixels.to_bytes(large))
    return abreast(lambda image: (image, next(iter(find_faces(image)), usual)), images)


def find_source_landmarks(faces: Tensor) -> Tensor:
    """Landmarks (N, 68, 2) px of aligned faces (N, 3, H, H) in [-1, 1], by dlib, in the boxes of `search`."""
    return back_to(faces, abreast(lambda seen: (seen[0], find_landmarks(*seen)), search(faces)))


def abreast(function: Callable[[Any], Any], pictures: Sequence[Any]) -> list[Any]:
    """What a function of dlib's gives for each picture, in their order, by as many threads as torch has in this process: dlib's
    detector lets go of Python's lock while it looks.
    """
    import torch

    threads = min(torch.get_num_threads(), len(pictures))
    if threads < 2:
        return [function(each) for each in pictures]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, pictures))


def back_to(faces: Tensor, found: Sequence[tuple[np.ndarray, np.ndarray]]) -> Tensor:
    """Landmarks (68, 2) px of the pictures of `search` in px of the faces (N, 3, H, H): (N, 68, 2)."""
    import torch

    from fersyn import pixels

    if not found:
        return torch.zeros(0, 68, 2, device=faces.device)
    points = torch.from_numpy(np.stack([points for _, points in found]).astype(np.float32))
    return pixels.rescale(points, len(found[0][0]), faces.shape[-1]).to(faces.device)
