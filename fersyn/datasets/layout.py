"""Looking for a data set's files, with errors that say what was expected where."""

import re
from pathlib import Path

from fersyn.errors import LayoutError

# Formats that Pillow reads, and those of telephones that it does not: these are then skipped with the reason rather
# than overlooked.
PICTURES = {
    ".jpg",
    ".jpeg",
    ".png",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".gif",
    ".ppm",
    ".pgm",
    ".jp2",
    ".avif",
    ".heic",
    ".heif",
}


def existing_folder(root: str | Path, dataset: str, layout: str) -> Path:
    """Return `root` as a path; raises LayoutError, telling the layout, if it is no folder."""
    path = Path(root).expanduser()
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise LayoutError(f"{path} {what}; {dataset} is read from a folder that holds {layout}")
    return path


def find_folder(root: Path, names: tuple[str, ...], dataset: str, layout: str) -> Path:
    """Return the first of `names` (relative folders) that is there; raises LayoutError with the layout and what was
    found instead.
    """
    for name in names:
        if (root / name).is_dir():
            return root / name
    found = ", ".join(sorted(p.name for p in root.iterdir() if not p.name.startswith("."))[:8]) or "nothing"
    raise LayoutError(f"{root}: no folder {' or '.join(names)} for {dataset}, found {found}; expected is {layout}")


def folders(path: Path) -> list[Path]:
    """Visible folders in `path`, sorted by name."""
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))


def pictures(path: Path) -> list[Path]:
    """Visible picture files in `path` (not below), in the order of the numbers in their names."""
    return sorted((p for p in path.iterdir() if is_picture(p)), key=natural)


def is_picture(path: Path) -> bool:
    """Whether the name is that of a picture file (hidden ones, as '._001.png' of archives, are not)."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()


def natural(path: Path | str) -> list:
    """Sort key by which 'a9' comes before 'a10'."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", str(path)) if part]


def ends(count: int, each: int = 3) -> tuple[int, int]:
    """How many frames to take from the start and the end of a sequence of `count`: three and three, in short ones
    fewer, none twice.

    >>> [ends(n) for n in (10, 6, 5, 2, 1)]
    [(3, 3), (3, 3), (2, 3), (1, 1), (0, 1)]
    """
    first = min(each, count // 2)
    return first, min(each, count - first)
