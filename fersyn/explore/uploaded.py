"""A photograph that somebody brought into the panel: its faces, at the size that a method asks for."""

from __future__ import annotations

from pathlib import Path

from fersyn.editing import BLURRED
from fersyn.explore import choices, keep
from fersyn.explore.choices import Face


class Uploaded:
    """A photograph of the panel.

    Args:
        name: of its file.
        data: the file, as the browser sends it.
        snapshot: where it will lie, if it has no file yet (of a camera); None: it has one.

    Raises:
        UnreadablePhoto: no picture.
    """

    def __init__(self, name: str, data: bytes, snapshot: Path | None = None):
        self.name, self.data, self.snapshot = name, data, snapshot
        self.pixels = choices.read_bytes(name, data)
        self.faces: list[Face] = []
        self._size = 0

    def cut(self, size: int, chosen: Face | None = None) -> Face:
        """Its faces from left to right, as crops of `size` px or more, unless they are so already; returns the one that was `chosen`
        before, or else the first.

        Raises:
            NoFace: there is none.
        """
        if not self.faces or self._size != size:
            origin = keep.shown(self.snapshot) if self.snapshot else self.name
            self.faces = choices.of_photo(self.pixels, self.name, size, self.data, origin)
            self._size = size
        number = chosen.number - 1 if chosen is not None and chosen.photo is self.pixels else 0
        return self.faces[min(number, len(self.faces) - 1)]

    def write(self) -> None:
        """Write a snapshot down, once: a line of code names it."""
        if self.snapshot is not None and not self.snapshot.exists():
            self.snapshot.write_bytes(self.data)

    def told(self, face: Face) -> str:
        """How many faces it has, and whether the chosen one is small."""
        many = f"{len(self.faces)} faces, from the left" if len(self.faces) > 1 else "one face"
        small = " It is small: expect a soft result." if face.found.alignment.scale > BLURRED else ""
        return f"{self.name}: {many}.{small}"
