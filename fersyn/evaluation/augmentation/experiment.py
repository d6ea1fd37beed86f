"""Train recognisers on real and synthetic faces, test them on real faces of other people. Protocol of Table 4.

All recognisers of a fold and seed are alike in first weights, number of steps, batch and learning rate; they differ in
what they see. The last step counts, and nothing is chosen by the test people. A judge, a recogniser of other people's real
faces, looks on.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fersyn import splits
from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.evaluation import recognition
from fersyn.evaluation.augmentation import allowed
from fersyn.evaluation.augmentation.synthetic import STRENGTHS, draw, make, shrunk
from fersyn.expressions import EXPRESSIONS
from fersyn.nets.recogniser import classical, middle, named, train_recogniser
from fersyn.progress import Progress
from fersyn.table import FaceTable
from fersyn.training.requests import Request
from fersyn.training.runs import load

SIZE = 64  # px of the faces, real and synthetic alike; the recogniser looks at 48 of their middle
BATCH = 32
VARIATIONS = ("none", "classical")
REAL = "real faces"  # what the judge is shown beside the synthetic ones


@dataclass(frozen=True)
class Fold:
    """The faces of one fold and seed.

    Attributes:
        number: of the fold, from 1.
        request: the method's training: seed, fold and number of people.
        run: its folder.
        table: FaceTable with the training's sides.
        train, test: int64, rows of the faces learnt from and named.
    """

    number: int
    request: Request
    run: Path
    table: FaceTable
    train: np.ndarray
    test: np.ndarray

    @property
    def seed(self) -> int:
        """Of the deal, of what is drawn, and of the recognisers' first weights."""
        return self.request.seed

    @property
    def people(self) -> int:
        """Number of people learnt from."""
        return len(set(self.table.people[self.train]))


def fold_of(table: FaceTable, number: int, request: Request, run: str | Path) -> Fold:
    """Deal the people as the method's training did, and check that it did.

    Raises:
        SubjectLeak, FersynError: the run was not trained on these people (see `allowed`), or nobody is left to test.
    """
    view = request.view(table)
    allowed(run, view)
    train, test = sides(view)
    return Fold(number, request, Path(run), view, train, test)


