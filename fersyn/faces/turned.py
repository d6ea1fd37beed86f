"""Faces whichever way they lie: what the upright picture shows badly or not at all is looked for on turned copies; and whether
landmarks fit the face that they were put on.

dlib's detector knows faces up to about 30 degrees from upright, its landmark trees up to 20. A face that lies turned is
found on a copy on which it stands upright to 8 degrees, and its landmarks are turned back. Measured on 70 openpeople, the
London Set's photographs and 30 rendered faces [ours]: upright, the detector's score is 1.2 or more, of what is no upright
face 0.75 or less; from boxes moved by 6 % the trees find an upright face's points again to 1 % of the distance between the
eyes (at most 3 %), those of faces tilted by 45 degrees to 10 to 50 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from fersyn.errors import NoFace
from fersyn.faces.landmarks import (
    EYES,
    SMALLEST,
    Box,
    abreast,
    back_to,
    find_all_faces,
    find_faces,
    find_landmarks,
    overlap,
    resize,
    search,
)  # fmt: skip

if TYPE_CHECKING:
    from torch import Tensor

SURE = 1.0  # the detector's score, from which on a box is a face
DOUBTFUL = (
    0.75  # the most that it gave to what is no upright face; the trees come back to their points on some of these, too
)
LOOSE = 0.05  # points that the trees find again no better than that, of the distance between the eyes: look at turned copies
MISFIT = 0.09  # no better than that, and the detector is not sure: these landmarks are no face's
STEP = 15  # degrees by which copies are turned
_MOVED = 0.06  # of a box's side
# The pixels of a copy turned askew are not the upright picture's, and its points stray: their mean over boxes moved by that much
# is off by 0.89 % of the distance between the eyes, not 1.02, and by at most 1 % on 71 of 100 faces, not 56 (openpeople, turned by
# 30 and 60 degrees).
_STEADY = 0.04
_LARGEST = 2000  # px of a copy that is turned askew


class Found(NamedTuple):
    """A face of a picture: its box there, and its 68 landmarks (68, 2) px."""

    box: Box
    landmarks: np.ndarray


class _Seen(NamedTuple):
    """A face as it was found on the `copy` turned by `turn` degrees (counterclockwise), in px of the picture; `on_copy` in the
    copy's.
    """

    turn: int
    copy: np.ndarray
    back: np.ndarray  # (2, 3), from px of the copy to the picture's
    on_copy: Found
    found: Found

    def overlaps(self, other: _Seen) -> bool:
        """Whether both are the same face: the middles of the eyes and mouths lie within half a face."""
        middles = [each.found.landmarks[27:].mean(0) for each in (self, other)]
        return np.hypot(*(middles[0] - middles[1])) < np.sqrt(min(self.found.box.area, other.found.box.area)) / 2


def find_turned(image: np.ndarray, every: bool = False) -> list[Found]:
    """The faces of a uint8 RGB picture (H, W, 3), whichever way it lies: the largest sure one, or `every` one, the largest first;
    empty where there is none.

    What is found upright at once, as in nearly all photographs, costs nothing more: only where nothing is, or nothing sure, are
    turned copies looked at.

    Raises:
        NoFace: there are faces, but the landmarks fit none of them.
    """
    if min(image.shape[:2]) < SMALLEST:
        return []
    upright = _on_copy(image, 0, every, 3)
    good = [seen for seen in upright if _is_good(seen)]
    if not upright or len(good) < len(upright):
        for sizes in (1, 3):  # on small copies first: they take a hundredth of the time
            turned = [seen for turn in range(45, 360, 45) for seen in _on_copy(image, turn, every, sizes)]
            if any(seen.found.box.score >= SURE for seen in turned):
                break
        good += [seen for seen in turned if seen.found.box.score >= SURE / 2]
        good += [seen for seen in upright if not any(seen is other for other in good)]
    kept: list[_Seen] = []
    for seen in sorted(good, key=lambda seen: -seen.found.box.score):
        # What the detector takes for another face half upon a surer one is that one's chin and neck.
        if not any(seen.overlaps(other) or overlap(seen.found.box, other.found.box) > 0.5 for other in kept):
            kept.append(_stood_up(image, seen, every))
    if not every:  # the largest of those that are surely faces, where there are such
        kept = [seen for seen in kept if seen.found.box.score >= SURE] or kept
    fits = [_steady(seen) for seen in kept if not _is_misfit(seen)]
    if kept and not fits:
        raise NoFace(
            "the landmarks do not fit the face that was found (in profile, half hidden, or no face): use a picture that "
            "shows the face from the front"
        )
    fits = sorted(fits, key=lambda found: -found.box.area)
    return fits if every else fits[:1]


def fitness(image: np.ndarray, found: Found) -> float:
    """How far the landmarks move when the trees start from boxes moved by 6 % to each side: mean over the points, parts of the
    distance between the eyes. The trees' own residual is not known on photographs; on faces that they know they come
    back to the same points.
    """
    box, points = found
    eyes = [points[list(eye)].mean(0) for eye in EYES]
    away = np.linalg.norm(_from_moved(image, box, _MOVED) - points, axis=-1).mean()
    return float(away / max(np.linalg.norm(eyes[1] - eyes[0]), 1e-9))


def find_fitting(faces: Tensor) -> tuple[Tensor, np.ndarray]:
    """`find_source_landmarks` of aligned faces (N, 3, H, H) in [-1, 1], and (N,) bool whether they fit: dlib loses some that a
    method made, and its trees then lay the points somewhere.
    """

    def look(seen: tuple[np.ndarray, Box]) -> tuple[np.ndarray, np.ndarray, bool]:
        image, box = seen
        points = find_landmarks(image, box)
        return image, points, box.score >= SURE or fitness(image, Found(box, points)) <= LOOSE

    found = abreast(look, search(faces))
    return back_to(faces, [(image, points) for image, points, _ in found]), np.array([fits for *_, fits in found], bool)


def tilt(points: np.ndarray) -> float:
    """By how many degrees the eyes' line of landmarks (68, 2) is turned clockwise: -180 .. 180, 0 upright."""
    right, left = (points[list(eye)].mean(0) for eye in EYES)
    return float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0])))


