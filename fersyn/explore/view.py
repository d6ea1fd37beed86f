"""How the panel looks: its style, the pieces of HTML in it, and its pictures. Colours are the theme's, light or dark."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path

import cv2
import jinja2
import numpy as np

from fersyn.explore.measures import DLIB_SAME, SFACE_SAME, Measured
from fersyn.expressions import EXPRESSIONS
from fersyn.figures.faces import overlay

SIDE = 512  # px of a picture as it is sent: more than the width at which it is shown, for a dense screen
WHO = {"kit": "the kit's", "fer": "fer", "facex": "facex"}  # heads of the columns of who names a face
FULL = 64  # a difference of so many grey levels is drawn as the strongest

_HERE = Path(__file__).parent
_TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE), autoescape=True)
STYLE = f"<style>\n{(_HERE / 'style.css').read_text(encoding='utf-8')}</style>"
PIECES = _TEMPLATES.get_template(
    "pieces.html.j2"
).module  # group, small, titled, told, failed: of texts, which are escaped


def saved(path: Path, shown: str) -> str:
    """The status line after saving: where the file is, and a link that hands it to the browser."""
    kind, _ = mimetypes.guess_type(path.name)
    data = base64.b64encode(path.read_bytes()).decode()
    return PIECES.saved(path.name, shown, f"data:{kind or 'image/png'};base64,{data}")


def measures(found: Measured, asked: Sequence[str]) -> str:
    """Identity, actions and the probabilities of all who name the face, as bars; the expressions asked for in bold."""
    template = _TEMPLATES.get_template("measures.html.j2")
    known = {name for shares in found.named.values() for name in shares}
    return template.render(
        found=found, asked=asked, dlib_same=DLIB_SAME, sface_same=SFACE_SAME, titles=WHO,
        expressions=[name for name in EXPRESSIONS if name in known],
    )  # fmt: skip


def enlarged(image: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A square picture uint8 (S, S, 3) at another side."""
    how = cv2.INTER_CUBIC if side > len(image) else cv2.INTER_AREA
    return cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=how)


def difference(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far each pixel changed, uint8 RGB (S, S, 3): dark where nothing did, light from `FULL` grey levels on."""
    far = np.abs(after.astype(np.int16) - before).max(-1)
    grey = np.clip(far * (255 / FULL), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1])


def with_landmarks(image: np.ndarray, source: np.ndarray, target: np.ndarray | None, side: int = SIDE) -> np.ndarray:
    """The picture with the source's landmarks (68, 2) px in blue and those asked for, if any, in orange."""
    scale = side / len(image)
    small = image if scale >= 1 else enlarged(image, side)
    factor = len(small) / len(image)

    def moved(points):
        return (np.asarray(points, float) + 0.5) * factor - 0.5

    return overlay(small, moved(source), side / len(small), None if target is None else moved(target))


def jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    """uint8 RGB (H, W, 3) as a JPEG file."""
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()
