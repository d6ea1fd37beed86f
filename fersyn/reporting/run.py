"""``fersyn report``: starts Snakemake on the project's Snakefile, one report at a time in a working copy."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fersyn.errors import FersynError
from fersyn.files import locked
from fersyn.reporting import privacy, project
from fersyn.reporting.plan import plan


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
        dry_run: print what would be done.
        private: show people who did not agree to be shown, too: in ``reports/<profile>-private``.
        extra: further arguments for Snakemake (``["--executor", "slurm"]``).

    Raises:
        FersynError: no Snakefile here, unknown profile, parameter or run.
    """
    only = [only] if isinstance(only, str) else list(only or ())
    settings = [*settings, *(["private=true"] if private else [])]
    folder = project.root()
    if not (folder / "Snakefile").is_file():
        raise FersynError("no Snakefile here; run `fersyn report` inside the folder of the project")
    asked = plan(profile, settings, only, folder)  # wrong names end here, with a plain message
    # The long trainings first, those of single notebooks (in folders of their own) fill the gaps.
    first = [f"{asked.training_folder}/{name}.json" for name in asked.trainings if "/" not in name]
    config = [f"{name}={';'.join(words)}" for name, words in (("set", settings), ("only", only)) if words]
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile"), "--directory", str(folder),
        "--cores", str(cores or "all"), "--nolock", "--rerun-incomplete", "--keep-going",
        *(["--dry-run"] if dry_run else ["--quiet", "all"]),  # our jobs say what they do
        *(["--prioritize", *first] if first else []), *extra, "--config", f"profile={profile}", *config,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.getenv("PYTHONPATH")]))}
    index = folder / privacy.folder_of(profile, (job.parameters for job in asked.runs.values())) / "index.html"
    before = index.stat().st_mtime_ns if index.is_file() else None
    stale = _failures(index.parent)
    with _alone(folder):
        code = subprocess.run(command, env=environment).returncode
    if code and not dry_run:
        _tell([file for file, time in _failures(index.parent).items() if stale.get(file) != time], folder)
    if index.is_file() and not dry_run:
        same = " (nothing to do)" if not code and index.stat().st_mtime_ns == before else ""
        print(f"report: {index.relative_to(folder)}{same}", flush=True)
    return code


def _tell(failed: list[Path], folder: Path) -> None:
    """Says why the report is not complete."""
    for file in failed:
        name = file.name.removesuffix(".failed.html")
        print(f"fersyn: notebook {name} failed; traceback: {file.relative_to(folder)}", file=sys.stderr)
    if not failed:
        print("fersyn: the report is not complete; see the messages above", file=sys.stderr)
