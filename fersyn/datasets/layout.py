"""Looking for a data set's files, with errors that say what was expected where; and the two ways in which sets are laid
out: a folder a sequence (`sequences`, `first_and_last`), or everything in the file's name (`named`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fersyn.datasets.frames import PhotoFrame
from fersyn.errors import LayoutError

# Formats that Pillow reads, and those of telephones that it does not: these are then skipped with the reason rather
# than overlooked.
PICTURES = set(".jpg .jpeg .png .bmp .tif .tiff .webp .gif .ppm .pgm .jp2 .avif .heic .heif".split())


def existing_folder(root: str | Path, dataset: str, layout: str) -> Path:
    """Return `root` as a path; raises LayoutError, telling the layout, if it is no folder."""
    path = Path(root).expanduser()
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise LayoutError(f"{path} {what}; {dataset} is read from a folder that holds {layout}")
    return path


def find_folder(root: Path, names: tuple[str, ...], dataset: str, layout: str) -> Path:
    """The first of `names` (relative folders) that is there; raises LayoutError with the layout and what was found."""
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


def sequences(path: Path) -> Iterator[tuple[Path, Path, list[Path]]]:
    """Yield (folder of the person, folder of the sequence, its pictures in order) of `path`/person/sequence/picture."""
    for person in folders(path):
        for sequence in folders(person):
            yield person, sequence, pictures(sequence)


def first_and_last(
    files: list[Path], root: Path, dataset: str, person: str, sequence: str, expression: str | None, publishable: bool
) -> list[PhotoFrame]:
    """Frames of a sequence that rises from neutral to an expression: its first three as neutral (intensity 0), its last
    three as the expression (intensity 1). The choice of Li, Qi & Sun (IEEE Access 9, 2021).

    Of fewer than six pictures it takes fewer, none twice. A picture's number is the one that its name ends in, else its
    place in the sequence.
    """
    first, last = ends(len(files))
    chosen = [(place, "neutral") for place in range(first)]
    chosen += [(place, expression) for place in range(len(files) - last, len(files))]
    frames = []
    for place, shown in chosen:
        path, strength = files[place], 0.0 if shown == "neutral" else 1.0
        digits, source = re.search(r"(\d+)$", path.stem), path.relative_to(root).as_posix()
        number = int(digits[1]) if digits else place
        frames.append(PhotoFrame(dataset, source, person, sequence, number, shown, strength, publishable, path))
    return frames


def unmeasured(expression: str | None) -> float:
    """Intensity where nobody said: 0 of neutral faces, else NaN."""
    return 0.0 if expression == "neutral" else float("nan")


def one_frame_note(count: int) -> list[str]:
    """What is said of sequences of a single picture, if there are any."""
    return [f"{count} sequences of one frame were left out: it may be neutral or not."] if count else []


def match_of(pattern: str, file: Path | str, root: Path | None = None) -> re.Match | None:
    """How a picture's path, without suffix and below `root`, ends in `pattern` (whole folders and names); None: it does not."""
    source = file if root is None else Path(file).relative_to(root).as_posix()
    return re.fullmatch(rf"(?:.*/)??(?:{pattern})\.\w+", str(source))


def named(
    files: Iterable[Path], root: Path, dataset: str, pattern: str, codes: Mapping[str, str | None], publishable: bool
) -> tuple[list[PhotoFrame], list[str]]:
    """Frames of pictures whose names say what they are.

    Args:
        files: the pictures.
        root: what sources are relative to.
        dataset: short name of the set.
        pattern: as of `match_of`, with the group `code`, and `subject` (without it each picture is a person of its own),
            `sequence`, and `frame` where pictures of one person and code are numbered; without it a code that is a number
            is the frame's.
        codes: what the codes mean: one of EXPRESSIONS, or None for no label. Others are strange.
        publishable: whether they may be shown in public.

    Returns:
        frames, of which nobody knows how strong they are (intensity NaN, 0 for neutral), and the sources of pictures
        that are not named like that.
    """
    frames, strange = [], []
    for file in files:
        source, match = file.relative_to(root).as_posix(), match_of(pattern, file, root)
        if match is None or match["code"] not in codes:
            strange.append(source)
            continue
        own, expression = match.groupdict(), codes[match["code"]]
        text, strength = own.get("frame") or own["code"], unmeasured(expression)
        who = own.get("subject") or source, own.get("sequence") or "", int(text) if text.isdigit() else 0
        frames.append(PhotoFrame(dataset, source, *who, expression, strength, publishable, file))
    return frames, strange
