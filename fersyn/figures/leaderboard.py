"""What synthesis does for recognition, all systems side by side: notebook 09. Numbers come from fersyn.evaluation.leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from fersyn.evaluation.augmentation import gain
from fersyn.evaluation.augmentation.banks import CLASSICAL, NOBODY, Bank
from fersyn.evaluation.augmentation.experiment import BATCH
from fersyn.evaluation.bootstrap import counted, marked, too_few
from fersyn.evaluation.leaderboard import AGAINST, HELPS, NOT, REAL, Outcome, Protocol, verdict
from fersyn.evaluation.scores import Scores, summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts, faces
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import ScoreTable, number, plain
from fersyn.figures.table import PUBLISHED, Note, Table, described, note, sentence
from fersyn.pixels import to_images

SHADES = {HELPS: charts.GREEN, NOT: charts.RED}


def nobody() -> Note:
    """In place of what could not be measured."""
    return note("leaderboard.nobody")


def setup(frame: pd.DataFrame, asked: Protocol) -> Table | Note:
    """How recognisers learn, and from how much; `frame`: of `leaderboard.run`."""
    if not len(frame):
        return nobody()
    about = frame.attrs
    lines = [
        ("deals × folds", f"{asked.deals} × {asked.folds}"),
        ("learnt from, each time", f"{about['faces']:.0f} real faces of {counted(about['people'])} of the lab"),
        ("named, each time, at home", f"{about['tested']:.0f} real faces of the lab's other people"),
        ("steps × batch of every recogniser", f"{asked.steps} × {BATCH}"),
        ("real faces among those seen", f"{asked.real_share:.0%} at least, where others come to them"),
    ]
    return Table(lines, ["", ""])


def banks(made: Sequence[Bank]) -> Table | Note:
    """Where the faces beside the lab's come from, and what they cost."""
    if not made:
        return nobody()

    def cell(bank: Bank, name: str, scale: float = 1.0, digits: int = 0) -> str:
        return f"{scale * bank.about[name]:.{digits}f}" if name in bank.about else "–"

    lines = [
        (
            bank.name, cell(bank, "people"), cell(bank, "steps"), cell(bank, "seconds", 1 / 60, 1), f"{len(bank.labels)}",
            cell(bank, "each", 1000),
        )
        for bank in made
    ]  # fmt: skip
    heads = ["faces of", "has learnt from people", "steps", "minutes", "faces", "ms a face"]
    return Table(lines, heads, caption=sentence("leaderboard.banks"))


def samples(lab, shown: np.ndarray, made: Sequence[Bank]) -> Picture | Note:
    """A person of the lab, and what each system made of that person; of banks of nobody in the lab, anybody. A system that makes
    few faces may have none of an expression of that person: the next one's, who may be shown, stands there.
    """
    who = [str(person) for person in dict.fromkeys(lab.people[shown])] if lab is not None else []
    if not who or not made:
        return faces.nothing()
    kinds = sorted({label for bank in made for label in bank.labels.tolist()})
    rows = []
    for bank in made:
        own = np.concatenate([np.flatnonzero(bank.people.astype(str) == person) for person in (NOBODY, *who)])
        first = [next(iter(own[bank.labels[own] == kind]), None) for kind in kinds]
        images = to_images(bank.faces[[k for k in first if k is not None]])
        at = iter(images)
        rows.append([None if k is None else next(at) for k in first])
    names = [EXPRESSIONS[kind] for kind in kinds]
    return faces.grid(rows, [bank.name for bank in made], names, **described("leaderboard.samples", lab=lab.path.name))


def thumbnail(lab, shown: np.ndarray, made: Sequence[Bank]) -> Picture | None:
    """A strip of what systems make of people of the lab, for the index page; None where nobody may be shown."""
    who = sorted(set(lab.people[shown].astype(str))) if lab is not None else []
    able = [bank for bank in made if NOBODY not in bank.people]
    chosen = [
        bank.faces[np.flatnonzero((bank.people.astype(str) == person) & (bank.labels > 0))[:1]]
        for bank, person in zip(able * 2, who * len(able), strict=False)
    ]
    if not who or not able:
        return None
    return faces.strip("People of the lab with expressions, made by one system each", to_images(torch.cat(chosen)))


