"""What augmentation brought: accuracies with intervals over people, paired gains, and their worth in real people.

Accuracy is balanced: a person's score is the mean over the expressions of the share that was named rightly, and the
accuracy is the mean over people. With several seeds a person's answers are averaged first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from fersyn.errors import FersynError
from fersyn.evaluation import judging
from fersyn.evaluation.augmentation.experiment import Kind
from fersyn.evaluation.bootstrap import Interval
from fersyn.evaluation.recognition import by_expression, by_run, confusion
from fersyn.evaluation.scores import Metric, Scores, SetScore, differences, register, rows_of, summarise

BALANCED = register(Metric("person_balanced", "balanced accuracy over people", "higher", "%", 1, 100.0)).name
PLAIN = register(Metric("person_plain", "accuracy over people, pictures alike", "higher", "%", 1, 100.0)).name
WORTH = register(Metric("worth", "worth in real people", "higher", digits=0, of_a_set=True)).name
JUDGED = register(Metric("judged_right", "named rightly by the judge", "higher", "%", 1, 100.0)).name
CALM = register(Metric("judged_neutral", "named neutral by the judge", "lower", "%", 0, 100.0)).name


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

    @property
    def name(self) -> str:
        """As a method in the scores: 'real faces alone', 'classical variation', '10 × synthetic', 'classical, real faces of 5 people'."""
        people = {None: "alone", 0: "of all people"}.get(self.asked, f"of {self.asked} people")
        faces = f"{self.factor} × synthetic" if self.factor else f"real faces {people}"
        if self.variation == "none":
            return faces
        return f"{self.variation}, {faces}" if self.factor or self.asked is not None else f"{self.variation} variation"

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Its rows of `experiment.run`; raises FersynError if there are none."""
        own = frame["base"] if self.asked is None else ~frame["base"] & (frame["asked"] == self.asked)
        found = frame[own & (frame["variation"] == self.variation) & (frame["factor"] == self.factor)]
        if not len(found):
            raise FersynError(f"no recogniser was trained with {self}; ask for it among factors and more_people")
        return found


def arms(frame: pd.DataFrame) -> list[Arm]:
    """All that were trained, in order: by variation, then factors, then numbers of real people (of equal variation)."""
    kinds = frame.groupby(["variation", "base", "factor", "asked"], sort=False)["people"].mean()
    found = sorted(kinds.items(), key=lambda kind: (kind[0][0] == "classical", not kind[0][1], kind[0][2], kind[1]))
    return [Arm(variation, int(f), None if base else int(asked)) for (variation, base, f, asked), _ in found]


def factors(frame: pd.DataFrame) -> list[int]:
    """Numbers of synthetic faces to a real one that were tried, 0 first."""
    return sorted(set(frame.loc[frame["base"], "factor"].tolist()))


def right(answers: pd.DataFrame) -> pd.Series:
    """Share of right answers by (person, expression), 0..1, over pictures and seeds."""
    named = (answers["expression"] == answers["named"]).astype(float)
    return named.groupby([answers["person"], answers["expression"]]).mean()


