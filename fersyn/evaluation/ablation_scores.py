"""What came of the variants of an ablation: every run measured on the same people, by `measure`.

Two things make a difference from `full` uncertain, and they are kept apart: which weights a training happens to start from
(the deviation over seeds of `measure.scores`), and which people happen to be tested (the paired intervals over people of
`measure.against`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fersyn.evaluation import fidelity, measure, quality
from fersyn.evaluation.ablations import FULL
from fersyn.evaluation.measure import Measured, Truth
from fersyn.training.runs import load

RESAMPLES = 200  # of FID and KID, which are computed anew from each

Key = tuple[str, int]  # variant, seed


def distinct(runs: Mapping[Key, Path]) -> dict[str, list[Path]]:
    """The run folders of each variant, in the order of its seeds; without variants that share the runs of another."""
    found: dict[str, list[Path]] = {}
    for (name, _), run in runs.items():
        if all(run not in own for variant, own in found.items() if variant != name):
            found.setdefault(name, []).append(run)
    return found


def twins(runs: Mapping[Key, Path]) -> list[str]:
    """Variants that share the runs of `full`."""
    own = distinct(runs)
    return [name for name in dict.fromkeys(name for name, _ in runs) if name not in own]


def measure_runs(runs: Mapping[Key, Path], table, fid: bool = True) -> tuple[dict[str, list[Measured]], Truth]:
    """Measure the pictures that all runs make of the people held out.

    Args:
        runs: run folders by (variant, seed), as `requests.trained` returns them.
        table: FaceTable.
        fid: also FID and KID, where their network's weights are there.

    Returns:
        by variant, the measurements of its runs; and the true pictures, both for `measure.scores` and
        `measure.against`.

    Raises:
        FersynError: nobody is held out, or a folder holds no run.
        SubjectLeak: somebody of the hold-out was trained on.
    """
    pairs, chosen = quality.measured_pairs(table)
    fidelity.check_people(runs.values(), table.people[chosen[:, 1]])
    true = measure.truth(pairs, chosen, sets=fid, content=False)
    synthesisers = {name: [load(run) for run in own] for name, own in distinct(runs).items()}
    return measure.measure_all(synthesisers, true), true


def scores(measured: Mapping[str, list[Measured]], true: Truth, seed: int = 0):
    """`measure.scores` of the variants: DataFrame with columns method (the variant), metric, value ..."""
    return measure.scores(measured, true, RESAMPLES, seed)


def worth(measured: Mapping[str, list[Measured]], true: Truth, seed: int = 0):
    """`full` minus each variant, what its part is worth: DataFrame of `measure.against`."""
    return measure.against(measured, true, FULL, RESAMPLES, seed)
