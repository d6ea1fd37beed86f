"""Edit the faces of a photograph and put them back where they were.

A face is cut out by the kit's one alignment, at about the size that it has in the photograph; the method edits it; the
inverse alignment puts it back under a soft mask. What is outside the mask is the photograph's, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from fersyn.datasets.photo import read_photo
from fersyn.errors import FersynError, NoFace
from fersyn.expressions import EXPRESSIONS, parse
from fersyn.faces.align import Alignment, fit
from fersyn.faces.landmarks import SMALLEST, find_all_faces, find_landmarks
from fersyn.methods.base import Synthesiser
from fersyn.pixels import to_bytes, to_floats, to_images, to_tensor

LARGEST = 512  # px of a crop's side: more is wasted on networks that see 128
BLURRED = 1.5  # a face enlarged more than this is told to the user
TILE = 192  # px of a face in a sheet
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")  # of what is written
_ORIENTATION, _PLACE = 0x0112, 0x8825  # EXIF: which way is up; where on earth it was taken


@dataclass(frozen=True)
class FoundFace:
    """A face of a photograph: aligned crop uint8 (S, S, 3), its landmarks (68, 2) px of the crop, and how it was cut."""

    crop: np.ndarray
    landmarks: np.ndarray
    alignment: Alignment


def find(photo: np.ndarray, name: str, size: int) -> list[FoundFace]:
    """All faces of a photograph uint8 (H, W, 3), from left to right; crops of at least `size` px.

    Raises:
        NoFace: none, with what may help; `name` is the file's.
    """
    height, width = photo.shape[:2]
    boxes = find_all_faces(photo) if min(height, width) >= SMALLEST else []
    found = []
    for box in sorted(boxes, key=lambda box: box.left):
        points = find_landmarks(photo, box)
        natural = size / fit(points, size).scale  # side at which a crop's pixel is a pixel of the photograph
        side = int(np.clip(round(natural), size, max(size, LARGEST)))
        alignment = fit(points, side)
        found.append(FoundFace(alignment.warp(photo), alignment.apply(points), alignment))
    if not found:
        raise NoFace(
            f"{name}: no face found ({width}x{height} px). The detector knows frontal photographs of people, of some 40 px or "
            "more: try a picture that shows the face from the front, larger, and without a drawing's lines"
        )
    return found


def edit_face(face: FoundFace, synthesiser: Synthesiser, expression: str, intensity: float = 1.0) -> np.ndarray:
    """The face with another expression, uint8 (S, S, 3)."""
    pixels, points = tensors(face)
    return as_images(synthesiser.edit(pixels, expression, intensity, source_landmarks=points))[0]


def tensors(face: FoundFace) -> tuple[torch.Tensor, torch.Tensor]:
    """A face (a FoundFace, or what else has its crop and landmarks) as a synthesiser takes it: crop (1, 3, S, S) in
    [-1, 1], landmarks (1, 68, 2) px.
    """
    return to_floats(to_tensor(face.crop[None])), torch.from_numpy(face.landmarks.astype(np.float32))[None]


def as_images(faces: torch.Tensor) -> np.ndarray:
    """Faces (N, 3, H, W) in [-1, 1] as uint8 RGB (N, H, W, 3)."""
    return to_images(to_bytes(faces))


def face_mask(face: FoundFace) -> np.ndarray:
    """Where the edited face is taken, float32 (S, S) in 0..1: inside the head, fading out before the crop's edge.

    An ellipse round the landmarks, wide enough for a dropped jaw and raised brows; the rest of the crop (hair, neck,
    background), which no expression moves, stays the photograph's.
    """
    size = len(face.crop)
    centre = (face.landmarks[27] + face.landmarks[8]) / 2
    tall = np.linalg.norm(face.landmarks[8] - face.landmarks[27])
    half = np.array([np.ptp(face.landmarks[:17, 0]) * 0.60, tall * 0.98])
    y, x = np.mgrid[0:size, 0:size]
    away = np.hypot((x - centre[0]) / half[0], (y - centre[1]) / half[1])
    inside = np.clip((1.15 - away) / 0.3, 0, 1)
    ramp = np.clip(np.minimum(np.arange(size), np.arange(size)[::-1]) / (0.06 * size), 0, 1)
    return (inside * inside * (3 - 2 * inside) * np.minimum.outer(ramp, ramp)).astype(np.float32)


def sheet(faces: Sequence[FoundFace], synthesiser: Synthesiser, intensity: float = 1.0) -> np.ndarray:
    """A row a face: as it is, then with every expression that the method can give; uint8 (rows, columns, 3), titled."""
    names = synthesiser.expressions
    rows = []
    for face in faces:
        tiles = [face.crop, *(edit_face(face, synthesiser, name, intensity) for name in names)]
        rows.append(np.hstack([Image.fromarray(tile).resize((TILE, TILE), Image.LANCZOS) for tile in tiles]))
    return titled(rows, ("photograph", *names))


def titled(rows: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Rows of tiles, uint8 (H, columns, 3) each, below a line with a title for each column."""
    width = rows[0].shape[1]
    head = Image.new("RGB", (width, 26), "white")
    draw, font = ImageDraw.Draw(head), ImageFont.load_default(15)
    for k, title in enumerate(titles):
        draw.text(((k + 0.5) * width / len(titles), 13), title, fill="black", font=font, anchor="mm")
    return np.concatenate([np.asarray(head), *rows])


