"""The report's front page: a card for each notebook run, made from the JSON that the runs left.

``python -m fersyn.reporting.index reports/laptop RUN...`` writes ``reports/laptop/index.html``.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from fersyn import __version__
from fersyn.files import write_atomic
from fersyn.reporting import project, provenance
from fersyn.reporting.privacy import BANNER

TEMPLATES = Path(__file__).parent / "templates"
NUMBERS = ("metrics", "scores", "summary", "differences", "results", "thumbnails")  # of a record, not on the index page


def duration(seconds: float | None) -> str | None:
    """``8 s``, ``3 min 20 s``; None stays None."""
    if seconds is None:
        return None
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60} s"


def number(value: Any, digits: int) -> str:
    """A key figure's value as text: numbers with ``digits`` decimals (whole ones with none), None as a dash. A text's
    interval stays in one piece: ``+8.5 [+4.4, +12.5]``.
    """
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return re.sub(r"\[[^]]*\]", lambda found: found[0].replace(" ", "\u00a0"), str(value))
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else f"{value:.{digits}f}"


def whole(title: str) -> Markup:
    """A title whose hyphenated words (``landmark-label``) are not broken at the end of a line."""
    return Markup(" ").join(
        Markup('<span class="whole">{}</span>').format(word) if "-" in word else escape(word) for word in title.split()
    )


def facts(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of everything that the numbers depend on, for the card's fold-out."""
    rows = [
        (
            "Parameters",
            ", ".join(f"{key} = {json.dumps(value)}" for key, value in content.get("parameters", {}).items()),
        ),
        ("Seed", "" if content.get("seed") is None else str(content["seed"])),
        ("Commit", content.get("commit", "")),
        ("Data", ", ".join(f"{name} ({mark[:16]})" for name, mark in content.get("fingerprints", {}).items())),
        ("Weights", ", ".join(map(_weights, content.get("weights", [])))),
        ("Device", content.get("device", "")),
        ("Versions", ", ".join(f"{name} {version}" for name, version in content.get("versions", {}).items())),
        ("Started", content.get("started", "").replace("T", " ").replace("+00:00", " UTC")),
    ]
    return [(name, value) for name, value in rows if value]


def _weights(entry: dict[str, Any]) -> str:
    """``sface (SHA-256 0ba9fbfa01b5270c)``, or what stands in for weights that are missing."""
    mark = f"SHA-256 {entry['sha256'][:16]}" if entry.get("sha256") else entry.get("source") or "no hash"
    return f"{entry.get('name')} ({mark})"


def driven(folder: Path) -> list[str]:
    """Titles of the project's notebooks that a person drives (tag ``interactive``): no report holds them."""
    found = []
    for file in filter(project.is_driven, project.notebooks(folder)):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        lines = (
            line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).splitlines()
        )
        found.append(next((line[2:].strip() for line in lines if line.startswith("# ")), file.stem))
    return found


def card(folder: Path, run: str) -> dict[str, Any]:
    """What the template needs to know about one run, whether it succeeded, failed or never ran."""
    done, failed = folder / f"{run}.json", folder / f"{run}.failed.json"
    file = failed if failed.is_file() else done
    if not file.is_file():
        return {"run": run, "status": "missing", "title": run, "seconds": None}
    content = json.loads(file.read_text(encoding="utf-8"))
    if content.get("status") == "failed":
        pages = [(f"{run}.failed.html", "Open the traceback")]
    else:
        pages = [
            (f"{run}.html", "Open the report"),
            (f"{run}-code.html", "With code"),
            (f"{run}.json", "Numbers (JSON)"),
        ]
    links = [{"href": name, "text": text} for name, text in pages if (folder / name).is_file()]
    return {
        "run": run,
        "status": content.get("status", "done"),
        "title": content.get("title") or run,
        "seconds": duration(content.get("seconds")),
        "error": content.get("error"),
        "page": links[0]["href"] if links else None,
        "links": links,
        "thumbnails": content.get("thumbnails", []),
        "notes": content.get("notes", []),
        "private": bool(content.get("private")),
        "record": {name: value for name, value in content.items() if name not in NUMBERS},
        "facts": facts(content),
        "credits": content.get("credits", []),
        "key_figures": [
            {
                "name": figure["name"],
                "unit": figure.get("unit"),
                "text": isinstance(figure.get("value"), str),
                "value": number(figure.get("value"), figure.get("digits", 1)),
                "spread": number(figure["spread"], figure.get("digits", 1))
                if figure.get("spread") is not None
                else None,
            }
            for figure in content.get("key_figures", [])
        ],
    }


def summary(cards: list[dict[str, Any]]) -> str:
    """One sentence on top of the page."""
    failed = sum(item["status"] == "failed" for item in cards)
    missing = sum(item["status"] == "missing" for item in cards)
    parts = [f"{len(cards)} notebook run{'s' if len(cards) != 1 else ''}"]
    if failed:
        parts.append(f"{failed} failed")
    if missing:
        parts.append(f"{missing} not made")
    return (
        ", ".join(parts)
        + ". Each card opens a page that explains what was asked, how it was measured and what came out."
    )


def write(folder: Path, runs: Iterable[str]) -> Path:
    """Writes ``folder/index.html`` with a card for each of ``runs`` and returns its path."""
    cards = [card(folder, run) for run in runs]
    private = folder.name.endswith("-private") or any(item.get("private") for item in cards)
    profile = folder.name.removesuffix("-private")
    about = {"profile": profile, "private": private, "runs": {item["run"]: item.get("record", {}) for item in cards}}
    credits = []
    for credit in (entry for item in cards for entry in item.get("credits", [])):
        if credit not in credits:
            credits.append(credit)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    environment.filters["whole"] = whole
    page = environment.get_template("index.html.j2").render(
        profile=profile,
        banner=BANNER if private else "",
        driven=driven(project.root(folder)),
        provenance=provenance.element(about),
        summary=summary(cards),
        cards=cards,
        credits=credits,
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        version=__version__,
    )
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "index.html"
    write_atomic(target, lambda draft: draft.write_text(page, encoding="utf-8"))
    return target


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m fersyn.reporting.index")
    parser.add_argument("folder", type=Path)
    parser.add_argument("runs", nargs="*")
    options = parser.parse_args(arguments)
    write(options.folder, options.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
