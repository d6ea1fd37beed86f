"""Image quality in tables and pictures: notebook 03. Numbers come from fersyn.evaluation.measure and fidelity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fersyn import weights
from fersyn.evaluation import fid, lpips_distance
from fersyn.evaluation.bootstrap import Interval, marked, mean
from fersyn.evaluation.fidelity import TRUE, sweep_numbers
from fersyn.evaluation.measure import CONTENT, METRICS, OF_A_SET, PICTURE, Measured, Truth, ranked
from fersyn.evaluation.quality import SETTINGS
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts, faces, selection, style
from fersyn.figures.note import Note
from fersyn.figures.picture import Picture
from fersyn.figures.synthesis import PUBLISHED
from fersyn.figures.table import Table

WEIGHTS = (
    fid.WEIGHTS,
    lpips_distance.WEIGHTS,
    "stlpips",
    "dlib-face",
    "dlib-landmarks",
)  # behind the numbers of notebook 03
ARROWS = {max: "↑", min: "↓"}
SWEEP = {
    "rising": ("steps that rise, %", 100.0, 0),
    "rank": ("rank correlation", 1.0, 2),
    "pearson": ("linear correlation", 1.0, 2),
    "full": ("measured of full, %", 100.0, 0),
}


def missing(names: Sequence[str] = (fid.WEIGHTS, lpips_distance.WEIGHTS)) -> list[str]:
    """Those of the weights that are not on this machine."""
    return [name for name in names if weights.find(name) is None]


def missing_note() -> str:
    """A sentence on the columns that are empty because weights are missing; otherwise empty."""
    absent = missing()
    if not absent:
        return ""
    titles = [METRICS[name].title for name in PICTURE if METRICS[name].weights in absent]
    return f"Not measured, for their networks' weights are missing: {', '.join(titles)}. Get them: `fersyn weights fetch {' '.join(absent)}`."


def caveat(true: Truth) -> Note:
    """What stands below the table: which weights are missing, and what FID is worth with so few pictures."""
    return Note(
        "\n\n".join(
            part for part in (missing_note(), fid.caveat(len(true)) if true.features is not None else "") if part
        )
    )


def settings() -> Note:
    """What the metrics were computed with: re-implementations differ here."""
    return Note(" ".join([SETTINGS, lpips_distance.SETTINGS, fid.SETTINGS]))


def number(row: Mapping, scale: float = 1.0, digits: int = 2) -> str:
    """A value with its interval, and with its deviation over seeds where there are several: '0.79 [0.71, 0.84] ± 0.01'."""
    text = plain(scale * row["value"], digits)
    if np.isfinite([row["low"], row["high"]]).all():
        # A line may break before the bracket, but not within it.
        text += f" [{plain(scale * row['low'], digits)},\u00a0{plain(scale * row['high'], digits)}]"
    spread = row.get("deviation", float("nan"))
    return text + (f" ±\u00a0{scale * spread:.{digits}f}" if np.isfinite(spread) else "")


def plain(value: float, digits: int, sign: str = "") -> str:
    """A number with a true minus sign and no negative zero; with `sign` "+" its sign always."""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}".replace("-", "−")


def _heads(metrics: Sequence[str]) -> list[str]:
    return [f"{METRICS[name].title} {ARROWS[METRICS[name].better]}" for name in metrics]


def _tell_missing(lines: list[list], columns: Sequence[str]) -> None:
    """Say so in the cells (behind the method's name) of metrics whose weights are missing."""
    absent = missing()
    for line in lines:
        for column, name in enumerate(columns, 1):
            if METRICS[name].weights in absent:
                line[column] = "weights missing"


def _lines(scores: pd.DataFrame, metrics: Sequence[str]) -> tuple[list[list[str]], set[tuple[int, int]]]:
    """Cells of each method, and which of them are the best of their column."""
    methods = list(dict.fromkeys(scores["method"]))
    found = {(row["method"], row["metric"]): row for row in scores.to_dict("records")}
    lines = [
        [method]
        + [
            number(found[method, name], METRICS[name].scale, METRICS[name].digits) if (method, name) in found else "–"
            for name in metrics
        ]
        for method in methods
    ]
    bold = set()
    for column, name in enumerate(metrics, 1):
        values = {y: found[method, name]["value"] for y, method in enumerate(methods) if (method, name) in found}
        if values:
            best = METRICS[name].better(values.values())
            own = {(y, column) for y, value in values.items() if value == best}
            bold |= own if len(own) < len(values) else set()  # all alike: none is best
    return lines, bold


def _whose(scores: pd.DataFrame, true: Truth) -> str:
    people, seeds = len(set(true.people)), int(scores["seeds"].max())
    text = f"{len(true)} pairs of {people} {'person' if people == 1 else 'people'}"
    text += "; mean [95 % interval over people]" if people > 1 else "; one person gives no interval"
    return text + (f"; ± deviation over {seeds} seeds" if seeds > 1 else "")


def pictures(scores: pd.DataFrame, true: Truth) -> Table:
    """PSNR, SSIM, LPIPS, ST-LPIPS, FID and KID, a row a method, the best of each column bold; the published rows below.

    Args:
        scores: of `measure.scores`.
        true: what was measured against.
    """
    lines, bold = _lines(scores, PICTURE)
    _tell_missing(lines, PICTURE)
    lines += [[f"{name}*", f"{psnr:.3f}", f"{ssim:.3f}", "–", "–", f"{fid_:.2f}", "–"]
              for name, psnr, ssim, fid_ in PUBLISHED]  # fmt: skip
    caption = (
        f"{_whose(scores, true)}. *as published for CK+ (Table 5 of the paper): other faces, other code, not comparable"
    )
    return Table(lines, ["method", *_heads(PICTURE)], caption=caption, bold=bold)


def content(scores: pd.DataFrame, true: Truth, seed: int = 0) -> Table:
    """Expression accuracy, landmark error and identity, a row a method; first what the instruments read on the true
    pictures.
    """
    lines, bold = _lines(scores, CONTENT)
    read = true.numbers(seed)
    first = [
        number(read[name].as_dict(), METRICS[name].scale, METRICS[name].digits) if name in read else "–"
        for name in CONTENT
    ]
    own = [[TRUE, *first], *lines]
    judge = true.judge
    by = f"; recogniser trained on {judge.faces} real faces of {judge.people} other people" if judge is not None else ""
    return Table(
        own, ["method", *_heads(CONTENT)], caption=_whose(scores, true) + by, bold={(y + 1, x) for y, x in bold}
    )


def differences(table: pd.DataFrame, editor: str, metrics: Sequence[str] | None = None) -> Table | Note:
    """Paired differences (of `measure.against`), bold where the interval leaves out 0."""
    if not len(table):
        return Note("*There is no other method to compare with.*")
    metrics = [name for name in (metrics or METRICS) if (table["metric"] == name).any()]
    found = {(row["method"], row["metric"]): row for row in table.to_dict("records")}
    lines, bold = [], set()
    for y, method in enumerate(dict.fromkeys(table["method"])):
        line = [method]
        for x, name in enumerate(metrics, 1):
            row = found.get((method, name))
            if row is None:
                line.append("–")
                continue
            scale, digits = METRICS[name].scale, METRICS[name].digits
            line.append(_signed(row, scale, digits))
            if Interval.of(row).excludes_zero:
                bold.add((y, x))
        lines.append(line)
    people = int(table["people"].max())
    # The editor stands in the head and not in each row: five columns of intervals leave little room.
    caption = f"{editor} minus each other, paired, over {people} people [95 % interval]; {marked(people)}"
    return Table(lines, [f"{editor} −", *_heads(metrics)], caption=caption, bold=bold)


def _signed(row: Mapping, scale: float, digits: int) -> str:
    text = plain(scale * row["value"], digits, "+")
    if np.isfinite([row["low"], row["high"]]).all():
        text += f" [{plain(scale * row['low'], digits, '+')},\u00a0{plain(scale * row['high'], digits, '+')}]"
    return text


def chart(scores: pd.DataFrame, metrics: Sequence[str] | None = None, columns: int = 3) -> Picture:
    """A small chart a metric: each method's value as a dot, its 95 % interval as a line."""
    wanted = [name for name in (metrics or METRICS) if (scores["metric"] == name).any()]
    methods = list(dict.fromkeys(scores["method"]))
    rows = -(-len(wanted) // columns)
    with style.look():
        figure, axes = style.new(
            charts.WIDTH, rows * (0.75 + 0.26 * len(methods)), nrows=rows, ncols=columns, sharey=True, squeeze=False
        )
        said = []
        for place, name in enumerate(wanted):
            plot, metric = axes[place // columns][place % columns], METRICS[name]
            own = scores[scores["metric"] == name].set_index("method")
            values = own["value"].reindex(methods) * metric.scale
            best = metric.better(values.dropna())
            for y, method in enumerate(methods):
                if method not in own.index:
                    continue
                row = own.loc[method]
                shade = style.ORANGE if values[method] == best else style.BLUE
                plot.plot([row["low"] * metric.scale, row["high"] * metric.scale], [y, y], color=shade, lw=2)
                plot.plot(values[method], y, "o", color=shade, ms=6)
            plot.set(ylim=(len(methods) - 0.5, -0.5))
            plot.set_xlabel(f"{metric.title} {ARROWS[metric.better]}", fontsize=9)
            plot.set_yticks(range(len(methods)), methods)
            plot.tick_params(axis="y", length=0, labelcolor=style.INK)
            plot.tick_params(axis="x", labelsize=9)
            plot.grid(axis="x")
            said.append(f"{metric.title}: best {values.index[values == best][0]}")
        for place in range(len(wanted), rows * columns):
            axes[place // columns][place % columns].set_visible(False)
        return Picture.of_figure(
            figure, f"Each method's value with its interval. {'; '.join(said)}.",
            "Dots: the values of the tables; lines: 95 % intervals over people; orange: the best of each. Arrows say which "
            "way is better. Intervals that overlap do not yet say that two methods are alike: see the paired differences.",
        )  # fmt: skip


def by_expression(frames: Mapping[str, pd.DataFrame], metric: str) -> Table | Note:
    """A metric's mean for each expression (rows) and method (columns), the best of each row bold."""
    title = METRICS[metric]
    found = {name: frame.groupby("expression")[metric].mean() * title.scale for name, frame in frames.items()}
    if not any(np.isfinite(own).any() for own in found.values()):
        return Note(f"*{title.title}: not measured here.*")
    names = [name for name in EXPRESSIONS if any(name in own.index for own in found.values())]
    lines = [(name, *(float(own.get(name, np.nan)) for own in found.values())) for name in names]
    bold = {
        (y, x)
        for y, line in enumerate(lines)
        for x in range(1, len(line))
        if line[x] == title.better(value for value in line[1:] if np.isfinite(value)) and len(set(line[1:])) > 1
    }
    return Table(
        lines, ["expression", *found], digits=title.digits, caption=f"{title.title} {ARROWS[title.better]} by expression",
        bold=bold,
    )  # fmt: skip


def rgb(pictures: Sequence) -> list[np.ndarray]:
    """Pictures uint8 (N, 3, H, W) as a list of (H, W, 3)."""
    return [picture.permute(1, 2, 0).numpy() for picture in pictures]


def _may(true: Truth, shown: np.ndarray) -> np.ndarray:
    """Which pairs (P,) may be pictured."""
    return np.asarray(shown, bool)[true.chosen].all(1)


def _stack(true: Truth, measured: Mapping[str, Sequence[Measured]], rows: np.ndarray) -> tuple[list, list[str]]:
    made = {name: rgb(runs[0].pictures[rows]) for name, runs in measured.items()}
    return [rgb(true.source[rows]), *made.values(), rgb(true.target[rows])], ["source", *made, "true"]


def results(
    true: Truth, measured: Mapping[str, Sequence[Measured]], shown: np.ndarray, count: int = 8
) -> Picture | Note:
    """Source, every method's result, and the true picture (Fig. 7 of the paper)."""
    rows = np.flatnonzero(_may(true, shown))[:count]
    if not len(rows):
        return selection.nothing()
    cells, names = _stack(true, measured, rows)
    return faces.grid(
        cells, names, [EXPRESSIONS[label] for label in true.labels[rows]],
        f"Source, the results of {', '.join(measured)}, and the true picture of {len(rows)} pairs.",
        "The first pairs of the test, expressions and people taking turns: source (top), each method's result, and the "
        "true picture (bottom). Look at teeth, wrinkles and eyes, and at whether it is still the same person.",
    )  # fmt: skip


def people(true: Truth, run: Measured, name: str, shown: np.ndarray, count: int = 3) -> Picture | Note:
    """Input, target and result of every expression of some people (Fig. 9 of the paper)."""
    allowed = _may(true, shown)
    who = list(dict.fromkeys(true.people[allowed]))[:count]
    if not who:
        return selection.nothing()
    labels = [label for label in range(len(EXPRESSIONS)) if (true.labels[np.isin(true.people, who)] == label).any()]
    cells, titles = [], []
    for person in who:
        at = {int(true.labels[k]): k for k in np.flatnonzero(allowed & (true.people == person))}
        for title, stack in (("input", true.source), ("target", true.target), ("result", run.pictures)):
            cells.append([stack[at[label]].permute(1, 2, 0).numpy() if label in at else None for label in labels])
            titles.append(title)
    return faces.grid(
        cells, titles, [EXPRESSIONS[label] for label in labels],
        f"Input, target and the result of {name} for {len(who)} people with {len(labels)} expressions.",
        f"{len(who)} people of the test, every expression: the input, the target, and what {name} made of the input.",
    )  # fmt: skip


def case_metric(frame: pd.DataFrame) -> str:
    """By which metric best and worst cases are chosen: LPIPS, or ST-LPIPS where its weights are missing."""
    return "lpips" if np.isfinite(frame["lpips"]).any() else "st_lpips"


def cases(
    true: Truth, measured: Mapping[str, Sequence[Measured]], editor: str, shown: np.ndarray, count: int = 4
) -> Picture | Note:
    """The best and the worst results of a method, chosen by rule, beside the other methods' results of the same pairs."""
    frame = measured[editor][0].frame
    metric = case_metric(frame)
    title = METRICS[metric].title
    best, worst = ranked(frame, metric, _may(true, shown), count)
    rows = np.concatenate([best, worst[::-1]])
    if not len(rows):
        return selection.nothing()
    cells, names = _stack(true, measured, rows)
    heads = [f"{name} {value:.2f}" for name, value in zip(frame["expression"][rows], frame[metric][rows], strict=True)]
    return faces.grid(
        cells, names, heads, f"The {len(best)} best and the {len(worst)} worst results of {editor} by {title}.",
        f"From left to right: the {len(best)} pairs of {editor} with the lowest {title} and the {len(worst)} with the "
        f"highest (above each column; lower is better), one pair a person as long as there are people who may be pictured.",
    )  # fmt: skip


def sweep_scores(sweeps: Mapping[str, pd.DataFrame], seed: int = 0) -> dict[str, dict[str, Interval]]:
    """Method -> number of `fidelity.sweep_numbers` -> its mean over people with its interval."""
    found = {}
    for name, frame in sweeps.items():
        own = sweep_numbers(frame)
        found[name] = {key: mean(own[key], own["person"], seed=seed) for key in SWEEP}
    return found


def sweep_table(found: Mapping[str, Mapping[str, Interval]], sweeps: Mapping[str, pd.DataFrame]) -> Table | Note:
    """The numbers of `sweep_scores`, a row a method."""
    if not found:
        return no_sweeps()
    lines = [
        [
            name,
            *(
                number(own[key].as_dict(), scale, digits) if own[key].people else "–"
                for key, (_, scale, digits) in SWEEP.items()
            ),
        ]
        for name, own in found.items()
    ]
    frame = list(sweeps.values())[-1]
    people_, steps = frame["person"].nunique(), frame["asked"].nunique()
    caption = (
        f"{frame['pair'].nunique()} sweeps in {steps - 1} steps of {people_} {'person' if people_ == 1 else 'people'}"
        "; mean [95 % interval over people]; first seed"
    )
    return Table(lines, ["method", *(title for title, _, _ in SWEEP.values())], caption=caption)


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


def no_pairs() -> Note:
    """In place of the photograph set."""
    return Note(
        '*No photograph set was asked for. Give a face table of people with a neutral and another picture: `pairs_of = "data/mine"`.*'
    )


def photographs(scores: pd.DataFrame, true: Truth) -> Table:
    """PSNR, SSIM, LPIPS, ST-LPIPS and identity on a photograph set, a row a method."""
    columns = photograph_metrics()
    lines, bold = _lines(scores, columns)
    _tell_missing(lines, columns)
    return Table(lines, ["method", *_heads(columns)], caption=_whose(scores, true), bold=bold)


def photograph_metrics() -> list[str]:
    """Metrics of the photograph set: those of single pictures, and identity."""
    return [*(name for name in PICTURE if name not in OF_A_SET), "identity"]


def wins(table: pd.DataFrame, editor: str, metrics: Sequence[str]) -> Table | Note:
    """Of how many people the editor's pictures are nearer to the mark than another method's."""
    own = table[table["better"].notna()]
    names = [name for name in metrics if (own["metric"] == name).any()]
    if not names:
        return Note("*There is no other method to compare with.*")
    found = {(row["method"], row["metric"]): row for row in own.to_dict("records")}
    lines = [
        [
            f"{editor} before {method}",
            *(f"{found[method, n]['better']:.0f} of {found[method, n]['people']}" for n in names),
        ]
        for method in dict.fromkeys(own["method"])
    ]
    return Table(
        lines, ["people", *(METRICS[name].title for name in names)], caption="For how many people it is better"
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