def balanced(answers: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """Rows of balanced accuracy, one a person and expression."""
    share = right(answers)
    people, expressions = (share.index.get_level_values(level) for level in ("person", "expression"))
    items = [f"{person}, {expression}" for person, expression in share.index]
    return rows_of(BALANCED, share, people, items, expressions, **keys)


def plain(answers: pd.DataFrame, **keys: Any) -> pd.DataFrame:
    """Rows of plain accuracy, one a person: the share of all pictures that was named rightly, neutral ones as often as they are."""
    named = (answers["expression"] == answers["named"]).astype(float)
    share = named.groupby(answers["person"]).mean()
    return rows_of(PLAIN, share, share.index, share.index, [""] * len(share), **keys)


@dataclass(frozen=True)
class Outcome:
    """All that the answers say: scores, their summary, and each arm against the arm without synthetic faces, of no and of
    classical variation.

    Attributes:
        frame: the answers, of `experiment.run`.
        table: name of the face table.
    """

    frame: pd.DataFrame
    table: str = ""

    @cached_property
    def arms(self) -> list[Arm]:
        """All that were trained."""
        return arms(self.frame)

    @cached_property
    def scores(self) -> Scores:
        """A row a person and expression; of each run; of each expression."""
        parts = []
        for arm in self.arms:
            keys = {"variation": arm.variation, "factor": arm.factor, "method": arm.name, "table": self.table}
            own = arm.of(self.frame)
            for seed, answers in own.groupby("seed", sort=True):
                parts.append(balanced(answers, seed=seed, **keys))
            parts += [by_run(own, **keys), by_expression(own, seed="all", **keys)]
        return Scores(pd.concat(parts, ignore_index=True))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A line an arm and metric; of recall one an expression."""
        by, one = ("table", "method", "variation", "factor"), self.scores
        whole = summarise(one.of(metric=[BALANCED, "balanced", "accuracy", "pooled"]), by)
        return pd.concat([whole, summarise(one.of(metric="recall"), (*by, "expression"))], ignore_index=True)

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Paired by person: how much more than in the arms without synthetic faces is right."""
        own = self.scores.of(metric=BALANCED)
        return pd.concat([differences(own, minus=Arm(v).name) for v in ("none", "classical")], ignore_index=True)

    def accuracy(self, arm: Arm) -> Interval:
        """Balanced accuracy, 0..1, with its interval over people."""
        return _interval(self._of(arm, BALANCED), arm)

    def difference(self, arm: Arm, base: Arm) -> Interval:
        """How much more of `arm` than of `base` (an arm without synthetic faces) is right, parts of 1: paired by person."""
        return _interval(self.gaps[(self.gaps["method"] == arm.name) & (self.gaps["minus"] == base.name)], arm)

    def plain(self, arm: Arm) -> float:
        """Share of all pictures that were named rightly, 0..1."""
        return float(self._of(arm, "pooled")["value"].iloc[0])

    def recall(self, arm: Arm) -> dict[str, float]:
        """Share of each expression that was named rightly, 0..1."""
        own = self._of(arm, "recall")
        return dict(zip(own["expression"], own["value"], strict=True))

    def _of(self, arm: Arm, metric: str) -> pd.DataFrame:
        return self.summary[(self.summary["method"] == arm.name) & (self.summary["metric"] == metric)]

    def facts(self) -> list[dict]:
        """For the JSON, an arm each: how many real people (mean over folds) and synthetic faces it learnt from, and its
        confusion matrix, counts true x named.
        """
        found = []
        for arm in self.arms:
            own = arm.of(self.frame)
            matrix, names = confusion(own)
            numbers = own[["people", "synthetic"]].mean()
            found.append({"method": arm.name, **asdict(arm), **numbers, "classes": names, "confusion": matrix})
        return found

    @cached_property
    def worth(self) -> Scores:
        """What the arms with synthetic faces are worth in real people, where there is a curve to read it from."""
        own = [arm for arm in self.arms if arm.factor and len(people_curve(self.frame, arm.variation)[0]) > 1]
        return Scores(pd.DataFrame(), tuple(worth(self.frame, arm, self.table) for arm in own))

    @cached_property
    def worths(self) -> pd.DataFrame:
        """Its summary."""
        return summarise(self.worth, ("table", "method", "variation", "factor"))


def _interval(rows: pd.DataFrame, arm: Arm) -> Interval:
    if not len(rows):
        raise FersynError(f"no recogniser was trained with {arm}; ask for it among factors and more_people")
    return Interval.of(rows.iloc[0])


def people_curve(frame: pd.DataFrame, variation: str) -> tuple[list[float], list[Arm]]:
    """Numbers of real people (mean over folds), rising, and the arms trained on them without synthesis.

    A number that not every fold and seed has is left out: its accuracy would be that of other people.
    """

    def tested(arm: Arm) -> set[tuple]:
        return set(arm.of(frame)[["seed", "person"]].itertuples(index=False, name=None))

    own = [arm for arm in arms(frame) if arm.variation == variation and arm.factor == 0]
    own = [arm for arm in own if tested(arm) == tested(Arm(variation))]
    own.sort(key=lambda arm: float(arm.of(frame)["people"].mean()))
    return [float(arm.of(frame)["people"].mean()) for arm in own], own


def worth(frame: pd.DataFrame, arm: Arm, table: str = "") -> SetScore:
    """How many real people give the accuracy that `arm` reached with synthetic faces.

    Read from the curve of real people under the same variation, linear in the logarithm of their number; never less
    than the curve's first number or more than its last: a value at an end means "that many or fewer" or "that many or
    more".
    """
    numbers, own = people_curve(frame, arm.variation)
    columns = [right(each.of(frame)).groupby("person").mean() for each in (*own, arm)]
    scores = pd.concat(columns, axis=1).dropna().to_numpy()

    def read(chosen: np.ndarray) -> float:
        *curve, reached = scores[chosen].mean(0)
        if len(numbers) < 2:
            return numbers[0]
        # More people never hurt on average: dips are chance, and an inverse needs a rising curve.
        rising = np.maximum.accumulate(curve) + 1e-9 * np.arange(len(curve))
        return float(np.exp(np.interp(reached, rising, np.log(numbers))))

    keys = {"variation": arm.variation, "factor": arm.factor, "method": arm.name, "table": table, "seed": "all"}
    return SetScore(keys, WORTH, np.arange(len(scores)), read)


def named_scores(shown: Mapping[str, Kind], table: str, seed: int = 0, most: int = 160) -> Scores:
    """What the judges that have learnt from photographs call the first `most` of each kind of faces, which is the method."""
    found = Scores(pd.DataFrame())
    for name, kind in shown.items():
        own = kind.faces[:most], kind.labels[:most], kind.people[:most], range(min(most, len(kind.labels)))
        found = found + judging.of_faces(*own, kind.guides, method=name, seed=seed, table=table)
    return found


def judged_scores(judged: pd.DataFrame, table: str, seed: int = 0) -> Scores:
    """What the judge (of `experiment.judged`) said, as rows: the kind of faces is the method."""
    nobody = [""] * len(judged)
    found = [
        rows_of(metric, judged[column], nobody, judged["expression"], judged["expression"], seed=seed, table=table)
        for metric, column in ((JUDGED, "right"), (CALM, "neutral"))
    ]
    return Scores(pd.concat([each.assign(method=judged["faces"].to_numpy()) for each in found], ignore_index=True))
