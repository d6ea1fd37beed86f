"""Charts, and one look for them all: colours that colour-blind readers tell apart, text at the size of the page's, axes with
names and units.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fersyn.evaluation.scores import METRICS
from fersyn.evaluation.verification import tar_on_curve
from fersyn.figures.picture import INK, Picture

WIDTH = 9.2  # inches of 72 px: as wide as a grid of eight faces
SOFT, LINE = "#5b6470", "#d5d8dd"
GREY = "#8a929c"  # of data: seen on white, and where dark mode turns it over
BLUE, ORANGE, GREEN, RED = "#1f6fb4", "#d9730d", "#2b8a57", "#b3261e"
# Of Paul Tol's "muted" scheme, for many lines in a chart.
SHADES = (INK, "#888888", "#ddaa33", "#882255", "#4499cc", "#117733", "#332288", "#cc6677", "#aa4499")
LOOK = str(Path(__file__).with_suffix(".mplstyle"))


@contextlib.contextmanager
def drawing(width: float = WIDTH, height: float = 3.2, **options) -> Iterator[tuple]:
    """A figure and its axes in the kit's look, `width` and `height` in inches at 72 px each; off screen, whatever the
    backend. `options` are those of `Figure.subplots`.
    """
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context(LOOK):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(**options)


@contextlib.contextmanager
def panels(number: int, height: float, more: float = 0.0, **options) -> Iterator[tuple]:
    """A figure and the axes of `number` small charts, three in a row: `height` inches for each row, and `more`."""
    columns = min(3, number)
    lines = -(-number // columns)
    with drawing(WIDTH, lines * height + more, nrows=lines, ncols=columns, squeeze=False, **options) as (figure, axes):
        for axis in axes.flat[number:]:
            axis.set_axis_off()
        for axis in axes.flat[number - columns : number]:
            axis.tick_params(labelbottom=True)  # sharing hides them where a row below is not full
        yield figure, list(axes.flat[:number])


def key(figure: Any) -> None:
    """The legend of a figure, each name once, in lines below its charts: never upon a curve."""
    own: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            own.setdefault(name, handle)
    letters = max(map(len, own), default=0)
    columns = max(1, min(len(own), round(figure.get_figwidth() * 9 / (letters + 5))))
    figure.legend(own.values(), own.keys(), loc="outside lower center", ncols=columns, fontsize=10)


def dots(
    scores: pd.DataFrame, down: str, names: Sequence[str], shade: Callable, alt: str, caption: str, difference: str = ""
) -> Picture:
    """A small chart a metric: the values as dots, their intervals as lines.

    Args:
        scores: of `scores.summarise` or `scores.differences`.
        down: the column that a line of a chart stands for.
        names: the metrics.
        shade: (row, rows of the metric) -> colour.
        alt: description.
        caption: Markdown below the picture.
        difference: what the values are, if they are differences; a line marks 0.
    """
    lines = list(dict.fromkeys(scores[down]))
    with panels(len(names), 0.28 * len(lines) + (1.0 if difference else 0.75), sharey=True) as (figure, axes):
        for axis, name in zip(axes, names, strict=True):
            own = scores[scores["metric"] == name]
            for row in own.to_dict("records"):
                y, colour = lines.index(row[down]), shade(row, own)
                value, low, high = (METRICS[name].scale * row[part] for part in ("value", "low", "high"))
                axis.plot([low, high], [y, y], color=colour, lw=2)
                axis.plot(value, y, "o", color=colour, ms=6)
            if difference:
                axis.axvline(0, color=INK, lw=0.8)
                axis.set_title(METRICS[name].head, fontsize=10.5)
                axis.locator_params(axis="x", nbins=5)
            axis.set_xlabel(difference or METRICS[name].head, fontsize=9)
            axis.tick_params(axis="x", labelsize=9)
            axis.tick_params(axis="y", length=0, labelcolor=INK)
            axis.grid(axis="x")
        axes[0].set(ylim=(len(lines) - 0.5, -0.5), yticks=range(len(lines)), yticklabels=lines)
        return Picture.of_figure(figure, alt, caption)


def counts(values: Mapping[str, Mapping[str, int]], unit: str = "pictures", caption: str = "") -> Picture:
    """Horizontal bars, stacked: ``values[bar][part]`` (expression -> split -> number)."""
    frame = pd.DataFrame(values).T.fillna(0)
    total = frame.sum(axis=1)
    with drawing(WIDTH, 0.6 + 0.33 * len(frame)) as (figure, axes):
        frame.plot.barh(stacked=True, ax=axes, width=0.72, color=[BLUE, ORANGE, GREEN, SOFT], legend=False)
        for row, number in enumerate(total):
            axes.text(number, row, f" {number:.0f}", va="center", color=SOFT, fontsize=10)
        axes.invert_yaxis()
        axes.set(xlabel=unit, xlim=(0, total.max() * 1.08 or 1))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        if len(frame.columns) > 1:
            key(figure)
        said = "; ".join(f"{bar} {number:.0f}" for bar, number in total.items())
        return Picture.of_figure(figure, f"Bar chart of {unit}: {said}.", caption)


def histogram(
    values: Mapping[str, np.ndarray],
    label: str,
    bins: int | Sequence[float] = 40,
    caption: str = "",
    density: bool = False,
) -> Picture:
    """Overlaid histograms of one or more samples (N,); NaNs are left out."""
    clean = {name: np.asarray(sample, float)[np.isfinite(sample)] for name, sample in values.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(clean.values())), bins)
    with drawing(WIDTH, 3.0) as (figure, axes):
        for (name, sample), shade in zip(clean.items(), [BLUE, ORANGE, GREEN], strict=False):
            axes.hist(sample, edges, color=shade, alpha=0.62, label=f"{name} ({len(sample)})", density=density)
        axes.set(xlabel=label, ylabel="density" if density else "number")
        axes.grid(axis="y")
        if len(clean) > 1:
            key(figure)
        said = "; ".join(f"{name}: median {np.median(sample):.3g}" for name, sample in clean.items() if len(sample))
        return Picture.of_figure(figure, f"Histogram of {label}. {said}.", caption)


def confusion(matrix: np.ndarray, names: Sequence[str], caption: str = "") -> Picture:
    """Confusion matrix: ``matrix[true, named]`` holds counts; shown in % of each row, so that rows add up to 100."""
    share = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 0.72 * len(names)
    with drawing(1.9 + side, 1.2 + side * 0.8) as (figure, axes):
        axes.imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for (row, column), value in np.ndenumerate(share):
            if value >= 0.5:
                shade = "white" if value > 55 else INK
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=shade, fontsize=10)
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", color=INK)
        axes.set_yticks(range(len(names)), names, color=INK)
        axes.set(xlabel="named by the classifier", ylabel="true expression")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        said = "; ".join(f"{name} {share[i, i]:.0f} %" for i, name in enumerate(names))
        return Picture.of_figure(figure, f"Confusion matrix, share named correctly: {said}.", caption)


def roc(
    curves: Mapping[str, tuple],
    marks: Sequence[float],
    lowest: float,
    alt: str,
    caption: str,
    title: str = "",
    dashed: str = "",
) -> Picture:
    """ROC curves of verification: share of genuine pairs accepted over the share of impostor pairs, log axis.

    Args:
        curves: name -> FAR and TAR (T,), as `Trial.curve` gives them.
        marks: FARs to mark.
        lowest: FAR at which the axis starts.
        alt: description.
        caption: Markdown below the picture.
        title: above the curves.
        dashed: the curve that is no method's.
    """
    alone = len(curves) == 1
    with drawing(6 if alone else WIDTH, 3.9) as (figure, axes):
        for shade, (name, (far, tar)) in zip([BLUE] if alone else SHADES * 3, curves.items(), strict=False):
            seen = far > 0
            x, y = np.append(lowest, far[seen]), np.append(tar_on_curve(far, tar, 0), tar[seen])
            line = {"lw": 2.2, "ls": "--"} if name == dashed else {"lw": 1.8}
            axes.step(x, y, where="post", color=shade, label=name, **line)
            if alone:
                axes.plot(marks, [tar_on_curve(far, tar, mark) for mark in marks], "o", color=ORANGE, clip_on=False)
        for mark in marks:
            axes.axvline(mark, color=SOFT, lw=0.8, ls=":")
        axes.set(xscale="log", xlim=(lowest, 1), ylim=(0, 1.02), title=title)
        axes.set(xlabel="false accept rate (FAR)", ylabel="true accept rate (TAR)")
        axes.grid()
        if not alone:
            key(figure)
        return Picture.of_figure(figure, alt, caption)


def learning(curves: Mapping[str, Sequence[float]], ylabel: str, caption: str = "") -> Picture:
    """Lines over epochs, one a fold."""
    with drawing(WIDTH, 2.9) as (figure, axes):
        for name, curve in curves.items():
            axes.plot(np.arange(1, len(curve) + 1), curve, lw=1.5, label=name)
        axes.set(xlabel="epoch", ylabel=ylabel)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid()
        if 1 < len(curves) <= 10:
            key(figure)
        said = ", ".join(f"{name} ends at {curve[-1]:.3g}" for name, curve in curves.items())
        return Picture.of_figure(figure, f"{ylabel} over epochs: {said}.", caption)


def landmark_errors(face: np.ndarray, landmarks: np.ndarray, error: np.ndarray, caption: str = "") -> Picture:
    """Mean error of each of the 68 points, as discs on one face.

    Args:
        face: uint8 RGB (H, W, 3) that the discs are drawn on, e.g. the mean face.
        landmarks: (68, 2) px of ``face``.
        error: (68,) in % of the inter-ocular distance.
        caption: Markdown below the picture.
    """
    with drawing(4.6, 3.9) as (figure, axes):
        axes.imshow(face, alpha=0.55)
        spots = axes.scatter(
            *landmarks.T, c=error, s=26 + 9 * error, cmap="viridis_r", edgecolors="white", linewidths=0.5
        )
        figure.colorbar(spots, ax=axes, label="mean error, % of inter-ocular distance", shrink=0.85)
        axes.set_axis_off()
        worst = int(np.argmax(error))
        alt = f"Mean landmark error drawn on a face: from {error.min():.1f} to {error.max():.1f} % (point {worst + 1})."
        return Picture.of_figure(figure, alt, caption, photo=True)
