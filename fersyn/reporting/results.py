"""``fersyn results reports/laptop``: the main numbers of a report as Markdown tables, to quote and to paste.

Reads the JSON files that notebooks 02, 03, 05, 06 and 09 left; a notebook that did not run leaves its columns out. One seed is no
headline: what recognisers gained is told where it was measured `LEAST` times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.reporting import times
from fersyn.reporting.record import read

QUALITY = {
    "psnr": "PSNR, dB ↑",
    "ssim": "SSIM ↑",
    "lpips": "LPIPS ↓",
    "identity": "distance from the true face (dlib) ↓",
    "right": "expression named (the kit's recogniser), % ↑",
}  # metrics of notebook 03
RANK = {"rank1": "Rank-1 (dlib), % ↑"}  # of notebook 05
VERIFIER = "dlib ResNet"  # it always works
JUDGES = {"named_fer": "fer", "named_facex": "facex"}  # metrics of notebook 02: what strangers see
ALL = "all"  # expressions together
RECOGNISED = {"person_balanced": "balanced, %", "person_plain": "plain, %"}  # of notebook 09
LEAST = 3  # seeds


def table(folder: str | Path) -> str:
    """The main numbers of a report folder as Markdown: a row a method, 95 % intervals over people in brackets; and what the
    judges see in true pictures and in the editor's own motion.

    Raises:
        FersynError: neither notebook 03 nor 05 has left its numbers in the folder.
    """
    folder = Path(folder)
    made = read_all(folder)
    if not made["03"] and not made["05"]:
        raise FersynError(f"{folder}: no numbers of notebook 03 or 05 here; make them with: make report")
    heads, rows, metrics = leaderboard(made)
    lines = [[name, *(cell(own.get(key), metrics.get(key)) for key in heads)] for name, own in rows.items()]
    lines = _markdown(["method", *heads.values()], 1, lines)
    parts = [*lines, "", *_judged(made["02"]), *_recognised(made["09"]), *_notes(made), times.of_report(folder)]
    return "\n".join(parts).rstrip("\n") + "\n"


def read_all(folder: Path) -> dict[str, dict[str, Any]]:
    """The records of the notebooks that measure methods, by number; of those that did not run, or failed, nothing."""
    names = ("02_training", "03_image_quality", "05_identity", "06_augmentation", "09_recognition")
    files = {name[:2]: folder / f"{name}.json" for name in names}
    return {name: read(file) if file.is_file() else {} for name, file in files.items()}


def leaderboard(
    made: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, str], dict[str, dict[str, Any]], dict[str, Any]]:
    """Of notebooks 03 and 05: heads (metric -> title), rows (method -> metric -> row of the summary), what is known of the metrics."""
    ranks = [row for row in made["05"].get("summary", ()) if row.get("verifier") == VERIFIER]
    quality = made["03"].get("summary", ())
    # Not those of photographs, and not of single expressions.
    ranks = [row for row in ranks if row["table"] == ranks[0]["table"]]
    first = [row for row in quality if row["table"] == quality[0]["table"] and not row.get("expression")]
    found: dict[str, dict[str, Any]] = {}
    for row in (*ranks, *first):
        found.setdefault(row["method"], {})[row["metric"]] = row
    heads = {**(QUALITY if quality else {}), **(RANK if ranks else {})}
    rows = {name: own for name, own in found.items() if {"psnr", "rank1"} & set(own)}
    return heads, rows, made["03"].get("metrics", {}) | made["05"].get("metrics", {})


def _markdown(head: Sequence[str], words: int, rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table whose first `words` columns are no numbers."""
    ruler = ["---"] * words + ["---:"] * (len(head) - words)
    return [f"| {' | '.join(row)} |" for row in (head, ruler, *rows)]


