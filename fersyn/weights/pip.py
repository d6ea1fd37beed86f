"""What the user's pip is set to: index, further indexes, folders of packages, certificate file."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache

from fersyn.errors import FersynError


@dataclass(frozen=True)
class Settings:
    """pip's settings that matter for reading an index.

    Attributes:
        indexes: addresses of indexes, the main one first.
        links: folders or pages with packages.
        cert: file of certificates to trust, or "".
    """

    indexes: tuple[str, ...]
    links: tuple[str, ...]
    cert: str


def run(*arguments: str, cwd: str | None = None) -> subprocess.CompletedProcess:
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
    found: dict[str, str] = {}
    rank = {"global": 0, "download": 1, ":env:": 2}
    lines = run("config", "list").stdout.splitlines()
    parsed = []
    for line in lines:
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if section in rank:
            try:
                parsed.append((rank[section], option, str(ast.literal_eval(value))))
            except (ValueError, SyntaxError):
                continue
    for _, option, value in sorted(parsed, key=lambda item: item[0]):
        found[option] = value
    main = "" if found.get("no-index", "").lower() in ("1", "true", "yes", "on") else found.get("index-url") or _usual()
    further = found.get("extra-index-url", "").split() if main else []
    return Settings(
        tuple(filter(None, [main, *further])), tuple(found.get("find-links", "").split()), found.get("cert", "")
    )


def certificates() -> str:
    """The file of certificates that pip is set to trust; "" where none is set, or there is no pip."""
    try:
        return settings().cert
    except FersynError:
        return ""


def _usual() -> str:
    """The index that pip asks where nothing is set."""
    from pip._internal.models.index import PyPI  # pip prints it nowhere but in its help

    return PyPI.simple_url
