"""Are all numbers of two reports the same? Every number of every notebook, in the JSON and in the tables of the pages.

Usage: python scripts/same_numbers.py OLD_REPORT NEW_REPORT. OLD may have the JSON of schema 1, in which each notebook nested its
scores in its own way; what it called a number is what the long tables of schema 2 call it (`_modern`). Prints the numbers that
differ or vanished, and exits with 1 if there are any. Times, speeds and what tells machines and commits apart do not count.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

CLOSE = 1e-6  # of the number's size: far beyond the last digit that is printed
# Of what is no number in this sense: it hangs on the machine and the hour.
UNCOUNTED = {
    "seconds", "seconds_in_cells", "started", "images_per_s", "versions", "device", "devices", "commit", "fingerprint",
    "fingerprints", "platform", "table", "minutes",
}  # fmt: skip
UNCOUNTED_ROWS = ("speed", "time", "device")  # of the tables on the pages
UNCOUNTED_COLUMNS = ("minutes a run", "minutes")

Name = tuple[str, ...]


def numbers(content: Mapping[str, Any]) -> dict[Name, float | None]:
    """All numbers in a run's JSON by name, of schema 1 by the name that they have in schema 2."""
    found: dict[Name, float | None] = {}
    for figure in content.get("key_figures") or ():
        if not str(figure.get("unit")).startswith("images"):
            found |= dict(_flat(("key figures", figure["name"]), {key: figure[key] for key in ("value", "spread")}))
            found |= {("key figures", figure["name"], n): x for n, x in _printed(str(figure["value"]))}
    for name in ("summary", "differences"):
        for row in content.get(name) or ():
            pair = [row[key] for key in ("method", "minus") if key in row]
            rest = [value for key, value in row.items() if key not in ("method", "minus")]
            found |= {_row(name, *rest, of=pair, field=key): row[key] for key in row if _counts(row[key])}
    old, results = content["schema"] == 1, content.get("results") or {}
    if old and content["notebook"].startswith("06"):
        found |= _augmentation(results, next(iter(content["fingerprints"])))
        results = {name: results[name] for name in ("folds", "published_oulu_casia_percent")}
    for name, value in _flat((), _valued(results)):
        found[_modern(name, content) if old else name] = value
    return found


def _valued(value: Any) -> Any:
    """Without what says how many people a number rests on that is not there."""
    if isinstance(value, Mapping):
        if "value" in value and value["value"] is None:
            return {}
        return {key: _valued(item) for key, item in value.items()}
    return [_valued(item) for item in value] if isinstance(value, list) else value


def _augmentation(results: Mapping[str, Any], table: str) -> dict[Name, float | None]:
    """The numbers of notebook 06 of schema 1: its lists of rows were named by numbers, too."""

    def arm(variation: str, factor: int, asked: int | None = None) -> str:
        people = {None: "", 0: ", all people"}.get(asked, f", {asked:.0f} people" if asked else "")
        return f"{'' if variation == 'none' else variation + ', '}{factor} ×{people}"

    found: dict[Name, float | None] = {}
    for row in results["summary"]:
        kind, own = row["variation"], arm(row["variation"], row["factor"], row["asked"])
        named = (table, kind, "person_balanced")
        found |= {
            _row("summary", *named, of=[own], field="value"): row["accuracy"],
            _row("summary", *named, of=[own], field="low"): row["low"],
            _row("summary", *named, of=[own], field="high"): row["high"],
            _row("summary", table, kind, "balanced", of=[own], field="deviation"): row["deviation"],
            _row("summary", table, kind, "pooled", of=[own], field="value"): row["plain"],
            **{("recognisers", f"{own}, {kind}", key): row[key] for key in ("people", "synthetic")},
        }
        if row["gain"] is not None:
            for field, old in (("value", "gain"), ("low", "gain_low"), ("high", "gain_high")):
                found[_row("differences", table, "person_balanced", of=[own, arm(kind, 0)], field=field)] = row[old]
    for row in results["judge"]:
        for metric, key in (("judged_right", "right"), ("judged_neutral", "neutral")):
            found[_row("summary", table, row["expression"], metric, of=[row["faces"]], field="value")] = row[key]
    for title, shares in results["recall"].items():
        kind, _, factor = title.removesuffix(" ×").rpartition(", ")
        kind, factor = ("classical", "0") if title == "classical" else (kind or "none", factor)
        for expression, value in shares.items():
            named = (table, kind, expression, "recall")
            found[_row("summary", *named, of=[arm(kind, int(factor))], field="value")] = value
    return found


def _row(table: str, *named: Any, of: list[str], field: str) -> Name:
    """The name of a number of a score table: the method (and the one that is taken from it), then the other texts of its
    row, in whatever order its columns stand.
    """
    return (table, " − ".join(of), *sorted(value for value in named if isinstance(value, str)), field)


