"""How sure is a mean over people? Bootstrap intervals: people are drawn anew with replacement, never single pictures.

Two pictures of one person are alike, so the number of independent observations is that of the people (a cluster
bootstrap: Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Two methods measured on the same
people are compared by each person's difference, which is far surer than two intervals that overlap or not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVEL = 0.95  # share of the intervals that should hold the true number
RESAMPLES = 2000
# Fewer people cannot show a difference: all of five lean one way by chance in 2 of 32 cases, more often than in 5 of 100.
LEAST = 6


@dataclass(frozen=True)
class Interval:
    """A number with the bounds of its interval (NaN with fewer than two people).

    Attributes:
        value: the estimate itself.
        low, high: bounds, same unit.
        people: how many people it rests on.
    """

    value: float
    low: float
    high: float
    people: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Interval:
        """From a table's row with these columns."""
        return cls(*(row[name] for name in ("value", "low", "high", "people")))

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside, and `LEAST` people or more say so: whether a difference is more than chance.

        An interval of a few people is too narrow: that of two leaves out 0 whenever both lean the same way.
        """
        return self.people >= LEAST and (self.low > 0 or self.high < 0)


def counted(people: float) -> str:
    """'1 person', '14 people'."""
    return f"{people:.0f} {'person' if round(people) == 1 else 'people'}"


def marked(people: int) -> str:
    """What bold print in a table of differences means, for a caption."""
    few = too_few(people)
    return f"nothing is bold: {few}" if few else "bold: the interval leaves out 0"


def too_few(people: int) -> str:
    """That so few people cannot show a difference, and how many can; empty with enough."""
    if people >= LEAST:
        return ""
    return f"{counted(people)} cannot show a difference, {LEAST} are the least"


def by_person(values: Any, people: Sequence) -> np.ndarray:
    """Mean of each person's values, (P,), people sorted; NaNs among the values are left out.

    Args:
        values: (N,) numbers.
        people: (N,) whose each is.

    Raises:
        ValueError: lengths differ.
    """
    values, people = np.asarray(values, float), np.asarray(people)
    if len(values) != len(people):
        raise ValueError(f"{len(values)} values of {len(people)} people: give one person a value")
    seen = np.isfinite(values)
    _, own = np.unique(people[seen].astype(str), return_inverse=True)
    return np.bincount(own, values[seen]) / np.bincount(own)


def mean(values: Any, people: Sequence, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """Mean over people of their mean values, with its bootstrap interval (BCa: Efron, 1987; scipy).

    Args:
        values: (N,) numbers.
        people: (N,) whose each is.
        resamples: how often people are drawn.
        seed: of the draws.
    """
    from scipy import stats

    own = by_person(values, people)
    if len(own) < 2:
        return Interval(float(own[0]) if len(own) else float("nan"), float("nan"), float("nan"), len(own))
    middle = float(own.mean())
    if np.ptp(own) < 1e-12:
        return Interval(middle, middle, middle, len(own))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # degenerate draws of very few people: NaN, handled below
        for method in ("BCa", "percentile"):
            found = stats.bootstrap(
                (own,), np.mean, n_resamples=resamples, confidence_level=LEVEL, method=method,
                rng=np.random.default_rng(seed),
            ).confidence_interval  # fmt: skip
            if np.isfinite([found.low, found.high]).all():
                break
    return Interval(middle, float(found.low), float(found.high), len(own))


def median(values: Any, people: Sequence, resamples: int = RESAMPLES, seed: int = 0) -> Interval:
    """The middle person's mean value, with its percentile interval: what a few wild readings do not move.

    Args:
        values, people, resamples, seed: as of `mean`.
    """
    own = by_person(values, people)
    if not len(own):
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    return statistic(lambda drawn: float(np.median(own[drawn])), range(len(own)), resamples, seed)


def statistic(
    function: Callable[[np.ndarray], float],
    people: Sequence,
    resamples: int = 400,
    seed: int = 0,
    centred: bool = False,
) -> Interval:
    """Interval of any number that is computed from all pictures at once, such as FID or a Rank-1 rate.

    Args:
        function: positions (M,) of pictures, those of a person drawn twice twice -> the number.
        people: (N,) whose each picture is.
        resamples: how often people are drawn.
        seed: of the draws.
        centred: move the interval so that the resamples' mean lies at the estimate. For numbers that repeated pictures
            push to one side, as they push FID and KID up: then only the spread of the resamples is to be trusted.

    Returns:
        the number of all pictures, with its percentile interval.
    """
    _, own = np.unique(np.asarray(people).astype(str), return_inverse=True)
    places = [np.flatnonzero(own == k) for k in range(own.max() + 1)] if len(own) else []
    value = float(function(np.arange(len(own))))
    if len(places) < 2:
        return Interval(value, float("nan"), float("nan"), len(places))
    random = np.random.default_rng(seed)
    drawn = random.integers(len(places), size=(resamples, len(places)))
    found = np.array([function(np.concatenate([places[k] for k in row])) for row in drawn], float)
    found = found[np.isfinite(found)]
    if not len(found):
        return Interval(value, float("nan"), float("nan"), len(places))
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) + (value - found.mean() if centred else 0.0)
    return Interval(value, float(low), float(high), len(places))
