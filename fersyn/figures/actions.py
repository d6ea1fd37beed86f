"""What faces do, action by action: bars of each expression's largest ones, and by name what one set does more or less."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from fersyn import weights
from fersyn.figures import charts
from fersyn.figures.picture import Picture
from fersyn.figures.table import Note, Table, described, note, sentence

METER = "actions"  # its entry in `fersyn.weights`
LARGEST = 8  # actions an expression


def missing_note() -> str:
    """A sentence on the actions that are not measured because weights are missing; otherwise empty."""
    return "" if weights.find(METER) else sentence("actions.weights_missing", weights=METER)


def bars(profiles: Mapping[str, pd.DataFrame]) -> Picture | Note:
    """A small chart an expression with its largest actions, a bar for each set that has it; why there is none.

    Args:
        profiles: of `action_profile.profiles`; the first one's expressions are shown.
    """
    if not profiles:
        return Note(missing_note() or sentence("actions.no_labels"))
    first = next(iter(profiles.values()))
    shades = dict(zip(profiles, (charts.BLUE, charts.ORANGE), strict=False))
    with charts.panels(len(first), 2.5, sharex=True) as (figure, axes):
        for axis, expression in zip(axes, first.index, strict=True):
            own = pd.DataFrame(
                {name: each.loc[expression] for name, each in profiles.items() if expression in each.index}
            )
            own = own.loc[own.max(axis=1).nlargest(LARGEST).index]
            width = 0.8 / len(own.columns)
            for turn, name in enumerate(own):
                places = [row + (turn - (len(own.columns) - 1) / 2) * width for row in range(len(own))]
                axis.barh(places, own[name], width, color=shades[name], label=name)
            axis.set_yticks(range(len(own)), own.index, fontsize=8.5)
            axis.set_title(expression, fontsize=10.5)
            axis.set(xlim=(0, 1))
            axis.invert_yaxis()
            axis.tick_params(axis="y", length=0, labelcolor=charts.INK)
            axis.grid(axis="x")
        charts.key(figure)
        said = "; ".join(f"{name} {row.idxmax()} {row.max():.2f}" for name, row in first.iterrows())
        return Picture.of_figure(figure, **described("actions.bars", sets=" and ".join(profiles), said=said))


def gaps_table(gaps: pd.DataFrame, own: str, other: str, most: int = 4) -> Table | Note:
    """Of each expression the actions that one set shows less and more than the other; a sentence where there are none.

    Args:
        gaps: of `action_profile.gaps`.
        own, other: names of the sets.
        most: actions a cell.
    """
    if gaps.empty:
        return note("actions.alike", own=own, other=other)

    def named(part: pd.DataFrame) -> str:
        texts = [f"{row.action} {row.own:.2f} ({row.other:.2f})" for row in part.head(most).itertuples()]
        return ", ".join(texts) or "–"

    lines = [
        (expression, named(rows[rows["difference"] < 0]), named(rows[rows["difference"] > 0]))
        for expression, rows in gaps.groupby("expression", sort=False)
    ]
    caption = f"{own} (in brackets {other}), where they differ by 0.1 or more"
    return Table(lines, ["expression", "too little", "too much"], caption=caption)
