"""How close the results come to the true pictures, in tables and sentences: notebooks 02 and 03."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fersyn.evaluation import fid, image_metrics
from fersyn.evaluation.bootstrap import counted, marked, median, too_few
from fersyn.evaluation.borrowed import BORROWED
from fersyn.evaluation.fidelity import TRUE
from fersyn.evaluation.intensity import APART, lost
from fersyn.evaluation.intensity import METRICS as SWEEP
from fersyn.evaluation.judging import JUDGED
from fersyn.evaluation.measure import Measured, Truth
from fersyn.evaluation.scores import METRICS, Scores, guided, of_group, sure
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import ScoreTable, missing
from fersyn.figures.table import Note, Table, described, note, published, sentence

# Behind the numbers of notebook 03.
WEIGHTS = (fid.WEIGHTS, image_metrics.LPIPS, image_metrics.ST_LPIPS, "dlib-face", "dlib-landmarks", *JUDGED)
FIRST = ("psnr", "ssim", "st_lpips")  # metrics of notebook 02
GROUPS = ("picture", "named", "content", "kept")  # of the metrics of notebook 03, a table each
BEST = "; the best of each column bold"  # ends a caption


def missing_note() -> str:
    """A sentence on the columns that are empty because weights are missing; otherwise empty."""
    absent = missing()
    if not absent:
        return ""
    known = [name for group in GROUPS for name in of_group(group)]
    titles = ", ".join(METRICS[name].title for name in known if METRICS[name].weights in absent)
    return sentence("image_quality.weights_missing", metrics=titles, weights=" ".join(absent))


def caveat(true: Truth) -> Note:
    """What stands below the table: which weights are missing, and what FID is worth with so few pictures."""
    parts = (missing_note(), fid.caveat(len(true)) if true.with_fid else "")
    return Note("\n\n".join(part for part in parts if part))


def settings(metrics: Sequence[str] = ("lpips", "fid")) -> Note:
    """What the metrics were computed with: re-implementations differ here."""
    more = {"lpips": image_metrics.LPIPS_SETTINGS, "fid": fid.SETTINGS}
    return Note(" ".join([image_metrics.SETTINGS, *(text for name, text in more.items() if name in metrics)]))


def _whose(summary: pd.DataFrame, true: Truth) -> str:
    seeds, people = int(summary["seeds"].max()), len(set(true.people))
    text = f"{len(true)} pairs of {counted(people)}"
    text += "; mean [95 % interval over people]" if people > 1 else "; one person gives no interval"
    return text + (f"; ± deviation over {seeds} seeds" if seeds > 1 else "")


def first_look(summary: pd.DataFrame) -> Table:
    """PSNR, SSIM and ST-LPIPS with their deviations over people: the table of notebook 02."""
    people, pictures = (int(summary[name].iloc[0]) for name in ("people", "pictures"))
    whose = "1 person" if people == 1 else f"mean ± deviation over {people} people"
    caption = f"{pictures} pairs, {whose}; ↑ higher is better, ↓ lower is better{BEST}"
    return ScoreTable(summary, FIRST, interval=False, spread="people_deviation", caption=caption)


def pictures(summary: pd.DataFrame, true: Truth) -> Table:
    """All metrics that compare pictures, a row a method, the best of each column bold; below it, of CK+, the published rows.

    Args:
        summary: of `scores.summarise`.
        true: what was measured against.
    """
    names = of_group("picture")
    last = [
        [f"{name}*", *({"psnr": f"{psnr:.3f}", "ssim": f"{ssim:.3f}", "fid": f"{fid_:.2f}"}.get(n, "–") for n in names)]
        for name, psnr, ssim, fid_ in published("table5", true.pairs.table.info["dataset"]) or ()
    ]
    caption = _whose(summary, true) + BEST + (". " + sentence("image_quality.published") if last else "")
    rows = [name for name in dict.fromkeys(summary["method"]) if name != TRUE]
    return ScoreTable(summary, names, rows=rows, caption=caption, last=last)


def content(summary: pd.DataFrame, readings: pd.DataFrame, true: Truth) -> list[Table]:
    """Who names the expression rightly; landmark error and identity; what is kept of the photograph: a row a method, first what
    the instruments read on the true pictures (`readings`, a summary of `Truth.readings`).
    """
    judge = true.judge
    by = f"; recogniser trained on {judge.faces} real faces of {judge.people} other people" if judge is not None else ""
    tables = []
    for names, more in zip(map(of_group, GROUPS[1:]), (f"{BEST}, guides left out{by}", BEST, BEST), strict=True):
        first = ScoreTable(readings, names, rows=[TRUE], bold="").frame.to_numpy().tolist()
        tables.append(ScoreTable(summary, names, caption=_whose(summary, true) + more, first=first))
    return tables


def differences(gaps: pd.DataFrame, metrics: Sequence[str] | None = None) -> Table | Note:
    """Paired differences of one method from each other one (of `scores.differences`, `of` that method), bold where the
    interval leaves out 0.
    """
    if not len(gaps):
        return Note("*There is no other method to compare with.*")
    names = [name for name in (metrics or METRICS) if (gaps["metric"] == name).any()]
    people, editor = int(gaps["people"].max()), gaps["method"].iloc[0]
    # The editor stands in the head and not in each row: five columns of intervals leave little room.
    caption = f"{editor} minus each other, paired, over {people} people [95 % interval]; {marked(people)}"
    return ScoreTable(gaps, names, down="minus", corner=f"{editor} −", caption=caption, bold="sure", spread="")


def chart(summary: pd.DataFrame) -> Picture:
    """A small chart a metric: each method's value as a dot, its 95 % interval as a line."""

    def best(own: pd.DataFrame) -> float:
        return METRICS[own["metric"].iloc[0]].best(own["value"].dropna())

    def shade(row: Mapping, own: pd.DataFrame) -> str:
        return charts.GREY if guided(row) else charts.ORANGE if row["value"] == best(own) else charts.BLUE

    names = [name for name in METRICS if (summary["metric"] == name).any()]
    names = sorted(names, key=lambda name: METRICS[name].group != "picture")
    said = []
    for name in names:
        own = summary[summary["metric"] == name]
        said.append(f"{METRICS[name].label}: best {own.loc[own['value'] == best(own), 'method'].iloc[0]}")
    return charts.dots(
        summary, "method", names, shade,
        **described("image_quality.chart", said="; ".join(said)),
    )  # fmt: skip


