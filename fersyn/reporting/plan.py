"""What a report consists of, which the Snakefile reads: which tables, trainings and notebook runs, with which parameters and
which code. And ``fersyn report``, which starts Snakemake on it, one report at a time in a working copy.
"""

import contextlib
import inspect
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fersyn.errors import FersynError
from fersyn.files import locked
from fersyn.reporting import keys, privacy, project
from fersyn.reporting.dry_run import planned
from fersyn.reporting.parameters import Profile, check_profile, declared, load_profile, parse_settings, taken
from fersyn.reporting.times import duration
from fersyn.training.requests import Request, editor_of, of_methods

# Parameters of a notebook that name a face table.
TABLE_PARAMETERS = ("faces", "photos", "pairs_of", "rendered", "lab")
LONG = ("03", "05", "06", "08", "09")  # notebooks


@dataclass(frozen=True)
class TableJob:
    """``fersyn data <command>``, its key (`keys.table_key`), and in ``sources`` the state of the files that it reads."""

    command: str
    key: str
    sources: str


@dataclass(frozen=True)
class TrainJob:
    """A training on the table named ``table``, with ``arguments`` of ``fersyn train``; its key is `keys.training_key`.

    ``photos`` is the name of the table of photographs that the landmark motion learns from, too; empty: none of this profile.
    It is not in the key, for no network learns from them: a finished training learns its motion anew, in seconds.
    """

    method: str
    table: str
    arguments: str
    key: str
    photos: str = ""


@dataclass(frozen=True)
class NotebookJob:
    """One run of a notebook: names of the tables and trainings that it reads, the hash of its modules (``code``), and
    whether it reads pre-trained ``weights``.
    """

    notebook: str
    parameters: dict[str, Any]
    tables: list[str]
    code: str
    trainings: list[str] = field(default_factory=list)
    weights: bool = False


@dataclass(frozen=True)
class Plan:
    """All jobs of a profile by name. ``runs`` are those asked for (``only``), ``all_runs`` the names of every one; the
    trainings' folders lie in ``training_folder``.
    """

    profile: str
    tables: dict[str, TableJob] = field(default_factory=dict)
    runs: dict[str, NotebookJob] = field(default_factory=dict)
    all_runs: list[str] = field(default_factory=list)
    trainings: dict[str, TrainJob] = field(default_factory=dict)
    training_folder: str = ""


def notebooks(folder: Path) -> list[Path]:
    """The notebooks that a report runs, in order: the project's, without those that a person drives."""
    return [path for path in project.notebooks(folder) if not project.is_driven(path)]


def table_job(arguments: list[str], folder: Path | None = None) -> TableJob:
    """The job for one line of a profile's ``tables``; ``folder``: where its table is to lie."""
    # A path in a profile may begin with ~, which no shell expands inside quotes.
    words = [str(Path(word).expanduser()) if word.startswith("~") else word for word in arguments]
    paths = [Path(word) for word in words[1:] if Path(word).exists()]
    sources = [keys.tree_digest(path) for path in paths]
    if folder is not None and arguments[0] == "generated":
        sources += keys.generator_arrived(folder)
    return TableJob(shlex.join(words), keys.table_key(arguments), " ".join(sources))


def requests_of(values: dict[str, Any]) -> dict[Any, Request]:
    """The trainings that a notebook with these parameters needs; none, if no parameter asks for any."""
    if "variants" in values:
        from fersyn.evaluation.ablations import requests
    elif "factors" in values:
        from fersyn.evaluation.augmentation import requests
    elif "methods" in values:
        requests = of_methods
    elif alone := values.get("systems") or [name for name in [values.get("beside")] if name]:
        return of_methods(alone, values["settings"], values["profile"], values["seed"])
    else:
        return {}
    return requests(**{name: values[name] for name in inspect.signature(requests).parameters if name in values})


