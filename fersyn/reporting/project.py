"""Where the project is, and at which commit: paths are always shown relative to its root."""

import subprocess
from pathlib import Path

MARKS = ("Snakefile", "notebooks", "profiles")


def root(start: Path | None = None) -> Path:
    """The project's folder: the nearest one at or above ``start`` (default: the working folder) that holds the
    Snakefile.

    Falls back to the folder above the package, then to the working folder, so that fersyn works without the project
    too.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents, Path(__file__).resolve().parents[2]):
        if all((folder / mark).exists() for mark in MARKS):
            return folder
    return start


def locate(path: str | Path) -> Path:
    """A path as the user means it: as it stands if it exists, otherwise below the project's root.

    A notebook that JupyterLab runs works in ``notebooks/``, one that papermill runs in the root: both find
    ``data/...``.
    """
    path = Path(path).expanduser()
    return path if path.is_absolute() or path.exists() else root() / path


def commit(folder: Path | None = None) -> str:
    """The short commit of the project, with ``+changes`` where the working tree differs; ``unknown`` without git."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder or root(), capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout.strip()

    try:
        head = git("rev-parse", "--short=10", "HEAD")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    try:
        return head + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return head
