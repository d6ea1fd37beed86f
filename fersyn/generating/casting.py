"""Casting: who of a generator's population can be taken as a person of a face table, and which of their faces. [ours]"""

from functools import lru_cache

import numpy as np

from fersyn.errors import NoFace
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.crop import Face, crop_face
from fersyn.files import data_of
from fersyn.generating.portrait import portrait
from fersyn.nets.dlib_face import describe

GUIDES = (
    "fer",
    "facex",
    "actions",
)  # instruments that guided the mapper, and that choose here: no judges of these faces
FRONTAL = 0.15  # how far the tip of the nose may lie from the middle between the cheeks, parts of the face's width
SHADED = 0.5  # of the cheek's brightness: eyes that are darker are behind sunglasses, or in a shadow that hides them
DRIFTED = 0.5  # dlib's distance to the own neutral face above which a face counts as another person's


def candidate(seed: int, index: int, truncation: float) -> tuple[str, list[float]]:
    """Say why somebody cannot be taken ('': can be), and give dlib's descriptor (128) of the neutral face.

    Not taken is who looks aside; a child, by a line through dlib's descriptors that was drawn on 362 faces told by eye
    (scripts/child_line.py; in cross-validation 93 % of the children lie beyond it, and 9 % of the adults); who wears
    sunglasses; and whom dlib does not find, or both judges do not call neutral.
    """
    try:
        face = crop_face(portrait(seed, index, truncation, "neutral", 0.0))
        _facing(face.crop)
        _adult(descriptor := describe([face.crop], [face.landmarks])[0])
        _eyes_seen(face)
        believed(face.crop, "neutral")
    except NoFace as refusal:
        return str(refusal).partition(" (")[0], []
    return "", np.round(descriptor, 5).tolist()


def same_person(face: Face, seed: int, index: int, truncation: float) -> None:
    """Raise NoFace, if dlib's network takes the face for another person than the neutral one."""
    distance = float(np.linalg.norm(describe([face.crop], [face.landmarks])[0] - _own(seed, index, truncation)))
    if distance > DRIFTED:
        raise NoFace(f"another person (dlib's distance to the own neutral face is {distance:.2f})")


def believed(crop: np.ndarray, expression: str) -> None:
    """Raise NoFace, if both judges call the face something else; contempt, which none knows, must not be called happy."""
    named = [EXPRESSIONS[int(_instrument(judge).named(_as_faces(crop))[0])] for judge in ("fer", "facex")]
    if all(name == "happiness" if expression == "contempt" else name != expression for name in named):
        raise NoFace(f"no {expression} to both judges ({' and '.join(named)})")


def _facing(crop: np.ndarray) -> None:
    from fersyn.losses.guided import turned

    if abs(float(turned(_instrument("actions").mesh(_as_faces(crop))))) > FRONTAL:
        raise NoFace("not frontal")


def _adult(descriptor: np.ndarray) -> None:
    line = _child()
    if float(descriptor @ np.array(line["weights"])) + line["bias"] > line["threshold"]:
        raise NoFace("a child's face")


def _eyes_seen(face: Face) -> None:
    grey, points = face.crop.mean(2), face.landmarks
    unit = len(grey) / 128
    eyes, cheeks = [], []
    for lids, low in ((slice(36, 42), 41), (slice(42, 48), 46)):
        (left, top), (right, bottom) = np.floor(points[lids].min(0)), np.ceil(points[lids].max(0))
        eyes.append(np.percentile(grey[int(top) : int(bottom) + 1, int(left) : int(right) + 1], 95))
        x, y = np.floor(points[low]).astype(int)
        below, side = np.arange(12 * unit, 20 * unit).astype(int), np.arange(-6 * unit, 7 * unit).astype(int)
        cheeks.append(grey[np.ix_(y + below, x + side)].ravel())
    if min(eyes) < SHADED * np.median(np.concatenate(cheeks)):
        raise NoFace("sunglasses, or eyes in the dark")


def _as_faces(crop: np.ndarray):
    from fersyn.pixels import to_floats, to_tensor

    return to_floats(to_tensor(crop[None]))


@lru_cache(maxsize=3)
def _instrument(name: str):
    from fersyn.nets import instruments

    return instruments.get(name, guide=True)


@lru_cache(maxsize=1)
def _child() -> dict:
    return data_of(__file__)["child"]


@lru_cache(maxsize=4)
def _own(seed: int, index: int, truncation: float) -> np.ndarray:
    face = crop_face(portrait(seed, index, truncation, "neutral", 0.0))
    return describe([face.crop], [face.landmarks])[0]
