"""Edit the faces of a photograph and put them back where they were.

A face is cut out by the kit's one alignment, at about the size that it has in the photograph; the method edits it; the
inverse alignment puts it back under a soft mask. What is outside the mask is the photograph's, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from fersyn.datasets.layout import PICTURES, pictures
from fersyn.datasets.photo import read_photo
from fersyn.errors import FersynError, NoFace
from fersyn.expressions import EXPRESSIONS, STRONGEST, parse
from fersyn.faces.align import Alignment, fit
from fersyn.faces.heatmaps import head
from fersyn.faces.turned import find_turned
from fersyn.marks import Mark, marked
from fersyn.methods.base import Synthesiser, labels_of
from fersyn.methods.motion import shuts
from fersyn.pixels import to_bytes, to_floats, to_images, to_tensor

LARGEST = 512  # px of a crop's side: more is wasted on networks that see 128; what bends is bent in the photograph
TILE = 1024  # px of a face in a sheet at most
LYING = 25  # degrees: a face turned by more is told to the user
BLURRED = 1.5  # a face enlarged more than this is told to the user
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
    found = []
    try:
        faces = find_turned(photo, every=True)
    except NoFace as error:
        raise NoFace(f"{name}: {error}") from None
    for _, points in sorted(faces, key=lambda face: face.box.left):
        alignment = fit(points, int(np.clip(_natural(points, size), size, max(size, LARGEST))))
        found.append(FoundFace(alignment.warp(photo), alignment.apply(points), alignment))
    if not found:
        raise NoFace(
            f"{name}: no face found ({width}x{height} px). The detector knows frontal photographs of people, of some 40 px or "
            "more: try a picture that shows the face from the front, larger, and without a drawing's lines"
        )
    return found


def _natural(points: np.ndarray, size: int) -> int:
    """Side of a crop whose pixel is as large as one of the photograph, px."""
    return round(size / fit(points, size).scale)


def edit_face(face: FoundFace, synthesiser: Synthesiser, expression: str, intensity: float = 1.0) -> np.ndarray:
    """The face's crop with another expression, uint8 (S, S, 3)."""
    pixels, points = tensors(face)
    return as_images(synthesiser.edit(pixels, expression, intensity, source_landmarks=points))[0]