def board(outcome: Outcome) -> list[Table | Note]:
    """The leaderboard: accuracy at home and across sets; below it the differences."""
    if not outcome.rows:
        return [nobody()]
    heads = {
        (table, metric): f"{table}{', at home' if table == outcome.lab else ''}: {word}, %"
        for table in outcome.tables
        for metric, word in ((gain.BALANCED, "balanced"), (gain.PLAIN, "plain"))
    }
    own = outcome.summary[outcome.summary["metric"].isin([metric for _, metric in heads])]
    runs = outcome.summary[outcome.summary["metric"] == "balanced"]
    spread = {(row["table"], row["method"]): row["deviation"] for row in runs.to_dict("records")}
    own = own.assign(
        column=list(zip(own["table"], own["metric"], strict=True)),
        deviation=[
            spread.get((row["table"], row["method"]), np.nan) if row["metric"] == gain.BALANCED else np.nan
            for row in own.to_dict("records")
        ],
    )
    people = outcome.frame.loc[outcome.frame["table"] == outcome.lab, "person"].nunique()
    whole = ScoreTable(
        own, heads, across="column", rows=outcome.rows, corner="learnt from",
        caption=sentence("leaderboard.board", people=counted(people)),
    )  # fmt: skip
    return [whole, *(_gaps(outcome, minus) for minus in AGAINST)]


def _gaps(outcome: Outcome, minus: str) -> ScoreTable:
    own = outcome.gaps[outcome.gaps["minus"] == minus]
    own = own.assign(column=list(zip(own["table"], own["metric"], strict=True)))
    heads = {
        (table, metric): f"{table}: {word}"
        for table in outcome.tables
        for metric, word in ((gain.BALANCED, "balanced"), (gain.PLAIN, "plain"))
    }
    people = int(own["people"].max()) if len(own) else 0
    rows = [name for name in outcome.rows if name not in (REAL, minus)]
    caption = sentence("leaderboard.gaps", minus=minus, marked=marked(people))
    return ScoreTable(own, heads, across="column", rows=rows, corner="learnt from", caption=caption, bold="sure")


def verdicts(outcome: Outcome) -> Note:
    """A sentence a row, by rule (`leaderboard.verdict`), and one on all of them."""
    if not outcome.rows:
        return nobody()
    lines, best = [], {table: 0 for table in outcome.tables}
    for name in outcome.rows:
        told = []
        for table in outcome.tables:
            for minus in AGAINST:
                gap = outcome.gap(name, table, minus)
                if gap is None or name == REAL:
                    continue
                word = verdict(gap)
                best[table] += word == HELPS and minus == CLASSICAL
                told.append(
                    f"{'' if told else 'balanced accuracy '}on {table} against {minus} {_points(gap)}: **{word}**"
                )
        lines += [f"- *{name}*: {'; '.join(told)}.{_fell(outcome, name)}"] if told else []
    few = [table for table in outcome.tables if too_few(_people(outcome, table))]
    lines += [f"- {table}: {too_few(_people(outcome, table))}." for table in few]
    lines += [
        sentence("leaderboard.none", table=table) for table, count in best.items() if not count and table not in few
    ]
    return Note("\n".join(lines))


def _people(outcome: Outcome, table: str) -> int:
    return outcome.frame.loc[outcome.frame["table"] == table, "person"].nunique()


def _points(gap: Mapping) -> str:
    return f"{number(gap, 100, 1, '+')} points".replace("\u00a0", " ")


def _fell(outcome: Outcome, name: str) -> str:
    """A sentence where plain accuracy at home points the other way than balanced accuracy: either may be chance, which is said of each."""
    both = [outcome.gap(name, outcome.lab, REAL, metric) for metric in (gain.BALANCED, gain.PLAIN)]
    if None in both or both[0]["value"] * both[1]["value"] >= 0:
        return ""
    return f" Plain accuracy at home points the other way: against {REAL} {_points(both[1])}: **{verdict(both[1])}**."


def gains(outcome: Outcome, minus: str = CLASSICAL) -> Picture | Note:
    """Differences to a row with their intervals, a small chart a table."""
    if not outcome.rows:
        return nobody()
    own = outcome.gaps[(outcome.gaps["minus"] == minus) & (outcome.gaps["metric"] == gain.BALANCED)]
    rows, said = list(dict.fromkeys(own["method"])), []
    with charts.panels(len(outcome.tables), 0.28 * len(rows) + 1.0, sharey=True) as (figure, axes):
        for axis, table in zip(axes, outcome.tables, strict=True):
            for gap in own[own["table"] == table].to_dict("records"):
                y, shade = rows.index(gap["method"]), SHADES.get(verdict(gap), charts.SOFT)
                value, low, high = (100 * gap[part] for part in ("value", "low", "high"))
                axis.plot([low, high], [y, y], color=shade, lw=2)
                axis.plot(value, y, "o", color=shade, ms=6)
                said.append(f"{table}, {gap['method']} {_points(gap)}")
            axis.axvline(0, color=charts.INK, lw=0.8)
            axis.set_title(f"named: {table}", fontsize=10.5)
            axis.set_xlabel("points", fontsize=9)
            axis.locator_params(axis="x", nbins=5)
            axis.tick_params(axis="y", length=0, labelcolor=charts.INK)
            axis.grid(axis="x")
        axes[0].set(ylim=(len(rows) - 0.5, -0.5), yticks=range(len(rows)), yticklabels=rows)
        return Picture.of_figure(figure, **described("leaderboard.gains", minus=minus, said="; ".join(said)))


