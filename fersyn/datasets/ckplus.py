"""Extended Cohn-Kanade (CK+): 593 sequences neutral -> peak of 123 people (Lucey et al., CVPRW 2010)."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fersyn.datasets.frames import Frame, FrameSet
from fersyn.datasets.layout import existing_folder, find_folder, first_and_last, one_frame_note, sequences
from fersyn.errors import FersynError, LayoutError
from fersyn.expressions import EXPRESSIONS

LAYOUT = (
    "cohn-kanade-images/S005/001/S005_001_00000011.png and Emotion/S005/001/S005_001_00000011_emotion.txt "
    "(a float: 1 anger 2 contempt 3 disgust 4 fear 5 happiness 6 sadness 7 surprise)"
)


def read_ckplus(root: str | Path, consent: Iterable[str] = (), unlabelled: bool = True) -> FrameSet:
    """Read sequences as `first_and_last` does: three neutral frames, three at the peak.

    A sequence of a single frame gives none, as nobody can tell whether it is neutral. Without an emotion file the
    frames at the peak have no label (None).

    Args:
        root: folder that holds cohn-kanade-images and Emotion (or Emotion_labels).
        consent: ids (S052) of the subjects whom the distribution allows to be shown in public; nobody by default.
        unlabelled: keep sequences that have no emotion file.

    Raises:
        LayoutError: folders are missing, or hold no pictures.
        FersynError: an emotion file holds no label; `consent` names somebody who is not in the set.
    """
    base = existing_folder(root, "ckplus", LAYOUT)
    images = find_folder(base, ("cohn-kanade-images",), "ckplus", LAYOUT)
    emotions = find_folder(base, ("Emotion", "Emotion_labels", "Emotion_labels/Emotion"), "ckplus", LAYOUT)
    if (emotions / "Emotion").is_dir():  # Emotion_labels.zip unpacks to Emotion_labels/Emotion
        emotions = emotions / "Emotion"
    consenting, seen = set(consent), set()
    frames: list[Frame] = []
    count: Counter = Counter()
    for person, sequence, files in sequences(images):
        if not files:
            continue
        seen.add(person.name)
        expression = _label(emotions / person.name / sequence.name)
        if expression is None and not unlabelled:
            count["left out"] += 1
        elif len(files) == 1:
            count["single"] += 1
        else:
            count["labelled"] += expression is not None
            agreed = person.name in consenting
            frames += first_and_last(files, base, "ckplus", person.name, sequence.name, expression, agreed)
    _check(frames, seen, consenting, count, images, emotions)
    shown = f"pictures of {len(consenting)} of {len(seen)} people may be published (option --consent)."
    notes = [f"{count['labelled']} labelled sequences; {shown}"]
    if left_out := count["left out"]:
        notes.append(f"{left_out} sequences without an emotion file were left out.")
    return FrameSet(
        dataset="ckplus",
        frames=frames,
        licence="CK+ agreement: research only, pictures of consenting subjects only may be published",
        attribution="Extended Cohn-Kanade (CK+), Lucey et al., CVPR Workshops 2010; Kanade, Cohn & Tian, FG 2000",
        notes=notes + one_frame_note(count["single"]),
        request={"reader": "ckplus", "consent": sorted(consenting), "unlabelled": unlabelled},
        root=str(base.resolve()),
    )


def _check(
    frames: list[Frame], seen: set[str], consenting: set[str], count: Counter, images: Path, emotions: Path
) -> None:
    """Refuse a set that gave nothing, saying why, and consent of people who are not in it."""
    left_out, single = count["left out"], count["single"]
    if not seen:
        raise LayoutError(f"{images}: no pictures in it; expected is {LAYOUT}")
    if not frames and single:
        others = f", and {left_out} have no emotion file and --labelled-only is on" if left_out else ""
        raise LayoutError(
            f"{images}: {single} sequences hold a single frame, which may be neutral or not{others}; unpack the whole "
            f"set, expected is {LAYOUT}"
        )
    if not frames:
        raise LayoutError(
            f"{images.parent}: none of the {left_out} sequences has an emotion file in {emotions.name}; leave out "
            "--labelled-only, or unpack Emotion"
        )
    if unknown := sorted(consenting - seen):
        raise FersynError(f"consent names {', '.join(unknown[:5])}, who are not in {images}; give ids as S052")


def read_consent(values: Iterable[str]) -> list[str]:
    """Subject ids of `values`: files of ids (any separators, '#' comments) or ids with commas; raises FersynError."""
    ids: set[str] = set()
    for value in values:
        path = Path(value).expanduser()
        if path.is_file():
            text = re.sub(r"#.*", "", path.read_text(encoding="utf-8-sig", errors="replace"))
        elif path.suffix or len(path.parts) > 1:
            raise FersynError(f"{value}: no such file of consenting subjects; give a file of ids, or ids as S052,S055")
        else:
            text = value
        for word in re.split(r"[\s,;]+", text.strip()):
            if word and not re.fullmatch(r"S\d{3}", word):
                raise FersynError(f"{value}: '{word}' is no subject of CK+; ids look like S052")
            ids.update([word] if word else [])
    return sorted(ids)


def _label(folder: Path) -> str | None:
    """A sequence's emotion file holds one float as '   3.0000000e+00'; None without one (the folder may be there)."""
    files = sorted(p for p in folder.glob("*_emotion.txt") if not p.name.startswith(".")) if folder.is_dir() else []
    if not files:
        return None
    text = files[-1].read_text(encoding="ascii", errors="replace").strip()
    try:
        return dict(enumerate(EXPRESSIONS))[float(text)]
    except (ValueError, KeyError):
        wrong = f"'{text[:20]}' is no label of CK+ (a float, 1 anger ... 7 surprise)"
        cure = "mend the file, or delete it to leave the sequence unlabelled"
        raise FersynError(f"{files[-1]}: {wrong}; {cure}") from None
