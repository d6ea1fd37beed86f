"""A folder of one's own photographs: `expression/...`, `subject/expression/...`, or a CSV that says what is what."""

import re
from pathlib import Path

from fersyn.datasets.folder_csv import Listed, read_list
from fersyn.datasets.frames import FrameSet, PhotoFrame
from fersyn.datasets.layout import existing_folder, is_picture, natural
from fersyn.errors import FersynError, LayoutError
from fersyn.expressions import EXPRESSIONS, parse

LAYOUT = (
    "expression/photo.jpg or subject/expression/photo.jpg "
    f"(expression: {', '.join(EXPRESSIONS)}, or unlabelled), or use --csv FILE"
)
_UNLABELLED = {"unlabelled", "unlabeled", "unknown", "none"}
_SHORT_WORDS = {"sad", "joy"}


def read_folder(
    root: str | Path, csv: str | Path | None = None, subject_from: str | None = None, publishable: bool = False
) -> FrameSet:
    """Read pictures from folders named after expressions, or those that a CSV lists.

    Where nothing names the person (no subject folder, column or `subject_from`) each picture counts as a person of its
    own, which is said in the notes: the split can then not keep the same person from standing on both sides.

    Args:
        root: the folder; files of the CSV are relative to it.
        csv: see `fersyn.datasets.folder_csv.read_list`.
        subject_from: regular expression, searched in each picture's path relative to `root`; its one group is the
            person.
        publishable: whether the pictures may be shown in public, where the CSV does not say.

    Raises:
        LayoutError: no pictures, or folders named otherwise.
        FersynError: the CSV or the regular expression is wrong.
    """
    base = existing_folder(root, "folder", LAYOUT)
    notes: list[str] = []
    listed = read_list(Path(csv), base) if csv is not None else _from_folders(base, notes)
    pattern = _pattern(subject_from)
    frames, alone = [], 0
    for item in listed:
        subject = item.subject
        if pattern is not None:
            match = pattern.search(item.file)
            if match is None:
                raise FersynError(
                    f"{item.file}: --subject-from '{subject_from}' does not match; mend the expression, or list the "
                    "pictures in a --csv"
                )
            subject = match[1]
        alone += subject is None
        frames.append(
            PhotoFrame(
                dataset="folder",
                source=item.file,
                subject=item.file if subject is None else subject,
                sequence="",
                frame=0,
                expression=item.expression,
                intensity=0.0 if item.expression == "neutral" and item.intensity is None else _or_nan(item.intensity),
                publishable=publishable if item.publishable is None else item.publishable,
                path=base / item.file,
            )
        )
    if alone:
        notes.append(
            f"{alone} pictures name no person: each counts as its own, so one person may stand in training and test. "
            "Use subject/expression/ folders, --subject-from or a subject column."
        )
    return FrameSet(
        dataset="folder",
        frames=frames,
        licence="the user's own photographs",
        attribution="",
        notes=notes,
        request={
            "reader": "folder",
            "csv": None if csv is None else Path(csv).name,
            "subject_from": subject_from,
            "publishable": publishable,
        },
        root=str(base.resolve()),
    )


def _from_folders(base: Path, notes: list[str]) -> list[Listed]:
    files, others = [], 0
    for path in sorted(base.rglob("*"), key=natural):
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(base).parts)
        if hidden or not path.is_file():
            continue
        if is_picture(path):
            files.append(path.relative_to(base))
        else:
            others += 1
    if not files:
        raise LayoutError(f"{base}: no pictures in it; expected is {LAYOUT}")
    if others:
        notes.append(f"{others} files that are no pictures were passed over.")
    loose = [file.as_posix() for file in files if len(file.parts) < 2]
    if loose:
        raise LayoutError(
            f"{base}: {len(loose)} pictures lie in no folder ({', '.join(loose[:3])}); expected is {LAYOUT}"
        )
    # The layout is the one that more pictures follow, so that an error names the odd folder and not the others.
    fits = [[len(file.parts) > depth + 1 and _known(file.parts[depth]) for file in files] for depth in (0, 1)]
    # In a tie the folder beneath decides: SU01/anger/1.png is anger of a person SU01.
    depth = 0 if sum(fits[0]) > sum(fits[1]) else 1
    for file, fit in zip(files, fits[depth], strict=True):
        if not fit:
            name = "/".join(file.parts[: min(depth + 1, len(file.parts) - 1)])
            raise LayoutError(f"{base / name}: the folder is named after no expression; expected is {LAYOUT}")
    return [
        Listed(
            file=file.as_posix(), expression=_expression(file.parts[depth]), subject=file.parts[0] if depth else None
        )
        for file in files
    ]


def _known(name: str) -> bool:
    try:
        _expression(name)
    except FersynError:
        return False
    return True


def _expression(name: str) -> str | None:
    if name.lower() in _UNLABELLED:
        return None
    # The codes of two and three letters (SU, AN) are too easily somebody's initials; 'sad' and 'joy' are words.
    letters = re.sub(r"[\W\d_]+", "", name).lower()
    if len(letters) <= 3 and letters not in _SHORT_WORDS:
        raise FersynError(f"'{name}' names no expression as a folder; write the word out, as in 'anger'")
    return parse(name)


def _pattern(text: str | None) -> re.Pattern | None:
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise FersynError(f"--subject-from '{text}' is no regular expression: {error}") from None
    if pattern.groups != 1:
        raise FersynError(
            f"--subject-from '{text}' must have one group, as in '([^/]+)_\\d+', but has {pattern.groups}"
        )
    return pattern


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
