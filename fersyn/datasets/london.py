"""Face Research Lab London Set: 102 people, neutral and smiling (DeBruine & Jones 2017, CC BY 4.0)."""

from pathlib import Path

from fersyn.datasets.frames import FrameSet
from fersyn.datasets.layout import existing_folder, find_folder, named, pictures
from fersyn.errors import LayoutError

LAYOUT = "neutral_front/001_03.jpg ... and smiling_front/001_08.jpg ... (number = person)"
ATTRIBUTION = "Face Research Lab London Set, DeBruine & Jones 2017, CC BY 4.0, doi 10.6084/m9.figshare.5047666"
_FOLDERS = (("neutral_front", "03", "neutral"), ("smiling_front", "08", "happiness"))


def read_london(root: str | Path) -> FrameSet:
    """Read the folders neutral_front and smiling_front; person by person, neutral first. How wide a smile is nobody
    measured (NaN).

    Raises:
        LayoutError: a folder is missing, or holds no pictures named as in the set.
    """
    base = existing_folder(root, "london", LAYOUT)
    frames, strange = [], []
    for folder, code, expression in _FOLDERS:
        path = find_folder(base, (folder,), "london", LAYOUT)
        name = r"(?P<subject>\d+)_(?P<code>\d+)"
        found, others = named(pictures(path), base, "london", name, {code: expression}, publishable=True)
        if not found:
            raise LayoutError(f"{path}: no picture named NNN_{code}.jpg in it; expected is {LAYOUT}")
        frames += found
        strange += others
    frames.sort(key=lambda frame: (frame.subject, frame.frame))
    notes = [f"{len(strange)} pictures are not named as in the set and were left out: {', '.join(strange[:5])}"]
    return FrameSet(
        dataset="london",
        frames=frames,
        licence="CC BY 4.0",
        attribution=ATTRIBUTION,
        notes=notes if strange else [],
        request={"reader": "london"},
        root=str(base.resolve()),
    )
