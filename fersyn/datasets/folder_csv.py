"""The list of one's own photographs: a CSV with a line a picture."""

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fersyn.errors import FersynError
from fersyn.expressions import parse

COLUMNS = ("file", "expression", "subject", "intensity", "publishable")
_YES, _NO = {"yes", "true", "1", "y"}, {"no", "false", "0", "n"}


@dataclass(frozen=True)
class Listed:
    """One picture of one's own; what is None nobody said.

    Attributes:
        file: '/'-separated, relative to the folder.
        expression, subject, intensity (0..1), publishable: as in a frame.
    """

    file: str
    expression: str | None
    subject: str | None = None
    intensity: float | None = None
    publishable: bool | None = None


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
        raise FersynError(
            f"{path}: no such CSV; it needs the columns file, expression, and optionally subject, intensity, "
            "publishable"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FersynError(f"{path}: is not UTF-8 text; save the CSV as UTF-8") from None
    header = text.splitlines()[0] if text.strip() else ""
    separator = max(",;\t", key=header.count)
    reader = csv.DictReader(text.splitlines(), delimiter=separator, skipinitialspace=True)
    names = [(name or "").strip().lower() for name in reader.fieldnames or []]
    wrong = [name for name in names if name not in COLUMNS]
    if "file" not in names or "expression" not in names or wrong:
        found = ", ".join(names) or "nothing"
        raise FersynError(
            f"{path}: columns must be file, expression, and optionally subject, intensity, publishable; found {found}"
        )
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
