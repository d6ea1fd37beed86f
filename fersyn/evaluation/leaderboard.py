"""One table in which all systems answer: what does synthesis do for recognition? [ours]

A recogniser learns from real faces of few people of a *lab*; from those under classical variation; from these and from what a
system made of the same people (`augmentation.banks`), or from other people, new or true. All of a deal are alike in first
weights, steps, batch and learning rate. They name true faces of the lab's other people, and of other tables (across sets). The
last step counts, and nothing is chosen by those who are tested. Beside them stand recognisers that have seen no lab: of other
people's true faces alone, and those that a system learnt along with its synthesis (fesgan, de-gan).

Example:
    >>> asked = Protocol(people=8, deals=3, folds=3, steps=150)                                # doctest: +SKIP
    >>> outcome = Outcome(run(lab, tests, rows_of(banks), asked), lab.path.name)              # doctest: +SKIP
    >>> outcome.gaps                                                                          # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.evaluation import recognition
from fersyn.evaluation.augmentation import gain
from fersyn.evaluation.augmentation.banks import CLASSICAL, Bank, joined
from fersyn.evaluation.augmentation.experiment import BATCH, SIZE, pool, sides
from fersyn.evaluation.augmentation.synthetic import shrunk
from fersyn.evaluation.scores import Scores, differences, summarise, sure
from fersyn.methods.base import Synthesiser
from fersyn.nets.recogniser import middle, named, train_recogniser
from fersyn.progress import Progress

REAL = "real only"
AGAINST = (CLASSICAL, REAL)  # what the other rows are held against
COMPARED = (gain.BALANCED, gain.PLAIN)
HELPS, NOT, UNKNOWN = "helps", "does not help", "cannot be told"


@dataclass(frozen=True)
class Protocol:
    """How recognisers learn.

    Attributes:
        people: of the lab, whose real faces are learnt from; 0: all of a fold.
        deals: how often people are dealt to folds anew, each time with other first weights.
        folds: of the lab's people.
        steps: of every recogniser.
        real_share: least part of real faces, varied or not, among those seen where others come to them.
        seed: of the first deal.
        network: of `recogniser.NETWORKS`.
    """

    people: int = 8
    deals: int = 3
    folds: int = 3
    steps: int = 150
    real_share: float = 0.5
    seed: int = 0
    network: str = "cnn"

    def __post_init__(self):
        for name, least in (("people", 0), ("deals", 1), ("folds", 2), ("steps", 1)):
            if getattr(self, name) < least:
                raise FersynError(f"{name} = {getattr(self, name)}: at least {least} is needed")


@dataclass(frozen=True)
class Row:
    """What a row's recognisers learn from.

    Attributes:
        real: whether from the lab's real faces.
        variation: their variations.
        made: what comes to them, or stands alone.
    """

    real: bool = True
    variation: Bank | None = None
    made: Bank | None = None


def rows_of(
    variation: Bank, made: Sequence[Bank], alone: Sequence[Bank] = (), together: Sequence[str] = ()
) -> dict[str, Row]:
    """The rows by name: real faces, their classical variation, each bank of `made` on top of that, those of `made` that are named in
    `together` at once (where all of them are there), and those of `alone` alone.
    """
    both = [bank for bank in made if bank.name in together]
    whole = [joined(both)] if len(both) == len(together) > 1 else []
    plus = {f"+ {bank.name}": Row(True, variation, bank) for bank in [*made, *whole]}
    return {
        REAL: Row(), CLASSICAL: Row(True, variation), **plus,
        **{f"{bank.name} only": Row(False, None, bank) for bank in alone},
    }  # fmt: skip


def run(lab, tests: Sequence, rows: Mapping[str, Row], asked: Protocol) -> pd.DataFrame:
    """Train and test the recognisers of all rows, deals and folds.

    Args:
        lab: FaceTable of `banks.apart`.
        tests: further FaceTables of which all people (where a table has a side `test`, and systems have learnt from it, those) are
            named: pairs (table, rows), of `across`.
        rows: of `rows_of`.
        asked: how.

    Returns:
        rows method, table, seed, fold, people (asked for), and those of `recognition.answers`, one a face named; `attrs` has
        numbers of faces and people.

    Raises:
        SubjectLeak: somebody is learnt from and tested.
    """
    shown = [(table, index, shrunk(table, index, SIZE)) for table, index in tests]
    parts, facts, kept = [], [], {}
    with Progress(asked.deals * asked.folds * len(rows), "recognisers") as progress:
        for seed in range(asked.seed, asked.seed + asked.deals):
            for fold in range(1, asked.folds + 1):
                view = lab.view(f"{fold}/{asked.folds}", asked.people, seed)
                train, test = sides(view)
                for table, index, _ in shown:
                    splits.check_disjoint(view.rows.iloc[train], table.rows.iloc[index])
                at_home = view, test, shrunk(view, test, SIZE)
                people = set(view.people[train].astype(str))
                facts.append({"people": len(people), "faces": len(train), "tested": len(test)})
                real = shrunk(view, train, SIZE), torch.from_numpy(view.labels(train))
                for name, row in rows.items():
                    if row.real or (name, seed) not in kept:  # without the lab's faces all folds of a deal are the same
                        kept[name, seed] = _taught(row, real, people, seed, asked)
                    for table, index, faces in (at_home, *shown):
                        called = named(kept[name, seed], faces)
                        parts.append(_answers(table, index, called, name, seed=seed, fold=fold, people=asked.people))
                    progress.advance()
    found = pd.concat(parts, ignore_index=True)
    found.attrs = {name: float(np.mean([each[name] for each in facts])) for name in facts[0]}
    return found


def _taught(row: Row, real: tuple, people: set[str], seed: int, asked: Protocol):
    first = ([real] if row.real else []) + ([row.variation.of(people)] if row.variation else [])
    second = [row.made.of(people)] if row.made else []
    faces, labels = (torch.cat(each) for each in zip(*first, *second, strict=True))
    lab = sum(len(own) for own, _ in first)
    dealt = pool(lab, len(faces) - lab, asked.real_share) if first and second else None
    return train_recogniser(
        faces, labels, seed=seed, batch=BATCH, steps=asked.steps, vary=middle, pool=dealt, network=asked.network
    )


def _answers(table, index: np.ndarray, called: np.ndarray, method: str, **about) -> pd.DataFrame:
    return recognition.answers(table, index, called, **about).assign(method=method, table=table.path.name)


def across(table, learnt_from: bool = False) -> list[tuple]:
    """A table and which of its rows are named, across sets: everybody's, or where systems have learnt from it those of the people
    held out; nothing without a table.
    """
    if table is None:
        return []
    return [(table, sides(table)[1] if learnt_from else recognition.usable(table.rows))]


def own(systems: Mapping[str, Synthesiser], lab, tests: Sequence, asked: Protocol) -> pd.DataFrame:
    """What recognisers name that systems have learnt along with their synthesis: rows as of `run`."""
    parts = []
    for name, system in systems.items():
        for table, index in ((lab, recognition.usable(lab.rows)), *tests):
            called = system.recognise(table.tensor(index)).argmax(1).numpy()
            parts.append(_answers(table, index, called, f"{name}'s own", seed=asked.seed, fold=1, people=asked.people))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def measured(
    lab, tests: Sequence, rows: Mapping[str, Row], systems: Mapping[str, Synthesiser], asked: Protocol
) -> pd.DataFrame:
    """`run` and `own`; nothing without a lab."""
    if lab is None:
        return pd.DataFrame()
    found = run(lab, tests, rows, asked)
    whole = pd.concat([found, own(systems, lab, tests, asked)], ignore_index=True)
    whole.attrs = found.attrs
    return whole


def curve(
    lab, tests: Sequence, rows: Mapping[str, Row], asked: Protocol, known: pd.DataFrame, numbers: Sequence[int],
    made: Sequence[str] = (),
) -> pd.DataFrame:  # fmt: skip
    """`run` for other numbers of people (0: all of a fold), one deal, with real faces, their variation, and what is `made` on top;
    beside the first deal of `known`, which is of `run`, as `asked`. Numbers that a fold does not have are left out, and in the column
    `people` there are no zeros.
    """
    if lab is None:
        return pd.DataFrame()
    chosen = {name: row for name, row in rows.items() if name in (REAL, CLASSICAL, *(f"+ {one}" for one in made))}
    views = [lab.view(f"{fold}/{asked.folds}", 0, asked.seed) for fold in range(1, asked.folds + 1)]
    there = min(len(view.people_of("train")) for view in views)
    first = known[(known["seed"] == asked.seed) & known["method"].isin(list(chosen))]
    parts = [first.assign(people=asked.people or there)]
    for number in sorted({number or there for number in numbers} - {asked.people or there}):
        if number <= there:
            parts.append(run(lab, tests, chosen, replace(asked, people=number, deals=1)))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Outcome:
    """All that the answers say.

    Attributes:
        frame: of `run` and `own`; empty: nothing could be measured.
        lab: name of the lab's table.
    """

    frame: pd.DataFrame
    lab: str = ""

    @cached_property
    def scores(self) -> Scores:
        """A row a person and expression, and a person, by row, table and seed; of each run; of each expression."""
        parts = []
        for (method, table), found in self.frame.groupby(["method", "table"], sort=False) if len(self.frame) else ():
            keys = {"method": method, "table": table}
            for seed, answers in found.groupby("seed", sort=True):
                parts += [each(answers, seed=seed, **keys) for each in (gain.balanced, gain.plain)]
            parts += [recognition.by_run(found, **keys), recognition.by_expression(found, seed="all", **keys)]
        return Scores(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())

    @cached_property
    def summary(self) -> pd.DataFrame:
        """A line a table, row and metric; of recall one an expression."""
        if not len(self.frame):
            return pd.DataFrame()
        whole = summarise(self.scores.of(metric=[*COMPARED, "balanced", "accuracy"]))
        by = ("table", "method", "expression")
        return pd.concat([whole, summarise(self.scores.of(metric="recall"), by)], ignore_index=True)

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Paired by person: how much more than in the rows of `AGAINST` is named rightly."""
        if not len(self.frame):
            return pd.DataFrame()
        compared = self.scores.of(metric=list(COMPARED))
        found = [differences(compared, minus=name) for name in AGAINST]
        whole = pd.concat(found, ignore_index=True)
        return whole[whole["method"] != REAL].reset_index(drop=True)

    @property
    def rows(self) -> list[str]:
        """Names of the rows, in order."""
        return list(dict.fromkeys(self.frame["method"])) if len(self.frame) else []

    @property
    def tables(self) -> list[str]:
        """Names of the tables, the lab first."""
        return list(dict.fromkeys(self.frame["table"])) if len(self.frame) else []

    def gap(self, row: str, table: str, minus: str, metric: str = gain.BALANCED) -> dict | None:
        """The line of `gaps`; None where there is none."""
        keys = {"method": row, "table": table, "minus": minus, "metric": metric}
        found = self.gaps[np.logical_and.reduce([self.gaps[name] == value for name, value in keys.items()])]
        return found.iloc[0].to_dict() if len(found) else None


def verdict(gap: Mapping) -> str:
    """By rule: helps, where the interval of a difference lies above 0; does not help, where below; otherwise chance alone may have
    made it, and it cannot be told.
    """
    return UNKNOWN if not sure(gap) else HELPS if gap["value"] > 0 else NOT