def _training(book: Path, own: dict[str, Any], chosen: Profile) -> tuple[dict[str, Any], dict[str, TrainJob]]:
    """Parameters and trainings of a notebook that declares ``runs``: where the trained methods lie."""
    from fersyn.methods.config import PROFILES

    where = f"profiles/{chosen.name}.yaml"
    values = {**declared(book), "profile": chosen.name, **own}
    if values["profile"] not in PROFILES:
        raise FersynError(f"{where}: add `profile:` with the settings that methods start from: {', '.join(PROFILES)}")
    folders = {f"data/{chosen.name}/{table}": table for table in chosen.tables}
    faces = own.get("faces", next(iter(folders), ""))
    if faces not in folders:
        there = f"its `tables` make: {', '.join(folders) or 'none'}"
        raise FersynError(f"{where}: faces: `{faces}` is not made by this profile; {there}")
    jobs, photos = (
        {},
        str(chosen.parameters.get("photos") or "") if {"methods", "beside", "systems"} & set(values) else "",
    )
    beside = ["--photos", photos] if photos in folders or Path(photos, "table.json").is_file() else []
    try:
        asked = requests_of(values)
        editor_of(values.get("editor", ""), ["copy"])  # a misspelt one ends here, not in the notebook
    except FersynError as error:
        raise FersynError(f"{where} or --set: {error}") from None
    for request in asked.values():
        command, key = shlex.join([*request.arguments, *beside]), keys.training_key(request)
        jobs[request.name] = TrainJob(request.method, folders[faces], command, key, folders.get(photos, ""))
    own = {**own, "profile": values["profile"], "faces": faces, "runs": own.get("runs") or f"runs/{chosen.name}"}
    return own, jobs


def _outside(own: dict[str, Any], made: Collection[str], folder: Path) -> list[str]:
    """State of what a notebook reads and no job of the profile makes: tables and a verifier that were made by hand."""
    files = [Path(own[name], "table.json") for name in TABLE_PARAMETERS if own.get(name) and own[name] not in made]
    if own.get("verifier_run"):
        files.append(Path(own["verifier_run"], "run.json"))
    files = [folder / file.expanduser() for file in files]
    return [project.digest([file]) for file in files if file.is_file()]


def _jobs(chosen: Profile, books: Sequence[Path], folder: Path) -> Plan:
    """Everything that a profile makes of these notebooks."""
    runs: dict[str, NotebookJob] = {}
    trainings: dict[str, TrainJob] = {}
    training_folder = ""
    folders = {name: f"data/{chosen.name}/{name}" for name in chosen.tables}
    for book in books:
        own, code = taken(book, chosen.parameters), project.notebook_digest(book)
        relative = book.relative_to(folder).as_posix()
        jobs: dict[str, TrainJob] = {}
        if "runs" in declared(book):
            own, jobs = _training(book, own, chosen)
            trainings |= jobs
            training_folder = own["runs"]
        read = [name for name, table in folders.items() if table in map(own.get, TABLE_PARAMETERS)]
        state = [*(job.key for job in jobs.values()), *_outside(own, folders.values(), folder)]
        code, reads_weights = " ".join([code, *state]), "fersyn.weights" in project.notebook_imports(book)
        if "table" in declared(book):
            for name, table in folders.items():
                tables = list(dict.fromkeys([name, *read]))
                given = {**own, "table": table}
                runs[f"{book.stem}-{name}"] = NotebookJob(relative, given, tables, code, weights=reads_weights)
        else:
            tables = read if "runs" in declared(book) else read or list(chosen.tables)
            runs[book.stem] = NotebookJob(relative, own, tables, code, list(jobs), reads_weights)
    if not runs:
        raise FersynError(
            f"profiles/{chosen.name}.yaml names no tables, and every notebook needs one; add lines such as "
            "`tables:` and below it `  mine: folder photos`"
        )
    return Plan(chosen.name, {}, runs, list(runs), trainings, training_folder)


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
    chosen = load_profile(profile, parse_settings(settings, books), folder)
    check_profile(chosen, books)
    whole = _jobs(chosen, books, folder)
    wanted = {name: run for name, run in whole.runs.items() if not only or any(part in name for part in only)}
    if not wanted:
        raise FersynError(f"--only {' '.join(only)}: no such notebook run; there are: {', '.join(whole.runs)}")
    asked = {name for run in wanted.values() for name in run.trainings}
    needed = {table for run in wanted.values() for table in run.tables}
    needed |= {job.photos for name, job in whole.trainings.items() if name in asked}
    return replace(
        whole,
        tables={
            name: table_job(line, folder / "data" / chosen.name / name)
            for name, line in chosen.tables.items()
            if name in needed
        },
        runs=wanted,
        trainings={name: job for name, job in whole.trainings.items() if name in asked},
    )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock that dies with this process. Snakemake's own outlives a killed run and wants ``--unlock``."""
    (folder / ".snakemake").mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder / ".snakemake" / "fersyn.lock"))
        except BlockingIOError:
            raise FersynError("another report is being made in this folder; wait for it to end, or stop it") from None
        yield


