"""Two reports, or two runs of a notebook, side by side: every number with its difference, and what else differs.

Reads the JSON files that the notebooks leave (`fersyn.reporting.record`). Rows of the score tables are matched by what they
are of (table, method, metric ...) and never by position, so that a report with one method more compares as well.
"""

from __future__ import annotations

import json as json_files
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from fersyn.errors import FersynError
from fersyn.reporting import paired
from fersyn.reporting.record import SCHEMA, read

# Of a run's JSON, what the numbers depend on: single words, and mappings of them.
PROVENANCE = ("status", "seed", "commit", "device", "platform")
PROVENANCE_MAPS = ("fingerprints", "parameters", "versions")
Name = tuple[str, ...]
NUMBERS = ("value", "low", "high", "deviation")  # of a row of a score table; what is no number beside them is its name
KEYS = ("factor", "fold", "far", "people_asked")  # numbers that belong to a row's name, too


@dataclass(frozen=True)
class Number:
    """A number of a report, None where it has none (NaN), with its interval and deviation, where it has them."""

    value: float | None
    low: float | None = None
    high: float | None = None
    deviation: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        if self.low is not None and self.high is not None:
            return f"{short(self.value)} [{short(self.low)}, {short(self.high)}]"
        return short(self.value) + (f" ± {short(self.deviation)}" if self.deviation is not None else "")

    def to(self, other: Number) -> dict[str, Any]:
        """The difference to another one (None without two values), and whether the intervals have no value in common."""
        known = None not in (self.low, self.high, other.low, other.high)
        return {
            "a": self, "b": other,
            "difference": None if None in (self.value, other.value) else other.value - self.value,
            "intervals_apart": (self.high < other.low or other.high < self.low) if known else None,
        }  # fmt: skip


Leaf = Number | str | dict[Any, float | None]


def compare(a: str | Path, b: str | Path) -> dict[str, Any]:
    """Compare two report folders, two files of runs (JSON, or an HTML page), or a file with the run of the same name in a
    folder.

    Returns:
        a, b (as they were named), paired (see `paired.differences`), runs (name -> result of `compare_runs`), only_a, only_b (runs that one has alone).

    Raises:
        FersynError: nothing there, no report in it, or a file that is none.
    """
    a, b = Path(a), Path(b)
    files_a, files_b = _runs(a), _runs(b)
    if a.is_file() and b.is_file():  # two files are meant for each other, whatever they are called
        (name_a, file_a), (name_b, file_b) = *files_a.items(), *files_b.items()
        name = name_a if name_a == name_b else f"{name_a} | {name_b}"
        files_a, files_b = {name: file_a}, {name: file_b}
    wanted = set(files_a) if a.is_file() else set(files_b) if b.is_file() else set(files_a) | set(files_b)
    both = {
        name: (read(file), read(files_b[name])) for name, file in files_a.items() if name in wanted and name in files_b
    }
    return {
        "schema": SCHEMA, "a": str(a), "b": str(b),
        "only_a": [name for name in files_a if name in wanted and name not in files_b],
        "only_b": [name for name in files_b if name in wanted and name not in files_a],
        "paired": [line for name, own in both.items() for line in paired.differences(name, *own)],
        "runs": {name: compare_runs(*own) for name, own in both.items()},
    }  # fmt: skip


