"""What every reader hands on: frames (one picture with what is known of it) and the set they belong to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fersyn.datasets.photo import read_photo
from fersyn.errors import UnreadablePhoto
from fersyn.faces.crop import Face

TRUTH = ("yaw", "pitch", "roll", "light_azimuth", "light_elevation")  # degrees


@dataclass(frozen=True)
class Picture:
    """A decoded frame: a uint8 RGB image (H, W, 3), and as `truth` what its source knows for certain.

    Absent where it does not: `landmarks` ((68, 2) px of the frame), `yaw`, `pitch`, `roll`, `light_azimuth`,
    `light_elevation` (degrees), `glasses` (bool). `whole`: the picture is a face as it is, and nothing is to be detected.
    """

    image: np.ndarray
    truth: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


@dataclass(frozen=True)
class Frame:
    """One picture of one person, not yet decoded. Frames are pickled to worker processes, so they hold no pixels.

    The expression is one of `fersyn.expressions.EXPRESSIONS`, or None without a label; its intensity 0 (neutral) .. 1
    (peak), NaN where nobody said.
    """

    dataset: str  # short name of the set, as in 'ckplus'
    source: str  # '/'-separated, relative, unique within the set; never an absolute path
    subject: str  # the person, unique within the set
    sequence: str  # within the person, '' where there are none
    frame: int  # number within the sequence
    expression: str | None
    intensity: float
    publishable: bool  # whether the person's picture may be shown in public

    # Whether the kit draws the picture itself: an error in that is a fault of ours, and no odd picture to be skipped.
    made_here: ClassVar[bool] = False

    def picture(self) -> Picture:
        """Decode (or render) the frame; raises UnreadablePhoto."""
        raise NotImplementedError

    def check(self, face: Face) -> None:
        """Raise NoFace with the reason, if the aligned face is not what the frame says of it. Photographs are believed."""

    def stamp(self) -> str:
        """Return a text that changes when the source changes: what is resumed or reused goes by it."""
        raise NotImplementedError


@dataclass(frozen=True)
class PhotoFrame(Frame):
    """A frame that is the picture file `path`, or a tile of it: (left, top, right, bottom) px of the upright picture, right
    and bottom exclusive.
    """

    path: Path
    tile: tuple[int, int, int, int] | None = None

    def picture(self) -> Picture:
        """Read the file and cut the tile out of it; raises UnreadablePhoto."""
        if self.tile is None:
            return Picture(read_photo(self.path))
        left, top, right, bottom = self.tile
        sheet = _sheet(self.path, self.path.stat().st_mtime_ns if self.path.is_file() else 0)
        image = np.ascontiguousarray(sheet[top:bottom, left:right])
        if image.size == 0:
            raise UnreadablePhoto(f"{self.path.name}: the tile {self.tile} lies outside the picture")
        return Picture(image)

    def stamp(self) -> str:
        """Size and modification time of the file, and the tile."""
        try:
            status = self.path.stat()
        except OSError:
            return "missing"
        tile = "" if self.tile is None else f":{','.join(map(str, self.tile))}"
        return f"{status.st_size}:{status.st_mtime_ns}{tile}"


@lru_cache(maxsize=1)
def _sheet(path: Path, modified: int) -> np.ndarray:
    """Keep the last sheet: its tiles are asked for one after the other."""
    return read_photo(path)


@dataclass
class FrameSet:
    """All frames that a reader found, in the order of the rows of the table to be.

    `licence` and `attribution` are the pictures', to be shown with anything made from them. A table answers to one
    `request` only: what was asked for (JSON-able, no absolute paths).
    """

    dataset: str  # short name, the same in all its frames
    frames: list[Frame]
    licence: str
    attribution: str
    notes: list[str] = field(default_factory=list)  # sentences for the user on what was decided while reading
    request: dict[str, Any] = field(default_factory=dict)
    root: str = ""  # where it was read; stays in the table's hidden folder, lest a machine's path get into a report
    prepare: Callable[[], None] | None = None  # called once, where the table is built, before workers get frames
    instead: str = ""  # whom these pictures stand in for, and why: a sentence that every page repeats
    sides: dict[str, str] = field(default_factory=dict)  # person -> train or test, where the set has a split of its own
    guides: tuple[str, ...] = ()  # instruments that had a hand in making the pictures: no judges of them
