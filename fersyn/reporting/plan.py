"""What a report consists of: which tables, which notebook runs, with which parameters and which code. Read by the
Snakefile.
"""

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fersyn.errors import FersynError
from fersyn.reporting import profiles, project, provenance, sources

# What a run of a notebook leaves beside its name, and what it leaves instead when it fails.
SUFFIXES = (".ipynb", ".html", "-code.html", ".json")
FAILED_SUFFIXES = (".failed.ipynb", ".failed.html", ".failed.json")
# Packages whose update may change a face table.
TABLE_PACKAGES = ("dlib-bin", "opencv-python-headless", "anny", "openpeople")


@dataclass(frozen=True)
class TableJob:
    """A face table to build: ``fersyn data <command>``.

    ``key`` names code, packages and request together, ``sources`` the state of the files that the arguments point to.
    """

    command: str
    key: str
    sources: str


@dataclass(frozen=True)
class NotebookJob:
    """One run of a notebook. ``tables`` are the names of the tables it reads, ``code`` the hash of its modules."""

    notebook: str
    parameters: dict[str, Any]
    tables: list[str]
    code: str


@dataclass(frozen=True)
class Plan:
    """All jobs of a profile. ``runs`` are those asked for (``only``), ``all_runs`` the names of every one."""

    profile: str
    tables: dict[str, TableJob] = field(default_factory=dict)
    runs: dict[str, NotebookJob] = field(default_factory=dict)
    all_runs: list[str] = field(default_factory=list)


def notebooks(folder: Path) -> list[Path]:
    """The numbered notebooks of the project, in order. Those that a person drives (widgets) carry the tag
    ``interactive``.
    """
    found = []
    for path in sorted((folder / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        if "interactive" not in json.loads(path.read_text(encoding="utf-8"))["metadata"].get("tags", []):
            found.append(path)
    return found


def table_job(arguments: list[str]) -> TableJob:
    """The job for one line of a profile's ``tables``."""
    code = sources.table_digest(arguments[0])
    installed = provenance.versions(TABLE_PACKAGES)
    packages = [installed.get(name) for name in TABLE_PACKAGES]
    key = hashlib.sha256(json.dumps([code, packages, arguments]).encode()).hexdigest()[:16]
    # A path in a profile may begin with ~, which no shell expands inside quotes.
    words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in arguments]
    paths = [Path(word) for word in words[1:] if Path(word).exists()]
    return TableJob(
        command=" ".join(map(shlex.quote, words)),
        key=key,
        sources=" ".join(sources.tree_digest(path) for path in paths),
    )


def plan(profile: str, settings: Sequence[str] = (), only: Sequence[str] = (), folder: Path | None = None) -> Plan:
    """Everything the profile asks for.

    Args:
        profile: name of a file in ``profiles/``.
        settings: ``name=value`` laid over the profile's parameters.
        only: parts of run names (``01``, ``openpeople``); a run is taken if any of them occurs in its name.
        folder: the project's folder.

    Raises:
        FersynError: unknown profile or parameter, no tables where notebooks need one, or ``only`` that fits nothing.
    """
    folder = folder or project.root()
    books = notebooks(folder)
    chosen = profiles.load(profile, profiles.parse_settings(list(settings), books), folder)
    profiles.check(chosen, books)
    runs: dict[str, NotebookJob] = {}
    for book in books:
        own, code = profiles.taken(book, chosen.parameters), sources.notebook_digest(book)
        relative = book.relative_to(folder).as_posix()
        if "table" in profiles.declared(book):
            for name in chosen.tables:
                parameters = {**own, "table": f"data/{profile}/{name}"}
                runs[f"{book.stem}-{name}"] = NotebookJob(relative, parameters, [name], code)
        else:
            runs[book.stem] = NotebookJob(relative, own, list(chosen.tables), code)
    if not runs:
        raise FersynError(
            f"profiles/{profile}.yaml names no tables, and every notebook needs one; add lines such as "
            "`tables:` and below it `  mine: folder photos`"
        )
    wanted = {name: run for name, run in runs.items() if not only or any(part in name for part in only)}
    if not wanted:
        raise FersynError(f"--only {' '.join(only)}: no such notebook run; there are: {', '.join(runs)}")
    needed = {table for run in wanted.values() for table in run.tables}
    return Plan(
        profile=profile,
        tables={name: table_job(line) for name, line in chosen.tables.items() if name in needed},
        runs=wanted,
        all_runs=list(runs),
    )
