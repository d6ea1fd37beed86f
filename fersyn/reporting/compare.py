"""Two reports, or two runs of a notebook, side by side: every number with its difference, and what else differs.

Reads the JSON files that the notebooks leave (`fersyn.reporting.record`). Numbers are matched by name and never by
position, so that a report with one method more compares as well.
"""

from __future__ import annotations

import json as json_files
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from fersyn.errors import FersynError
from fersyn.reporting import provenance
from fersyn.reporting.record import SCHEMA

Name = tuple[str, ...]

# Fields that say which line of a list it is, words before numbers; all that a line has count.
NAMES = (
    "method", "variant", "editor", "verifier", "classifier", "network", "control", "set", "table", "expression",
    "metric", "group", "source", "row", "name", "key", "far", "factor", "times", "seed", "fold", "epoch", "step",
)  # fmt: skip
# What a dict calls the number that its `low` and `high`, `interval` or `deviation` belong to.
CENTRES = ("mean", "value", "estimate")
# Lists of numbers up to this length are compared one by one, longer ones (curves, matrices) as a whole.
SHORT = 4
# Of a run's JSON, what the numbers depend on: single words, and mappings of them.
PROVENANCE = ("status", "seed", "commit", "device", "platform")
PROVENANCE_MAPS = ("fingerprints", "parameters", "versions")


@dataclass(frozen=True)
class Number:
    """A number of a report.

    Attributes:
        value: the number; None where the report has none (NaN).
        low, high: its interval, where the report has one.
        deviation: its standard deviation, where the report has one.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    deviation: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        if self.low is not None and self.high is not None:
            return f"{_short(self.value)} [{_short(self.low)}, {_short(self.high)}]"
        return _short(self.value) + (f" ± {_short(self.deviation)}" if self.deviation is not None else "")


@dataclass(frozen=True)
class Line:
    """One number of both reports.

    Attributes:
        name: where it stands, from the outside in.
        a, b: the number of each.
    """

    name: Name
    a: Number
    b: Number

    @property
    def difference(self) -> float | None:
        """B − A; None where one of them has no value."""
        return None if self.a.value is None or self.b.value is None else self.b.value - self.a.value

    @property
    def apart(self) -> bool | None:
        """Whether the two intervals have no value in common; None where one of them has no interval."""
        if None in (self.a.low, self.a.high, self.b.low, self.b.high):
            return None
        return self.a.high < self.b.low or self.b.high < self.a.low  # type: ignore[operator]

    @property
    def equal(self) -> bool:
        """Whether nothing differs, the intervals neither."""
        return self.a == self.b


@dataclass(frozen=True)
class Array:
    """Many numbers that belong together: a curve, a confusion matrix.

    Attributes:
        shape: lengths from the outside in.
        values: the numbers, row by row; None where the report has none.
    """

    shape: tuple[int, ...]
    values: tuple[float | None, ...]

    def __str__(self) -> str:
        return " × ".join(map(str, self.shape)) + " numbers"

    def against(self, other: Array) -> tuple[int, float]:
        """How many numbers differ from those of an array of the same shape, and by how much at most."""
        pairs = [(a, b) for a, b in zip(self.values, other.values, strict=True) if a != b]
        return len(pairs), max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=0)


@dataclass
class Comparison:
    """Two runs of a notebook.

    Attributes:
        provenance: (what, in A, in B) of all that the numbers depend on and that differs; None: not recorded.
        lines: numbers that both have.
        arrays: (name, shape in words, how many differ, by how much at most) of curves and matrices that both have.
        words: (name, in A, in B) of texts that both have and that differ, such as the network of a loss.
        only_a, only_b: what one of them has alone, by the outermost name that the other lacks, with how many entries.
    """

    provenance: list[tuple[str, Any, Any]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    arrays: list[tuple[Name, str, int, float]] = field(default_factory=list)
    words: list[tuple[Name, str, str]] = field(default_factory=list)
    only_a: list[tuple[Name, int]] = field(default_factory=list)
    only_b: list[tuple[Name, int]] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "provenance": {what: {"a": a, "b": b} for what, a, b in self.provenance},
            "numbers": [
                {
                    "name": line.name, "a": asdict(line.a), "b": asdict(line.b), "difference": line.difference,
                    "intervals_apart": line.apart,
                }
                for line in self.lines
            ],
            "arrays": [
                {"name": name, "shape": shape, "differ": count, "largest_difference": most}
                for name, shape, count, most in self.arrays
            ],
            "words": [{"name": name, "a": a, "b": b} for name, a, b in self.words],
            "only_a": [{"name": name, "entries": count} for name, count in self.only_a],
            "only_b": [{"name": name, "entries": count} for name, count in self.only_b],
        }  # fmt: skip


@dataclass
class Comparisons:
    """Two reports.

    Attributes:
        a, b: what was compared, as it was named.
        runs: by the run's name, in the reports' order.
        only_a, only_b: runs that one of them has alone.
    """

    a: str
    b: str
    runs: dict[str, Comparison] = field(default_factory=dict)
    only_a: list[str] = field(default_factory=list)
    only_b: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "schema": SCHEMA, "a": self.a, "b": self.b, "only_a": self.only_a, "only_b": self.only_b,
            "runs": {name: run.plain() for name, run in self.runs.items()},
        }  # fmt: skip


def compare(a: str | Path, b: str | Path) -> Comparisons:
    """Compare two report folders, two files of runs (JSON, or an HTML page), or a file with the run of the same name in a
    folder.

    Raises:
        FersynError: nothing there, no report in it, or a file that is none.
    """
    a, b = Path(a), Path(b)
    files_a, files_b = _runs(a), _runs(b)
    found = Comparisons(str(a), str(b))
    if a.is_file() and b.is_file():  # two files are meant for each other, whatever they are called
        (name_a, file_a), (name_b, file_b) = *files_a.items(), *files_b.items()
        found.runs[name_a if name_a == name_b else f"{name_a} | {name_b}"] = compare_runs(_read(file_a), _read(file_b))
        return found
    wanted = set(files_a) if a.is_file() else set(files_b) if b.is_file() else set(files_a) | set(files_b)
    found.only_a = [name for name in files_a if name in wanted and name not in files_b]
    found.only_b = [name for name in files_b if name in wanted and name not in files_a]
    for name, file in files_a.items():
        if name in wanted and name in files_b:
            found.runs[name] = compare_runs(_read(file), _read(files_b[name]))
    return found


def compare_runs(a: Mapping[str, Any], b: Mapping[str, Any]) -> Comparison:
    """Compare the contents of two runs' JSON files."""
    found = Comparison(_provenance(a, b))
    leaves_a, leaves_b = (dict(_leaves_of_run(content)) for content in (a, b))
    for name, one in leaves_a.items():
        other = leaves_b.get(name)
        if isinstance(one, Number) and isinstance(other, Number):
            found.lines.append(Line(name, one, other))
        elif isinstance(one, Array) and isinstance(other, Array) and one.shape == other.shape:
            found.arrays.append((name, str(one), *one.against(other)))
        elif name in leaves_b and one != other:
            found.words.append((name, str(one), str(other)))
    found.only_a, found.only_b = _alone(leaves_a, leaves_b), _alone(leaves_b, leaves_a)
    return found


