"""What a face does at the peak of each expression: means of the actions that a meter reads, beside those of another set.

The meter (MediaPipe's blendshapes, `nets.instruments`) has learnt from photographs: where rendered people do less than
photographs do, their recipes or their wrinkles lack something, and the action says what. [ours]
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from fersyn.evaluation.lineup import own_pictures
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import instruments
from fersyn.nets.instruments import ACTIONS, ActionMeter

APART = 0.1  # from here on two means of an action (0..1) are worth naming


def profile(table, meter: ActionMeter) -> pd.DataFrame:
    """Mean actions (0..1) of each expression at its peak: a row an expression, a column an action, both sides' mean.

    Of each person one picture of each expression counts, the most intense; of neutral, the one that `own_pictures` has.
    """
    rows = np.sort(np.concatenate(own_pictures(table)))
    rows = rows[table.labels(rows) >= 0]
    named = table.labels(rows)
    own = pd.DataFrame(meter.measured(table.tensor(rows)), columns=ACTIONS, dtype=float)
    own = own.T.groupby([_without_side(name) for name in ACTIONS], sort=False).mean().T.drop(columns="_neutral")
    means = own.groupby(named).mean()
    return means.set_axis([EXPRESSIONS[label] for label in means.index])


def profiles(tables: Iterable) -> dict[str, pd.DataFrame]:
    """`profile` of each face table that has labelled pictures, by its name; none where the meter's weights are missing."""
    if not instruments.available("actions"):
        return {}
    meter = instruments.get("actions")
    found = {table.path.name: profile(table, meter) for table in tables}
    return {name: own for name, own in found.items() if len(own)}


def _without_side(name: str) -> str:
    """browDownLeft -> browDown; but jawLeft -> jawLeft/Right: here the side is all that the action is."""
    bare = name.removesuffix("Left").removesuffix("Right")
    return f"{bare}Left/Right" if bare in ("jaw", "mouth") else bare


def gaps(own: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Where two profiles lie `APART` or more: expression, action, own, other, difference (own - other), largest first."""
    both = [name for name in own.index if name in other.index]
    pairs = pd.DataFrame({"own": own.loc[both].stack(), "other": other.loc[both].stack()})
    pairs["difference"] = pairs["own"] - pairs["other"]
    found = pairs[pairs["difference"].abs() >= APART].rename_axis(["expression", "action"]).reset_index()
    return found.iloc[np.argsort(-found["difference"].abs().to_numpy(), kind="stable")].reset_index(drop=True)
