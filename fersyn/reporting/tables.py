"""Builds one face table of a profile by ``fersyn data``, for the Snakefile.

``python -m fersyn.reporting.tables OUT STAMP KEY ARGUMENT...`` builds the table in the folder OUT and then writes its
fingerprint to the file STAMP. Snakemake watches STAMP, never the table itself: it deletes the outputs of a job that
failed, and a half-built table is worth keeping, since ``fersyn data`` goes on where it stopped.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from fersyn.reporting.record import write_json


def build(out: Path, stamp: Path, key: str, arguments: list[str]) -> int:
    """Runs ``fersyn data`` and returns its exit code.

    ``key`` names the code and the request. A table that another key built is built anew; one that this key began
    goes on.
    """
    made_by = out.with_name(f".{out.name}.key")
    before = made_by.read_text(encoding="utf-8").strip() if made_by.is_file() else None
    fresh = ["--overwrite"] if before not in (None, key) and out.exists() else []
    made_by.parent.mkdir(parents=True, exist_ok=True)
    made_by.write_text(key + "\n", encoding="utf-8")
    print(f"table {out.name}: fersyn data {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "fersyn.cli", "data", *arguments, "--out", str(out), *fresh]
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
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    return build(options.out, options.stamp, options.key, options.arguments)


if __name__ == "__main__":
    sys.exit(main())
