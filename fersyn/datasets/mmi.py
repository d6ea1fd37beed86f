"""MMI: films of people who show one of six expressions and let it go again (Pantic et al., ICME 2005; Valstar & Pantic 2010).

Nobody of this project has the set. Layout, codes and middle frames are as in the reader of Chen et al. (causal_emotion,
datasets/face_process/mmi.py, 2022); as they say, many films show the face from the front and the side at once, or lie on their
side: detection takes the face from the front, and turns it.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2

from fersyn.datasets.frames import FrameSet, PhotoFrame, Picture
from fersyn.datasets.layout import existing_folder, match_of, natural
from fersyn.errors import LayoutError, UnreadablePhoto

LAYOUT = "Sessions/1/S001-001.avi (person, film) with S001-001.xml beside it (Emotion 1 anger 2 disgust 3 fear 4 happiness 5 sadness 6 surprise)"
CODES = dict(zip("123456", ("anger", "disgust", "fear", "happiness", "sadness", "surprise"), strict=True))
EACH = 3  # frames from the start, and from the middle


@dataclass(frozen=True)
class FilmFrame(PhotoFrame):
    """The picture number `frame` (from 0) of the film `path`."""

    def picture(self) -> Picture:
        """Read the film up to there; raises UnreadablePhoto."""
        film = cv2.VideoCapture(str(self.path))
        try:
            read = all(film.grab() for _ in range(self.frame))
            found, image = film.read() if read else (False, None)
        finally:
            film.release()
        if not found:
            raise UnreadablePhoto(f"{self.path.name}: has no picture {self.frame}; copy or download the film again")
        return Picture(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def read_mmi(root: str | Path, publishable: bool = False) -> FrameSet:
    """Read the films that have a label of the six: the first three pictures as neutral, three in the middle as the expression,
    as a film ends neutral again (so do Chen et al.).

    Raises:
        LayoutError: no film with a label.
    """
    base = existing_folder(root, "mmi", LAYOUT)
    frames, left = [], Counter()
    for film in sorted(base.rglob("*.avi"), key=natural):
        match, code = match_of(r"(?P<subject>S\d{3})-(?P<film>\d{3})", film, base), _emotion(film.with_suffix(".xml"))
        opened = cv2.VideoCapture(str(film))
        length = int(opened.get(cv2.CAP_PROP_FRAME_COUNT))
        opened.release()
        if match is None or code not in CODES or length < 3 * EACH:
            left[
                "shorter than nine pictures or damaged" if match and code in CODES else "without a label of the six"
            ] += 1
            continue
        source, middle = film.relative_to(base).with_suffix("").as_posix(), (length - EACH) // 2
        shown = [(place, "neutral", 0.0) for place in range(EACH)]
        shown += [(place, CODES[code], 1.0) for place in range(middle, middle + EACH)]
        frames += [
            FilmFrame("mmi", f"{source}/{place:04d}", match["subject"], match["film"], place, *what, publishable, film)
            for place, *what in shown
        ]
    if not frames:
        raise LayoutError(f"{base}: no film with a label of the six in it; expected is {LAYOUT}")
    return FrameSet(
        dataset="mmi",
        frames=frames,
        licence="MMI agreement: research only; ask before pictures are published",
        attribution="MMI Facial Expression Database, Pantic et al., ICME 2005; Valstar & Pantic, LREC Workshop 2010",
        notes=[
            f"{count} film{'s' * (count > 1)} {why} {'were' if count > 1 else 'was'} left out."
            for why, count in left.items()
        ],
        request={"reader": "mmi", "publishable": publishable},
        root=str(base.resolve()),
    )


def _emotion(file: Path) -> str | None:
    try:
        tags = ElementTree.parse(file).getroot().iter("Metatag")
    except (OSError, ElementTree.ParseError):
        return None
    return next((tag.get("Value", "").strip() for tag in tags if tag.get("Name") == "Emotion"), None)
