"""Does one training of a profile by ``fersyn train``, for the Snakefile.

``python -m fersyn.reporting.trained METHOD RUN STAMP KEY TABLE [ARGUMENT OF fersyn train...]`` trains into the folder RUN and
then writes the file STAMP. Snakemake watches STAMP, never the run itself: it deletes the outputs of a job that failed,
and a training that was interrupted goes on where it stopped.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fersyn.files import locked, write_atomic
from fersyn.reporting.record import write_json


def _discard(run: Path) -> None:
    """Deletes a run folder; raises BlockingIOError while somebody trains in it."""
    if run.is_dir():
        with locked(run / ".lock"):
            shutil.rmtree(run)


def build(method: str, run: Path, stamp: Path, key: str, table: Path, arguments: Sequence[str] = ()) -> int:
    """Runs ``fersyn train`` with ``arguments`` and returns its exit code.

    ``key`` names code and settings; with the table's fingerprint it says what a run was made of. One that was made of
    something else is deleted and trained anew; one of the same goes on, or stays as it is.
    """
    fingerprint = json.loads((table / "table.json").read_text(encoding="utf-8"))["fingerprint"]
    whole = hashlib.sha256(f"{key} {fingerprint}".encode()).hexdigest()[:16]
    made_by = run.with_name(f".{run.name}.key")
    before = made_by.read_text(encoding="utf-8").strip() if made_by.is_file() else None
    # First the old run goes, then the key is written: whenever this is stopped, key and run fit each other.
    if before not in (None, whole):
        try:
            _discard(run)
        except BlockingIOError:
            print(f"\nfersyn: {run} is being trained by another process; wait for it\n", file=sys.stderr, flush=True)
            return 2
    made_by.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(made_by, lambda path: path.write_text(whole + "\n", encoding="utf-8"))
    print(f"training {run.name}: {method} {' '.join(arguments)}".rstrip(), flush=True)
    command = [
        sys.executable, "-m", "fersyn.cli", "train", method, "--data", str(table), "--out", str(run), "--resume",
        *arguments,
    ]  # fmt: skip
    # Threads that wait by spinning slow each other down many times over where another process wants the cores too.
    code = subprocess.run(command, env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ}).returncode
    if code:
        print(f"\nfersyn: training {run.name} FAILED; see the messages above\n", file=sys.stderr, flush=True)
        return code
    write_json(stamp, {"method": method, "arguments": list(arguments), "made_of": whole})
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m fersyn.reporting.trained")
    for name, kind in (
        ("method", str), ("run", Path), ("stamp", Path), ("key", str), ("table", Path),
    ):  # fmt: skip
        parser.add_argument(name, type=kind)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return build(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