def by_expression(measured: Measured, metric: str, readings: Scores | None = None) -> Table | Note:
    """A metric's mean for each expression (rows) and method (columns), the best method of each row bold; first, where the instrument
    was shown the true pictures, too (`readings`, of `Truth.readings`), what it reads there.
    """
    about = METRICS[metric]
    frames = {name: measured.frame(name).groupby("expression")[metric].mean() for name in measured.pictures}
    found = pd.DataFrame({name: about.scale * means for name, means in frames.items()})
    if not np.isfinite(found).any(axis=None):
        return Note(f"*{about.label}: not measured here.*")
    found = found.reindex([name for name in EXPRESSIONS if name in found.index])
    rows = enumerate(found.to_numpy())
    bold = {
        (y, x)
        for y, row in rows
        if len(set(row)) > 1
        for x, value in enumerate(row, 1)
        if value == about.best(row[np.isfinite(row)])
    }
    rows = measured.scores.of(metric=metric).rows.to_dict("records")
    guides = {row["method"] for row in rows if guided(row)}
    heads = [f"{name} (guide)" if name in guides else name for name in found]
    lines = found.reset_index()
    true = readings.of(metric=metric).rows if readings is not None else ()
    if len(true):
        own = about.scale * true.groupby("expression")["value"].mean()
        lines.insert(1, TRUE, own.reindex(found.index).to_numpy())
        heads, bold = [TRUE, *heads], {(y, x + 1) for y, x in bold}
    rows = list(lines.itertuples(index=False, name=None))
    return Table(rows, ["expression", *heads], about.digits, f"{about.head} by expression; best of a row bold", bold)


def photographs(summary: pd.DataFrame, true: Truth, best: bool = True) -> Table:
    """The metrics of a photograph set, a row a method."""
    bold = "best" if best else ""  # of pictures that borrow from the true one, nobody is best: no method can make them
    return ScoreTable(summary, photograph_metrics(), caption=_whose(summary, true) + BEST * best, bold=bold)


def kept(summary: pd.DataFrame, true: Truth) -> Table:
    """What is kept of the photographs, sharpness and what need not change, a row a method."""
    return ScoreTable(summary, of_group("kept"), caption=_whose(summary, true) + BEST)


def photograph_metrics() -> list[str]:
    """Metrics of the photograph set: those of single pictures, and identity."""
    return [*(name for name in of_group("picture") if not METRICS[name].of_a_set), "identity"]


def wins(gaps: pd.DataFrame, metrics: Sequence[str]) -> Table | Note:
    """Of how many people the editor's pictures are nearer to the mark than another method's."""
    own = gaps[gaps["better"].notna()]
    names = {name: METRICS[name].label for name in metrics if (own["metric"] == name).any()}
    if not names:
        return Note("*There is no other method to compare with.*")
    return ScoreTable(
        own.assign(minus=own["method"] + " before " + own["minus"]), names, down="minus", corner="people", bold="",
        caption="For how many people it is better", text=lambda row, sign: f"{row['better']:.0f} of {row['people']}",
    )  # fmt: skip


