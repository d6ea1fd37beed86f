"""Whose a table's folder is: it belongs to one request, and to one process at a time."""

import json
import re
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fersyn.errors import TableError
from fersyn.files import locked, write_atomic

PICTURE = re.compile(r"^\d{6,}_.*_([0-9a-f]{12})\.png$")  # the names that fersyn.faces.worker gives


@contextmanager
def claimed(out: Path, request: dict[str, Any], overwrite: bool):
    """Make the folder ready for this request, and keep other processes out while it is worked on.

    Raises:
        TableError: the folder holds something else or another request's table, or cannot be written, or another
            process works on it.
    """
    with ExitStack() as stack:
        try:
            _enter(out, stack)
            _settle(out, request, overwrite)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise TableError(f"{out} cannot be written ({reason}); name another folder with --out") from None
        yield


def _enter(out: Path, stack: ExitStack) -> None:
    hidden = out / ".fersyn"
    if out.exists() and not out.is_dir():
        raise TableError(f"{out} is a file; name a folder for the table")
    # A run that was killed at once leaves nothing but the hidden folder.
    foreign = out.is_dir() and any(path.name != hidden.name for path in out.iterdir())
    if foreign and not (hidden / "request.json").is_file():
        raise TableError(f"{out} is not empty and no face table that fersyn began; name another folder with --out")
    hidden.mkdir(parents=True, exist_ok=True)
    try:
        stack.enter_context(locked(hidden / "lock"))
    except BlockingIOError:
        raise TableError(f"{out} is being built by another process; wait for it, or stop it") from None


def _settle(out: Path, request: dict[str, Any], overwrite: bool) -> None:
    """Compare with the request that stands there, and write this one down before anything else."""
    asked = out / ".fersyn" / "request.json"
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
    write_atomic(asked, lambda path: path.write_text(json.dumps(request, indent=1), encoding="utf-8"))
    for folder in (out / "images", out / "splits", out / ".fersyn" / "previews"):
        folder.mkdir(exist_ok=True)


def discard(out: Path) -> None:
    """Delete the table in `out`, if there is one, and let the folder be: the next request may have it.

    Raises:
        TableError: another process works on it, or it cannot be deleted.
    """
    if not (out / ".fersyn" / "request.json").is_file():
        return
    with ExitStack() as stack:
        try:
            _enter(out, stack)
            _clear(out)
        except OSError as error:
            raise TableError(f"{out} cannot be deleted ({error.strerror}); delete it by hand") from None


def _nothing_in(out: Path) -> bool:
    """Whether a run began here but found no face: such a folder is free for another request."""
    return not (out / "metadata.parquet").is_file() and not any((out / "images").glob("*.png"))


def _clear(out: Path) -> None:
    """Delete what a table consists of, and nothing else that someone may have put there.

    The request stays until the new one replaces it: without one the folder would be nobody's.
    """
    for name in (
        "metadata.parquet",
        "table.json",
        "skipped.csv",
        ".fersyn/progress.jsonl",
        ".fersyn/previews.json",
    ):
        (out / name).unlink(missing_ok=True)
    for file in (out / "images").glob("*.png"):
        if PICTURE.match(file.name):
            file.unlink()
    for folder in ("splits", ".fersyn/previews"):
        shutil.rmtree(out / folder, ignore_errors=True)
