"""`fersyn report --dry-run`: a plain table of what would run, why, and how long it took when it was last done on this machine."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from fersyn.reporting import measured
from fersyn.reporting.times import duration

RULES = ("table", "train", "notebook")  # the others take no time worth telling
SUFFIXES = (".fingerprint.json", ".json", ".ipynb")  # of the outputs that the Snakefile names first
# How Snakemake (7 and 9) begins a reason, and what that means here.
REASONS = {
    "Missing output files": "not there yet",
    "Input files updated by another job": "after",
    "Updated input files": "newer:",
    "Params have changed": "code, settings or data changed",
    "Code has changed": "its rule changed",
    "Set of input files has changed": "it reads other files",
    "Forced execution": "asked for",
}


@dataclass(frozen=True)
class Job:
    """One job that would run: the rule, the name of what it makes as `measured` has it, and why."""

    rule: str
    name: str
    why: str


def parse(text: str) -> list[Job]:
    """The jobs of what ``snakemake --dry-run`` says, in its order."""
    found = []
    for block in re.split(r"^(?=(?:local)?rule \w+:$)", text, flags=re.MULTILINE)[1:]:
        rule = re.match(r"(?:local)?rule (\w+):", block)[1]
        about = dict(re.findall(r"^    (output|reason): (.*)$", block, re.MULTILINE))
        if rule in RULES and "output" in about:
            found.append(Job(rule, _name(about["output"].partition(", ")[0]), _why(about.get("reason", ""))))
    return found


def _name(file: str) -> str:
    suffix = next((suffix for suffix in SUFFIXES if file.endswith(suffix)), "")
    return file.removesuffix(suffix)


def _why(reason: str) -> str:
    """A reason in plain words; what else Snakemake says stays as it is."""
    told = []
    for part in filter(None, reason.split("; ")):
        start, _, files = part.partition(": ")
        plain = next((words for begin, words in REASONS.items() if start.startswith(begin)), part)
        if plain in ("after", "newer:"):
            plain += " " + ", ".join(dict.fromkeys(Path(_name(file)).name for file in files.split(", ")))
        told.append(plain)
    return "; ".join(dict.fromkeys(told))


def table(jobs: Sequence[Job], known: Mapping[str, tuple[float, str]], kinds: Mapping[str, str]) -> str:
    """The table, and a last line that sums up.

    Args:
        jobs: of `parse`.
        known: of `measured`. A job that was not done here yet takes about as long as the others of its kind, in the mean.
        kinds: of the jobs, by name.
    """
    if not jobs:
        return "nothing to do"
    rows, total, unknown, guessed = [("rule", "what", "last time here", "why")], 0.0, 0, 0
    for job in jobs:
        alike = [seconds for seconds, kind in known.values() if kind == kinds.get(job.name)]
        if job.name in known:
            seconds, said = known[job.name][0], duration(known[job.name][0])
        elif alike:
            seconds, guessed = mean(alike), guessed + 1
            said = f"about {duration(seconds)}"
        else:
            seconds, said, unknown = 0.0, "not run yet", unknown + 1
        total += seconds
        rows.append((job.rule, job.name, said, job.why))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    end = [f"{len(jobs)} job{'s' * (len(jobs) != 1)}"]
    if unknown < len(jobs):
        end.append(f"{duration(total)} where one runs after the other")
    if guessed:
        end.append("about: the mean of other jobs of the kind")
    if unknown:
        end.append(f"{unknown} not run on this machine yet")
    return "\n".join([*lines, "", "; ".join(end)])


def planned(command: Sequence[str], environment: Mapping[str, str], kinds: Mapping[str, str], folder: Path) -> int:
    """Ask Snakemake (`command`, a dry run) and print the table; returns its exit code, and prints what it says where that is not 0."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr, flush=True)
    else:
        print(table(parse(done.stdout + done.stderr), measured.known(folder), kinds), flush=True)
    return done.returncode
