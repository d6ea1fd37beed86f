"""Every number that the kit measures, as rows of one long table, and the one way from rows to means and differences.

A row says: this method (of this seed), on this pair or face of this table, has this value of this metric. `METRICS` knows
each metric once; `register` adds one, and it stands in notebook 03, in the JSON and in `fersyn compare`. Numbers that only a
whole set of pictures has (FID, a Rank-1 rate) stand beside the rows as functions of drawn positions (`SetScore`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from fersyn.errors import FersynError
from fersyn.evaluation import bootstrap

COLUMNS = ("method", "seed", "table", "item", "person", "expression", "metric", "value")
RESAMPLES = 400  # of numbers of a set; means over people take `bootstrap.RESAMPLES`


@dataclass(frozen=True)
class Metric:
    """What there is to know about a number.

    Attributes:
        name: in the rows and in the JSON.
        title: as printed.
        better: which way is better.
        unit: behind the title, or "".
        digits: decimals.
        scale: what the number is multiplied by when it is printed.
        weights: what it needs of `fersyn.weights`, or "".
        group: the table of notebook 03 that it is a column of, "picture" or "content"; others have tables of their own.
        of_a_set: whether no picture has one of its own.
        centred: of a set's number: whether people drawn twice push it to one side (`bootstrap.statistic`).
        function: (made, true), `measure.Pictures` and `measure.Truth` -> (N,) values, or of a set a function of positions
            (M,); None where it cannot be measured here. A metric that some other instrument fills in has none.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    unit: str = ""
    digits: int = 2
    scale: float = 1.0
    weights: str = ""
    group: str = ""
    of_a_set: bool = False
    centred: bool = False
    function: Callable[..., Any] | None = field(default=None, compare=False)

    @property
    def label(self) -> str:
        """Title and unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    @property
    def head(self) -> str:
        """The label with an arrow that says which way is better."""
        return f"{self.label} {'↑' if self.better == 'higher' else '↓'}"

    def best(self, values: Iterable[float]) -> float:
        """The best of some values."""
        return max(values) if self.better == "higher" else min(values)

    def improves(self, difference: Any) -> Any:
        """Whether a difference (a number or an array) is one for the better."""
        return difference > 0 if self.better == "higher" else difference < 0

    def plain(self) -> dict[str, Any]:
        """For the JSON: all but the name and the function."""
        return {name: value for name, value in asdict(self).items() if name not in ("name", "function")}


METRICS: dict[str, Metric] = {}


def register(metric: Metric) -> Metric:
    """Make a metric known, in place of another of its name; returns it.

    >>> register(Metric("brightness", "brightness", "lower", function=lambda made, true: made.faces.mean((1, 2, 3))))  # doctest: +SKIP
    """
    METRICS[metric.name] = metric
    return metric


def of_group(group: str) -> list[str]:
    """Names of a group's metrics."""
    return [name for name, metric in METRICS.items() if metric.group == group]


@dataclass(frozen=True)
class SetScore:
    """A number that a set of pictures has as a whole.

    Attributes:
        keys: method, seed, table and whatever else tells it from others.
        metric: its name.
        people: (N,) whose each picture is.
        function: positions (M,) of pictures -> the number.
    """

    keys: Mapping[str, Any]
    metric: str
    people: Sequence
    function: Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Scores:
    """What was measured: `rows` with `COLUMNS` (and more, such as verifier), and what only sets have."""

    rows: pd.DataFrame
    sets: tuple[SetScore, ...] = ()

    def __add__(self, other: Scores) -> Scores:
        parts = [each.rows for each in (self, other) if len(each.rows)]
        return Scores(pd.concat(parts, ignore_index=True) if parts else self.rows, self.sets + other.sets)

    def of(self, **keys: Any) -> Scores:
        """Those with these keys, such as `method="copy"`; a list: with one of these."""
        wanted = {name: value if isinstance(value, (list, tuple)) else [value] for name, value in keys.items()}
        rows = self.rows
        for name, values in wanted.items():
            rows = rows[rows[name].isin(values)]
        own = (one for one in self.sets if all(_key(one, name) in values for name, values in wanted.items()))
        return Scores(rows.reset_index(drop=True), tuple(own))


def rows_of(
    metric: str, values: Any, people: Sequence, item: Sequence, expression: Sequence, **keys: Any
) -> pd.DataFrame:
    """Rows of one metric: `values`, `people`, `item` and `expression` (N,), and `keys` (method, seed, table) alike in all."""
    about = {"item": item, "person": people, "expression": expression, "metric": metric}
    frame = pd.DataFrame({**keys, **about, "value": np.asarray(values, float)})
    return frame[[*(name for name in frame if name not in COLUMNS), *(name for name in COLUMNS if name in frame)]]


