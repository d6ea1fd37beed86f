"""What augmentation brought: accuracies with intervals over people, paired gains, and their worth in real people.

Accuracy is balanced: a person's score is the mean over the expressions of the share that was named rightly, and the
accuracy is the mean over people. With several seeds a person's answers are averaged first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fersyn.errors import FersynError
from fersyn.evaluation import bootstrap
from fersyn.evaluation.bootstrap import Interval
from fersyn.expressions import EXPRESSIONS

# Li, Qi & Sun, IEEE Access 9, 2021, Table 4: Oulu-CASIA, synthetic faces to a real one -> accuracy, %.
PUBLISHED = {0: 67.3, 1: 68.6, 5: 71.4, 10: 76.2, 100: 76.2}


@dataclass(frozen=True)
class Arm:
    """One way to train a recogniser.

    Attributes:
        variation: "none" or "classical".
        factor: synthetic faces to each real one.
        asked: for a point of the curve of real people how many were asked for (0: all); None: those that the synthetic
            faces are made of.
    """

    variation: str = "none"
    factor: int = 0
    asked: int | None = None

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Its rows of `experiment.run`; raises FersynError if there are none."""
        own = frame["base"] if self.asked is None else ~frame["base"] & (frame["asked"] == self.asked)
        found = frame[own & (frame["variation"] == self.variation) & (frame["factor"] == self.factor)]
        if not len(found):
            raise FersynError(f"no recogniser was trained with {self}; ask for it among factors and more_people")
        return found


def arms(frame: pd.DataFrame) -> list[Arm]:
    """All that were trained, in order: by variation, then factors, then numbers of real people (of equal variation)."""
    columns = frame[["variation", "base", "factor", "asked", "people"]].copy()
    columns["order"] = np.where(columns["base"], 0, 1)
    first = columns.groupby(["variation", "order", "factor", "asked"], sort=False)["people"].mean().reset_index()
    first["turn"] = (first["variation"] == "classical").astype(int)
    found = first.sort_values(["turn", "order", "factor", "people"], kind="stable")
    return [
        Arm(v, int(f), None if o == 0 else int(a))
        for v, o, f, a in found[["variation", "order", "factor", "asked"]].to_numpy()
    ]


def factors(frame: pd.DataFrame) -> list[int]:
    """Numbers of synthetic faces to a real one that were tried, 0 first."""
    return sorted(set(frame.loc[frame["base"], "factor"].tolist()))


def right(frame: pd.DataFrame, arm: Arm) -> pd.Series:
    """Share of right answers by (person, expression), 0..1, over pictures and seeds."""
    own = arm.of(frame)
    return (own["expression"] == own["named"]).astype(float).groupby([own["person"], own["expression"]]).mean()


def accuracy(frame: pd.DataFrame, arm: Arm) -> Interval:
    """Balanced accuracy, 0..1, with its interval over people."""
    own = right(frame, arm)
    return bootstrap.mean(own.to_numpy(), own.index.get_level_values("person"))


def plain(frame: pd.DataFrame, arm: Arm) -> float:
    """Share of all pictures that were named rightly, 0..1."""
    own = arm.of(frame)
    return float((own["expression"] == own["named"]).mean())


def difference(frame: pd.DataFrame, arm: Arm, base: Arm) -> Interval:
    """How much more of `arm` than of `base` is right, parts of 1: paired by person, with its interval over people."""
    one, two = right(frame, arm), right(frame, base)
    return bootstrap.difference(one.to_numpy(), two.reindex(one.index).to_numpy(), one.index.get_level_values("person"))


def deviation(frame: pd.DataFrame, arm: Arm) -> float:
    """Standard deviation (n - 1) of the balanced accuracy over folds and seeds, 0..1; NaN with one."""
    own = arm.of(frame)
    hit = (own["expression"] == own["named"]).astype(float)
    each = hit.groupby([own["seed"], own["fold"], own["expression"]]).mean().groupby(level=[0, 1]).mean()
    return float(each.std(ddof=1))


