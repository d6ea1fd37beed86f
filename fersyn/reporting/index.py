"""The report's front page: a card for each notebook run, made from the JSON that the runs left.

``python -m fersyn.reporting.index reports/laptop RUN...`` writes ``reports/laptop/index.html``.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from fersyn import __version__
from fersyn.errors import FersynError
from fersyn.files import write_atomic
from fersyn.reporting import project, provenance, results
from fersyn.reporting.findings import SMOKE, findings, is_smoke
from fersyn.reporting.privacy import BANNER
from fersyn.reporting.record import TEMPLATES, render
from fersyn.reporting.times import age, duration

NUMBERS = ("metrics", "scores", "summary", "differences", "results", "thumbnails")  # of a record, not on the index page
PAGES = (
    {".html": "Open the report", "-code.html": "With code", ".json": "Numbers (JSON)"},
    {".failed.html": "Open the traceback"},
)  # of a run that is done, and of one that failed


def number(value: Any, digits: int) -> str:
    """A key figure's value as text: numbers with ``digits`` decimals (whole ones with none), None as a dash. A text's
    interval stays in one piece: ``+8.5 [+4.4, +12.5]``.
    """
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return re.sub(r"\[[^]]*\]", lambda found: found[0].replace(" ", "\u00a0"), str(value))
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else f"{value:.{digits}f}"


def driven(folder: Path) -> list[str]:
    """Titles of the project's notebooks that a person drives (tag ``interactive``): no report holds them."""
    found = []
    for file in filter(project.is_driven, project.notebooks(folder)):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        title = re.search(r"^# (.*)$", "\n".join(texts), re.M)
        found.append(title[1].strip() if title else file.stem)
    return found


def card(folder: Path, run: str) -> dict[str, Any]:
    """What the template needs to know about one run, whether it succeeded, failed or never ran."""
    files = (folder / f"{run}{suffix}" for suffix in (".failed.json", ".json"))
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return {"run": run, "status": "missing", "title": run}
    content = json.loads(file.read_text(encoding="utf-8"))
    content.setdefault("status", "done")
    links = [{"href": f"{run}{suffix}", "text": text} for suffix, text in PAGES[content["status"] == "failed"].items()]
    return {
        **content,
        "run": run,
        "title": content.get("title") or run,
        "links": [link for link in links if (folder / link["href"]).is_file()],
        "finding": next((one.text for one in findings(content, most=1) if one.claim["kind"] != "figure"), ""),
        "record": {name: value for name, value in content.items() if name not in NUMBERS},
    }


def abstract(cards: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """At most five sentences on the whole report: the first of each notebook that compares methods, and more of 03."""
    wanted = {"03": 2, "05": 1, "06": 1, "09": 1}
    found = []
    for item in cards:
        own = findings(item, most=wanted.get(item["run"][:2], 0))
        found += [{"text": one.text, "run": item["run"]} for one in own if one.claim["kind"] != "figure"]
    return found


def board(folder: Path) -> dict[str, Any] | None:
    """Methods x metrics as a table; a value is bold where its method is better than each other by more than chance."""
    try:
        made = results.read_all(folder)
    except FersynError:  # of another version of the kit
        return None
    heads, rows, metrics = results.leaderboard(made)
    if not rows:
        return None
    best = {
        (found.claim["method"], metric)
        for found in findings(made["03"], most=1_000)
        if found.claim["kind"] == "best"
        for metric in found.claim["metrics"]
    }
    lines = [
        {
            "method": name,
            "cells": [
                {
                    "text": results.cell(own.get(key), metrics.get(key)),
                    "sort": own[key]["value"] if key in own else None,
                    "best": (name, key) in best,
                }
                for key in heads
            ],
        }
        for name, own in rows.items()
    ]
    return {"heads": list(heads.values()), "lines": lines}


def write(folder: Path, runs: Iterable[str], author: str = "", asked: Collection[str] = ()) -> Path:
    """Writes ``folder/index.html`` and returns its path.

    Args:
        folder: of the report.
        runs: a card for each.
        author: who made it.
        asked: those of the runs that were asked for this time (``--only``); the cards of others stay as they were, greyed, with
            their age. Empty: all.
    """
    cards = [card(folder, run) for run in runs]
    newest = max((item.get("started") or "" for item in cards), default="")
    for item in cards:
        if asked and item["run"] not in asked and item["status"] == "done":
            item["aside"] = age(item.get("started") or "", newest)
            item["is_aside"] = True
    private = folder.name.endswith("-private") or any(item.get("private") for item in cards)
    profile = folder.name.removesuffix("-private")
    about = {"profile": profile, "private": private, "runs": {item["run"]: item.get("record", {}) for item in cards}}
    credits = [entry for item in cards for entry in item.get("credits", [])]
    page = render(
        "index.html.j2",
        filters={"duration": duration, "number": number},
        profile=profile,
        banner=BANNER if private else "",
        driven=driven(project.root(folder)),
        author=author,
        date=newest[:10],
        warning=SMOKE if is_smoke({}, folder.name) else "",
        abstract=abstract(cards),
        faces=next((strip for item in cards for strip in item.get("thumbnails") or () if strip.get("names")), None),
        board=board(folder),
        provenance=provenance.element(about),
        cards=cards,
        credits=[credit for place, credit in enumerate(credits) if credit not in credits[:place]],
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
    parser.add_argument("--asked", nargs="*", default=[], help="runs that were asked for this time (default: all)")
    parser.add_argument("--author", default=os.environ.get("FERSYN_AUTHOR", ""))
    options = parser.parse_args(arguments)
    write(options.folder, options.runs, options.author, options.asked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
