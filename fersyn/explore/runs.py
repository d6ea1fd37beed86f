"""Which trained methods there are below a folder of runs, and what to do where there is none."""

from __future__ import annotations

import shlex
from pathlib import Path

from fersyn import methods
from fersyn.errors import FersynError
from fersyn.explore import again
from fersyn.training import checkpoint, runs

FIRST = "landmark-flow"  # what the panel opens with, where it is trained


def find_runs(folder: str | Path) -> dict[str, Path]:
    """Run folders below `folder` that can edit a face, by name (`landmark-flow`, `ablations/full.seed0`).

    Those directly in it come first, `landmark-flow` before its neighbours; folders that are no run of a method, or have no
    checkpoint yet, are left out.
    """
    folder, found = Path(folder), {}
    for config in folder.rglob("config.json") if folder.is_dir() else ():
        run = config.parent
        try:
            method, _ = runs.read_config(run)
        except FersynError:
            continue
        if method in methods.names() and checkpoint.find(run) is not None:
            found[run.relative_to(folder).as_posix() if run != folder else run.name] = run
    return dict(sorted(found.items(), key=lambda item: (item[0].count("/"), item[0].split("/")[-1] != FIRST, item[0])))


def how_to_train(table: str, runs: str, profile: str) -> tuple[str, str]:
    """Two commands that make a run, for a shell in the project's folder: the whole report, and one method alone.

    Both with the settings of `profile`: a report refuses a run that was made with others.
    """
    words = [*again.command(), "train", FIRST, "--data", table, "--out", f"{runs}/{FIRST}", "--profile", profile]
    return f"make report PROFILE={profile}", shlex.join(words)
