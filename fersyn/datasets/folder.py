"""A folder of one's own photographs: `expression/...`, `subject/expression/...`, or a CSV that says what is what."""

import csv
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fersyn.datasets.frames import FrameSet, PhotoFrame
from fersyn.datasets.layout import existing_folder, is_picture, natural, unmeasured
from fersyn.datasets.named import ALONE, people_by_name
from fersyn.errors import FersynError, LayoutError
from fersyn.expressions import EXPRESSIONS, parse

LAYOUT = (
    "expression/photo.jpg or subject/expression/photo.jpg "
    f"(expression: {', '.join(EXPRESSIONS)}, or unlabelled; others by --labels 0=neutral,1=happiness), or use --csv FILE"
)
_UNLABELLED = {"unlabelled", "unlabeled", "unknown", "none"}
_SHORT_WORDS = {"sad", "joy"}
COLUMNS = ("file", "expression", "subject", "intensity", "publishable")
_NEEDED = "file, expression, and optionally subject, intensity, publishable"
_YES, _NO = {"yes", "true", "1", "y"}, {"no", "false", "0", "n"}


class Listed(NamedTuple):
    """A picture: its '/'-separated file relative to the folder, the rest as in a frame; what is None nobody said."""

    file: str
    expression: str | None
    subject: str | None = None
    intensity: float | None = None
    publishable: bool | None = None


def read_folder(
    root: str | Path,
    csv: str | Path | None = None,
    subject_from: str | None = None,
    publishable: bool = False,
    labels: str | None = None,
) -> FrameSet:
    """Read pictures from folders named after expressions, or those that a CSV lists.

    Where all names are those of a known set (CK+48, KDEF, JAFFE, RaFD) the person is read from them, which is said.
    Where nothing names the person (no subject folder, column or `subject_from`) each picture counts as a person of its
    own, which is said in the notes: the split can then not keep the same person from standing on both sides.

    Args:
        root: the folder; files of the CSV are relative to it.
        csv: see `read_list`.
        subject_from: regular expression, searched in each picture's path relative to `root`; its one group is the
            person.
        publishable: whether the pictures may be shown in public, where the CSV does not say.
        labels: what folders named otherwise mean, as in '0=neutral,1=happiness'.

    Raises:
        LayoutError: no pictures, or folders named otherwise.
        FersynError: the CSV or the regular expression is wrong.
    """
    base = existing_folder(root, "folder", LAYOUT)
    notes: list[str] = []
    listing = None if csv is None else Path(csv).name
    listed = _from_folders(base, notes, _labels(labels)) if csv is None else read_list(Path(csv), base)
    if subject_from is not None:
        listed = _with_people(listed, subject_from)
    alone = [item for item in listed if item.subject is None]
    if alone and len(alone) == len(listed) and (known := people_by_name([item.file for item in listed])):
        listed = [item._replace(subject=who) for item, who in zip(listed, known[1], strict=True)]
        first = f"{listed[0].subject} of {PurePosixPath(listed[0].file).name}"
        notes.append(
            f"{len(set(known[1]))} people, by the file names, as in {known[0]}: {first}; --subject-from says otherwise."
        )
    elif alone:
        notes.append(
            f"{len(alone)} pictures {ALONE} Use subject/expression/ folders, --subject-from or a subject column."
        )
    request = {"reader": "folder", "csv": listing, "subject_from": subject_from, "publishable": publishable}
    return FrameSet(
        dataset="folder",
        frames=[_frame(item, base, publishable) for item in listed],
        licence="the user's own photographs",
        attribution="",
        notes=notes,
        request=request if labels is None else request | {"labels": labels},
        root=str(base.resolve()),
    )


def _frame(item: Listed, base: Path, publishable: bool) -> PhotoFrame:
    subject = item.file if item.subject is None else item.subject
    intensity = unmeasured(item.expression) if item.intensity is None else item.intensity
    shown = publishable if item.publishable is None else item.publishable
    return PhotoFrame("folder", item.file, subject, "", 0, item.expression, intensity, shown, base / item.file)


def _from_folders(base: Path, notes: list[str], labels: dict[str, str | None]) -> list[Listed]:
    files, others = [], 0
    for path in sorted(base.rglob("*"), key=natural):
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(base).parts)
        if path.is_file() and not hidden:
            files += [path.relative_to(base)] if is_picture(path) else []
            others += not is_picture(path)
    if not files:
        raise LayoutError(f"{base}: no pictures in it; expected is {LAYOUT}")
    if others:
        notes.append(
            f"{others} file{'s that are no pictures were' if others > 1 else ' that is no picture was'} passed over."
        )
    if loose := [file.as_posix() for file in files if len(file.parts) < 2]:
        lie = f"{len(loose)} pictures lie in no folder ({', '.join(loose[:3])})"
        raise LayoutError(f"{base}: {lie}; expected is {LAYOUT}")
    # The layout is the one that more pictures follow, so that an error names the odd folder and not the others.
    fits = [[len(file.parts) > depth + 1 and _known(file.parts[depth], labels) for file in files] for depth in (0, 1)]
    # In a tie the folder beneath decides: SU01/anger/1.png is anger of a person SU01.
    depth = 0 if sum(fits[0]) > sum(fits[1]) else 1
    for file, fit in zip(files, fits[depth], strict=True):
        if not fit:
            name = "/".join(file.parts[: min(depth + 1, len(file.parts) - 1)])
            raise LayoutError(f"{base / name}: the folder is named after no expression; expected is {LAYOUT}")
    return [Listed(f.as_posix(), _expression(f.parts[depth], labels), f.parts[0] if depth else None) for f in files]