def sides(view: FaceTable) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and to name: of a sequence the first neutral and the strongest expressive frame (see
    `recognition.usable`).

    Raises:
        FersynError: a side is empty.
        SubjectLeak: the sides share somebody.
    """
    index = recognition.usable(view.rows)
    side = view.rows["split"].to_numpy(object)[index]
    train, test = index[side == "train"], index[side == "test"]
    if not len(train) or not len(test):
        raise FersynError(
            f"{view.path}: {len(train)} labelled faces to learn from and {len(test)} to name; use fewer folds, or a "
            "table with more people"
        )
    splits.check_disjoint(view.rows.iloc[train], view.rows.iloc[test])
    return train, test


def steps_of(fold: Fold, epochs: int) -> int:
    """Steps of every recogniser: those of `epochs` passes over the fold's real faces."""
    return epochs * max(1, len(fold.train) // BATCH)


def pool(real: int, synthetic: int, share: float) -> torch.Tensor:
    """Positions dealt in a pass, int64: all synthetic faces once, and the real ones (which come first) once, or as many
    times as it takes for them to be at least about `share` of all.

    >>> pool(2, 4, 0.5).tolist()
    [0, 1, 0, 1, 2, 3, 4, 5]
    """
    times = max(1, round(share / (1 - share) * synthetic / real)) if synthetic else 1
    return torch.cat([torch.arange(real).repeat(times), torch.arange(real, real + synthetic)])


def run_fold(
    fold: Fold,
    factors: Sequence[int],
    more_people: Sequence[int] = (),
    epochs: int = 60,
    real_share: float = 0.5,
    network: str = "cnn",
    report: Callable[[int], None] | None = None,
) -> tuple[pd.DataFrame, dict]:
    """All recognisers of a fold: each factor, and each number of real people without synthesis; with and without
    classical variation.

    Args:
        fold: of `fold_of`.
        factors: how many synthetic faces come to each real one; 0 is always among them.
        more_people: other numbers of real people, for the curve of what real data would have brought; 0: all that the
            fold has. Numbers that the fold does not have are left out.
        epochs: passes over the real faces; sets the number of steps of all (`steps_of`).
        real_share: least part of real faces among those seen, 0..<1; 0: as they fall, as in the paper.
        network: of the recognisers, one of `recogniser.NETWORKS`.
        report: called after each recogniser with 1.

    Returns:
        rows seed, fold, variation, factor, base (whether on the fold's own people; else a point of the curve), asked
        (number of real people asked for, 0 all), people (their number), synthetic (number of faces), row (position in
        the table), person, expression, named: one a test face and recogniser; and facts: numbers of people, faces, steps.

    Raises:
        FersynError: no factor or share of use.
    """
    factors = sorted({0, *factors})
    if factors[0] < 0 or not 0 <= real_share < 1:
        raise FersynError(
            f"factors = {factors}, real_share = {real_share}: factors from 0 and a share of 0 to below 1 are needed"
        )
    table, steps = fold.table, steps_of(fold, epochs)
    tested, parts = shrunk(table, fold.test, SIZE), []
    for about, faces, labels, dealt in _learnt_from(fold, factors, more_people, real_share):
        for variation in VARIATIONS:
            taught = train_recogniser(
                faces, labels, seed=fold.seed, batch=BATCH, steps=steps, vary=middle, pool=dealt,
                before=classical if variation == "classical" else None, network=network,
            )  # fmt: skip
            found = {"seed": fold.seed, "fold": fold.number, "variation": variation, **about}
            parts.append(recognition.answers(table, fold.test, named(taught, tested), **found))
            if report:
                report(1)
    facts = {
        "seed": fold.seed, "fold": fold.number, "people": fold.people, "real": len(fold.train), "tested": len(tested),
        "test_people": len(set(table.people[fold.test])), "steps": steps, "synthetic": factors[-1] * len(fold.train),
    }  # fmt: skip
    return pd.concat(parts, ignore_index=True), facts


def _learnt_from(
    fold: Fold, factors: Sequence[int], more_people: Sequence[int], real_share: float
) -> Iterator[tuple[dict, torch.Tensor, torch.Tensor, torch.Tensor | None]]:
    """What recognisers learn from: columns of `run_fold` that say what it is, faces, labels, and what a pass deals."""
    table, real = fold.table, shrunk(fold.table, fold.train, SIZE)
    labels = torch.from_numpy(table.labels(fold.train))
    synthesiser = load(fold.run)
    recipes = draw(table, fold.train, factors[-1] * len(real), fold.seed, getattr(synthesiser, "motion", None))
    made = make(synthesiser, table, recipes, SIZE)
    for factor in factors:
        count = factor * len(real)
        about = {
            "factor": factor,
            "base": True,
            "asked": fold.request.people,
            "people": fold.people,
            "synthetic": count,
        }
        both = torch.cat([real, made[:count]]), torch.cat([labels, torch.from_numpy(recipes.label[:count])])
        yield about, *both, pool(len(real), count, real_share)
    for asked, (people, rows) in _others(fold, more_people).items():
        about = {"factor": 0, "base": False, "asked": asked, "people": people, "synthetic": 0}
        yield about, shrunk(table, rows, SIZE), torch.from_numpy(table.labels(rows)), None


def _others(fold: Fold, numbers: Sequence[int]) -> dict[int, tuple[int, np.ndarray]]:
    """Other numbers of training people asked for -> their number, and the rows of their faces.

    Smaller sets of people lie within larger ones.
    """
    request, found = fold.request, {}
    everybody, _ = sides(fold.table.view(request.fold, 0, request.seed))
    most = len(set(fold.table.people[everybody]))
    for asked in sorted(set(numbers)):
        if 0 <= asked <= most and (asked or most) != fold.people:
            rows, test = sides(fold.table.view(request.fold, asked, request.seed))
            assert np.array_equal(test, fold.test)
            found[asked] = len(set(fold.table.people[rows])), rows
    return found


def run(
    folds: Sequence[Fold],
    factors: Sequence[int],
    more_people: Sequence[int] = (),
    epochs: int = 60,
    real_share: float = 0.5,
    workers: int | None = None,
    network: str = "cnn",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`run_fold` for all folds and seeds, with progress: its rows together, and its facts, a row a fold.

    On the CPU folds are spread over processes of one thread each: the networks are so small that threads gain little.
    The numbers do not depend on how many there are.

    Args:
        folds: of `fold_of`.
        factors, more_people, epochs, real_share, network: as for `run_fold`.
        workers: processes; 0: this one; None: as many as torch has threads, or none where there is little to do.
    """
    if workers is None:
        worth_it = (
            default_device().type == "cpu"
            and len(folds) > 1
            and max(map(partial(steps_of, epochs=epochs), folds)) >= 50
        )
        workers = min(len(folds), torch.get_num_threads()) if worth_it else 0
    task, found = partial(_alone, given=(factors, more_people, epochs, real_share, network)), []
    with Progress(len(folds), "folds", unit="fold") as progress, ExitStack() as stack:
        each = map
        if workers > 1:  # not fork: torch's threads do not survive it
            spawn = multiprocessing.get_context("spawn")
            each = stack.enter_context(ProcessPoolExecutor(workers, mp_context=spawn)).map
        for one in each(task, folds):
            found.append(one)
            progress.advance()
    return pd.concat([rows for rows, _ in found], ignore_index=True), pd.DataFrame([about for _, about in found])


def _alone(fold: Fold, given: tuple) -> tuple[pd.DataFrame, dict]:
    """`run_fold` in one thread, so that rounding is the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return run_fold(fold, *given)
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Kind:
    """Faces to be judged: (N, 3, `SIZE`, `SIZE`), what they are to show, index into EXPRESSIONS (N,), whose they are (N,), and
    the instruments that had a hand in making them.
    """

    faces: torch.Tensor
    labels: np.ndarray
    people: np.ndarray
    guides: tuple[str, ...] = ()


def kinds(fold: Fold, count: int = 320) -> dict[str, Kind]:
    """What judges are shown, by name: the fold's real faces, and `count` synthetic ones each as they are used and at the
    strength of a full expression.
    """
    table, synthesiser = fold.table, load(fold.run)
    real = shrunk(table, fold.train, SIZE), table.labels(fold.train), table.people[fold.train]
    found = {REAL: Kind(*real, table.guides)}
    for name, strengths in (
        (f"synthetic, strength {STRENGTHS[0]:g} to {STRENGTHS[1]:g}", STRENGTHS),
        ("synthetic, strength 1", (1.0, 1.0)),
    ):
        recipes = draw(table, fold.train, count, fold.seed, getattr(synthesiser, "motion", None), strengths)
        made = make(synthesiser, table, recipes, SIZE)
        guides = (*synthesiser.guides, *table.guides)
        found[name] = Kind(made, recipes.label, table.people[recipes.source], guides)
    return found


def judged(fold: Fold, shown: Mapping[str, Kind], epochs: int = 60, network: str = "cnn") -> pd.DataFrame:
    """Do synthetic faces show what they should? The kit's judge names the kinds of faces that it is shown.

    The judge is trained on real faces of everybody but the people whose faces it names, the fold's test people among
    them: nothing that it says goes into any recogniser.

    Args:
        fold: of `experiment.fold_of`.
        shown: of `kinds`.
        epochs: as for the recognisers; the judge takes twice as many steps as they.
        network: its, one of `recogniser.NETWORKS`.

    Returns:
        rows faces (which), expression, right, neutral (shares named rightly, and neutral, 0..1), number; the judge's
        people and faces in `attrs`.
    """
    table = fold.table
    usable = recognition.usable(table.rows)
    others = usable[~np.isin(table.people[usable].astype(str), table.people[fold.train].astype(str))]
    splits.check_disjoint(table.rows.iloc[others], table.rows.iloc[fold.train])
    taught = train_recogniser(
        shrunk(table, others, SIZE), torch.from_numpy(table.labels(others)), seed=fold.seed,
        steps=2 * steps_of(fold, epochs), vary=middle, before=classical, network=network,
    )  # fmt: skip
    lines = []
    for name, kind in shown.items():
        called = named(taught, kind.faces)
        for label in sorted(set(kind.labels.tolist())):
            own = called[kind.labels == label]
            lines.append((name, EXPRESSIONS[label], float((own == label).mean()), float((own == 0).mean()), len(own)))
    found = pd.DataFrame(lines, columns=["faces", "expression", "right", "neutral", "number"])
    found.attrs = {"people": len(set(table.people[others])), "real": len(others)}
    return found