def edit_photo(
    photo: np.ndarray, face: FoundFace, synthesiser: Synthesiser, expression: str, intensity: float = 1.0
) -> np.ndarray:
    """The whole photograph, uint8 (H, W, 3), with one of its faces edited.

    What a method bends is bent in the photograph itself, and what it paints is laid over as a difference: where neither is
    anything, the pixel is the photograph's own. Of another method the crop is put back.
    """
    pixels, points = tensors(face)
    made = synthesiser.explain(pixels, expression, intensity, source_landmarks=points)
    if "flow" not in made:
        return face.alignment.paste(as_images(made["image"])[0], photo, face_mask(face))
    change = (made["image"] - made["bent"])[0] * 127.5
    flow, change = (np.ascontiguousarray(each.permute(1, 2, 0).cpu().numpy()) for each in (made["flow"][0], change))
    # Its own flow ends: a mask would lay what is bent over what is not, and contours would be double.
    return face.alignment.bend(photo, flow, change, np.ones(flow.shape[:2], np.float32))


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

    The rest of the crop (hair, neck, background), which no expression moves, stays the photograph's.
    """
    size = len(face.crop)
    inside = head(tensors(face)[1], size)[0, 0].numpy()
    ramp = np.clip(np.minimum(np.arange(size), np.arange(size)[::-1]) / (0.06 * size), 0, 1)
    return inside * np.minimum.outer(ramp, ramp).astype(np.float32)


def sheet(
    photo: np.ndarray, faces: Sequence[FoundFace], synthesiser: Synthesiser, intensity: float = 1.0
) -> list[list[np.ndarray]]:
    """A row of tiles a face, uint8 (S, S, 3) at the size that it has in the photograph, at most TILE: as it is, neutral, then
    with every expression that the method can give.
    """
    rows = []
    for face in faces:
        points = face.alignment.apply_inverse(face.landmarks)
        cut = fit(points, min(TILE, _natural(points, len(face.crop))))
        made = (edit_photo(photo, face, synthesiser, name, intensity) for name in ("neutral", *synthesiser.expressions))
        rows.append([cut.warp(each) for each in (photo, *made)])
    return rows


def titled(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str]) -> np.ndarray:
    """Rows of square tiles, uint8 (S, S, 3), below a line with a title for each column; S may differ from row to row."""
    heights = [max(map(len, row)) for row in rows]
    side = max(heights)
    text = int(np.clip(side / 12, 15, 36))
    page = Image.new("RGB", (side * len(titles), 2 * text + sum(heights)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(text)
    for k, title in enumerate(titles):
        draw.text(((k + 0.5) * side, text), title, fill="black", font=font, anchor="mm")
    top = 2 * text
    for row, height in zip(rows, heights, strict=True):
        for k, tile in enumerate(row):
            page.paste(Image.fromarray(tile), (k * side + (side - len(tile)) // 2, top))
        top += height
    return np.asarray(page)


@dataclass(frozen=True)
class Asked:
    """What photographs are asked for, and by what.

    Attributes:
        synthesiser: what edits.
        expression, intensity: as `Synthesiser.edit` takes them; the expression is not looked at in a sheet.
        face: which face of each photograph, counted from the left; None: all.
        sheet: whether every expression is asked for, side by side.
    """

    synthesiser: Synthesiser
    expression: str = ""
    intensity: float = 1.0
    face: int | None = None
    sheet: bool = False

    def __post_init__(self) -> None:
        """Raise FersynError where it contradicts itself."""
        if not 0 <= self.intensity <= STRONGEST:
            raise FersynError(f"--intensity {self.intensity:g}: it must lie between 0 and {STRONGEST:g}")
        if self.sheet and self.expression:
            raise FersynError("--sheet shows every expression, and --expression asks for one: leave one of both away")
        if not self.sheet and not self.expression:
            raise FersynError(f"name an --expression ({', '.join(EXPRESSIONS)}), or ask for all with --sheet")
        if not self.sheet:
            object.__setattr__(self, "expression", parse(self.expression))
        able, name = self.synthesiser.expressions, self.synthesiser.name
        if not able:
            what = "--sheet" if self.sheet else f"--expression {self.expression}"
            raise FersynError(
                f"{what}: {name} makes no expression without being given landmarks: its run has no landmark "
                "motion, for want of sequences to learn it from; train it on more people"
            )

    def _shuts(self, face: FoundFace) -> bool:
        """Whether the face's wide open mouth is to be closed."""
        motion, (_, points) = self.synthesiser.motion, tensors(face)
        if motion is None:
            return False
        label = labels_of(self.expression, 1)
        return bool(shuts(points, motion.predict(points, label, self.intensity, size=len(face.crop))))

    @property
    def words(self) -> str:
        """In words."""
        return (
            f"every expression at {self.intensity:.0%}"
            if self.sheet
            else self.synthesiser.words(self.expression, self.intensity)
        )

    @property
    def mark(self) -> Mark:
        """What the pictures say of themselves."""
        return Mark(self.words, self.synthesiser.name, self.synthesiser.weights)

    def faces(self, photo: np.ndarray, name: str) -> list[FoundFace]:
        """The faces of a photograph that are meant; raises NoFace, FersynError."""
        found = find(photo, name, self.synthesiser.size)
        if self.face is not None and not 1 <= self.face <= len(found):
            raise FersynError(f"--face {self.face}: {name} shows {_faces(len(found))}, counted from the left")
        return found if self.face is None else [found[self.face - 1]]

    def made(self, path: Path) -> tuple[np.ndarray | list[list[np.ndarray]], str]:
        """A photograph as asked for (of a sheet its rows), and a sentence; raises UnreadablePhoto, NoFace, FersynError."""
        photo = read_photo(path)
        chosen, rows, refused = self.faces(photo, path.name), [], []
        for number, each in enumerate(chosen, 1):
            try:
                if self.sheet:
                    rows += sheet(photo, [each], self.synthesiser, self.intensity)
                else:
                    photo = edit_photo(photo, each, self.synthesiser, self.expression, self.intensity)
            except NoFace as error:  # in profile, to methods that cannot edit such faces
                refused.append(f"; face {number} stays as it is: {error}")
        if len(refused) == len(chosen):
            raise NoFace(f"{path.name}{''.join(refused)}")
        told = (
            f"{_faces(len(chosen) - len(refused))} "
            + ("with " if self.sheet else "now ")
            + f"{self.words}, by {self.synthesiser.name}"
        )
        small = [f"{number}" for number, each in enumerate(chosen, 1) if each.alignment.scale > BLURRED]
        told += f"; face {' and '.join(small)} is small: expect a soft result" if small else ""
        if lying := [round(each.alignment.turn) for each in chosen if abs(each.alignment.turn) > LYING]:
            told += f"; found turned by {' and '.join(map(str, lying))} degrees and put back as it lay"
        shut = [f"{number}" for number, each in enumerate(chosen, 1) if not self.sheet and self._shuts(each)]
        told += f"; the open mouth of face {' and '.join(shut)} is to be closed: expect traces of it" if shut else ""
        return rows if self.sheet else photo, told + "".join(refused)