def summarise(
    scores: Scores, by: Sequence[str] = ("table", "method"), resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Means over people (each person's pictures first, the seeds averaged) with 95 % intervals, and numbers of sets.

    Args:
        scores: what was measured.
        by: columns that a line is for, besides the metric.
        resamples: of numbers of a set.
        seed: of all resamples.

    Returns:
        `by`, metric, value, low, high (over people), people, pictures, seeds, deviation (over seeds, n - 1; NaN with one),
        people_deviation (over people). What could not be measured has no row.
    """
    lines = []
    for (*keys, metric), grid in _grids(scores.rows, by).items():
        if not np.isfinite(grid.values).any():
            continue
        found = bootstrap.mean(grid.values.mean(0), grid.people, seed=seed)
        each = [float(bootstrap.by_person(own, grid.people).mean()) for own in grid.values]
        spread = _deviation(bootstrap.by_person(grid.values.mean(0), grid.people))
        lines.append(_line(by, keys, metric, found, len(grid.people), each) | {"people_deviation": spread})
    for (*keys, metric), own in _grouped(scores.sets, by).items():
        functions, people = [one.function for one in own], own[0].people
        if not len(people):
            continue
        found = bootstrap.statistic(_average(functions), people, resamples, seed, centred=METRICS[metric].centred)
        each = [float(function(np.arange(len(people)))) for function in functions]
        lines.append(_line(by, keys, metric, found, len(people), each) | {"people_deviation": float("nan")})
    return pd.DataFrame(lines, columns=None if lines else [*by, "metric", "value", "low", "high", "people", "seeds"])


def differences(
    scores: Scores,
    of: str = "",
    minus: str = "",
    by: Sequence[str] = ("table", "method"),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Paired differences of one method and each other, on the same items of the same people.

    Args:
        scores: what was measured.
        of: the method that all others are taken from; or
        minus: the one that is taken from all others.
        by, resamples, seed: as for `summarise`.

    Returns:
        `by` (with method), minus (the value is that of method less that of this one), metric, value, low, high, people, better
        (for how many of the people method is better; NaN for numbers of a set).

    Raises:
        FersynError: nobody measured that method.
    """
    lines = []
    fixed, place = of or minus, list(by).index("method")
    grids, sets = _grids(scores.rows, by), _grouped(scores.sets, by)
    if not any(key[place] == fixed for key in (*grids, *sets)):
        there = dict.fromkeys(key[place] for key in (*grids, *sets))
        raise FersynError(f"'{fixed}' was not measured; there are: {', '.join(there)}")

    def paired(known: Mapping[tuple, Any]):
        for key, other in known.items():
            partner = (*key[:place], fixed, *key[place + 1 :])
            if key[place] != fixed and partner in known:
                both = (known[partner], other) if of else (other, known[partner])
                names = (fixed, key[place]) if of else (key[place], fixed)
                yield {**dict(zip(by, key, strict=False)), "method": names[0], "minus": names[1]}, key[-1], *both

    for about, metric, one, other in paired(grids):
        gap = one.values.mean(0) - other.on(one.items).mean(0)
        if np.isfinite(gap).any():
            found, own = bootstrap.mean(gap, one.people, seed=seed), bootstrap.by_person(gap, one.people)
            better = int(METRICS[metric].improves(own).sum())
            lines.append({**about, "metric": metric, **found.as_dict(), "better": better})
    for about, metric, one, other in paired(sets):
        first, second = (_average([each.function for each in side]) for side in (one, other))
        found = bootstrap.statistic(
            lambda rows, a=first, b=second: a(rows) - b(rows), one[0].people, resamples, seed,
            centred=METRICS[metric].centred,
        )  # fmt: skip
        lines.append({**about, "metric": metric, **found.as_dict(), "better": float("nan")})
    columns = [*by, "minus", "metric", "value", "low", "high", "people", "better"]
    return pd.DataFrame(lines, columns=columns)


def sure(row: Mapping[str, Any]) -> bool:
    """Whether a row of `differences` is more than chance."""
    return bootstrap.Interval.of(row).excludes_zero


@dataclass(frozen=True)
class _Grid:
    """Values (seeds, items) of one metric, and whose each item is."""

    values: np.ndarray
    items: pd.Index
    people: np.ndarray

    def on(self, items: pd.Index) -> np.ndarray:
        """The values for these items; NaN where there are none."""
        place = self.items.get_indexer(items)
        return np.where(place >= 0, self.values[:, place], np.nan)


def _grids(rows: pd.DataFrame, by: Sequence[str]) -> dict[tuple, _Grid]:
    """Rows by (*by, metric), in the order in which they stand."""
    found: dict[tuple, _Grid] = {}
    for key, own in rows.groupby([*by, "metric"], sort=False, dropna=False) if len(rows) else ():
        place, items = pd.factorize(own["item"])
        turn, seeds = pd.factorize(own["seed"])
        if len(own) != len(own[["item", "seed"]].drop_duplicates()):
            raise ValueError(f"{key}: an item has two values of one seed; group by what tells them apart")
        values = np.full((len(seeds), len(items)), np.nan)
        values[turn, place] = own["value"].to_numpy(float)
        people = own["person"].to_numpy(object)[np.unique(place, return_index=True)[1]]
        found[key] = _Grid(values, pd.Index(items), people)
    return found


def _grouped(sets: Sequence[SetScore], by: Sequence[str]) -> dict[tuple, list[SetScore]]:
    found: dict[tuple, list[SetScore]] = {}
    for one in sets:
        found.setdefault((*(one.keys[name] for name in by), one.metric), []).append(one)
    return found


def _key(one: SetScore, name: str) -> Any:
    return one.metric if name == "metric" else one.keys.get(name)


def _average(functions: Sequence[Callable]) -> Callable[[np.ndarray], float]:
    return lambda positions: float(np.mean([function(positions) for function in functions]))


def _deviation(values: Any) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _line(by, keys, metric: str, found: bootstrap.Interval, pictures: int, each: list[float]) -> dict[str, Any]:
    about = {**dict(zip(by, keys, strict=True)), "metric": metric, **found.as_dict()}
    return about | {"pictures": pictures, "seeds": len(each), "deviation": _deviation(each)}
