"""``fersyn results reports/laptop``: the main numbers of a report as one Markdown table, to quote and to paste.

Reads the JSON files that notebooks 03, 05 and 06 left; a notebook that did not run leaves its columns out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fersyn.errors import FersynError

# Of notebook 03: name in the JSON, head of the column, factor, decimals.
QUALITY = (
    ("psnr", "PSNR, dB ↑", 1, 2), ("ssim", "SSIM ↑", 1, 3), ("lpips", "LPIPS ↓", 1, 3),
    ("identity", "distance from the true face (dlib) ↓", 1, 3), ("right", "expression named, % ↑", 100, 1),
)  # fmt: skip
VERIFIER = "dlib ResNet"  # it always works


def table(folder: str | Path) -> str:
    """The main numbers of a report folder as Markdown: a row a method, 95 % intervals over people in brackets.

    Raises:
        FersynError: neither notebook 03 nor 05 has left its numbers in the folder.
    """
    folder = Path(folder)
    quality, identity, augmentation = (
        _read(folder, name) for name in ("03_image_quality", "05_identity", "06_augmentation")
    )
    if not quality and not identity:
        raise FersynError(f"{folder}: no numbers of notebook 03 or 05 here; make them with: make report")
    scores = quality.get("results", {}).get("quality", {}).get("methods", {})
    ranks = identity.get("results", {}).get("identity", {}).get(VERIFIER, {})
    columns: list[tuple[str, Mapping[str, str]]] = [
        (head, {name: _cell(own.get(key), factor, digits) for name, own in scores.items()})
        for key, head, factor, digits in QUALITY
        if scores
    ]
    if ranks:
        columns.append(("Rank-1 (dlib), % ↑", {name: _cell(own.get("rank1"), 100, 1) for name, own in ranks.items()}))
    rows = [[name, *(cells.get(name, "") for _, cells in columns)] for name in {**ranks, **scores}]
    lines = [_line(["method", *(head for head, _ in columns)]), _line(["---"] + ["---:"] * len(columns))]
    lines += map(_line, rows)
    return "\n".join([*lines, "", *_notes({"03": quality, "05": identity, "06": augmentation})]) + "\n"


def _notes(notebooks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = [
        f"- {figure['name']}: {figure['value']} {figure.get('unit') or ''}".rstrip() + " of balanced accuracy"
        for figure in notebooks["06"].get("key_figures", ())
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


def _cell(score: Mapping[str, Any] | None, factor: float, digits: int) -> str:
    if not score or score.get("value") is None:
        return "–"
    low, high = score.get("low"), score.get("high")
    text = f"{factor * score['value']:.{digits}f}"
    return text if low is None or high is None else f"{text} [{factor * low:.{digits}f}, {factor * high:.{digits}f}]"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _read(folder: Path, name: str) -> dict[str, Any]:
    file = folder / f"{name}.json"
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise FersynError(f"{file} is no JSON; make the report again") from None


def command(folder: Annotated[Path, typer.Argument(help="A report's folder.")] = Path("reports/laptop")) -> None:
    """Print the main numbers of a report as a Markdown table."""
    typer.echo(table(folder), nl=False)
