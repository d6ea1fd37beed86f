"""Does synthesis help recognition? Table 4 of Li, Qi & Sun, IEEE Access 9, 2021: a recogniser learns from the training
people's faces plus 0, 1, 5, 10, 100 times as many synthetic ones, and names real faces of other people.

Here stand the trainings of a method that it takes; `synthetic` makes the faces, `experiment` trains and tests the
recognisers and has the faces judged, `gain` sums up. Importing this package is light: the report's plan asks it for its
trainings.

Synthetic faces of a method that has seen the test people would carry them into the recogniser's training: each fold and
seed has a training of its own, on just those people whose faces the recogniser gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fersyn.errors import FersynError, SubjectLeak
from fersyn.training.requests import Request, check_method, settings_of

if TYPE_CHECKING:  # the report's plan imports this: it must stay light
    from fersyn.table import FaceTable


def requests(
    augment_with: str,
    profile: str,
    seed: int = 0,
    seeds: int = 1,
    folds: int = 3,
    real_people: int = 0,
    settings: Sequence[str] = (),
    augmentation_settings: Sequence[str] = (),
) -> dict[tuple[int, int], Request]:
    """The trainings by (seed, fold), folds counted from 1.

    Args:
        augment_with: the method that makes the synthetic faces.
        profile: whose settings it starts from.
        seed: the first seed; of weights and pairs, of the deal of the people, and of the recogniser.
        seeds: number of seeds.
        folds: number of folds of people; each is the test side once a seed.
        real_people: so many training people a fold; 0: all of them.
        settings: changes of the settings of all trainings of the report.
        augmentation_settings: further changes for these trainings alone.

    Raises:
        FersynError: fewer than two folds, no seed, or no such method.
    """
    check_method(augment_with, "augment_with")
    for name, value, least in (("folds", folds, 2), ("seeds", seeds, 1), ("real_people", real_people, 0)):
        if value < least:
            raise FersynError(f"{name} = {value}: at least {least} is needed")
    changes = settings_of([*settings, *augmentation_settings], augment_with)
    return {
        (number, fold): Request(
            f"augmentation/{augment_with}.fold{fold}.seed{number}", augment_with, profile, number, changes,
            f"{fold}/{folds}", real_people,
        )
        for number in range(seed, seed + seeds)
        for fold in range(1, folds + 1)
    }  # fmt: skip


def allowed(run: str | Path, view: FaceTable) -> None:
    """Check that a run was trained on all training people of `view` (see `Request.view`), and on nobody else.

    Raises:
        SubjectLeak: it has seen others, test people perhaps.
        FersynError: it has seen fewer, or it is not recorded whom it has seen.
    """
    from fersyn.training.runs import trained_people

    seen = trained_people(Path(run))
    own = view.people_of("train")
    cure = f"train it for this fold: delete {run} and run the notebook again"
    strangers, missing = sorted(seen - own), sorted(own - seen)
    if strangers:
        tested = view.people_of("test")
        known = sorted(set(strangers) & tested)
        who = f"{len(known)} of them test people ({', '.join(known[:5])})" if known else ", ".join(strangers[:5])
        raise SubjectLeak(
            f"{run} was trained on {len(strangers)} people besides the fold's training people, {who}: its faces must "
            f"not reach the recogniser; {cure}"
        )
    if missing:
        raise FersynError(
            f"{run} was not trained on {len(missing)} of the fold's {len(own)} training people "
            f"({', '.join(missing[:5])}): it would not be a fair test of the method; {cure}"
        )
