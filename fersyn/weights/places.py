"""Where weights lie on this machine (our cache, torch hub's, an installed package), and whether they are the right ones."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from fersyn.errors import FersynError
from fersyn.files import write_json
from fersyn.system import cache_dir
from fersyn.weights.registry import Entry, Form, Installed, entry

BY_HAND = "torch"  # layout of a file that the user brought
_seen: dict[tuple, str] = {}  # hashes of this process, for caches that cannot be written to


class Found(NamedTuple):
    """A file that is there and was checked."""

    path: Path
    layout: str  # how to read it, see `registry.Form`
    sha256: str  # of the file, hex
    origin: str  # where this very file is published, in words (it may have come another way); no path of this machine


def folder() -> Path:
    """Our own folder of weights, in the user's cache; FERSYN_CACHE moves it with the rest."""
    return cache_dir() / "weights"


def hub_folder() -> Path:
    """Torch hub's folder of checkpoints, where torchvision, lpips and pytorch-fid look."""
    if "torch" in sys.modules:  # it may have been set there
        return Path(sys.modules["torch"].hub.get_dir()) / "checkpoints"
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(os.path.expanduser(home)) / "hub" / "checkpoints"


def home(form: Form) -> Path:
    """Where a form's file is put when it is fetched."""
    return (hub_folder() if form.hub else folder()) / form.file


def find(name: str) -> Path | None:
    """The weights' file, where it is on this machine and its SHA-256 is right; else None. Nothing is downloaded.

    Raises:
        FersynError: no weights have that name.
    """
    found = locate(name)
    return found.path if found else None


def locate(name: str) -> Found | None:
    """What `find` finds, with what is known about it."""
    item = entry(name)
    for form in item.forms:
        for path, origin in _places(form):
            if path.is_file() and path.stat().st_size == form.bytes and hash_of(path) == form.sha256:
                return Found(path, form.layout, form.sha256, origin)
    return None if item.forms else _added(item)


def damaged(name: str) -> list[Path]:
    """Files that stand where the weights should, and are others."""
    item = entry(name)
    if not item.forms:
        path = folder() / str(_json(note_path(item)).get("file", ""))
        return [path] if path.is_file() and _added(item) is None else []
    places = [(path, form) for form in item.forms for path, _ in _places(form)]
    return [path for path, form in places if path.is_file() and hash_of(path) != form.sha256]


def about(names: Iterable[str]) -> list[dict]:
    """One dict of strings a name: name, use, licence, file, sha256, source; nothing of this machine's folders.

    Where the weights are missing, file and sha256 are "" and source says "missing; instead: " and what is used.

    Raises:
        FersynError: no weights have one of these names.
    """
    rows = []
    for name in names:
        item, found = entry(name), locate(name)
        file, sha256, source = "", "", f"missing; instead: {item.instead}"
        if found:
            file, sha256, source = found.path.name, found.sha256, found.origin
        told = {"name": name, "use": item.use, "licence": item.licence}
        rows.append(told | {"file": file, "sha256": sha256, "source": source})
    return rows


def sha256_of(path: Path) -> str:
    """Read the whole file; returns hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def hash_of(path: Path) -> str:
    """SHA-256 of a file, noted in checked.json of our folder: a large file is read for it once, until its size or time of
    change is another. Notes that cannot be read or written cost a second reading, never an error.

    Raises:
        FersynError: the file cannot be read.
    """
    try:
        notes = folder() / "checked.json"
        stat, place = path.stat(), str(path.resolve())
        now = [stat.st_size, stat.st_mtime_ns]
        if (key := (place, *now)) in _seen:
            return _seen[key]
        noted = _json(notes).get(place)
        if isinstance(noted, dict) and noted.get("stat") == now and isinstance(noted.get("sha256"), str):
            _seen[key] = noted["sha256"]
            return noted["sha256"]
        digest = _seen[key] = sha256_of(path)
    except OSError as error:
        raise FersynError(f"{path} cannot be read ({error}); mend its permissions, or delete it") from error
    with suppress(OSError):  # a cache that only another user may write to
        write_json(notes, _json(notes) | {place: {"stat": now, "sha256": digest}})
    return digest


def _json(notes: Path) -> dict:
    """What a small file of ours holds; {} where it is missing or damaged."""
    try:
        known = json.loads(notes.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _places(form: Form) -> list[tuple[Path, str]]:
    own = next((str(source) for source in form.sources), "")
    places = [(where / form.file, own) for where in ([folder(), hub_folder()] if form.hub else [folder()])]
    for source in form.sources:
        if isinstance(source, Installed) and (spec := find_spec(source.module)) and spec.origin:
            places.append((Path(spec.origin).parent / source.member, str(source)))
    return places


def note_path(item: Entry) -> Path:
    """Where it is noted which file the user has added, for weights whose hash the registry does not know."""
    return folder() / f"{item.name}.json"


def _added(item: Entry) -> Found | None:
    note = _json(note_path(item))
    path = folder() / str(note.get("file", ""))
    if not path.is_file() or hash_of(path) != note.get("sha256"):
        return None
    return Found(path, BY_HAND, note["sha256"], f"added by hand ({note.get('was', 'file')})")