def _counts(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _flat(name: Name, value: Any) -> Iterator[tuple[Name, float | None]]:
    if _counts(value):
        yield name, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in UNCOUNTED:
                yield from _flat((*name, _setting(key)), item)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            texts = [x for x in item.values() if isinstance(x, str)] if isinstance(item, Mapping) else []
            yield from _flat((*name, ", ".join(texts) or f"#{place}"), item)


def _setting(key: str) -> str:
    """The weight of a loss by its present name: pixel_weight was weight_pixel in one method and not in another."""
    return re.sub(r"^(\w+)_weight$", r"weight_\1", str(key))


def _modern(name: Name, content: Mapping[str, Any]) -> Name:
    """What a number of schema 1 is called in schema 2."""
    first, second = (*content["fingerprints"], "", "")[:2]
    results = content["results"]
    match name:
        case ("quality", "summary", method, field) | ("quality_photographs", method, field):
            table = first if name[0] == "quality" else second
            if field in ("people", "pictures"):
                return _row("summary", table, "ssim", of=[method], field=field)
            metric, deviation = field.removesuffix("_deviation"), field.endswith("_deviation")
            return _row("summary", table, metric, of=[method], field="people_deviation" if deviation else "value")
        case ("quality" | "ablations", "methods" | "variants", method, metric, field):
            return _row("summary", first, metric, of=[method], field=field)
        case ("intensity", method, metric, field):
            return _row("summary", first, metric, of=[method], field=field)
        case (true, field) if true.startswith("true_pictures_"):
            return _row("summary", first, true.removeprefix("true_pictures_"), of=["true picture"], field=field)
        case ("photographs" | "half_right", "methods", method, metric, field):
            return _row("summary", second, metric, of=[method], field=field)
        case ("differences" | "photographs_differences" as block, "methods", other, metric, field):
            table = first if block == "differences" else second
            return _row("differences", table, metric, of=[results[block]["editor"], other], field=field)
        case ("half_right_differences", editor, other, metric, field):
            return _row("differences", second, metric, of=[editor, other], field=field)
        case ("worth", "variants", other, metric, field):
            return _row("differences", first, metric, of=["full", other], field=field)
        case ("identity", "rank1" | "people" | "probes" as field):
            field = {"rank1": "value", "probes": "pictures"}.get(field, field)
            return _row("summary", first, "dlib ResNet", "rank1", of=["untouched"], field=field)
        case ("identity", "tar_at_far", far):
            return _row("summary", first, "dlib ResNet", f"tar_{far}", of=["untouched"], field="value")
        case ("identity", verifier, method, rate, field) if field not in ("impostor_pairs", "unseen"):
            field = "pictures" if field == "probes" else field
            return _row("summary", first, verifier, rate, of=[method], field=field)
        case ("identity", _, _, _, "impostor_pairs"):
            return ("lineup", "impostor_pairs")
        case ("identity", verifier, method, _, "unseen"):
            return ("unseen", verifier, method)
        case ("recognition", classifier, "accuracy" | "balanced" as metric):
            return _row("summary", first, metric, of=[classifier], field="value")
        case ("recognition", classifier, "deviation" | "balanced_deviation" as field):
            metric = "balanced" if field.startswith("balanced") else "accuracy"
            return _row("summary", first, metric, of=[classifier], field="deviation")
        case ("ablations", "pairs"):
            return ("pairs",)
    return name


class _Tables(HTMLParser):
    """The cells of a page's tables, as text."""

    def __init__(self):
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.tables[-1][-1][-1] += data


def tables(page: str) -> dict[Name, float | None]:
    """All numbers in the cells of a page's tables, by table, row, column and place in the cell."""
    parser = _Tables()
    parser.feed(page)
    found: dict[Name, float | None] = {}
    for number, table in enumerate(parser.tables, 1):
        head = table[0] if table else []
        for y, row in enumerate(table[1:], 1):
            for x, cell in enumerate(row):
                skipped = row[0] in UNCOUNTED_ROWS or (x < len(head) and head[x] in UNCOUNTED_COLUMNS)
                for place, value in () if skipped else _printed(cell):
                    found["page", f"table {number}", f"line {y} ({row[0]})", f"column {x}", place] = value
    return found


def _printed(text: str) -> Iterator[tuple[str, float]]:
    """Numbers in a printed text; the true minus sign counts as one, and so does no sign at all before a plus."""
    for place, found in enumerate(re.findall(r"[-−+]?\d+(?:\.\d+)?", text)):
        yield f"#{place}", float(found.replace("−", "-"))


def differences(old: Mapping[Name, float | None], new: Mapping[Name, float | None]) -> list[str]:
    """A line for each number of `old` that differs in `new`, or is not there."""
    lines = []
    for name, value in old.items():
        if value is None and name not in new:
            continue  # there was no number
        if name[0] == "unseen" and not value and name not in new:
            continue  # only what there is some of is told
        if name not in new:
            lines.append(f"{' / '.join(name)}: {value} → not there")
        elif not _same(value, new[name]):
            lines.append(f"{' / '.join(name)}: {value} → {new[name]}")
    return lines


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=CLOSE, abs_tol=CLOSE * 1e-3)


def main(old: str, new: str) -> int:
    """Compare two report folders; 0 if no number differs."""
    found = 0
    for file in sorted(Path(old).glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        if "notebook" not in content:
            continue
        other = Path(new) / file.name
        if not other.is_file():
            print(f"{file.stem}: not there")
            found += 1
            continue
        pages = (path.with_suffix(".html") for path in (file, other))
        one, two = (tables(page.read_text(encoding="utf-8")) if page.is_file() else {} for page in pages)
        one, two = one | numbers(content), two | numbers(json.loads(other.read_text(encoding="utf-8")))
        lines = differences(one, two)
        found += len(lines)
        print(f"{file.stem}: {len(one)} numbers, {len(lines)} differ, {len(two.keys() - one.keys())} are new")
        print("".join(f"  {line}\n" for line in lines), end="")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
