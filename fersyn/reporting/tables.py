"""Builds one face table of a profile by ``fersyn data``, for the Snakefile.

``python -m fersyn.reporting.tables OUT STAMP KEY WORKERS ARGUMENT...`` builds the table in the folder OUT and then writes its
fingerprint to the file STAMP. Snakemake watches STAMP, never the table itself: it deletes the outputs of a job that
failed, and a half-built table is worth keeping, since ``fersyn data`` goes on where it stopped.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from fersyn.building.folder import discard
from fersyn.errors import FersynError
from fersyn.files import write_atomic
from fersyn.reporting.record import write_json


def build(out: Path, stamp: Path, key: str, arguments: list[str], workers: int) -> int:
    """Runs ``fersyn data`` with so many ``workers`` and returns its exit code.

    ``key`` names the code and the request. A table that another key built is deleted and built anew; one that this key
    began goes on.
    """
    made_by = out.with_name(f".{out.name}.key")
    before = made_by.read_text(encoding="utf-8").strip() if made_by.is_file() else None
    # First the old table goes, then the key is written: whenever this is stopped, key and table fit each other.
    if before not in (None, key):
        try:
            discard(out)
        except FersynError as error:
            print(f"\nfersyn: table {out.name} FAILED: {error}\n", file=sys.stderr, flush=True)
            return 2
    made_by.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(made_by, lambda path: path.write_text(key + "\n", encoding="utf-8"))
    print(f"table {out.name}: fersyn data {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "fersyn.cli", "data", *arguments, "--out", str(out), "--workers", str(workers)]
    code = subprocess.run(command).returncode
    if code:
        print(f"\nfersyn: table {out.name} FAILED (fersyn data {' '.join(arguments)})\n", file=sys.stderr, flush=True)
        return code
    info = json.loads((out / "table.json").read_text(encoding="utf-8"))
    write_json(stamp, {"fingerprint": info["fingerprint"]})
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m fersyn.reporting.tables")
    parser.add_argument("out", type=Path)
    parser.add_argument("stamp", type=Path)
    parser.add_argument("key")
    parser.add_argument("workers", type=int)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    return build(options.out, options.stamp, options.key, options.arguments, options.workers)


if __name__ == "__main__":
    sys.exit(main())
