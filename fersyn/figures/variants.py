"""Figures and tables of notebook 04: what each part of the reference system is good for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fersyn.evaluation import ablations, fid, image_metrics
from fersyn.evaluation.ablations import FULL
from fersyn.evaluation.bootstrap import Interval
from fersyn.evaluation.measure import Truth
from fersyn.evaluation.scores import METRICS, of_group
from fersyn.figures import charts, image_quality, style
from fersyn.figures.note import Note
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import ScoreTable, number, plain
from fersyn.figures.table import Table
from fersyn.training.runs import facts

# Li, Qi & Sun, IEEE Access 9, 2021, Table 7: FID on CK+, as published there.
PUBLISHED = {FULL: 67.69, "no-initialise": 76.85, "no-label": 69.48}
WEIGHTS = (
    fid.WEIGHTS,
    image_metrics.LPIPS,
    image_metrics.ST_LPIPS,
    "vgg19",
    "stlpips-vgg",
)  # behind the numbers of notebook 04


def runs(variants: Sequence[str], trained: Mapping[tuple[str, int], Path]) -> Table:
    """A row a variant: what is different, what was trained, or why nothing was.

    Args:
        variants: names as asked for.
        trained: run folders by (variant, seed).
    """
    lines, lengths = [], set()
    for one in ablations.chosen(variants):
        own = [run for (name, _), run in trained.items() if name == one.name]
        if not own:
            lines.append((one.name, one.about, ablations.missing(one), None, None))
            continue
        about = [facts(run) for run in own]
        lengths.add(f"{about[0]['step']:,} steps of {about[0]['config']['batch']} pairs".replace(",", " "))
        did = (
            "nothing: it is what full is"
            if one.name in ablations.twins(trained)
            else f"{len(own)} run{'s' if len(own) > 1 else ''}"
        )
        size = (about[0].get("parameters") or {}).get("generator", 0) / 1e6
        lines.append((one.name, one.about, did, size, float(np.mean([each["seconds"] for each in about])) / 60))
    columns = ["variant", "what is different", "trained", "generator, million weights", "minutes a run"]
    return Table(lines, columns, caption=f"Each run: {' or '.join(sorted(lengths))}")


def perceptual(trained: Mapping[tuple[str, int], Path]) -> Note:
    """Which perceptual network `full` was trained with on this machine."""
    run = next(run for (name, _), run in trained.items() if name == FULL)
    return Note(f"Perceptual loss of `{FULL}`: {facts(run).get('perceptual') or 'none'}.")


def _present(table: pd.DataFrame) -> list[str]:
    return [name for name in of_group("picture") if (table["metric"] == name).any()]


def scores(
    summary: pd.DataFrame, true: Truth, variants: Sequence[str], trained: Mapping[tuple[str, int], Path]
) -> Table:
    """A row a variant, the best of each column in bold; a line for what is missing.

    Args:
        summary: of `scores.summarise`.
        true: what was measured against.
        variants: names as asked for.
        trained: run folders by (variant, seed).
    """
    asked, same = ablations.chosen(variants), ablations.twins(trained)
    instead = {one.name: "as full" for one in asked if one.name in same}
    instead |= {one.name: "weights missing" for one in asked if ablations.missing(one)}
    seeds, people = int(summary["seeds"].max()), len(set(true.people))
    over = f"mean ± deviation over {seeds} seeds" if seeds > 1 else "one seed, so no deviation"
    caption = f"{len(true)} pairs of {people} people; {over}; ↑ higher is better, ↓ lower is better"
    return ScoreTable(
        summary, of_group("picture"), rows=[one.name for one in asked], corner="variant", caption=caption,
        interval=False, instead=instead,
    )  # fmt: skip


def worth(gaps: pd.DataFrame) -> Table | Note:
    """`full` minus each variant with its interval over people (of `scores.differences`)."""
    # Seven columns are too wide.
    return image_quality.differences(gaps, [name for name in of_group("picture") if name != "kid"])


def differences(gaps: pd.DataFrame) -> Picture | Note:
    """The same as points with whiskers, a panel a metric."""
    if not len(gaps):
        return Note("*No figure: no variant besides `full` was trained.*")
    metrics, variants = _present(gaps), list(dict.fromkeys(gaps["minus"]))
    columns = min(3, len(metrics))
    lines = -(-len(metrics) // columns)
    said = []
    with style.look():
        figure, axes = style.new(
            charts.WIDTH, lines * (1.0 + 0.3 * len(variants)), nrows=lines, ncols=columns, squeeze=False, sharey=True
        )
        for axis, name in zip(axes.flat, metrics, strict=False):
            own = gaps[gaps["metric"] == name].set_index("minus")
            _whiskers(axis, own.loc[variants], name)
            told = ", ".join(
                f"{v} {own.loc[v, 'value'] * METRICS[name].scale:+.{METRICS[name].digits}f}" for v in variants
            )
            said.append(f"{METRICS[name].label}: {told}")
        for axis in axes.flat[len(metrics) :]:
            axis.set_axis_off()
        axes[0, 0].set_yticks(range(len(variants)), variants)
        axes[0, 0].invert_yaxis()
        caption = (
            "Full minus each variant, with the 95 % interval over people. Green: full is better, the part helps; red: full "
            "is worse, as far as these people can tell; grey: the interval holds 0, or there are too few people. The intervals do not know what another "
            "seed would do."
        )
        return Picture.of_figure(figure, f"Full minus each variant. {'; '.join(said)}.", caption)


def _whiskers(axis, own: pd.DataFrame, name: str) -> None:
    metric = METRICS[name]
    for y, row in enumerate(own.to_dict("records")):
        value, low, high = (metric.scale * row[part] for part in ("value", "low", "high"))
        helps = metric.improves(value)
        sure = Interval(value, low, high, row["people"]).excludes_zero
        shade = (style.GREEN if helps else style.RED) if sure else style.SOFT
        axis.plot([low, high], [y, y], color=shade, lw=2)
        axis.plot(value, y, "o", color=shade, ms=6)
    axis.axvline(0, color=style.INK, lw=0.8)
    axis.set_title(f"{metric.head}", fontsize=10.5)
    axis.set_xlabel("full − variant", fontsize=10)
    axis.locator_params(axis="x", nbins=5)
    axis.grid(axis="x")
    axis.tick_params(axis="y", length=0, labelcolor=style.INK)


def published(found: pd.DataFrame) -> Table:
    """Table 7 of the paper and our FID beside it, each with what the part is worth."""
    ours = {row["method"]: row for row in found[found["metric"] == "fid"].to_dict("records")}
    names = {FULL: "all", "no-initialise": "without feature initialise network", "no-label": "without label"}
    lines = []
    for name, value in PUBLISHED.items():
        mine = ours.get(name)
        lines.append(
            (
                names[name],
                f"{value:.2f}",
                "" if name == FULL else plain(value - PUBLISHED[FULL], 2, "+"),
                "–"
                if mine is None
                else number({"value": mine["value"], "deviation": mine["deviation"]}, 1, METRICS["fid"].digits),
                "" if name == FULL or mine is None else plain(mine["value"] - ours[FULL]["value"], 1, "+"),
            )
        )
    caption = (
        "Published for CK+ (Table 7) and measured here: other faces, another number of them, another training. The "
        "values are not comparable; at most the signs of the differences are."
    )
    heads = ["", "FID, published", "more than all, published", "FID, ours", "more than all, ours"]
    return Table(lines, heads, caption=caption)


def blocks(found: pd.DataFrame, trained: Mapping[tuple[str, int], Path]) -> Picture | Note:
    """Each metric over T, the number of migration unit blocks, with its interval over people."""
    by_count: dict[int, str] = {}
    for name in dict.fromkeys(found["method"]):
        if name == FULL or name.startswith("blocks"):
            run = next(run for (variant, _), run in trained.items() if variant == name)
            by_count.setdefault(int(facts(run)["config"]["blocks"]), name)
    if len(by_count) < 2:
        return Note(
            "*No curve over the number of blocks: it takes two of them, such as `variants = "
            '["blocks-0", "blocks-3", "blocks-9"]`.*'
        )
    counts = sorted(by_count)
    metrics = [name for name in _present(found) if name != "kid"]
    columns = min(3, len(metrics))
    lines = -(-len(metrics) // columns)
    said = []
    with style.look():
        figure, axes = style.new(charts.WIDTH, 2.4 * lines, nrows=lines, ncols=columns, squeeze=False)
        for axis, name in zip(axes.flat, metrics, strict=False):
            metric = METRICS[name]
            own = found[found["metric"] == name].set_index("method").loc[[by_count[count] for count in counts]]
            values, low, high = (metric.scale * own[part].to_numpy(float) for part in ("value", "low", "high"))
            axis.plot(counts, values, "o-", color=style.BLUE, lw=1.6, ms=5)
            axis.vlines(counts, low, high, color=style.BLUE, lw=1.2)
            axis.set_title(f"{metric.head}", fontsize=10.5)
            axis.set_xlabel("blocks T", fontsize=10)
            axis.set_xticks(counts)
            axis.grid()
            means = ", ".join(f"T = {c}: {v:.{metric.digits}f}" for c, v in zip(counts, values, strict=True))
            said.append(f"{metric.label} {means}")
        for axis in axes.flat[len(metrics) :]:
            axis.set_axis_off()
        caption = (
            "Each metric over the number T of migration unit blocks, the mean over seeds with its 95 % interval over "
            "people." + (" With T = 0 the landmarks do not reach the picture at all." if 0 in counts else "")
        )
        return Picture.of_figure(figure, f"Metrics over the number of blocks. {'; '.join(said)}.", caption)


def settings_note(found: pd.DataFrame, true: Truth) -> Note:
    """What the metrics were computed with, and what so few faces and seeds are good for."""
    parts = [image_quality.settings().text, image_quality.missing_note()]
    if true.with_fid:
        parts += [f"{len(true)} made and {len(true)} true faces. {fid.caveat(len(true))}"]
    elif fid.available():
        parts += ["FID, KID: not asked for (`fid = False`)."]
    if found["seeds"].max() == 1:
        parts += [
            "**One seed.** The same variant, trained from other first weights, gives other numbers; how far they lie apart "
            "is unknown here, and a difference smaller than that means nothing. `seeds = 3` tells."
        ]
    return Note("\n\n".join(part for part in parts if part))