def _judged(training: Mapping[str, Any]) -> list[str]:
    """Of notebook 02: a row a set of faces and judge, a column an expression; the weakest bold."""
    own = [row for row in training.get("summary", ()) if row["metric"] in JUDGES and row.get("expression")]
    if not own:
        return []
    named = [name for name in EXPRESSIONS if any(row["expression"] == name for row in own)]
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in own:
        mark = " (guide)" if row.get("guide") else ""
        who = f"{row['table']}, {row['method']}", JUDGES[row["metric"]] + mark
        found.setdefault(who, {})[row["expression"]] = row
    rows = []
    for who, each in found.items():
        values = {each[name]["value"] for name in named if name in each}
        cells = [f"{100 * each[name]['value']:.0f}" if name in each else "" for name in named]
        weak = [len(values) > 1 and name in each and each[name]["value"] == min(values) for name in named]
        cells = [f"**{cell}**" if bold else cell for cell, bold in zip(cells, weak, strict=True)]
        rows.append([*who, *cells, cell(each.get(ALL), training["metrics"][each[ALL]["metric"]])])
    return [*_markdown(["faces", "named by, %", *named, ALL], 2, rows), ""]


def _recognised(made: Mapping[str, Any]) -> list[str]:
    """Of notebook 09: a row a way to learn, a column a table and accuracy; the deviation is that over deals and folds."""
    own = [row for row in made.get("summary", ()) if not row.get("expression")]
    if made.get("parameters", {}).get("deals", 0) < LEAST or not own:
        return []
    found = {(row["table"], row["method"], row["metric"]): row for row in own}
    tables, rows = (list(dict.fromkeys(row[name] for row in own)) for name in ("table", "method"))
    lines = []
    for name in rows:
        cells = []
        for place in tables:
            for metric in RECOGNISED:
                spread = found.get((place, name, "balanced" if metric == "person_balanced" else "accuracy"), {}).get(
                    "deviation"
                )
                text = cell(found.get((place, name, metric)), made["metrics"].get(metric))
                cells.append(text + (f" ± {100 * spread:.1f}" if text and spread is not None else ""))
        lines.append([name, *cells])
    heads = [f"{place}: {word}" for place in tables for word in RECOGNISED.values()]
    return [*_markdown(["learnt from", *heads], 1, lines), ""]


def _notes(notebooks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = [
        f"- {figure['name']}: {figure['value']} {figure.get('unit') or ''}".rstrip() + " of balanced accuracy"
        for figure in notebooks["06"].get("key_figures", ())
        if notebooks["06"].get("parameters", {}).get("seeds", 0) >= LEAST
    ]
    made: dict[str, list[str]] = {}
    for name, about in notebooks.items():
        if about:
            made.setdefault(_made_with(about), []).append(name)
    # Notebooks may have run with other seeds and data (`--only 03 --set seed=1`): then a line for each.
    return [*found, *(f"- {', '.join(names)}: {text}" for text, names in made.items())]


def _made_with(about: Mapping[str, Any]) -> str:
    data = ", ".join(f"{name} {mark[:12]}" for name, mark in about.get("fingerprints", {}).items())
    commit, device = str(about.get("commit", "not known"))[:12], about.get("device", "not known")
    return f"commit {commit}; data {data}; seed {about.get('seed')}; {device}"


def cell(row: Mapping[str, Any] | None, metric: Mapping[str, Any] | None) -> str:
    """A value with its interval, as printed; empty where there is none."""
    if row is None or metric is None:
        return ""
    if row["value"] is None:
        return "–"
    values = [row[key] for key in ("value", "low", "high") if row[key] is not None]
    text = [f"{metric['scale'] * value:.{metric['digits']}f}" for value in values]
    return text[0] if len(text) < 3 else f"{text[0]} [{text[1]}, {text[2]}]"


def command(folder: Annotated[Path, typer.Argument(help="A report's folder.")] = Path("reports/laptop")) -> None:
    """Print the main numbers of a report as Markdown tables."""
    typer.echo(table(folder), nl=False)
