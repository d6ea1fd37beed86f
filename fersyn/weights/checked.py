"""SHA-256 of a file, remembered by its size and time of change, so that a large file is read for it once."""

import hashlib
import json
from pathlib import Path

from fersyn.files import write_atomic

_seen: dict[tuple, str] = {}  # of this process, for caches that cannot be written to


def sha256_of(path: Path) -> str:
    """Read the whole file; returns hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def remembered(path: Path, notes: Path) -> str:
    """SHA-256 of `path`, from the notes (a JSON file) where size and time of change are still the same.

    Notes that cannot be read or written cost a second reading, never an error.
    """
    path = path.resolve()
    stat = path.stat()
    now = [stat.st_size, stat.st_mtime_ns]
    if (key := (str(path), *now)) in _seen:
        return _seen[key]
    known = _read(notes)
    entry = known.get(str(path))
    if isinstance(entry, dict) and entry.get("stat") == now and isinstance(entry.get("sha256"), str):
        _seen[key] = entry["sha256"]
        return entry["sha256"]
    digest = _seen[key] = sha256_of(path)
    known = _read(notes) | {str(path): {"stat": now, "sha256": digest}}
    try:
        notes.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(notes, lambda p: p.write_text(json.dumps(known, indent=1)))
    except OSError:  # a cache that only another user may write to
        pass
    return digest


def _read(notes: Path) -> dict:
    try:
        known = json.loads(notes.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
