"""What a run of a notebook left behind, read again: the JSON that `Record.save` wrote, or the page that holds it.

`leaves_of` gives every number and text in it a name, for `fersyn compare` and `fersyn results`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fersyn.errors import FersynError
from fersyn.reporting import provenance
from fersyn.reporting.record import SCHEMA

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


def read(file: Path) -> dict[str, Any]:
    """The record of a run, of its JSON file or its page.

    Raises:
        FersynError: the file cannot be read, or is none of this kind.
    """
    try:
        page = file.suffix == ".html"
        content = provenance.of_page(file) if page else json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise FersynError(f"{file} cannot be read as JSON ({error}); make the report again") from None
    if not isinstance(content, dict) or "schema" not in content:
        raise FersynError(f"{file} holds no run of a notebook; name a JSON file beside a report's pages")
    if content["schema"] != SCHEMA:
        raise FersynError(f"{file} has schema {content['schema']}, this fersyn reads {SCHEMA}; make the report again")
    return content


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


def short(value: float) -> str:
    """A number in four digits or so."""
    if isinstance(value, int):
        return str(value).replace("-", "−")
    shown = f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"
    return shown if "e" in shown else shown.replace("-", "−")