def _labels(text: str | None) -> dict[str, str | None]:
    """'0=neutral,1=happiness' as a mapping of folders' names."""
    pairs = [part.partition("=") for part in (text or "").split(",") if part.strip()]
    if wrong := [name for name, sign, meaning in pairs if not (name.strip() and sign and meaning.strip())]:
        raise FersynError(f"--labels: '{wrong[0]}' says nothing; write 0=neutral,1=happiness, a folder's name each")
    return {name.strip(): _expression(meaning.strip(), {}) for name, _, meaning in pairs}


def _known(name: str, labels: dict[str, str | None]) -> bool:
    try:
        _expression(name, labels)
    except FersynError:
        return False
    return True


def _expression(name: str, labels: dict[str, str | None]) -> str | None:
    if name in labels:
        return labels[name]
    if name.lower() in _UNLABELLED:
        return None
    # The codes of two and three letters (SU, AN) are too easily somebody's initials; 'sad' and 'joy' are words.
    letters = re.sub(r"[\W\d_]+", "", name).lower()
    if len(letters) <= 3 and letters not in _SHORT_WORDS:
        raise FersynError(f"'{name}' names no expression as a folder; write the word out, as in 'anger'")
    return parse(name)


def _with_people(listed: list[Listed], subject_from: str) -> list[Listed]:
    """The same pictures, each of the person whom the one group of a regular expression finds in its path."""
    try:
        pattern = re.compile(subject_from)
    except re.error as error:
        raise FersynError(f"--subject-from '{subject_from}' is no regular expression: {error}") from None
    if pattern.groups != 1:
        raise FersynError(
            f"--subject-from '{subject_from}' must have one group, as in '([^/]+)_\\d+', but has {pattern.groups}"
        )
    found = []
    for item in listed:
        match = pattern.search(item.file)
        if match is None:
            cure = "mend the expression, or list the pictures in a --csv"
            raise FersynError(f"{item.file}: --subject-from '{subject_from}' does not match; {cure}")
        found.append(item._replace(subject=match[1]))
    return found


def read_list(path: Path, root: Path) -> list[Listed]:
    """Read a CSV with columns file, expression (may be empty: no label), and optionally subject, intensity (0..1),
    publishable (yes/no).

    Separators ',', ';' and tab are recognised, so is a byte order mark. Files are named relative to `root`; one that is
    missing is skipped later on.

    Raises:
        FersynError: with file and line: no such file, missing or unknown columns, a value out of range, a picture
            outside `root` or listed twice.
    """
    if not path.is_file():
        raise FersynError(f"{path}: no such CSV; it needs the columns {_NEEDED}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FersynError(f"{path}: is not UTF-8 text; save the CSV as UTF-8") from None
    header = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(text.splitlines(), delimiter=separator, skipinitialspace=True)
    names = [(name or "").strip().lower() for name in reader.fieldnames or []]
    if not {"file", "expression"} <= set(names) <= set(COLUMNS):
        found = ", ".join(names) or "nothing"
        raise FersynError(f"{path}: columns must be {_NEEDED}; found {found}")
    reader.fieldnames = names
    listed, seen = [], set()
    for row in reader:
        try:
            item = _item({key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}, root)
            if item.file in seen:
                raise FersynError(f"{item.file} is listed twice")
        except FersynError as error:
            raise FersynError(f"{path}, line {reader.line_num}: {error}") from None
        seen.add(item.file)
        listed.append(item)
    if not listed:
        raise FersynError(f"{path}: lists no pictures")
    return listed


def _item(row: dict[str, str], root: Path) -> Listed:
    file = PurePosixPath(row["file"].replace("\\", "/"))
    if not row["file"]:
        raise FersynError("no file is named")
    if file.is_absolute() or ".." in file.parts:
        raise FersynError(f"{row['file']}: name the file relative to {root}")
    word = row.get("publishable", "").lower()
    if word and word not in _YES | _NO:
        raise FersynError(f"publishable must be yes or no, not '{word}'")
    return Listed(
        file=file.as_posix(),
        expression=parse(row["expression"]) if row["expression"] else None,
        subject=row.get("subject") or None,
        intensity=_intensity(row.get("intensity", "")),
        publishable=word in _YES if word else None,
    )


def _intensity(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise FersynError(f"intensity must lie between 0 and 1, not '{text}'")
    return value
