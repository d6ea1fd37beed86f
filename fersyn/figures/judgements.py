"""What judges of expression see, in tables: notebooks 01, 02, 03, 05 and 06."""

from __future__ import annotations

import pandas as pd

from fersyn.evaluation.bootstrap import counted
from fersyn.evaluation.judging import ALL, JUDGED, NAMED, TITLES
from fersyn.evaluation.scores import METRICS, Scores, guided, summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.figures.score_table import ScoreTable, missing, number, plain
from fersyn.figures.table import Note, Table, note, sentence

WEIGHTS = tuple(JUDGED)  # behind the numbers


def named(summary: pd.DataFrame) -> list[Table | Note]:
    """A table a judge: how many faces it names rightly, a row a method (where there are several face tables, of each), a
    column an expression, the weakest bold. `summary` is of `judging.by_expression`.
    """
    own = [(metric, summary[summary["metric"] == metric]) for metric in NAMED if len(summary)]
    tables = [_table(rows, f"{TITLES[metric]}: ") for metric, rows in own if len(rows)]
    return tables or [note("judgements.nobody")]


def side_by_side(summary: pd.DataFrame) -> Table | Note:
    """The same for the faces of one table, all who name them below each other; the kit's recognisers by their method."""
    if not len(summary):
        return note("judgements.nobody")
    judges = {metric: name for name, metric in JUDGED.items()}
    who = [judges.get(row["metric"], row["method"]) for row in summary.to_dict("records")]
    return _table(summary.assign(method=who), "", "by")


def _table(summary: pd.DataFrame, title: str, corner: str = "faces") -> Table:
    label = [f"{row['method']} (guide)" if guided(row) else row["method"] for row in summary.to_dict("records")]
    own, keys = summary.assign(method=label), ["table", "method"]
    each = own["value"].where(own["expression"] != ALL).groupby([own[key] for key in keys])
    weakest = (own["value"] == each.transform("min")) & (each.transform("nunique") > 1) & (own["expression"] != ALL)
    one = own["table"].nunique() == 1

    def text(row, sign: str) -> str:
        scale = METRICS[row["metric"]].scale
        bounds = {key: row[key] for key in ("value", "low", "high")}
        return number(bounds, scale, 1) if row["expression"] == ALL else plain(scale * row["value"], 0)

    return ScoreTable(
        own.assign(weakest=weakest), {name: name for name in (*EXPRESSIONS, ALL) if name in set(own["expression"])},
        across="expression", down="method" if one else keys, corner=corner if one else ("table", corner),
        caption=title + sentence("judgements.named"), text=text,
        bold=lambda column: [y for y, row in column.items() if row["weakest"]],
    )  # fmt: skip


def own_accuracy(scores: Scores) -> Note:
    """How far the judges can be trusted: how many of the true pictures of photographs (`judging.true_pictures`) they name
    rightly; and which of them are missing.
    """
    told = []
    for row in summarise(scores).to_dict("records") if len(scores.rows) else ():
        about = {"judge": TITLES[row["metric"]], "table": row["table"], "number": number(row, 100, 1)}
        told.append(sentence("judgements.own", **about, faces=row["pictures"], people=counted(row["people"])))
    if absent := missing(list(JUDGED.values())):
        told.append(sentence("judgements.missing", judges=", ".join(absent), weights=" ".join(absent)))
    return Note(" ".join(told))