def _runs(path: Path) -> dict[str, Path]:
    """The JSON files of runs in a folder by the run's name, or the one file. A failed run counts by its name too."""
    if path.is_file():
        name = path.name.removesuffix(path.suffix)
        return {name.removesuffix("-code" if path.suffix == ".html" else "").removesuffix(".failed"): path}
    if not path.is_dir():
        raise FersynError(
            f"{path}: there is no such report; name a folder such as reports/laptop, or a run's JSON file"
        )
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


def _read(file: Path) -> dict[str, Any]:
    try:
        page = file.suffix == ".html"
        content = provenance.of_page(file) if page else json_files.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FersynError(f"{file} cannot be read as JSON ({error}); make the report again") from None
    if not isinstance(content, dict) or "schema" not in content:
        raise FersynError(f"{file} holds no run of a notebook; name a JSON file beside a report's pages")
    if content["schema"] != SCHEMA:
        raise FersynError(f"{file} has schema {content['schema']}, this fersyn reads {SCHEMA}; make the report again")
    return content


def _provenance(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    def facts(content: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: content.get(name) for name in PROVENANCE}
        for group in PROVENANCE_MAPS:
            found |= {f"{group}.{name}": value for name, value in (content.get(group) or {}).items()}
        for entry in content.get("weights") or ():
            found[f"weights.{entry.get('name')}"] = entry.get("sha256") or entry.get("source")
        return found

    one, other = facts(a), facts(b)
    return [
        (name, one.get(name), other.get(name)) for name in {**one, **other} if one.get(name) != other.get(name)
    ]  # fmt: skip


def _leaves_of_run(content: Mapping[str, Any]) -> Iterator[tuple[Name, Number | Array | str]]:
    for figure in content.get("key_figures") or ():
        name, value = ("key figures", str(figure.get("name"))), figure.get("value")
        if isinstance(value, str):
            yield name, value
        else:
            yield name, Number(value, deviation=figure.get("spread"))
    for name, value in (content.get("results") or {}).items():
        yield from _leaves((name,), value)


def _leaves(name: Name, value: Any) -> Iterator[tuple[Name, Number | Array | str]]:
    """All numbers and texts below `value`, by name."""
    if _numeric(value):
        yield name, Number(value)
    elif isinstance(value, Mapping):
        yield from _mapping(name, value)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from _sequence(name, value)
    else:
        yield name, str(value)


def _mapping(name: Name, value: Mapping[str, Any]) -> Iterator[tuple[Name, Number | Array | str]]:
    centre = next((key for key in CENTRES if key in value and _numeric(value[key])), None)
    # The same name whether or not there were enough people for an interval (None then).
    if centre is not None and any(key in value for key in ("low", "interval", "deviation")):
        yield name, Number(value[centre], *_interval(value, ""), deviation=_only_number(value.get("deviation")))
        taken = {centre, "low", "high", "interval", "deviation"}
        rest = {key: item for key, item in value.items() if key not in taken}
    else:
        rest = dict(value)
    belongs = {f"{key}_{part}" for key in rest for part in ("interval", "low", "high", "deviation")}
    for key, item in rest.items():
        if key in belongs:
            continue  # an interval or a deviation stands with its number
        if _numeric(item):
            low, high = _interval(rest, f"{key}_")
            yield (*name, key), Number(item, low, high, _only_number(rest.get(f"{key}_deviation")))
        else:
            yield from _leaves((*name, key), item)


def _interval(value: Mapping[str, Any], prefix: str) -> tuple[float | None, float | None]:
    pair = value.get(f"{prefix}interval")
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        pair = (value.get(f"{prefix}low"), value.get(f"{prefix}high"))
    low, high = map(_only_number, pair)
    return (None, None) if low is None or high is None else (low, high)


def _sequence(name: Name, value: Sequence[Any]) -> Iterator[tuple[Name, Number | Array | str]]:
    if value and all(isinstance(item, Mapping) for item in value):
        for label, item in zip(_labels(value), value, strict=True):
            taken = {key for key in NAMES if _names(item.get(key))}
            yield from _mapping((*name, label), {key: item[key] for key in item if key not in taken})
    elif (shape := _shape(value)) is not None and math.prod(shape) > SHORT:
        yield name, Array(shape, _flat(value))
    elif all(isinstance(item, str) for item in value):
        yield name, ", ".join(value)
    else:
        for number, item in enumerate(value, 1):
            yield from _leaves((*name, f"#{number}"), item)


def _shape(value: Any) -> tuple[int, ...] | None:
    """Lengths of a rectangular list of lists of numbers, from the outside in; () for a number, None for all else."""
    if _numeric(value):
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    inner = {_shape(item) for item in value}
    return (len(value), *inner.pop()) if len(inner) == 1 and None not in inner else None  # type: ignore[misc]


def _flat(value: Any) -> tuple[float | None, ...]:
    return (value,) if _numeric(value) else tuple(number for item in value for number in _flat(item))


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each line of a list, unique in it; a counter joins where the fields in `NAMES` do not suffice."""
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        parts = [_part(key, row[key]) for key in NAMES if _names(row.get(key))]
        label = ", ".join(parts) or "row"
        seen[label] = seen.get(label, 0) + 1
        found.append(label if parts and seen[label] == 1 else f"{label} #{seen[label]}")
    return found


def _part(key: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{key} {value}"


def _names(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""


def _numeric(value: Any) -> bool:
    """Numbers, and None: a NaN that JSON cannot hold."""
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _only_number(value: Any) -> float | None:
    return value if _numeric(value) else None


def _alone(mine: Mapping[Name, Any], others: Mapping[Name, Any]) -> list[tuple[Name, int]]:
    """The outermost names that only `mine` has, with how many entries stand below each."""
    known = {name[:length] for name in others for length in range(len(name) + 1)}
    found: dict[Name, int] = {}
    for name in mine:
        if name not in others:
            top = next((name[:length] for length in range(1, len(name)) if name[:length] not in known), name)
            found[top] = found.get(top, 0) + 1
    return list(found.items())


def _short(value: float) -> str:
    if isinstance(value, int):
        return str(value).replace("-", "−")
    shown = f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"
    return shown if "e" in shown else shown.replace("-", "−")


def text(found: Comparisons, changed: bool = False) -> str:
    """The comparison as text for a terminal; with `changed`, without the numbers that are equal."""
    lines = [f"A: {found.a}", f"B: {found.b}"]
    marked = False
    for letter, alone in (("A", found.only_a), ("B", found.only_b)):
        lines += [f"only {letter} has the run {name}" for name in alone]
    for name, run in found.runs.items():
        lines += ["", name, "=" * len(name)]
        if run.provenance:
            rows = [(what, _word(a), _word(b)) for what, a, b in run.provenance]
            lines += _columns([("made with", "A", "B"), *rows])
        else:
            lines += ["made with the same code, data, parameters and versions"]
        shown = [line for line in run.lines if not (changed and line.equal)]
        equal = sum(line.equal for line in run.lines)
        if shown:
            rows = [(" / ".join(line.name), str(line.a), str(line.b), _difference(line)) for line in shown]
            lines += ["", *_columns([("number", "A", "B", "B − A"), *rows], right=(1, 2, 3))]
            marked = marked or any(line.apart for line in shown)
        unequal = [array for array in run.arrays if array[2] or not changed]
        if unequal:
            rows = [(" / ".join(where), shape, _unlike(count, most)) for where, shape, count, most in unequal]
            lines += ["", *_columns([("curve or matrix", "shape", "B − A"), *rows])]
        if run.words:
            rows = [(" / ".join(where), _word(a), _word(b)) for where, a, b in run.words]
            lines += ["", *_columns([("text", "A", "B"), *rows])]
        if run.only_a or run.only_b:
            lines += [""]
        for letter, alone in (("A", run.only_a), ("B", run.only_b)):
            for where, count in alone:
                lines += [f"only {letter} has {' / '.join(where)}" + (f" ({count} entries)" if count > 1 else "")]
        lines += ["", f"{len(run.lines)} numbers in both, {equal} of them equal"]
    if not found.runs:
        lines += ["", "no run of a notebook stands in both"]
    if marked:
        lines += ["* the intervals have no value in common; where they overlap, the difference may still be real"]
    return "\n".join(lines) + "\n"


def _difference(line: Line) -> str:
    if line.difference is None:
        return "" if line.equal else "?"
    sign = "=" if line.difference == 0 else f"{'+' if line.difference > 0 else '−'}{_short(abs(line.difference))}"
    return sign + (" *" if line.apart else "")


def _unlike(count: int, most: float) -> str:
    return f"{count} differ, by {_short(most)} at most" if count else "="


def _word(value: Any, most: int = 48) -> str:
    words = "–" if value is None else value if isinstance(value, str) else json_files.dumps(value, ensure_ascii=False)
    if re.fullmatch(r"[0-9a-f]{64}", words):
        return words[:16]  # a fingerprint: as much of it as the pages show
    return words if len(words) <= most else words[: most - 1] + "…"


def _columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Rows as text, the first a head; columns in `right` end at one place."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    drawn = [
        "  ".join(
            cell.rjust(width) if k in right else cell.ljust(width) for k, (cell, width) in enumerate(cells)
        ).rstrip()
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    return [drawn[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *drawn[1:]]


def command(
    a: Annotated[
        Path, typer.Argument(help="A report folder, such as reports/laptop, or the JSON file or page of a run.")
    ],
    b: Annotated[Path, typer.Argument(help="The other one.")],
    changed: Annotated[bool, typer.Option("--changed", help="Leave out the numbers that are equal.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print two reports side by side: every number with its difference and intervals, and what else differs."""
    found = compare(a, b)
    if json:
        typer.echo(json_files.dumps(found.plain(), indent=1, ensure_ascii=False))
    else:
        typer.echo(text(found, changed), nl=False)
