"""What a report consists of: which tables, trainings and notebook runs, with which parameters and which code. Read by the
Snakefile.
"""

import hashlib
import inspect
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.reporting import profiles, project, provenance, sources
from fersyn.training.requests import Request, editor_of, of_methods

# Parameters of a notebook that name a face table.
TABLE_PARAMETERS = ("faces", "photos", "pairs_of")
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
class TrainJob:
    """A training of ``method`` on the table named ``table``, with these ``arguments`` of ``fersyn train``.

    ``key`` names code and arguments together; the table's fingerprint joins it when the job runs.
    """

    method: str
    table: str
    arguments: str
    key: str


@dataclass(frozen=True)
class NotebookJob:
    """One run of a notebook. ``tables`` and ``trainings`` are the names of what it reads, ``code`` the hash of its
    modules, ``weights`` whether it reads pre-trained ones (it imports ``fersyn.weights``).
    """

    notebook: str
    parameters: dict[str, Any]
    tables: list[str]
    code: str
    trainings: list[str] = field(default_factory=list)
    weights: bool = False


@dataclass(frozen=True)
class Plan:
    """All jobs of a profile. ``runs`` are those asked for (``only``), ``all_runs`` the names of every one.

    ``trainings`` are by the run's name; their folders lie in ``training_folder``.
    """

    profile: str
    tables: dict[str, TableJob] = field(default_factory=dict)
    runs: dict[str, NotebookJob] = field(default_factory=dict)
    all_runs: list[str] = field(default_factory=list)
    trainings: dict[str, TrainJob] = field(default_factory=dict)
    training_folder: str = ""


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


def train_job(request: Request, table: str) -> TrainJob:
    """The job of one training."""
    made_of: list[Any] = [sources.training_digest(request.method), request.method, request.arguments]
    if _takes_vgg19(request):
        made_of.append("vgg19")
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
    return TrainJob(request.method, table, " ".join(map(shlex.quote, request.arguments)), key)


def _takes_vgg19(request: Request) -> bool:
    """Whether the perceptual loss takes VGG-19 because it is there: when it arrives, the training is another one, and
    notebook 04, which takes `full` for its variant `vgg19` then, must not be given a run made with VGG-16.
    """
    given = [setting.partition("=") for setting in request.settings]
    settled = any("perceptual" in name and (value.startswith("vgg") or value == "0") for name, _, value in given)
    uses = any(file.name == "perceptual.py" for file in sources.training_files(request.method))
    return uses and not settled and weights.find("vgg19") is not None


def requests_of(values: dict[str, Any]) -> dict[Any, Request]:
    """The trainings that a notebook with these parameters needs; none, if no parameter asks for any."""
    if "variants" in values:
        from fersyn.evaluation.ablations import requests
    elif "factors" in values:
        from fersyn.evaluation.augmentation import requests
    elif "methods" in values:
        requests = of_methods
    else:
        return {}
    return requests(**{name: values[name] for name in inspect.signature(requests).parameters if name in values})


def _training(book: Path, own: dict[str, Any], chosen: profiles.Profile) -> tuple[dict[str, Any], dict[str, TrainJob]]:
    """Parameters and trainings of a notebook that declares ``runs``: where the trained methods lie."""
    from fersyn.methods.base import PROFILES

    where = f"profiles/{chosen.name}.yaml"
    values = {**profiles.declared(book), "profile": chosen.name, **own}
    if values["profile"] not in PROFILES:
        raise FersynError(f"{where}: add `profile:` with the settings that methods start from: {', '.join(PROFILES)}")
    folders = {f"data/{chosen.name}/{table}": table for table in chosen.tables}
    faces = own.get("faces", next(iter(folders), ""))
    if faces not in folders:
        raise FersynError(
            f"{where}: faces: `{faces}` is not made by this profile; its `tables` make: {', '.join(folders) or 'none'}"
        )
    jobs = {}
    try:
        asked = requests_of(values)
        editor_of(values.get("editor", ""), ["copy"])  # a misspelt one ends here, not in the notebook
    except FersynError as error:
        raise FersynError(f"{where} or --set: {error}") from None
    for request in asked.values():
        jobs[request.name] = train_job(request, folders[faces])
    own = {**own, "profile": values["profile"], "faces": faces, "runs": own.get("runs") or f"runs/{chosen.name}"}
    return own, jobs


def _outside(own: dict[str, Any], made: list[str], folder: Path) -> list[str]:
    """State of what a notebook reads and no job of the profile makes: tables and a verifier that were made by hand."""
    files = [Path(own[name], "table.json") for name in TABLE_PARAMETERS if own.get(name) and own[name] not in made]
    if own.get("verifier_run"):
        files.append(Path(own["verifier_run"], "run.json"))
    files = [folder / file.expanduser() for file in files]
    return [sources.digest([file]) for file in files if file.is_file()]


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
    trainings: dict[str, TrainJob] = {}
    training_folder = ""
    for book in books:
        own, code = profiles.taken(book, chosen.parameters), sources.notebook_digest(book)
        relative = book.relative_to(folder).as_posix()
        if "table" in profiles.declared(book):
            for name in chosen.tables:
                parameters = {**own, "table": f"data/{profile}/{name}"}
                runs[f"{book.stem}-{name}"] = NotebookJob(relative, parameters, [name], code)
        elif "runs" in profiles.declared(book):
            own, jobs = _training(book, own, chosen)
            trainings |= jobs
            training_folder = own["runs"]
            read = [name for name in chosen.tables if f"data/{profile}/{name}" in map(own.get, TABLE_PARAMETERS)]
            outside = _outside(own, [f"data/{chosen.name}/{name}" for name in chosen.tables], folder)
            code = " ".join([code, *(job.key for job in jobs.values()), *outside])
            reads_weights = "fersyn.weights" in sources.notebook_imports(book)
            runs[book.stem] = NotebookJob(relative, own, read, code, list(jobs), reads_weights)
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
    asked = {name for run in wanted.values() for name in run.trainings}
    return Plan(
        profile=profile,
        tables={name: table_job(line) for name, line in chosen.tables.items() if name in needed},
        runs=wanted,
        all_runs=list(runs),
        trainings={name: job for name, job in trainings.items() if name in asked},
        training_folder=training_folder,
    )