def verdict(gaps: pd.DataFrame) -> Note:
    """Which borrowed pictures are nearer to the true one than the untouched source is, by SSIM and by identity.

    Args:
        gaps: of `scores.differences`, of `copy` from each of the borrowed.
    """
    if few := too_few(int(gaps["people"].max())):
        return Note(f"*{few}.*")
    found = {(row["minus"], row["metric"]): row for row in gaps.to_dict("records")}
    lines, losing = [], []
    for name in BORROWED:
        said = {metric: _nearer(found[name, metric]) for metric in ("ssim", "identity")}
        words = " and ".join(f"{word} by {METRICS[metric].title}" for metric, word in said.items())
        lines.append(f"The {name} is {words} than the untouched source.")
        losing += [name] if list(said.values()) == ["nearer", "farther"] else []
    if losing:
        lines.append(sentence("image_quality.losing", borrowed=" and the ".join(losing)))
    return Note(" ".join(lines))


def _nearer(row: Mapping) -> str:
    """Whether the borrowed picture is nearer to the true one, of a row that says `copy` minus borrowed."""
    if not sure(row):
        return "not surely nearer or farther"
    return "farther" if METRICS[row["metric"]].improves(row["value"]) else "nearer"


def sweep_table(summary: pd.DataFrame, sweeps: Mapping[str, pd.DataFrame]) -> Table | Note:
    """The numbers of `intensity.sweep_scores`, a row a method."""
    if not sweeps:
        return note("image_quality.no_sweeps")
    frame = list(sweeps.values())[-1]
    number, steps, people = (frame[name].nunique() for name in ("pair", "asked", "person"))
    caption = sentence("image_quality.sweeps", sweeps=number, steps=steps - 1, people=counted(people))
    gone = {name: lost(own) for name, own in sweeps.items() if lost(own)}
    if gone:
        whose = ", ".join(f"{name} {count}" for name, count in gone.items())
        caption += sentence("image_quality.lost", whose=f" {whose}")
    heads = {name: METRICS[name].label for name in (*SWEEP, APART) if (summary["metric"] == name).any()}
    return ScoreTable(summary, heads, caption=caption, bold="", spread="")


def sweep_chart(
    sweeps: Mapping[str, pd.DataFrame], seed: int = 0, texts: str = "image_quality.sweep_chart"
) -> Picture | Note:
    """Measured over asked intensity, a line a method with its interval, and the ideal; `texts`: what is said of it."""
    if not sweeps:
        return note("image_quality.no_sweeps")
    shades = [charts.BLUE, charts.ORANGE, charts.GREEN, charts.RED, *charts.SHADES]
    said = []
    with charts.drawing(6.6, 4.2) as (figure, axes):
        axes.plot([0, 100], [0, 100], color=charts.SOFT, ls="--", lw=1, label="as asked")
        star = " " + sentence("image_quality.star") if TRUE in sweeps else ""
        if TRUE in sweeps:
            own = sweeps[TRUE][sweeps[TRUE]["asked"] > 0]
            x, y = (100 * median(own[name], own["person"], 500, seed).value for name in ("asked", "measured"))
            axes.plot(x, y, "*", color=charts.INK, ms=13, label=TRUE, zorder=5)
        methods = {name: frame for name, frame in sweeps.items() if name != TRUE}
        for (name, frame), shade in zip(methods.items(), shades, strict=False):
            parts = frame.groupby("asked", sort=True)
            own = [median(part["measured"], part["person"], 500, seed) for _, part in parts]
            x = 100 * np.array(list(parts.groups))
            y, low, high = 100 * np.array([[o.value, o.low, o.high] for o in own]).T
            axes.plot(x, y, "o-", color=shade, lw=2, ms=5, label=name)
            axes.fill_between(x, low, high, color=shade, alpha=0.13)
            said.append(f"{name} reaches {y[-1]:.0f} %")
        axes.set(xlabel="intensity asked for, %", ylabel="intensity measured, %", xlim=(0, None))
        axes.grid()
        charts.key(figure)
        return Picture.of_figure(figure, **described(texts, said=", ".join(said), star=star))


def summary_note(true: Truth) -> Note:
    """Who was measured, in a sentence."""
    judge, pairs = true.judge, true.pairs
    text = "No recogniser: the training people show fewer than two expressions."
    if judge is not None:
        names = ", ".join(EXPRESSIONS[label] for label in judge.classes)
        text = f"The recogniser learnt {names} from {judge.faces} pictures of {judge.people} other people."
    who = f"{len(true)} pairs of {counted(len(set(true.people)))} of *{pairs.table.info['dataset']}*, {pairs.size} × {pairs.size} px."
    return Note(f"{who} {text}")
