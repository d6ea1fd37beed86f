"""openpeople: ten photo-like people who do not exist, with a sheet of sixteen expressions each (PyPI, MIT)."""

from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from fersyn.datasets.frames import FrameSet, PhotoFrame
from fersyn.datasets.layout import existing_folder, find_folder, folders, unmeasured
from fersyn.datasets.photo import read_photo
from fersyn.errors import FersynError, LayoutError, UnreadablePhoto
from fersyn.expressions import parse

LAYOUT = "P001/assets/emotions_sheet.jpg, P002/... (folder data/curated of the package openpeople)"
SHEET = (
    ("neutral", "happy", "sad", "angry"),
    ("surprised", "disgusted", "scared", "confused"),
    ("smug", "flirty", "thoughtful", "pensive"),
    ("exhausted", "shocked", "playful", "determined"),
)
# Of the sixteen these mean the same as one of the eight. 'shocked' is surprise blended with fear (some sheets show
# hands on the cheeks), 'smug' lacks the one-sided lip corner of contempt, 'pensive' is thought rather than sadness,
# 'determined' no anger: taking them would make labels noisy.
USED = ("neutral", "happy", "sad", "angry", "surprised", "disgusted", "scared")
NOTE = "Used are the seven of the sixteen expressions that mean the same as one of the eight; there is no contempt."


def read_openpeople(root: str | Path | None = None) -> FrameSet:
    """Read the sheets of the installed package, or of `root` (its folder data/curated, or one above it).

    Each sheet is cut along the light frames around its tiles. Intensity of the expressions is not known (NaN).

    Raises:
        FersynError: the package is not installed.
        LayoutError: no sheets where they are expected, or a sheet without 4 x 4 frames.
    """
    curated = _installed() if root is None else existing_folder(root, "openpeople", LAYOUT)
    if not any(curated.glob("*/assets/emotions_sheet.jpg")):
        curated = find_folder(curated, ("data/curated", "curated", "openpeople/data/curated"), "openpeople", LAYOUT)
    frames: list[PhotoFrame] = []
    for person in folders(curated):
        sheet = person / "assets" / "emotions_sheet.jpg"
        if not sheet.is_file():
            continue
        tiles = _tiles(sheet, person.name)
        for place, name in enumerate(name for row in SHEET for name in row):
            if name not in USED:
                continue
            source, expression = f"{person.name}/emotions_sheet/{name}", parse(name)
            known = {"expression": expression, "intensity": unmeasured(expression), "publishable": True}
            known |= {"path": sheet, "tile": tiles[place]}
            frames.append(PhotoFrame("openpeople", source, person.name, "emotions_sheet", place, **known))
    if not frames:
        raise LayoutError(f"{curated}: no emotions_sheet.jpg found; expected is {LAYOUT}")
    return FrameSet(
        dataset="openpeople",
        frames=frames,
        licence="MIT",
        attribution="openpeople, Prompt Haus, MIT licence (synthetic people)",
        notes=[NOTE],
        request={"reader": "openpeople"},
        root="" if root is None else str(curated.resolve()),
    )


def _installed() -> Path:
    spec = find_spec("openpeople")  # found, not imported: the import reads all its metadata
    if spec is None or spec.origin is None:
        raise FersynError("the package openpeople is not installed; install it with: pip install openpeople")
    return Path(spec.origin).parent / "data" / "curated"


def _tiles(sheet: Path, person: str) -> list[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) of the 4 x 4 tiles, inside their frames: no two sheets have the same grid."""
    try:
        grey = cv2.cvtColor(read_photo(sheet), cv2.COLOR_RGB2GRAY)
    except UnreadablePhoto as error:
        raise LayoutError(f"{person}/assets/{error}") from None
    light = (grey > 205).astype(np.uint8)
    height, width = grey.shape
    # A frame's side is a light line longer than anything else on the sheet that is light (shirts, captions).
    across = cv2.morphologyEx(light, cv2.MORPH_OPEN, np.ones((1, width // 8), np.uint8)).mean(1) > 0.35
    down = cv2.morphologyEx(light, cv2.MORPH_OPEN, np.ones((height // 9, 1), np.uint8)).mean(0) > 0.35
    rows, columns = _gaps(across), _gaps(down)
    if len(rows) != 4 or len(columns) != 4:
        raise LayoutError(
            f"{person}/assets/{sheet.name}: found {len(rows)} x {len(columns)} framed tiles, expected 4 x 4; is it a "
            "sheet of openpeople?"
        )
    return [(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _gaps(line: np.ndarray) -> list[tuple[int, int]]:
    """Spans between the first and second line, third and fourth, ...: the insides of the frames."""
    where = np.flatnonzero(line)
    if len(where) == 0:
        return []
    runs = np.split(where, np.flatnonzero(np.diff(where) > 2) + 1)
    return [(int(a[-1]) + 2, int(b[0]) - 1) for a, b in zip(runs[0::2], runs[1::2], strict=True)]
