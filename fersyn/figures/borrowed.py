"""How far half right pictures are from the true one, beside `copy` and a method: notebook 03, on photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fersyn.evaluation import bootstrap
from fersyn.evaluation.measure import METRICS, Measured, Truth, frames, scores
from fersyn.figures import quality
from fersyn.figures.note import Note
from fersyn.figures.table import Table

UNTOUCHED = "copy"


def table(
    measured: Mapping[str, Sequence[Measured]],
    borrowed: Mapping[str, Sequence[Measured]],
    editor: str,
    true: Truth,
    seed: int = 0,
) -> Table:
    """PSNR to identity of `copy`, of a method, and of the pictures that borrow from the true ones.

    Args:
        measured: of `measure.measure_all`, with `copy`.
        borrowed: of `borrowed.measure_borrowed`.
        editor: the method.
        true: what all are compared with.
        seed: of the resamples.
    """
    rows = {name: measured[name] for name in dict.fromkeys([UNTOUCHED, editor])}
    own = quality.photographs(scores({**rows, **borrowed}, true, seed=seed), true)
    own.bold = set()  # no race: nobody can make the borrowed ones
    return own


def verdict(
    measured: Mapping[str, Sequence[Measured]], borrowed: Mapping[str, Sequence[Measured]], true: Truth, seed: int = 0
) -> Note:
    """Which of the borrowed pictures are nearer to the true one than the untouched source is, by identity and by SSIM."""
    names = ("ssim", "identity")
    untouched = frames(measured)[UNTOUCHED]
    lines, half_right_loses = [], False
    for name, own in frames(borrowed).items():
        gaps = {
            metric: bootstrap.difference(own[metric].to_numpy(), untouched[metric].to_numpy(), true.people, seed=seed)
            for metric in names
        }
        said = [f"{_nearer(gaps[metric], metric)} by {METRICS[metric].title}" for metric in names]
        lines.append(f"The {name} is {' and '.join(said)} than the untouched source.")
        half_right_loses |= gaps["identity"].excludes_zero and gaps["identity"].value > 0
    if half_right_loses:
        lines.append(
            "So a picture that is nearer to the truth can lose to the untouched photograph in the identity column: "
            "on these photographs that column, read against `copy`, asks for more than a right expression."
        )
    return Note(" ".join(lines))


def _nearer(gap: bootstrap.Interval, metric: str) -> str:
    digits = METRICS[metric].digits
    size = quality.number(gap.as_dict(), 1.0, digits)
    if not gap.excludes_zero:
        return f"neither nearer nor farther ({size})"
    ahead = gap.value > 0 if METRICS[metric].better is max else gap.value < 0
    return f"{'nearer' if ahead else 'farther'} ({size})"
