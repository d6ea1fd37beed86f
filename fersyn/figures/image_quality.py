"""How close the results come to the true pictures, in tables and sentences: notebooks 02 and 03."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fersyn.evaluation import fid, image_metrics
from fersyn.evaluation.bootstrap import Interval, marked, mean, too_few
from fersyn.evaluation.borrowed import BORROWED
from fersyn.evaluation.fidelity import TRUE
from fersyn.evaluation.intensity import METRICS as SWEEP
from fersyn.evaluation.measure import Measured, Truth
from fersyn.evaluation.scores import METRICS, of_group
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts, style
from fersyn.figures.note import Note
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import ScoreTable, missing
from fersyn.figures.table import Table

WEIGHTS = (
    fid.WEIGHTS,
    image_metrics.LPIPS,
    image_metrics.ST_LPIPS,
    "dlib-face",
    "dlib-landmarks",
)  # behind the numbers of notebook 03
FIRST = ("psnr", "ssim", "st_lpips")  # metrics of notebook 02
# Li, Qi & Sun, IEEE Access 9, 2021, Table 5: CK+, as published there.
PUBLISHED = (
    ("GAFP-GAN", 20.123, 0.653, 73.65),
    ("GC-GAN", 27.665, 0.769, 68.36),
    ("CDAAE", 26.973, 0.765, 81.48),
    ("the paper's own", 23.004, 0.775, 67.69),
)


def missing_note() -> str:
    """A sentence on the columns that are empty because weights are missing; otherwise empty."""
    absent = missing()
    if not absent:
        return ""
    titles = [METRICS[name].title for name in of_group("picture") if METRICS[name].weights in absent]
    return f"Not measured, for their networks' weights are missing: {', '.join(titles)}. Get them: `fersyn weights fetch {' '.join(absent)}`."


def caveat(true: Truth) -> Note:
    """What stands below the table: which weights are missing, and what FID is worth with so few pictures."""
    parts = (missing_note(), fid.caveat(len(true)) if true.with_fid else "")
    return Note("\n\n".join(part for part in parts if part))


def settings(metrics: Sequence[str] = ("lpips", "fid")) -> Note:
    """What the metrics were computed with: re-implementations differ here."""
    more = {"lpips": image_metrics.LPIPS_SETTINGS, "fid": fid.SETTINGS}
    return Note(" ".join([image_metrics.SETTINGS, *(text for name, text in more.items() if name in metrics)]))


def _whose(summary: pd.DataFrame, true: Truth) -> str:
    people, seeds = len(set(true.people)), int(summary["seeds"].max())
    text = f"{len(true)} pairs of {people} {'person' if people == 1 else 'people'}"
    text += "; mean [95 % interval over people]" if people > 1 else "; one person gives no interval"
    return text + (f"; ± deviation over {seeds} seeds" if seeds > 1 else "")


def first_look(summary: pd.DataFrame) -> Table:
    """PSNR, SSIM and ST-LPIPS with their deviations over people: the table of notebook 02."""
    people, pictures = (int(summary[name].iloc[0]) for name in ("people", "pictures"))
    whose = "1 person" if people == 1 else f"mean ± deviation over {people} people"
    caption = f"{pictures} pairs, {whose}; ↑ higher is better, ↓ lower is better"
    return ScoreTable(summary, FIRST, interval=False, spread="people_deviation", caption=caption)


def published() -> Table:
    """Table 5 of the paper."""
    lines = [(name, f"{psnr:.3f}", f"{ssim:.3f}", f"{fid:.2f}") for name, psnr, ssim, fid in PUBLISHED]
    caption = "As published for CK+ (Table 5): other faces, other code, SSIM settings not stated. Not comparable."
    return Table(lines, ["method", "PSNR, dB", "SSIM", "FID"], caption=caption)


def pictures(summary: pd.DataFrame, true: Truth) -> Table:
    """All metrics that compare pictures, a row a method, the best of each column bold; the published rows below.

    Args:
        summary: of `scores.summarise`.
        true: what was measured against.
    """
    names = of_group("picture")
    last = [
        [f"{name}*", *({"psnr": f"{psnr:.3f}", "ssim": f"{ssim:.3f}", "fid": f"{fid_:.2f}"}.get(n, "–") for n in names)]
        for name, psnr, ssim, fid_ in PUBLISHED
    ]
    caption = f"{_whose(summary, true)}. *as published for CK+ (Table 5 of the paper): other faces, other code, not comparable"
    rows = [name for name in dict.fromkeys(summary["method"]) if name != TRUE]
    return ScoreTable(summary, names, rows=rows, caption=caption, last=last)


def content(summary: pd.DataFrame, readings: pd.DataFrame, true: Truth) -> Table:
    """Expression accuracy, landmark error and identity, a row a method; first what the instruments read on the true
    pictures (`readings`, a summary of `Truth.readings`).
    """
    judge, names = true.judge, of_group("content")
    by = f"; recogniser trained on {judge.faces} real faces of {judge.people} other people" if judge is not None else ""
    first = ScoreTable(readings, names, rows=[TRUE], bold="").frame.to_numpy().tolist()
    return ScoreTable(summary, names, caption=_whose(summary, true) + by, first=first)


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


def chart(summary: pd.DataFrame, metrics: Sequence[str] | None = None, columns: int = 3) -> Picture:
    """A small chart a metric: each method's value as a dot, its 95 % interval as a line."""
    wanted = [name for name in (metrics or METRICS) if (summary["metric"] == name).any()]
    methods = list(dict.fromkeys(summary["method"]))
    rows = -(-len(wanted) // columns)
    with style.look():
        figure, axes = style.new(
            charts.WIDTH, rows * (0.75 + 0.26 * len(methods)), nrows=rows, ncols=columns, sharey=True, squeeze=False
        )
        said = []
        for place, name in enumerate(wanted):
            plot, metric = axes[place // columns][place % columns], METRICS[name]
            own = summary[summary["metric"] == name].set_index("method")
            values = own["value"].reindex(methods) * metric.scale
            best = metric.best(values.dropna())
            for y, method in enumerate(methods):
                if method not in own.index:
                    continue
                row = own.loc[method]
                shade = style.ORANGE if values[method] == best else style.BLUE
                plot.plot([row["low"] * metric.scale, row["high"] * metric.scale], [y, y], color=shade, lw=2)
                plot.plot(values[method], y, "o", color=shade, ms=6)
            plot.set(ylim=(len(methods) - 0.5, -0.5))
            plot.set_xlabel(f"{metric.head}", fontsize=9)
            plot.set_yticks(range(len(methods)), methods)
            plot.tick_params(axis="y", length=0, labelcolor=style.INK)
            plot.tick_params(axis="x", labelsize=9)
            plot.grid(axis="x")
            said.append(f"{metric.label}: best {values.index[values == best][0]}")
        for place in range(len(wanted), rows * columns):
            axes[place // columns][place % columns].set_visible(False)
        return Picture.of_figure(
            figure, f"Each method's value with its interval. {'; '.join(said)}.",
            "Dots: the values of the tables; lines: 95 % intervals over people; orange: the best of each. Arrows say which "
            "way is better. Intervals that overlap do not yet say that two methods are alike: see the paired differences.",
        )  # fmt: skip


def by_expression(measured: Measured, metric: str) -> Table | Note:
    """A metric's mean for each expression (rows) and method (columns), the best of each row bold."""
    about = METRICS[metric]
    frames = {name: measured.frame(name) for name in measured.pictures}
    found = {name: frame.groupby("expression")[metric].mean() * about.scale for name, frame in frames.items()}
    if not any(np.isfinite(own).any() for own in found.values()):
        return Note(f"*{about.label}: not measured here.*")
    names = [name for name in EXPRESSIONS if any(name in own.index for own in found.values())]
    lines = [(name, *(float(own.get(name, np.nan)) for own in found.values())) for name in names]
    bold = {
        (y, x)
        for y, line in enumerate(lines)
        for x in range(1, len(line))
        if line[x] == about.best(value for value in line[1:] if np.isfinite(value)) and len(set(line[1:])) > 1
    }
    caption = f"{about.head} by expression"
    return Table(lines, ["expression", *found], digits=about.digits, caption=caption, bold=bold)


def photographs(summary: pd.DataFrame, true: Truth, best: bool = True) -> Table:
    """The metrics of a photograph set, a row a method."""
    bold = "best" if best else ""  # of pictures that borrow from the true one, nobody is best: no method can make them
    return ScoreTable(summary, photograph_metrics(), caption=_whose(summary, true), bold=bold)


def photograph_metrics() -> list[str]:
    """Metrics of the photograph set: those of single pictures, and identity."""
    return [*(name for name in of_group("picture") if not METRICS[name].of_a_set), "identity"]


def wins(gaps: pd.DataFrame, metrics: Sequence[str]) -> Table | Note:
    """Of how many people the editor's pictures are nearer to the mark than another method's."""
    own = gaps[gaps["better"].notna()]
    names = [name for name in metrics if (own["metric"] == name).any()]
    if not names:
        return Note("*There is no other method to compare with.*")
    found = {(row["minus"], row["metric"]): row for row in own.to_dict("records")}
    lines = [
        [
            f"{own['method'].iloc[0]} before {other}",
            *(f"{found[other, n]['better']:.0f} of {found[other, n]['people']}" for n in names),
        ]
        for other in dict.fromkeys(own["minus"])
    ]
    return Table(
        lines, ["people", *(METRICS[name].label for name in names)], caption="For how many people it is better"
    )


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
    return "farther" if METRICS[row["metric"]].improves(row["value"]) else "nearer"


def no_pairs() -> Note:
    """In place of the photograph set."""
    return Note(
        '*No photograph set was asked for. Give a face table of people with a neutral and another picture: `pairs_of = "data/mine"`.*'
    )


def sweep_table(summary: pd.DataFrame, sweeps: Mapping[str, pd.DataFrame]) -> Table | Note:
    """The numbers of `intensity.sweep_scores`, a row a method."""
    if not sweeps:
        return no_sweeps()
    frame = list(sweeps.values())[-1]
    people, steps = frame["person"].nunique(), frame["asked"].nunique()
    caption = (
        f"{frame['pair'].nunique()} sweeps in {steps - 1} steps of {people} {'person' if people == 1 else 'people'}"
        "; mean [95 % interval over people]; first seed"
    )
    heads = {name: METRICS[name].label for name in SWEEP}
    return ScoreTable(summary, heads, caption=caption, bold="", spread="")


def sweep_chart(sweeps: Mapping[str, pd.DataFrame], seed: int = 0) -> Picture | Note:
    """Measured over asked intensity, a line a method with its interval, and the ideal."""
    if not sweeps:
        return no_sweeps()
    shades = [style.BLUE, style.ORANGE, style.GREEN, style.RED, *style.COLOURS.values()]
    with style.look():
        figure, axes = style.new(6.6, 4.2)
        axes.plot([0, 100], [0, 100], color=style.SOFT, ls="--", lw=1, label="as asked")
        said = []
        if TRUE in sweeps:
            own = sweeps[TRUE][sweeps[TRUE]["asked"] > 0]
            x, y = (100 * mean(own[name], own["person"], 500, seed).value for name in ("asked", "measured"))
            axes.plot(x, y, "*", color=style.INK, ms=13, label=TRUE, zorder=5)
        methods = {name: frame for name, frame in sweeps.items() if name != TRUE}
        for (name, frame), shade in zip(methods.items(), shades, strict=False):
            asked = sorted(set(frame["asked"]))
            own = [mean(part["measured"], part["person"], 500, seed) for _, part in frame.groupby("asked", sort=True)]
            x = 100 * np.array(asked)
            axes.plot(x, [100 * one.value for one in own], "o-", color=shade, lw=2, ms=5, label=name)
            axes.fill_between(
                x, [100 * one.low for one in own], [100 * one.high for one in own], color=shade, alpha=0.13
            )
            said.append(f"{name} reaches {100 * own[-1].value:.0f} %")
        axes.set(xlabel="intensity asked for, %", ylabel="intensity measured, %", xlim=(0, 102))
        axes.grid()
        axes.legend(loc="upper left")
        return Picture.of_figure(
            figure, f"Measured over asked intensity: {', '.join(said)}.",
            "How strong the expression came out, mean over people with its 95 % interval, against how strong it was asked "
            "for. A straight line upwards is a faithful method; its slope says whether it exaggerates (above the dashes) or "
            "falls short. The star: what the same ruler reads on the true pictures.",
        )  # fmt: skip


def no_sweeps() -> Note:
    """In place of the intensity test."""
    return Note(
        "*Intensities cannot be measured here: either the table does not know how strong its expressions are (rendered "
        "faces do), or the training people show too few sequences for a landmark motion.*"
    )


def summary_note(true: Truth) -> Note:
    """Who was measured, in a sentence."""
    who, table = len(set(true.people)), true.pairs.table
    judge = true.judge
    text = f"{len(true)} pairs of {who} {'person' if who == 1 else 'people'} of *{table.info['dataset']}*, {true.pairs.size} × {true.pairs.size} px. "
    if judge is not None:
        names = ", ".join(EXPRESSIONS[label] for label in judge.classes)
        text += f"The recogniser learnt {names} from {judge.faces} pictures of {judge.people} other people."
    else:
        text += "No recogniser: the training people show fewer than two expressions."
    return Note(text)