def _faces(count: int) -> str:
    return f"{count} face{'s' * (count != 1)}"


def edit_file(path: str | Path, asked: Asked, out: str | Path) -> str:
    """Read a photograph, edit its faces, write the result; returns a sentence for the user.

    The result has the photograph's size, format by the suffix of `out`, its EXIF data (without the place, GPS) and colour
    profile, and says that it was made (`fersyn.marks`); the picture is stored upright, so that its orientation tag is 1.

    Args:
        path, asked: the photograph, and what it is asked for.
        out: file to write; an alpha channel is lost (laid over white), as everywhere in the kit.

    Raises:
        UnreadablePhoto, NoFace, FersynError: the message names the file and the cure.
    """
    path, out = Path(path), Path(out)
    check_out(out)
    if out.exists() and path.exists() and out.samefile(path):
        raise FersynError(f"--out {out.name} is the photograph itself; give another name, so that it is not lost")
    made, told = asked.made(path)
    if asked.sheet:
        marked(titled(made, _titles(asked)), asked.mark).save(out, quality=92)
    else:
        save(made, path, out, asked.mark)
    return f"{out}: {told}"


def _titles(asked: Asked) -> tuple[str, ...]:
    return ("photograph", "neutral", *asked.synthesiser.expressions)


@dataclass
class Outcome:
    """What became of several photographs: how many there were, and `file: reason` of each that failed."""

    total: int
    failed: list[str] = field(default_factory=list)


