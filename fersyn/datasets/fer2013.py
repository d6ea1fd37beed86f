"""FER2013: 35,887 grey faces of 48 px out of the web, in one CSV (Goodfellow et al., ICONIP 2013)."""

from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import cv2
import numpy as np

from fersyn.datasets.frames import FrameSet, PhotoFrame, Picture
from fersyn.datasets.layout import unmeasured
from fersyn.datasets.named import ALONE
from fersyn.errors import FersynError, LayoutError, UnreadablePhoto

LAYOUT = "fer2013.csv with the columns emotion (0 anger ... 6 neutral), pixels and Usage"
CODES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
ENLARGED = 4  # dlib's detector looks for faces of 80 px and more


@dataclass(frozen=True)
class RowFrame(PhotoFrame):
    """A picture that is numbers in a row of the CSV `path`: those that begin at byte `start` and are `length` bytes long."""

    start: int = 0
    length: int = 0
    cropped: bool = False

    def picture(self) -> Picture:
        """The row's picture, `ENLARGED` times; raises UnreadablePhoto where the numbers make no square."""
        with open(self.path, "rb") as file:
            file.seek(self.start)
            words = file.read(self.length).split()
        side = isqrt(len(words))
        if side * side != len(words) or not all(word.isdigit() and int(word) < 256 for word in words):
            raise UnreadablePhoto(
                f"{self.path.name}: {self.source} has {len(words)} numbers that make no square of 0..255"
            )
        grey = np.array(words, int).astype(np.uint8).reshape(side, side)
        grey = cv2.resize(grey, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
        return Picture(np.repeat(grey[..., None], 3, 2), whole=self.cropped)


def read_fer2013(file: str | Path, cropped: bool = False, publishable: bool = False) -> FrameSet:
    """Read the rows of the CSV, whatever other columns it has; its Usage is the table's split (PublicTest and PrivateTest
    are test).

    Args:
        file: fer2013.csv, or the folder that holds it.
        cropped: take each picture for a face as it is, instead of looking for one in it.
        publishable: whether the pictures may be shown in public.

    Raises:
        LayoutError: no such file, or columns are missing.
        FersynError: a row's emotion is no number from 0 to 6.
    """
    path = Path(file).expanduser()
    path = path / "fer2013.csv" if path.is_dir() else path
    if not path.is_file():
        raise LayoutError(f"{path} does not exist; fer2013 is read from {LAYOUT}")
    frames, sides = [], {}
    with open(path, "rb") as lines:
        header = lines.readline()
        names = [name.strip().strip('"').lower() for name in header.decode("utf-8-sig", "replace").split(",")]
        if not {"emotion", "pixels"} <= set(names):
            raise LayoutError(f"{path}: found the columns {', '.join(names)[:80]}; fer2013 is read from {LAYOUT}")
        start = len(header)
        for number, line in enumerate(lines, 1):
            row = dict(zip(names, line.split(b","), strict=False))
            if line.strip():
                expression, usage = _label(path, number, row), row.get("usage", b"").decode().strip().strip('"')
                source, pixels = f"{usage or 'row'}/{number:05d}", row.get("pixels", b"").strip(b' "\r\n')
                about = ("fer2013", source, source, "", 0, expression, unmeasured(expression), publishable, path)
                at = start + line.find(pixels)
                frames.append(RowFrame(*about, start=at, length=len(pixels), cropped=cropped))
                sides |= {source: "train" if usage == "Training" else "test"} if usage else {}
            start += len(line)
    return FrameSet(
        dataset="fer2013",
        frames=frames,
        licence="FER2013: pictures out of a web search, their rights with their owners; research only",
        attribution="FER2013, Goodfellow et al., ICONIP 2013",
        notes=[f"the pictures {ALONE}", f"pictures of 48 px, enlarged {ENLARGED} times."],
        request={"reader": "fer2013", "file": path.name, "cropped": cropped, "publishable": publishable},
        root=str(path.resolve().parent),
        sides=sides,
    )


def _label(path: Path, number: int, row: dict[str, bytes]) -> str:
    text = row["emotion"].decode(errors="replace").strip().strip('"')
    if not text.isdigit() or int(text) >= len(CODES):
        raise FersynError(f"{path}, row {number}: emotion must be 0 to 6, not '{text[:20]}'; mend or delete the row")
    return CODES[int(text)]