def edit_file(
    path: str | Path,
    synthesiser: Synthesiser,
    out: str | Path,
    expression: str | None = None,
    intensity: float = 1.0,
    face: int | None = None,
    all_expressions: bool = False,
) -> list[str]:
    """`fersyn edit`: read a photograph, edit its faces, write the result; returns sentences for the user.

    The result has the photograph's size, format by the suffix of `out`, and its EXIF data (without the place, GPS)
    and colour profile; the picture is stored upright, so that its orientation tag is set to 1.

    Args:
        path, synthesiser: the photograph, and what edits it.
        out: file to write; an alpha channel is lost (laid over white), as everywhere in the kit.
        expression: name; not needed with `all_expressions`.
        intensity: 0..1.
        face: which face, counted from the left; None: all.
        all_expressions: write a sheet of the crops with every expression instead of the photograph.

    Raises:
        UnreadablePhoto, NoFace, FersynError: the message names the file and the cure.
    """
    path, out = Path(path), Path(out)
    if not 0 <= intensity <= 1:
        raise FersynError(f"--intensity {intensity:g}: it must lie between 0 and 1")
    if expression is None and not all_expressions:
        raise FersynError(f"name an --expression ({', '.join(EXPRESSIONS)}), or ask for all with --sheet")
    if all_expressions and not synthesiser.expressions:
        raise FersynError(
            f"--sheet: {synthesiser.name} makes no expression without being given landmarks: its run has no landmark "
            "motion, for want of sequences to learn it from; train it on more people"
        )
    check_out(out)
    if out.exists() and path.exists() and out.samefile(path):
        raise FersynError(f"--out {out.name} is the photograph itself; give another name, so that it is not lost")
    expression = None if expression is None else parse(expression)
    photo = read_photo(path)
    found = find(photo, path.name, synthesiser.size)
    if face is not None and not 1 <= face <= len(found):
        there = f"shows {len(found)} face{'s' * (len(found) != 1)}, counted from the left"
        raise FersynError(f"--face {face}: {path.name} {there}")
    chosen = found if face is None else [found[face - 1]]
    notes = [
        f"face {number} is small ({each.alignment.scale:.1f} times enlarged for the network): expect a soft result"
        for number, each in enumerate(chosen, 1)
        if each.alignment.scale > BLURRED
    ]
    if all_expressions:
        Image.fromarray(sheet(chosen, synthesiser, intensity)).save(out, quality=92)
        what = f"with {len(synthesiser.expressions)} expressions"
    else:
        for each in chosen:
            photo = each.alignment.paste(edit_face(each, synthesiser, expression, intensity), photo, face_mask(each))
        save(photo, path, out)
        what = f"now {expression} at {intensity:.0%}, by {synthesiser.name}"
    return [*notes, f"{out}: {len(chosen)} face{'s' * (len(chosen) != 1)} {what}"]


def check_out(out: Path) -> None:
    """Raise FersynError, if no picture can be written to the file: of a kind that the kit does not write, or nowhere."""
    if out.suffix.lower() not in SUFFIXES:
        raise FersynError(f"--out {out.name}: use a name that ends in .png, .jpg, .webp or .tif")
    if not out.absolute().parent.is_dir():
        raise FersynError(f"--out {out}: there is no folder {out.parent}; make it first")


def save(image: np.ndarray, original: Path | BinaryIO, out: Path) -> None:
    """Write a picture, uint8 (H, W, 3 or 4), with the EXIF data and the colour profile of the file it was made of.

    The place where it was taken (GPS) is left out.
    """
    with Image.open(original) as source:
        exif, profile = source.getexif(), source.info.get("icc_profile")
        if source.mode not in ("RGB", "RGBA", "P", "L"):
            profile = None  # a CMYK or 16-bit profile does not fit what was made of it
    exif[_ORIENTATION] = 1
    exif.pop(_PLACE, None)
    extra = {"icc_profile": profile} if profile else {}
    Image.fromarray(image).save(out, quality=95, exif=exif.tobytes(), **extra)