def edit_files(paths: Sequence[str | Path], asked: Asked, out: str | Path, tell: Callable[[str], object]) -> Outcome:
    """`fersyn edit`: edit photographs one after the other; what cannot be edited is told and left out.

    Args:
        paths: photographs, or folders of them (not what lies below these).
        asked: what they are asked for.
        out: file to write, for one photograph, or for a sheet of all; else a folder, which is made.
        tell: takes a sentence for each photograph, when it is done.

    Raises:
        FersynError: nothing to edit, or a name that cannot be written; with one photograph also what is wrong with it.
    """
    out, photos = Path(out), photographs(paths)
    if len(photos) == 1 and not out.is_dir() and out.suffix:
        tell(edit_file(photos[0], asked, out))
        return Outcome(1)
    together = asked.sheet and bool(out.suffix) and not out.is_dir()
    if together:
        check_out(out)
    names = {} if together else _names(photos, asked, out)
    outcome, rows = Outcome(len(photos)), []
    for number, path in enumerate(photos, 1):
        try:
            if together:
                made, told = asked.made(path)
                rows += made
                told = f"{path.name}: {told}"
            else:
                told = edit_file(path, asked, names[path])
        except (FersynError, OSError) as error:
            reason = " ".join(str(error).split())
            told = reason if reason.startswith(path.name) else f"{path.name}: {reason}"
            outcome.failed.append(told)
            told = f"failed: {told}"
        tell(f"{number}/{len(photos)} {told}")
    if rows:
        marked(titled(rows, _titles(asked)), asked.mark).save(out, quality=92)
        tell(f"{out}: {_faces(len(rows))}, {asked.words}, by {asked.synthesiser.name}")
    return outcome


def photographs(paths: Sequence[str | Path]) -> list[Path]:
    """The photographs that are meant, each once: files as they are, and the pictures in folders by name; raises FersynError
    where a folder holds none.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        own = pictures(path) if path.is_dir() else [path]
        if not own:
            raise FersynError(
                f"{path}: no pictures in this folder ({' '.join(sorted(PICTURES))}); name the one that holds them"
            )
        found += own
    return list(dict.fromkeys(found))


def _names(photos: Sequence[Path], asked: Asked, out: Path) -> dict[Path, Path]:
    """A file of the folder `out`, which is made, for each photograph: `anna-happiness.jpg`, of the photograph's format where it
    is written here.
    """
    if out.suffix and not out.is_dir():
        what = (
            f"{len(photos)} photographs do not go into one picture"
            if len(photos) > 1
            else f"{out.name} is no picture's name"
        )
        raise FersynError(f"--out {out}: {what}; name a folder without a dot, which is made")
    if any(out.resolve() == path.resolve().parent for path in photos):
        raise FersynError(f"--out {out} holds the photographs themselves; name another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FersynError(f"--out {out}: the folder cannot be made ({error.strerror})") from None
    taken: dict[Path, Path] = {}
    what = "sheet" if asked.sheet else asked.words.partition(" at ")[0].partition(" (")[0].replace(" ", "-")
    for path in photos:
        suffix = (
            path.suffix.lower()
            if path.suffix.lower() in SUFFIXES and not asked.sheet
            else ".png"
            if asked.sheet
            else ".jpg"
        )
        names = (out / f"{path.stem}-{what}{'' if k == 1 else f'-{k}'}{suffix}" for k in count(1))
        taken[path] = next(name for name in names if name not in taken.values())
    return taken


def check_out(out: Path) -> None:
    """Raise FersynError, if no picture can be written to the file: of a kind that the kit does not write, or nowhere."""
    if out.suffix.lower() not in SUFFIXES:
        raise FersynError(f"--out {out.name}: use a name that ends in .png, .jpg, .webp or .tif; or name a folder")
    if not out.absolute().parent.is_dir():
        raise FersynError(f"--out {out}: there is no folder {out.parent}; make it first")


def save(image: np.ndarray, original: Path | BinaryIO, out: Path, mark: Mark) -> None:
    """Write a picture, uint8 (H, W, 3 or 4), with what it says of itself, and the EXIF data and the colour profile of the file it
    was made of.

    The place where it was taken (GPS) is left out.
    """
    with Image.open(original) as source:
        exif, profile = source.getexif(), source.info.get("icc_profile")
        if source.mode not in ("RGB", "RGBA", "P", "L"):
            profile = None  # a CMYK or 16-bit profile does not fit what was made of it
    exif[_ORIENTATION] = 1
    exif.pop(_PLACE, None)
    extra = {"icc_profile": profile} if profile else {}
    marked(image, mark).save(out, quality=95, exif=exif, **extra)
