"""Whose a table's folder is: it belongs to one request, and to one process at a time."""

import json
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fersyn.errors import TableError
from fersyn.files import write_atomic

PICTURE = re.compile(r"^\d{6}_.*_([0-9a-f]{12})\.png$")  # the names that fersyn.faces.worker gives


@contextmanager
def claimed(out: Path, request: dict[str, Any], overwrite: bool):
    """Make the folder ready for this request, and keep other processes out while it is worked on.

    Raises:
        TableError: the folder holds something else or another request's table, or another process works on it.
    """
    hidden = out / ".fersyn"
    asked = hidden / "request.json"
    if out.exists() and not out.is_dir():
        raise TableError(f"{out} is a file; name a folder for the table")
    if out.is_dir() and any(out.iterdir()) and not asked.is_file():
        raise TableError(f"{out} is not empty and no face table that fersyn began; name another folder with --out")
    hidden.mkdir(parents=True, exist_ok=True)
    with _lock(hidden / "lock", out):
        if asked.is_file():
            before = json.loads(asked.read_text(encoding="utf-8"))
            if overwrite or (before != request and _nothing_in(out)):
                _clear(out)
            elif before != request:
                keys = [key for key in {**before, **request} if before.get(key) != request.get(key)]
                differences = "; ".join(f"{key}: {before.get(key)!r} there, {request.get(key)!r} now" for key in keys)
                raise TableError(
                    f"{out} holds the table of another request ({differences}); name another folder with --out, or "
                    "give --overwrite"
                )
        for folder in (out / "images", out / "splits", hidden / "previews"):
            folder.mkdir(exist_ok=True)
        write_atomic(asked, lambda path: path.write_text(json.dumps(request, indent=1), encoding="utf-8"))
        yield


def _nothing_in(out: Path) -> bool:
    """Whether a run began here but found no face: such a folder is free for another request."""
    return not (out / "metadata.parquet").is_file() and not any((out / "images").glob("*.png"))


def _clear(out: Path) -> None:
    """Delete what a table consists of, and nothing else that someone may have put there."""
    for name in (
        "metadata.parquet",
        "table.json",
        "skipped.csv",
        ".fersyn/progress.jsonl",
        ".fersyn/previews.json",
        ".fersyn/request.json",
    ):
        (out / name).unlink(missing_ok=True)
    for file in (out / "images").glob("*.png"):
        if PICTURE.match(file.name):
            file.unlink()
    for folder in ("splits", ".fersyn/previews"):
        shutil.rmtree(out / folder, ignore_errors=True)


@contextmanager
def _lock(path: Path, out: Path):
    """An advisory lock that the system drops when the process ends, however it ends."""
    with path.open("a") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # not on Windows
            pass
        except BlockingIOError:
            raise TableError(f"{out} is being built by another process; wait for it, or stop it") from None
        yield
