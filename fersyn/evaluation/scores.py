"""Every number that the kit measures, as rows of one long table, and the one way from rows to means and differences.

A row says: this method (of this seed), on this pair or face of this table, has this value of this metric. `METRICS` knows
each metric once; `register` adds one, and it stands in notebook 03, in the JSON and in `fersyn compare`. Numbers that only a
whole set of pictures has (FID, a Rank-1 rate) stand beside the rows as functions of drawn positions (`SetScore`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from fersyn.errors import FersynError
from fersyn.evaluation import bootstrap

COLUMNS = ("method", "seed", "table", "item", "person", "expression", "metric", "value")
GUIDE = "guide"  # a further column, True where the instrument had a hand in making the faces that it measures
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
        group: the table of notebook 03 that it is a column of, "picture", "named" or "content"; others have tables of their own.
        of_a_set: whether no picture has one of its own.
        centred: of a set's number: whether people drawn twice push it to one side (`bootstrap.statistic`).
        robust: whether the middle person stands for all (`bootstrap.median`) and not the mean: of instruments that are now and then
            far off.
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
    robust: bool = False
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
    """Means over people (each person's pictures first; of the seeds, those that there are) with 95 % intervals, and numbers of sets.

    Args:
        scores: what was measured.
        by: columns that a line is for, besides the metric.
        resamples: of numbers of a set.
        seed: of all resamples.

    Returns:
        `by`, metric, value, low, high (over people), people, pictures, seeds, deviation (over seeds, n - 1; NaN with one),
        people_deviation (over people), and guide, where one is (`guided`). What could not be measured has no row.
    """
    lines = []
    for (*keys, metric), own in _measured(scores, by).items():
        if own.known():
            found, each = own.interval(metric, resamples, seed), own.each()
            lines.append(
                {
                    **dict(zip(by, keys, strict=True)), "metric": metric, **vars(found), "pictures": len(own.people),
                    "seeds": len(each), "deviation": _deviation(each), "people_deviation": _deviation(own.by_person()),
                    **({GUIDE: True} if own.guide else {}),
                }
            )  # fmt: skip
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
    fixed, place, known = of or minus, list(by).index("method"), _measured(scores, by)
    there = dict.fromkeys(key[place] for key in known)
    if fixed not in there:
        raise FersynError(f"'{fixed}' was not measured; there are: {', '.join(there)}")
    for key, other in known.items():
        partner = known.get((*key[:place], fixed, *key[place + 1 :]))
        if key[place] == fixed or partner is None:
            continue
        gap = partner.minus(other) if of else other.minus(partner)
        if gap.known():
            names = (fixed, key[place]) if of else (key[place], fixed)
            about = {**dict(zip(by, key, strict=False)), "method": names[0], "minus": names[1], "metric": key[-1]}
            own = gap.by_person()
            better = int(METRICS[key[-1]].improves(own).sum()) if len(own) else float("nan")
            told = {GUIDE: True} if gap.guide else {}
            lines.append({**about, **vars(gap.interval(key[-1], resamples, seed)), "better": better, **told})
    columns = [*by, "minus", "metric", "value", "low", "high", "people", "better"]
    return pd.DataFrame(lines, columns=None if lines else columns)


def sure(row: Mapping[str, Any]) -> bool:
    """Whether a row of `differences` is more than chance."""
    return bootstrap.Interval.of(row).excludes_zero


def guided(row: Mapping[str, Any]) -> bool:
    """Whether a row is what an instrument said of faces that were made to please it: such a number is marked, and no best."""
    return row.get(GUIDE) in (True,)  # NaN where other rows of a table are guided


@dataclass(frozen=True)
class _Grid:
    """Values (seeds, items) of one metric, whose each item is, and whether the instrument guided what it measures."""

    values: np.ndarray
    items: pd.Index
    people: np.ndarray
    guide: bool = False

    def known(self) -> bool:
        return bool(np.isfinite(self.values).any())

    def pooled(self) -> np.ndarray:
        """(items,), mean over the seeds that have a value: a fold may lack a seed's."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an item without any
            return np.nanmean(self.values, 0)

    def by_person(self) -> np.ndarray:
        return bootstrap.by_person(self.pooled(), self.people)

    def each(self) -> list[float]:
        return [float(bootstrap.by_person(own, self.people).mean()) for own in self.values]

    def interval(self, metric: str, resamples: int, seed: int) -> bootstrap.Interval:
        middle = bootstrap.median if METRICS[metric].robust else bootstrap.mean
        return middle(self.pooled(), self.people, seed=seed)

    def minus(self, other: _Grid) -> _Grid:
        place = other.items.get_indexer(self.items)
        gap = self.pooled() - np.where(place >= 0, other.pooled()[place], np.nan)
        return _Grid(gap[None], self.items, self.people, self.guide or other.guide)


@dataclass(frozen=True)
class _Set:
    """The numbers of sets of the same pictures, a seed each; what `_Grid` has, for what only sets have."""

    functions: list[Callable[[np.ndarray], float]]
    people: Sequence
    guide: bool = False

    def known(self) -> bool:
        return len(self.people) > 0

    def pooled(self, positions: np.ndarray) -> float:
        return float(np.mean([function(positions) for function in self.functions]))

    def by_person(self) -> np.ndarray:
        return np.zeros(0)

    def each(self) -> list[float]:
        return [float(function(np.arange(len(self.people)))) for function in self.functions]

    def interval(self, metric: str, resamples: int, seed: int) -> bootstrap.Interval:
        return bootstrap.statistic(self.pooled, self.people, resamples, seed, centred=METRICS[metric].centred)

    def minus(self, other: _Set) -> _Set:
        return _Set([lambda positions: self.pooled(positions) - other.pooled(positions)], self.people)


def _measured(scores: Scores, by: Sequence[str]) -> dict[tuple, _Grid | _Set]:
    """What was measured by (*by, metric), rows first, in the order in which they stand."""
    found: dict[tuple, _Grid | _Set] = {}
    rows = scores.rows
    for key, own in rows.groupby([*by, "metric"], sort=False, dropna=False) if len(rows) else ():
        if own.duplicated(["item", "seed"]).any():
            raise ValueError(f"{key}: an item has two values of one seed; group by what tells them apart")
        (place, items), (turn, seeds) = (pd.factorize(own[name]) for name in ("item", "seed"))
        values = np.full((len(seeds), len(items)), np.nan)
        values[turn, place] = own["value"].to_numpy(float)
        found[key] = _Grid(
            values, pd.Index(items), own["person"].to_numpy(object)[np.unique(place, return_index=True)[1]],
            GUIDE in own and any(map(guided, own[[GUIDE]].to_dict("records"))),
        )  # fmt: skip
    for one in scores.sets:
        key = (*(one.keys[name] for name in by), one.metric)
        found.setdefault(key, _Set([], one.people, guided(one.keys))).functions.append(one.function)
    return found


def _key(one: SetScore, name: str) -> Any:
    return one.metric if name == "metric" else one.keys.get(name)


def _deviation(values: Any) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
