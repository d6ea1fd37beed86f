"""Oulu-CASIA NIR&VIS: 80 people, six expressions, in strong visible light (Zhao et al., Image Vis. Comput. 29, 2011)."""

from pathlib import Path

from fersyn.datasets.frames import Frame, FrameSet
from fersyn.datasets.layout import existing_folder, find_folder, first_and_last, one_frame_note, sequences
from fersyn.errors import FersynError, LayoutError
from fersyn.expressions import parse

LAYOUT = "B_OriginalImg/VL/Strong/P001/Anger/000.jpeg (and Disgust, Fear, Happiness, Sadness, Surprise)"
_STRONG = "VL/Strong"


def read_oulu_casia(root: str | Path) -> FrameSet:
    """Read sequences as `first_and_last` does; one of a single frame gives none. Nobody's picture may be published.

    Args:
        root: the folder that holds B_OriginalImg, or B_OriginalImg itself.

    Raises:
        LayoutError: folders are missing, hold no pictures, or are named after no expression.
    """
    base = existing_folder(root, "oulu-casia", LAYOUT)
    strong = find_folder(base, (f"B_OriginalImg/{_STRONG}", _STRONG), "oulu-casia", LAYOUT)
    frames: list[Frame] = []
    single = 0
    for person, sequence, files in sequences(strong):
        try:
            expression = parse(sequence.name)
        except FersynError:
            raise LayoutError(f"{sequence}: the folder is named after no expression; expected is {LAYOUT}") from None
        if len(files) == 1:
            single += 1
            continue
        source = strong.parents[1]  # sources begin with VL/Strong, whatever lies above
        frames += first_and_last(files, source, "oulu-casia", person.name, sequence.name, expression, False)
    if not frames:
        raise LayoutError(f"{strong}: no sequences with pictures in it; expected is {LAYOUT}")
    return FrameSet(
        dataset="oulu-casia",
        frames=frames,
        licence="Oulu-CASIA agreement: research only, no pictures of people may be published",
        attribution="Oulu-CASIA NIR&VIS, Zhao et al., Image and Vision Computing 29, 2011",
        notes=one_frame_note(single),
        request={"reader": "oulu-casia"},
        root=str(strong.resolve()),
    )