def _from_moved(image: np.ndarray, box: Box, part: float) -> np.ndarray:
    """Landmarks (4, 68, 2) that the trees find from the box moved by a part of its side to each side."""
    step = part * (box.right - box.left)
    ways = ((step, 0), (-step, 0), (0, step), (0, -step))
    return np.stack(
        [find_landmarks(image, Box(box.left + x, box.top + y, box.right + x, box.bottom + y)) for x, y in ways]
    )


def _is_good(seen: _Seen) -> bool:
    score = seen.found.box.score
    return score >= SURE or (score >= DOUBTFUL and fitness(seen.copy, seen.on_copy) <= LOOSE)


def _is_misfit(seen: _Seen) -> bool:
    return seen.on_copy.box.score < SURE and fitness(seen.copy, seen.on_copy) > MISFIT


def _stood_up(image: np.ndarray, seen: _Seen, every: bool) -> _Seen:
    """The same face on the copy on which its eyes are level to half a STEP, if it is found there."""
    for _ in range(2):
        aside = STEP * round(tilt(seen.on_copy.landmarks) / STEP)
        if not aside or (
            seen.turn % 90 == 0 and abs(aside) <= STEP
        ):  # what stands nearly upright stays as it was found
            return seen
        turn = (seen.turn + aside) % 360
        tries = (new for whole in (False, True) for new in _on_copy(image, turn, every, 3, whole))
        again = next((new for new in tries if new.overlaps(seen)), None)
        if again is None:
            return seen
        seen = again
    return seen


def _steady(seen: _Seen) -> Found:
    """The face; on a copy turned askew its landmarks are the mean over moved boxes."""
    if seen.turn % 90 == 0:
        return seen.found
    box, points = seen.on_copy
    mean = np.mean([points, *_from_moved(seen.copy, box, _STEADY)], 0)
    return seen.found._replace(landmarks=_applied(seen.back, mean))


def _applied(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def _on_copy(image: np.ndarray, turn: int, every: bool, sizes: int, whole: bool = True) -> list[_Seen]:
    copy, matrix = _turned(image, turn, whole)
    found = []
    for box in find_all_faces(copy, sizes) if every else find_faces(copy, sizes)[:1]:
        points = find_landmarks(copy, box)
        if turn == 0:
            found.append(_Seen(turn, image, matrix, Found(box, points), Found(box, points)))
            continue
        back = cv2.invertAffineTransform(matrix)
        corners = np.array([(x, y) for x in (box.left, box.right) for y in (box.top, box.bottom)])
        corners = _applied(back, corners)
        there = Box(*corners.min(0).tolist(), *corners.max(0).tolist(), box.score)
        found.append(_Seen(turn, copy, back, Found(box, points), Found(there, _applied(back, points))))
    return found


def _turned(image: np.ndarray, turn: int, whole: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A copy turned counterclockwise, what is outside grey; and the matrix (2, 3) from px of the picture to its own.

    `whole`: nothing is cut off. Otherwise the copy shows the rectangle that has become the picture by being turned so: a
    photograph that somebody turned, and kept whole, is itself again, and its face as large a part of it as before.
    """
    if turn == 0:
        return image, np.eye(2, 3)
    askew = turn % 90 != 0
    small, factors = resize(image, min(1.0, _LARGEST / max(image.shape[:2]))) if askew else (image, np.ones(2))
    height, width = small.shape[:2]
    cos, sin = abs(np.cos(np.radians(turn))), abs(np.sin(np.radians(turn)))
    way = cos * cos - sin * sin
    wide, high = width * cos + height * sin, width * sin + height * cos
    if not whole:
        inner = ((width * cos - height * sin) / way, (height * cos - width * sin) / way) if abs(way) > 0.1 else (0, 0)
        wide, high = inner if min(inner) > 0 else (width / (cos + sin), height / (cos + sin))
    wide, high = round(wide), round(high)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
    matrix[:, 2] += (wide - width) / 2, (high - height) / 2
    if askew:
        copy = cv2.warpAffine(small, matrix, (wide, high), flags=cv2.INTER_LINEAR, borderValue=(128, 128, 128))
    else:
        copy = np.ascontiguousarray(np.rot90(small, turn // 90))
    # Pixel centres are whole numbers in both pictures: hence the halves.
    shift = matrix[:, :2] @ (factors / 2 - 0.5) + matrix[:, 2]
    return copy, np.hstack([matrix[:, :2] * factors, shift[:, None]])
