"""What judges of expression see, in tables: notebooks 01, 02, 03, 05 and 06."""

from __future__ import annotations

import pandas as pd

from fersyn.evaluation.bootstrap import counted
from fersyn.evaluation.judging import ALL, JUDGED, KIT, NAMED, TITLES
from fersyn.evaluation.scores import METRICS, Scores, guided, summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.figures.score_table import ScoreTable, missing, number, plain
from fersyn.figures.table import Note, Table, note, sentence

WEIGHTS = tuple(JUDGED)  # behind the numbers
WEAKEST = "weakest"


def named(summary: pd.DataFrame) -> list[Table | Note]:
    """A table a judge: how many faces it names rightly, a row a method (where there are several face tables, of each), a
    column an expression, and the weakest by name. `summary` is of `judging.by_expression`.
    """
    own = [(metric, summary[summary["metric"] == metric]) for metric in NAMED if len(summary)]
    tables = [_table(rows, TITLES[metric]) for metric, rows in own if len(rows)]
    return tables or [note("judging.nobody")]


def side_by_side(summary: pd.DataFrame) -> Table | Note:
    """The same for the faces of one table, all who name them below each other; the kit's recognisers by their method."""
    if not len(summary):
        return note("judging.nobody")
    title = [row["method"] if row["metric"] == KIT else TITLES[row["metric"]] for row in summary.to_dict("records")]
    return _table(summary.assign(method=title), "", "who names them")


def _table(summary: pd.DataFrame, title: str, corner: str = "faces") -> Table:
    label = [f"{row['method']} (guide)" if guided(row) else row["method"] for row in summary.to_dict("records")]
    own = summary.assign(method=label)
    one = own["table"].nunique() == 1
    expressions = [name for name in EXPRESSIONS if name in set(own["expression"])]
    keys = ["table", "method"]
    weakest = own[own["expression"] != ALL].sort_values("value", kind="stable").groupby(keys, sort=False).head(1)
    weakest = weakest.assign(name=weakest["expression"], expression=WEAKEST)
    alike = own[own["expression"] != ALL].groupby(keys)["value"].nunique() < 2

    def text(row, sign: str) -> str:
        scale = METRICS[row["metric"]].scale
        if row["expression"] == ALL:
            return number({key: row[key] for key in ("value", "low", "high")}, scale, 1)
        value = plain(scale * row["value"], 0)
        if row["expression"] != WEAKEST:
            return value
        return "all alike" if alike[row["table"], row["method"]] else f"{row['name']} {value}"

    people = counted(int(own["people"].max()))
    caption = sentence("judging.named", title=f"{title}: " if title else "", people=people)
    return ScoreTable(
        pd.concat([own, weakest], ignore_index=True), {name: name for name in (*expressions, ALL, WEAKEST)},
        across="expression", down="method" if one else keys, corner=corner if one else ("table", corner),
        caption=caption[:1].upper() + caption[1:] if not title else caption, bold="", text=text,
    )  # fmt: skip


def own_accuracy(scores: Scores) -> Note:
    """How far the judges can be trusted: how many of the true pictures of photographs (`judging.true_pictures`) they name
    rightly; and which of them are missing.
    """
    told = []
    for row in summarise(scores).to_dict("records") if len(scores.rows) else ():
        about = {"judge": TITLES[row["metric"]], "table": row["table"], "number": number(row, 100, 1)}
        told.append(sentence("judging.own", **about, faces=row["pictures"], people=counted(row["people"])))
    return Note(" ".join(filter(None, [*told, missing_note()])))


def missing_note() -> str:
    """A sentence on the judges whose weights are missing; otherwise empty."""
    absent = missing(list(JUDGED.values()))
    return sentence("judging.missing", judges=", ".join(absent), weights=" ".join(absent)) if absent else ""
