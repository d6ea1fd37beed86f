"""A table's folder while it is built: whose it is (one request's, one process's at a time), and what is finished in it."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from fersyn.errors import TableError
from fersyn.files import locked, write_json

_PICTURE = re.compile(r"^\d{6,}_.*_([0-9a-f]{12})\.png$")  # the names that `file_name` gives
# Hugging Face datasets takes a file whose name holds one of these words for part of that split, and would leave the
# others out.
_SPLIT_WORDS = re.compile(r"(?<![a-z])(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?![a-z])")


def file_name(number: int, source: str) -> str:
    """A face's name in the table: its number, a readable piece of its source, and a hash that tells sources apart."""
    stem = re.sub(r"\.[A-Za-z]{2,4}$", "", source)
    slug = re.sub(r"[^A-Za-z0-9]+", "-", stem)[-60:].strip("-")
    slug = _SPLIT_WORDS.sub(r"\1x", slug.lower())
    return f"images/{number:06d}_{slug or 'face'}_{source_key(source)}.png"


def source_key(source: str) -> str:
    """Return twelve hex digits that stand for a source in file names."""
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def pictures(out: Path) -> Iterator[tuple[str, Path]]:
    """Yield (source key, path) of the table's pictures; after a kill there may be two of one source."""
    for path in sorted((out / "images").glob("*.png")):
        if match := _PICTURE.match(path.name):
            yield match[1], path


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
            cure = "name another folder with --out, or give --overwrite"
            raise TableError(f"{out} holds the table of another request ({differences}); {cure}")
    write_json(asked, request)
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
    for name in ("metadata.parquet", "table.json", "skipped.csv", ".fersyn/progress.jsonl", ".fersyn/previews.json"):
        (out / name).unlink(missing_ok=True)
    for _, file in pictures(out):
        file.unlink()
    for folder in ("splits", ".fersyn/previews"):
        shutil.rmtree(out / folder, ignore_errors=True)


class Journal:
    """Append-only; of several lines for one source the last one counts. A half-written line (a kill while writing) is
    passed over.

    `entries`, by source, are dicts with `source`, `stamp` and `face` (facts for the row) or `reason` (why it was skipped).
    """

    def __init__(self, path: Path):
        self.path = path
        self.entries: dict[str, dict[str, Any]] = {}
        whole = True
        if path.is_file():
            text = path.read_bytes()
            whole = text.endswith(b"\n") or not text
            for line in text.splitlines():
                try:
                    entry = json.loads(line)
                    self.entries[entry["source"]] = entry
                except (ValueError, KeyError, TypeError):
                    continue
        self._file = path.open("a", encoding="utf-8", newline="\n")
        if not whole:  # else the next line would be glued to the half one, and lost with it
            self._file.write("\n")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception) -> None:
        self._file.close()

    def add(self, entries: list[dict[str, Any]]) -> None:
        """Write entries through to the operating system: a killed process loses none of them."""
        for entry in entries:
            self._file.write(json.dumps(entry) + "\n")
            self.entries[entry["source"]] = entry
        self._file.flush()