def _kinds(asked: Plan, pages: Path) -> dict[str, str]:
    """The kind of each job by its name, both as `measured` has them."""
    return {
        **{f"data/{asked.profile}/{name}": shlex.split(job.command)[0] for name, job in asked.tables.items()},
        **{f"{asked.training_folder}/{name}": job.method for name, job in asked.trainings.items()},
        **{f"{pages}/{name}": Path(job.notebook).stem for name, job in asked.runs.items()},
    }


def _failures(folder: Path) -> dict[Path, int]:
    """The pages that failed notebooks have left, with their times."""
    return {file: file.stat().st_mtime_ns for file in sorted(folder.glob("*.failed.html"))}


def report(
    profile: str = "laptop",
    cores: int | str | None = None,
    only: str | Sequence[str] | None = None,
    settings: Sequence[str] = (),
    dry_run: bool = False,
    private: bool = False,
    extra: Sequence[str] = (),
) -> int:
    """Brings ``reports/<profile>/index.html`` up to date; returns Snakemake's exit code.

    Args:
        profile: name of a file in ``profiles/``.
        cores: how many to use; None or ``"all"`` for all.
        only: part of a run's name (``"01"``, ``"openpeople"``), or several; other runs are left as they are.
        settings: ``name=value`` laid over the profile's parameters.
        dry_run: print what would be done, why, and how long it took last time (`dry_run`).
        private: show people who did not agree to be shown, too: in ``reports/<profile>-private``.
        extra: further arguments for Snakemake (``["--executor", "slurm"]``).

    Raises:
        FersynError: no Snakefile here, unknown profile, parameter or run.
    """
    only = [only] if isinstance(only, str) else list(only or ())
    settings = [*settings, *(["private=true"] if private else [])]
    if not ((folder := project.root()) / "Snakefile").is_file():
        raise FersynError("no Snakefile here; run `fersyn report` inside the folder of the project")
    asked = plan(profile, settings, only, folder)  # wrong names end here, with a plain message
    pages = privacy.folder_of(profile, (job.parameters for job in asked.runs.values()))
    # What takes long first; trainings of single notebooks (in folders of their own) and short notebooks fill the gaps.
    first = [f"{asked.training_folder}/{name}.json" for name in asked.trainings if "/" not in name]
    first += [f"{pages}/{name}.json" for name in asked.runs if name.startswith(LONG)]
    config = [f"{name}={';'.join(words)}" for name, words in (("set", settings), ("only", only)) if words]
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile"), "--directory", str(folder),
        "--cores", str(cores or "all"), "--nolock", "--rerun-incomplete", "--keep-going",
        *(["--dry-run"] if dry_run else ["--quiet", "all"]),  # our jobs say what they do
        *(["--prioritize", *first] if first else []), *extra, "--config", f"profile={profile}", *config,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.getenv("PYTHONPATH")]))}
    index = folder / pages / "index.html"
    before = index.stat().st_mtime_ns if index.is_file() else None
    stale = _failures(index.parent)
    with _alone(folder):
        if dry_run:
            return planned(command, environment, _kinds(asked, pages), folder)
        begun = time.monotonic()
        code = subprocess.run(command, env=environment).returncode
    if code:
        failed = [file for file, time in _failures(index.parent).items() if stale.get(file) != time]
        for file in failed:
            name = file.name.removesuffix(".failed.html")
            print(f"fersyn: notebook {name} failed; traceback: {file.relative_to(folder)}", file=sys.stderr)
        if not failed:
            print("fersyn: the report is not complete; see the messages above", file=sys.stderr)
    if index.is_file():
        new = code or index.stat().st_mtime_ns != before
        said = duration(time.monotonic() - begun) if new else "nothing to do"
        print(f"report: {index.relative_to(folder)} ({said})", flush=True)
    return code