def compare_runs(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the contents of two runs' JSON files.

    Returns:
        provenance (what -> a, b: all that the numbers depend on and that differs; None: not recorded), numbers (name, a, b,
        difference, intervals_apart), arrays (name, of how many numbers, how many differ, the largest difference: what is
        compared as a whole), words (name, a, b: texts that differ), only_a, only_b (the outermost name that the other lacks,
        with how many entries).
    """
    one, other = dict(leaves_of(a)), dict(leaves_of(b))
    found: dict[str, Any] = {"provenance": _provenance(a, b), "numbers": [], "arrays": [], "words": []}
    for name, mine in one.items():
        its = other.get(name)
        if isinstance(mine, Number) and isinstance(its, Number):
            found["numbers"].append({"name": name, **mine.to(its)})
        elif isinstance(mine, dict) and isinstance(its, dict) and (mine.keys() == its.keys() or name == ("scores",)):
            differ = [(mine[key], its[key]) for key in mine.keys() & its.keys() if mine[key] != its[key]]
            most = max((abs(x - y) for x, y in differ if None not in (x, y)), default=0)
            count = len(differ) + len(mine.keys() ^ its.keys())
            found["arrays"].append({"name": name, "numbers": len(mine), "differ": count, "largest_difference": most})
        elif its is not None and mine != its:
            shown = (f"{len(each)} numbers" if isinstance(each, dict) else str(each) for each in (mine, its))
            found["words"].append({"name": name, **dict(zip("ab", shown, strict=True))})
    return {**found, "only_a": _alone(one, other), "only_b": _alone(other, one)}


def _runs(path: Path) -> dict[str, Path]:
    """The JSON files of runs in a folder by the run's name, or the one file. A failed run counts by its name too."""
    if path.is_file():
        name = path.name.removesuffix(path.suffix)
        return {name.removesuffix("-code" if path.suffix == ".html" else "").removesuffix(".failed"): path}
    if not path.is_dir():
        raise FersynError(f"{path}: there is no such report; name a report's folder, or a run's JSON file")
    found = {}
    for file in sorted(path.glob("*.json")):
        try:
            content = json_files.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            raise FersynError(f"{file} is no JSON; make the report again") from None
        if isinstance(content, dict) and "schema" in content and "notebook" in content:
            found[file.name.removesuffix(".json").removesuffix(".failed")] = file
    if not found:
        raise FersynError(f"{path}: no run of a notebook has left its numbers here; make them with: make report")
    return found


def _provenance(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    def facts(content: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: content.get(name) for name in PROVENANCE}
        for group in PROVENANCE_MAPS:
            found |= {f"{group}.{name}": value for name, value in (content.get(group) or {}).items()}
        for entry in content.get("weights") or ():
            found[f"weights.{entry.get('name')}"] = entry.get("sha256") or entry.get("source")
        return found

    one, other = facts(a), facts(b)
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return {name: {"a": one.get(name), "b": other.get(name)} for name in names}


def _alone(mine: Mapping[Name, Any], others: Mapping[Name, Any]) -> list[dict[str, Any]]:
    """The outermost names that only `mine` has, with how many entries stand below each."""
    known = {name[:length] for name in others for length in range(len(name) + 1)}
    found: dict[Name, int] = {}
    for name in mine:
        if name not in others:
            top = next((name[:length] for length in range(1, len(name)) if name[:length] not in known), name)
            found[top] = found.get(top, 0) + 1
    return [{"name": name, "entries": count} for name, count in found.items()]


def leaves_of(content: Mapping[str, Any]) -> Iterator[tuple[Name, Leaf]]:
    """All that a run's JSON says, by name: numbers, texts, and as a whole what belongs together (a matrix, the scores of
    single pictures, which a page does not have).
    """
    for figure in content.get("key_figures") or ():
        name, value = ("key figures", str(figure.get("name"))), figure.get("value")
        yield name, value if isinstance(value, str) else Number(value, deviation=figure.get("spread"))
    for table in ("summary", "differences"):
        for row in content.get(table) or ():
            name = (table, *(value for value in row.values() if isinstance(value, str)))
            name += tuple(f"{key} {row[key]}" for key in KEYS if row.get(key) is not None)
            yield name, Number(*(row.get(key) for key in NUMBERS))
            for key, value in row.items():
                if key not in (*NUMBERS, *KEYS) and value is not None and _numeric(value):
                    yield (*name, key), Number(value)
    scores = content.get("scores") or {}
    if scores.get("data"):
        at = scores["columns"].index("value")
        yield ("scores",), {(*row[:at], *row[at + 1 :]): row[at] for row in scores["data"]}
    for name, value in (content.get("results") or {}).items():
        yield from _leaves((name,), value)


def _leaves(name: Name, value: Any) -> Iterator[tuple[Name, Leaf]]:
    """All that stands below a fact; lines of a list are told apart by the texts in them, and by their place."""
    if _numeric(value):
        yield name, Number(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves((*name, key), item)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        seen: dict[str, int] = {}
        for item in value:
            told = ", ".join(each for each in item.values() if isinstance(each, str))
            seen[told] = seen.get(told, 0) + 1
            label = told if told and seen[told] == 1 else f"{told} #{seen[told]}".strip()
            yield from _leaves((*name, label), {key: each for key, each in item.items() if not isinstance(each, str)})
    elif isinstance(value, list) and value and all(map(_numeric, dict(_flat(value)).values())):
        yield name, dict(_flat(value))
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _flat(value: Any, place: Name = ()) -> Iterator[tuple[Name, Any]]:
    for number, item in enumerate(value) if isinstance(value, list) else ():
        yield from _flat(item, (*place, number)) if isinstance(item, list) else [((*place, number), item)]


def _numeric(value: Any) -> bool:
    """Numbers, and None: a NaN that JSON cannot hold."""
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _head(found: Mapping[str, Any]) -> list[str]:
    return [f"A: {found['a']}", f"B: {found['b']}"]


def text(found: Mapping[str, Any], changed: bool = False) -> str:
    """The result of `compare` for a terminal; with `changed`, without the numbers that are equal."""
    lines = _head(found)
    lines += [f"only {side} has the run {name}" for side in "AB" for name in found[f"only_{side.lower()}"]]
    for name, run in found["runs"].items():
        lines += ["", name, "=" * len(name), *_page(run, changed)]
    if not found["runs"]:
        lines += ["", "no run of a notebook stands in both"]
    if any(line.endswith(" *") for line in lines):
        lines += ["* the intervals have no value in common; where they overlap, the difference may still be real"]
    return "\n".join(lines) + "\n"


def _page(run: Mapping[str, Any], changed: bool) -> list[str]:
    made = [(what, _word(both["a"]), _word(both["b"])) for what, both in run["provenance"].items()]
    lines = _columns(("made with", "A", "B"), made) or ["made with the same code, data, parameters and versions"]
    equal = [line["a"] == line["b"] for line in run["numbers"]]
    shown = [line for line, same in zip(run["numbers"], equal, strict=True) if not (changed and same)]
    arrays = [line for line in run["arrays"] if line["differ"] or not changed]
    for head, rows in (
        (("number", "A", "B", "B − A"), [(_said(o), str(o["a"]), str(o["b"]), _difference(o)) for o in shown]),
        (("curve or matrix", "of", "B − A"), [(_said(o), f"{o['numbers']} numbers", _unlike(o)) for o in arrays]),
        (("text", "A", "B"), [(_said(o), _word(o["a"]), _word(o["b"])) for o in run["words"]]),
    ):
        lines += ["", *_columns(head, rows)] if rows else []
    alone = [(side, one) for side in "AB" for one in run[f"only_{side.lower()}"]]
    lines += [""] if alone else []
    for side, one in alone:
        lines += [f"only {side} has {_said(one)}" + (f" ({one['entries']} entries)" if one["entries"] > 1 else "")]
    return [*lines, "", f"{len(equal)} numbers in both, {sum(equal)} of them equal"]


def _said(line: Mapping[str, Any]) -> str:
    return " / ".join(map(str, line["name"]))


def _difference(line: Mapping[str, Any]) -> str:
    gap = line["difference"]
    if gap is None:
        return "" if line["a"] == line["b"] else "?"
    sign = "=" if gap == 0 else f"{'+' if gap > 0 else '−'}{short(abs(gap))}"
    return sign + (" *" if line["intervals_apart"] else "")


def _unlike(line: Mapping[str, Any]) -> str:
    return f"{line['differ']} differ, by {short(line['largest_difference'])} at most" if line["differ"] else "="


def _word(value: Any, most: int = 48) -> str:
    words = "–" if value is None else value if isinstance(value, str) else json_files.dumps(value, ensure_ascii=False)
    if re.fullmatch(r"[0-9a-f]{64}", words):
        return words[:16]  # a fingerprint: as much of it as the pages show
    return words if len(words) <= most else words[: most - 1] + "…"


def short(value: float) -> str:
    """A number in four digits or so."""
    if isinstance(value, int):
        return str(value).replace("-", "−")
    shown = f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"
    return shown if "e" in shown else shown.replace("-", "−")


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows below a head, in columns; nothing without rows."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    drawn = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
    return [drawn[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *drawn[1:]] if rows else []


def command(
    a: Annotated[Path, typer.Argument(help="A report's folder (reports/laptop), or a run's JSON file or page.")],
    b: Annotated[Path, typer.Argument(help="The other one.")],
    every: Annotated[bool, typer.Option("--all", help="Every number, and what else differs.")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="As --all, without the numbers that are equal.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what got better, what worse, and what cannot be told, from one report to another."""
    found = compare(a, b)
    if json:
        typer.echo(json_files.dumps(found, indent=1, ensure_ascii=False, default=asdict), nl=True)
    elif every or changed:
        typer.echo(text(found, changed), nl=False)
    else:
        typer.echo("\n".join([*_head(found), *paired.lines(found["paired"])]))
