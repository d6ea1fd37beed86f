"""The face that is edited: a row of a face table, or one of the faces of a photograph."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from fersyn import editing
from fersyn.datasets.photo import read_photo
from fersyn.errors import FersynError
from fersyn.methods.base import Synthesiser
from fersyn.table import FaceTable


@dataclass(frozen=True)
class Face:
    """One face, ready to be edited.

    Attributes:
        crop: uint8 RGB (S, S, 3), aligned.
        landmarks: (68, 2) px of the crop.
        title: who it is, for people.
        origin: the path that names it in a line of code: of the table, or of the photograph.
        row: position in the table; None: a photograph.
        number: which face of the photograph, from the left, 1...
        photo: the whole photograph, uint8 RGB (H, W, 3); None: a table's face.
        found: how the crop was cut from the photograph.
        data: the photograph's file, whose EXIF data a saved picture keeps.
    """

    crop: np.ndarray
    landmarks: np.ndarray
    title: str
    origin: str
    row: int | None = None
    number: int = 1
    photo: np.ndarray | None = None
    found: editing.FoundFace | None = None
    data: bytes = b""

    def tensors(self) -> tuple[Tensor, Tensor]:
        """The crop (1, 3, S, S) in [-1, 1] and its landmarks (1, 68, 2) px, exactly as `fersyn edit` makes them."""
        return editing.tensors(self.crop, self.landmarks)

    def edited(self, synthesiser: Synthesiser, expression: str, intensity: float) -> np.ndarray:
        """The crop with an expression, uint8 RGB (S, S, 3)."""
        pixels, points = self.tensors()
        return editing.as_bytes(synthesiser.edit(pixels, expression, intensity, source_landmarks=points))[0]

    def finished(self, crop: np.ndarray) -> np.ndarray:
        """What is saved of an edited crop: the whole photograph with the face put back, or the crop of a table's face."""
        if self.found is None:
            return crop
        return self.found.alignment.paste(crop, self.photo, editing.face_mask(self.found))


def of_table(table: FaceTable, row: int, origin: str = "") -> Face:
    """A row of a face table; raises FersynError where there is no such row."""
    if not 0 <= row < len(table):
        raise FersynError(f"row {row}: {table.path} has the rows 0 to {len(table) - 1}")
    values = table.rows.iloc[row]
    title = f"{values['dataset']}/{values['subject']}, {values['expression'] or 'no label'}"
    return Face(table.images([row])[0], table.landmarks([row])[0], title, origin or str(table.path), row=row)


def of_photo(photo: np.ndarray, name: str, size: int, data: bytes = b"", origin: str = "") -> list[Face]:
    """The faces of a photograph uint8 RGB (H, W, 3), from left to right; crops of at least `size` px.

    Raises:
        NoFace: there is none; the message says what may help.
    """
    found = editing.find(photo, name, size)
    return [
        Face(each.crop, each.landmarks, name if len(found) == 1 else f"{name}, face {number} of {len(found)}",
             origin or name, number=number, photo=photo, found=each, data=data)
        for number, each in enumerate(found, 1)
    ]  # fmt: skip


def read_bytes(name: str, data: bytes) -> np.ndarray:
    """Decode a file that came from the browser: uint8 RGB (H, W, 3), upright.

    Raises:
        UnreadablePhoto: no picture, damaged, or too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(name).name or "photo")
        path.write_bytes(data)
        return read_photo(path)
