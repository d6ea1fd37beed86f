"""How long each job of the report took when it was last done on this machine: what `fersyn report --dry-run` tells.

A job's name is the path below the project's folder of what it makes, without suffix: ``data/laptop/generated``,
``runs/laptop/c-gan``, ``reports/laptop/03_image_quality``. Its time stands in a file of its own, for jobs end side by side, in
``.snakemake/``: it belongs to the machine, not to the project.
"""

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from fersyn.files import write_json
from fersyn.reporting import project
from fersyn.system import machine

FOLDER = Path(".snakemake", "fersyn.times")


def keep(made: Path, kind: str, seconds: float) -> None:
    """Note what the job took that has made a file or folder of the project, given without suffix. Jobs of one `kind` are alike: a
    method's trainings, a notebook's runs, tables of one command.

    What lies outside the project is not noted; where the time cannot be written the job has not failed.
    """
    folder = project.root()
    with suppress(OSError, ValueError):
        name = made.resolve().relative_to(folder).as_posix()
        about = {"seconds": round(seconds, 1), "kind": kind, "machine": machine()}
        write_json(folder / FOLDER / f"{quote(name, safe='')}.json", about)


def known(folder: Path | None = None) -> dict[str, tuple[float, str]]:
    """Seconds and kind of all jobs that were done on this machine in the project's folder, by name."""
    found = {}
    for file in sorted(((folder or project.root()) / FOLDER).glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            about = json.loads(file.read_text(encoding="utf-8"))
            if about["machine"] == machine():
                found[unquote(file.stem)] = float(about["seconds"]), str(about["kind"])
    return found