def recall(outcome: Outcome) -> list[ScoreTable | Note]:
    """Of each expression how much is named rightly: a table a set."""
    if not outcome.rows:
        return [nobody()]
    own = outcome.summary[outcome.summary["metric"] == "recall"]
    heads = {name: name for name in EXPRESSIONS if name in set(own["expression"])}
    return [
        ScoreTable(
            own[own["table"] == table], heads, across="expression", rows=outcome.rows, corner="learnt from", interval=False,
            caption=sentence("leaderboard.recall", table=table), text=lambda row, sign: plain(100 * row["value"], 0),
        )
        for table in outcome.tables
    ]  # fmt: skip


def curve(frame: pd.DataFrame) -> Picture | Note:
    """Balanced accuracy over the number of people learnt from, a line a row, a small chart a table; `frame`: of `run` and `curve`."""
    if not len(frame) or frame["people"].nunique() < 2:
        return note("leaderboard.no_curve")
    frame, said = frame.assign(people=frame["people"].astype(int)), []
    tables, rows = (list(dict.fromkeys(frame[name])) for name in ("table", "method"))
    ticks = sorted(set(frame["people"]))
    with charts.panels(len(tables), 2.6, 0.5) as (figure, axes):
        for axis, table in zip(axes, tables, strict=True):
            for k, row in enumerate(rows):
                own = frame[(frame["table"] == table) & (frame["method"] == row)]
                found = [
                    summarise(_balanced(each)).iloc[0].to_dict() | {"at": people}
                    for people, each in own.groupby("people")
                ]
                value = 100 * np.array([[one[part] for part in ("value", "low", "high")] for one in found])
                at = np.array([one["at"] for one in found]) * 1.02 ** (k - len(rows) / 2)
                spread = np.nan_to_num([value[:, 0] - value[:, 1], value[:, 2] - value[:, 0]]).clip(0)
                axis.errorbar(
                    at, value[:, 0], spread, color=charts.SHADES[k], marker="o", ms=4, capsize=2, lw=1.6, label=row
                )
                told = ", ".join(f"{one['at']} people {100 * one['value']:.1f}" for one in found)
                said.append(f"{table}, {row}: {told}")
            axis.set_xscale("log")
            axis.set_xticks(ticks, [str(tick) for tick in ticks])
            axis.minorticks_off()
            axis.set_title(f"named: {table}", fontsize=10.5)
            axis.set_xlabel("people learnt from", fontsize=9)
            axis.grid(axis="y")
        axes[0].set_ylabel("balanced accuracy, %")
        charts.key(figure)
        return Picture.of_figure(figure, **described("leaderboard.curve", said="; ".join(said)))


def _balanced(answers: pd.DataFrame) -> Scores:
    parts = [gain.balanced(own, method="", table="", seed=seed) for seed, own in answers.groupby("seed")]
    return Scores(pd.concat(parts, ignore_index=True))


def published() -> Table:
    """What others published, for scale."""
    table4 = (
        "Li, Qi & Sun 2021, Table 4",
        "Oulu-CASIA, 10 ×",
        *(f"{PUBLISHED['table4']['numbers'][k]}" for k in (0, 10)),
    )
    lines = [table4, *PUBLISHED["recognition"]]
    return Table(
        lines, ["published by", "set", "without, %", "with synthesis, %"], caption=sentence("leaderboard.published")
    )


def key_figures(outcome: Outcome) -> dict[str, str]:
    """For the index page: of each table the best row against classical variation and against real faces alone."""
    found = {}
    for table in outcome.tables:
        for minus in AGAINST:
            gaps = [outcome.gap(name, table, minus) for name in outcome.rows if name not in AGAINST]
            best = max(filter(None, gaps), key=lambda gap: gap["value"], default=None)
            if best is not None:
                found[f"{best['method']} against {minus}, named: {table}"] = number(best, 100, 1, "+").replace(
                    "\u00a0", " "
                )
    return found
