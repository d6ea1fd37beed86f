"""Charts: counts, distributions, confusion matrix, ROC curve, learning curve. Axes carry names and units."""

from collections.abc import Mapping, Sequence

import numpy as np

from fersyn.figures import style
from fersyn.figures.picture import Picture

WIDTH = 9.2  # inches of 72 px: as wide as a grid of eight faces


def counts(
    values: Mapping[str, Mapping[str, int]], title: str = "", unit: str = "pictures", caption: str = ""
) -> Picture:
    """Horizontal bars, stacked: ``values[bar][part]`` (expression -> split -> number)."""
    bars_, parts = list(values), list(dict.fromkeys(part for bar in values.values() for part in bar))
    shades = [style.BLUE, style.ORANGE, style.GREEN, style.SOFT]
    with style.look():
        figure, axes = style.new(WIDTH, 0.6 + 0.33 * len(bars_))
        left = np.zeros(len(bars_))
        for part, shade in zip(parts, shades * len(parts), strict=False):
            width = np.array([values[bar].get(part, 0) for bar in bars_])
            axes.barh(bars_, width, left=left, color=shade, label=part, height=0.72)
            left += width
        for row, total in enumerate(left):
            axes.text(total, row, f" {total:.0f}", va="center", color=style.SOFT, fontsize=10)
        axes.invert_yaxis()
        axes.set(xlabel=unit, title=title, xlim=(0, left.max() * 1.08 or 1))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0, labelcolor=style.INK)
        if len(parts) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        said = "; ".join(f"{bar} {total:.0f}" for bar, total in zip(bars_, left, strict=True))
        return Picture.of_figure(figure, f"Bar chart of {unit}: {said}.", caption)


def histogram(
    values: Mapping[str, np.ndarray], label: str, bins: int | Sequence[float] = 40, title: str = "", caption: str = "",
    density: bool = False,
) -> Picture:  # fmt: skip
    """Overlaid histograms of one or more samples (N,); NaNs are left out."""
    clean = {name: np.asarray(sample, float)[np.isfinite(sample)] for name, sample in values.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(clean.values())), bins)
    with style.look():
        figure, axes = style.new(WIDTH, 3.0)
        for (name, sample), shade in zip(clean.items(), [style.BLUE, style.ORANGE, style.GREEN], strict=False):
            axes.hist(sample, edges, color=shade, alpha=0.62, label=f"{name} ({len(sample)})", density=density)
        axes.set(xlabel=label, ylabel="density" if density else "number", title=title)
        axes.grid(axis="y")
        if len(clean) > 1:
            axes.legend()
        said = "; ".join(f"{name}: median {np.median(sample):.3g}" for name, sample in clean.items() if len(sample))
        return Picture.of_figure(figure, f"Histogram of {label}. {said}.", caption)


def confusion(matrix: np.ndarray, names: Sequence[str], title: str = "", caption: str = "") -> Picture:
    """Confusion matrix: ``matrix[true, named]`` holds counts; shown in % of each row, so that rows add up to 100."""
    share = 100 * matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 0.72 * len(names)
    with style.look():
        figure, axes = style.new(1.9 + side, 1.2 + side * 0.8)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        for (row, column), value in np.ndenumerate(share):
            if value >= 0.5:
                shade = "white" if value > 55 else style.INK
                axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=shade, fontsize=10)
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", color=style.INK)
        axes.set_yticks(range(len(names)), names, color=style.INK)
        axes.set(xlabel="named by the classifier", ylabel="true expression", title=title)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        said = "; ".join(f"{name} {share[i, i]:.0f} %" for i, name in enumerate(names))
        return Picture.of_figure(figure, f"Confusion matrix, share named correctly: {said}.", caption)


def roc(
    far: np.ndarray, tar: np.ndarray, marks: Sequence[float] = (0.01, 0.001), title: str = "", caption: str = ""
) -> Picture:
    """ROC curve of verification: share of genuine pairs accepted over the share of impostor pairs, log axis."""
    from fersyn.evaluation.verification import tar_on_curve

    with style.look():
        figure, axes = style.new(6, 4)
        seen = far > 0
        axes.plot(far[seen], tar[seen], color=style.BLUE, lw=2)
        for mark in marks:
            axes.axvline(mark, color=style.SOFT, lw=0.8, ls=":")
            axes.plot(mark, tar_on_curve(far, tar, mark), "o", color=style.ORANGE, clip_on=False)
        axes.set(
            xscale="log", xlim=(max(far[seen].min(), 1e-5), 1), ylim=(0, 1.02), title=title,
            xlabel="false accept rate (FAR)", ylabel="true accept rate (TAR)",
        )  # fmt: skip
        axes.grid()
        said = ", ".join(f"TAR {tar_on_curve(far, tar, mark):.2f} at FAR {mark:g}" for mark in marks)
        return Picture.of_figure(figure, f"ROC curve of face verification: {said}.", caption)


def scores(genuine: np.ndarray, impostor: np.ndarray, caption: str = "") -> Picture:
    """Densities of the distances between two pictures of one person, and of two people."""
    return histogram(
        {"same person": genuine, "two people": impostor},
        "distance of the two descriptors (0 = equal)",
        density=True,
        caption=caption,
    )


def learning(curves: Mapping[str, Sequence[float]], ylabel: str, title: str = "", caption: str = "") -> Picture:
    """Lines over epochs, one a fold."""
    with style.look():
        figure, axes = style.new(WIDTH, 2.9)
        for name, curve in curves.items():
            axes.plot(np.arange(1, len(curve) + 1), curve, lw=1.5, label=name)
        axes.set(xlabel="epoch", ylabel=ylabel, title=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid()
        if 1 < len(curves) <= 10:
            axes.legend()
        said = ", ".join(f"{name} ends at {curve[-1]:.3g}" for name, curve in curves.items())
        return Picture.of_figure(figure, f"{ylabel} over epochs: {said}.", caption)
