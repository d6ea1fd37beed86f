"""Where weights lie on this machine: our cache, torch hub's, an installed package. No network here."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fersyn.errors import FersynError
from fersyn.files import write_atomic
from fersyn.system import cache_dir
from fersyn.weights.checked import remembered, sha256_of
from fersyn.weights.registry import Entry, Form, Installed, entry

BY_HAND = "torch"  # layout of a file that the user brought


@dataclass(frozen=True)
class Found:
    """A file that is there and was checked.

    Attributes:
        path: the file.
        layout: how to read it, see `registry.Form`.
        sha256: of the file, hex.
        origin: where this very file is published, in words (it may have come another way); no path of this machine.
    """

    path: Path
    layout: str
    sha256: str
    origin: str


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
            if path.is_file() and path.stat().st_size == form.bytes and _hash(path) == form.sha256:
                return Found(path, form.layout, form.sha256, origin)
    return None if item.forms else _added(item)


def damaged(name: str) -> list[Path]:
    """Files that stand where the weights should, and are others."""
    item = entry(name)
    if not item.forms:
        note = _note(item)
        path = folder() / str(note.get("file", ""))
        return [path] if note and path.is_file() and _added(item) is None else []
    places = [(path, form) for form in item.forms for path, _ in _places(form)]
    return [path for path, form in places if path.is_file() and _hash(path) != form.sha256]


def add(name: str, file: str | Path) -> Path:
    """Copy a file that the user got by hand into our cache, and return where it is now.

    Where the right SHA-256 is known the file must have it. Where it is not (LightCNN, VGG-Face) the file must load
    as a torch or safetensors file of weights, and its SHA-256 is noted, so that later damage shows.

    Raises:
        FersynError: no such file, or not these weights.
    """
    item, source = entry(name), Path(file)
    if not source.is_file():
        raise FersynError(f"{source} is not a file; give the file of {name}'s weights")
    digest = sha256_of(source)
    if item.forms:
        match = [form for form in item.forms if form.sha256 == digest]
        if not match:
            wanted = ", or ".join(f"{form.file} with {form.sha256}" for form in item.forms)
            raise FersynError(f"{source} is not {name}: its SHA-256 is {digest}; wanted is {wanted}")
        return _copied(source, folder() / match[0].file, digest)
    from fersyn.weights.readers import read_torch

    read_torch(source)
    suffix = ".safetensors" if source.suffix == ".safetensors" else ".pth"
    target = _copied(source, folder() / f"{name}{suffix}", digest)
    note = {"file": target.name, "sha256": digest, "was": source.name}
    write_atomic(_note_path(item), lambda p: p.write_text(json.dumps(note, indent=1)))
    return target


def _copied(source: Path, target: Path, digest: str) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, lambda p: shutil.copyfile(source, p))
    except OSError as error:
        raise FersynError(
            f"{target} cannot be written ({error}); make room, or move the cache by FERSYN_CACHE"
        ) from error
    if _hash(target) != digest:
        raise FersynError(f"{target} is not what {source} was: the file changed while it was copied; add it again")
    return target


def _hash(path: Path) -> str:
    try:
        return remembered(path, folder() / "checked.json")
    except OSError as error:
        raise FersynError(f"{path} cannot be read ({error}); mend its permissions, or delete it") from error


def _places(form: Form) -> list[tuple[Path, str]]:
    own = next((str(source) for source in form.sources), "")
    places = [(folder() / form.file, own)]
    if form.hub:
        places.append((hub_folder() / form.file, own))
    for source in form.sources:
        if isinstance(source, Installed):
            spec = find_spec(source.module)
            if spec is not None and spec.origin is not None:
                places.append((Path(spec.origin).parent / source.member, str(source)))
    return places


def _note_path(item: Entry) -> Path:
    return folder() / f"{item.name}.json"


def _note(item: Entry) -> dict:
    try:
        note = json.loads(_note_path(item).read_text())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _added(item: Entry) -> Found | None:
    note = _note(item)
    path = folder() / str(note.get("file", ""))
    if not path.is_file() or _hash(path) != note.get("sha256"):
        return None
    return Found(path, BY_HAND, note["sha256"], f"added by hand ({note.get('was', 'file')})")
