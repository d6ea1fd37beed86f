"""Small things about the process and its machine: environment for a while, packages it runs on, cache folder."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_dir

from fersyn import __version__


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for a while: what runs after this in the same process finds its own again."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def cache_dir() -> Path:
    """Folder for what is built or fetched once a machine; FERSYN_CACHE overrides it."""
    return Path(os.environ.get("FERSYN_CACHE") or user_cache_dir("fersyn", appauthor=False))


def commit(folder: Path | None = None) -> str:
    """The short commit of a folder (None: of the kit's code that runs), with ``+changes`` where the working tree differs;
    ``unknown`` without git.
    """

    def git(*arguments: str) -> str:
        options = {"stderr": subprocess.DEVNULL, "text": True, "timeout": 30}
        return subprocess.check_output(["git", *arguments], cwd=folder or Path(__file__).parent, **options).strip()

    head = "unknown"
    try:
        head = git("rev-parse", "--short=10", "HEAD")
        return head + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return head


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of fersyn, Python and `packages`; packages that are not installed are left out."""
    found = {"fersyn": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