def recall(frame: pd.DataFrame, arm: Arm) -> dict[str, float]:
    """Share of each expression that was named rightly, 0..1."""
    own = arm.of(frame)
    found = (own["expression"] == own["named"]).groupby(own["expression"]).mean()
    return {name: float(found[name]) for name in EXPRESSIONS if name in found.index}


def confusion(frame: pd.DataFrame, arm: Arm) -> tuple[np.ndarray, list[str]]:
    """Counts true x named, all folds and seeds together, and the names of both."""
    own = arm.of(frame)
    names = [name for name in EXPRESSIONS if name in set(own["expression"]) | set(own["named"])]
    place = {name: k for k, name in enumerate(names)}
    matrix = np.zeros((len(names), len(names)), np.int64)
    np.add.at(matrix, (own["expression"].map(place).to_numpy(), own["named"].map(place).to_numpy()), 1)
    return matrix, names


def people_curve(frame: pd.DataFrame, variation: str) -> tuple[list[float], list[Arm]]:
    """Numbers of real people (mean over folds), rising, and the arms trained on them without synthesis.

    A number that not every fold and seed has is left out: its accuracy would be that of other people.
    """
    own = [arm for arm in arms(frame) if arm.variation == variation and arm.factor == 0]
    everybody = _tested(frame, Arm(variation))
    own = [arm for arm in own if _tested(frame, arm) == everybody]
    found = sorted(((float(arm.of(frame)["people"].mean()), arm) for arm in own), key=lambda point: point[0])
    return [number for number, _ in found], [arm for _, arm in found]


def _tested(frame: pd.DataFrame, arm: Arm) -> set[tuple]:
    own = arm.of(frame)
    return set(zip(own["seed"], own["person"], strict=True))


def worth(frame: pd.DataFrame, arm: Arm, resamples: int = 400) -> tuple[Interval, float, float]:
    """How many real people give the accuracy that `arm` reached with synthetic faces.

    Read from the curve of real people under the same variation, linear in the logarithm of their number; never less
    than the curve's first number or more than its last.

    Returns:
        the number with its interval over test people, and the curve's first and last number: a value at an end means
        "that many or fewer" or "that many or more".
    """
    numbers, own = people_curve(frame, arm.variation)
    columns = [right(frame, each).groupby("person").mean() for each in (*own, arm)]
    scores = pd.concat(columns, axis=1).dropna().to_numpy()

    def read(chosen: np.ndarray) -> float:
        *curve, reached = scores[chosen].mean(0)
        if len(numbers) < 2:
            return numbers[0]
        # More people never hurt on average: dips are chance, and an inverse needs a rising curve.
        rising = np.maximum.accumulate(curve) + 1e-9 * np.arange(len(curve))
        return float(np.exp(np.interp(reached, rising, np.log(numbers))))

    return bootstrap.statistic(read, np.arange(len(scores)), resamples), numbers[0], numbers[-1]


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row an arm: variation, factor, asked (NaN but on the curve of real people), people, synthetic (over folds).

    Then accuracy, low, high, deviation, plain, and gain, gain_low, gain_high over factor 0 of the same variation, 0..1.
    """
    lines = []
    for each in arms(frame):
        own, found = each.of(frame), accuracy(frame, each)
        line = {
            "variation": each.variation, "factor": each.factor, "asked": each.asked,
            "people": float(own["people"].mean()), "synthetic": float(own["synthetic"].mean()),
            "accuracy": found.value, "low": found.low, "high": found.high, "deviation": deviation(frame, each),
            "plain": plain(frame, each),
        }  # fmt: skip
        base = Arm(each.variation)
        if each != base:
            gained = difference(frame, each, base)
            line |= {"gain": gained.value, "gain_low": gained.low, "gain_high": gained.high}
        lines.append(line)
    return pd.DataFrame(lines)
