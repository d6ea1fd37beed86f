"""How far half right pictures are from the true one, beside `copy` and a method: notebook 03, on photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from fersyn.evaluation.bootstrap import Interval, too_few
from fersyn.evaluation.borrowed import BORROWED
from fersyn.evaluation.measure import METRICS, Measured, Truth, scores
from fersyn.figures import quality
from fersyn.figures.note import Note
from fersyn.figures.table import Table


def table(measured: Mapping[str, Sequence[Measured]], true: Truth, seed: int = 0) -> Table:
    """PSNR to identity, a row each; no best is marked, for nobody can make the borrowed ones.

    Args:
        measured: of `measure.measure_all` and `borrowed.measure_borrowed`.
        true: what all are compared with.
        seed: of the resamples.
    """
    own = quality.photographs(scores(measured, true, seed=seed), true)
    own.bold = set()
    return own


def verdict(gaps: pd.DataFrame) -> Note:
    """Which borrowed pictures are nearer to the true one than the untouched source is, by SSIM and by identity.

    Args:
        gaps: of `measure.against`, of `copy` from each of the borrowed.
    """
    if few := too_few(int(gaps["people"].max())):
        return Note(f"*{few}.*")
    found = {(row["method"], row["metric"]): row for row in gaps.to_dict("records")}
    lines, losing = [], []
    for name in BORROWED:
        said = {metric: _nearer(found[name, metric]) for metric in ("ssim", "identity")}
        words = [f"{word} by {METRICS[metric].title}" for metric, word in said.items()]
        lines.append(f"The {name} is {' and '.join(words)} than the untouched source.")
        if said["ssim"] == "nearer" and said["identity"] == "farther":
            losing.append(name)
    if losing:
        lines.append(
            f"So a picture that is nearer to the truth (the {' and the '.join(losing)}) can lose to the untouched photograph in "
            "the identity column: beside `copy` that column asks for more than an edit that is nearly right."
        )
    return Note(" ".join(lines))


def _nearer(row: Mapping) -> str:
    """Whether the borrowed picture is nearer to the true one, of a row that says `copy` minus borrowed."""
    if not Interval.of(row).excludes_zero:
        return "not surely nearer or farther"
    return "nearer" if (row["value"] < 0) == (METRICS[row["metric"]].better is max) else "farther"
