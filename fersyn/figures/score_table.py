"""Tables of scores: a value with its interval, the best in bold, or differences that are more than chance.

Apart from `table`, which every notebook's page needs and which knows neither metrics nor weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from fersyn import weights
from fersyn.evaluation.scores import METRICS, guided, sure
from fersyn.figures.table import Table


def plain(value: float, digits: int, sign: str = "") -> str:
    """A number with a true minus sign and no negative zero; with `sign` "+" its sign always."""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}".replace("-", "−")


def number(row: Mapping, scale: float = 1.0, digits: int = 2, sign: str = "", spread: str = "deviation") -> str:
    """A value with its interval and its deviation, where it has them: '0.79 [0.71, 0.84] ± 0.01'; marked where the
    instrument guided what it measures.
    """
    text = plain(scale * row["value"], digits, sign)
    if np.isfinite([row.get("low", np.nan), row.get("high", np.nan)]).all():
        # A line may break before the bracket, but not within it.
        low, high = (plain(scale * row[bound], digits, sign) for bound in ("low", "high"))
        text += f" [{low},\u00a0{high}]"
    deviation = row.get(spread, float("nan"))
    text += f" ±\u00a0{scale * deviation:.{digits}f}" if np.isfinite(deviation) else ""
    return text + (" (guide)" if guided(row) else "")


def missing(names: Sequence[str] | None = None) -> list[str]:
    """Those weights, of these metrics or of all that stand in a table of notebook 03, that are not on this machine."""
    asked = [METRICS[name] for name in names] if names else [metric for metric in METRICS.values() if metric.function]
    needed = dict.fromkeys(metric.weights for metric in asked if metric.weights)
    return [name for name in needed if weights.find(name) is None]


class ScoreTable(Table):
    """A summary or differences (of `evaluation.scores`) as a table.

    Args:
        scores: rows with a value, its bounds, and the metric that says how it is printed.
        columns: values of `across`, in order; a mapping to their heads where they are no metrics.
        across, down: columns of `scores` that a cell stands in: by default a row a method, a column a metric. `down` may
            name several: each is a column of labels.
        rows: values of `down` (tuples, where it names several), in order; None: as they stand.
        corner: head of the column of labels, or of each.
        caption: above the table.
        interval: whether bounds are printed.
        spread: which deviation is printed, "deviation" (over seeds) or "people_deviation"; "": none.
        bold: "best" of each column, "sure" where a difference is more than chance, "": nothing, or what says which lines of
            a column (line -> row of `scores`) are.
        first, last: further lines of text, such as published numbers, which are not in the race.
        instead: value of `down` -> what stands in all its cells.
        absent: in the place of a value that is not there.
        text: (row, sign) -> text of a cell, if it is not that of `number`.
    """

    def __init__(
        self,
        scores: pd.DataFrame,
        columns: Sequence[str] | Mapping[str, str],
        *,
        across: str = "metric",
        down: str | Sequence[str] = "method",
        rows: Sequence | None = None,
        corner: str | Sequence[str] = "method",
        caption: str = "",
        interval: bool = True,
        spread: str = "deviation",
        bold: Literal["best", "sure", ""] | Callable[[Mapping[int, Mapping]], Sequence[int]] = "best",
        first: Sequence[Sequence[str]] = (),
        last: Sequence[Sequence[str]] = (),
        instead: Mapping[str, str] | None = None,
        absent: str = "–",
        text: Callable[[Mapping, str], str] | None = None,
    ):
        if not interval:
            scores = scores.assign(low=np.nan, high=np.nan)
        keys = list(scores[down] if isinstance(down, str) else scores[list(down)].itertuples(index=False, name=None))
        found = {(key, row[across]): row for key, row in zip(keys, scores.to_dict("records"), strict=True)}
        lacking = set(missing(list(columns))) if across == "metric" else set()
        rows, instead = list(dict.fromkeys(keys)) if rows is None else rows, instead or {}
        sign = "+" if bold == "sure" else ""

        def cell(row: Any, column: str) -> str:
            if row in instead:
                return instead[row]
            one = found.get((row, column))
            if one is None or not np.isfinite(one["value"]):
                return "weights missing" if across == "metric" and METRICS[column].weights in lacking else absent
            metric = METRICS[one["metric"]]
            return text(one, sign) if text else number(one, metric.scale, metric.digits, sign, spread)

        heads = [columns[key] if isinstance(columns, Mapping) else METRICS[key].head for key in columns]
        lines = [[*_labels(row), *(cell(row, column) for column in columns)] for row in rows]
        super().__init__([*first, *lines, *last], [*_labels(corner), *heads], caption=caption)
        marked = {"best": _best, "sure": lambda own: [y for y, row in own.items() if sure(row)], "": lambda own: []}
        for x, column in enumerate(columns, len(self.frame.columns) - len(heads)):
            own = {y: found[row, column] for y, row in enumerate(rows, len(first)) if (row, column) in found}
            self.bold |= {(y, x) for y in (bold if callable(bold) else marked[bold])(own)}


def _best(column: Mapping[int, Mapping]) -> list[int]:
    """Which lines of a column hold its best value; none where all are alike. What a guide says is not in the race."""
    values = {y: row["value"] for y, row in column.items() if np.isfinite(row["value"]) and not guided(row)}
    if len(set(values.values())) < 2:
        return []
    best = METRICS[next(iter(column.values()))["metric"]].best(values.values())
    return [y for y, value in values.items() if value == best]


def _labels(key: str | Sequence[str]) -> list[str]:
    return [key] if isinstance(key, str) else list(key)
