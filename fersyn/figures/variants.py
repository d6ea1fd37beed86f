"""Figures and tables of notebook 04: what each part of the reference system is good for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fersyn.evaluation import ablations, fid, image_metrics
from fersyn.evaluation.ablations import FULL
from fersyn.evaluation.measure import Truth
from fersyn.evaluation.scores import METRICS, of_group, sure
from fersyn.figures import charts, image_quality
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import ScoreTable, number, plain
from fersyn.figures.table import Note, Table, described, elsewhere, note, published, sentence
from fersyn.training.runs import facts

# Behind the numbers of notebook 04.
WEIGHTS = (fid.WEIGHTS, image_metrics.LPIPS, image_metrics.ST_LPIPS, "vgg19", "stlpips-vgg")


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
        did = f"{len(own)} run{'s' if len(own) > 1 else ''}"
        if one.name in ablations.twins(trained):
            did = "nothing: it is what full is"
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
    """A row a variant below that of `copy`, the best of each column in bold; a line for what is missing.

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
    caption = f"{len(true)} pairs of {people} people; {over}; ↑ higher is better, ↓ lower is better{image_quality.BEST}"
    return ScoreTable(
        summary, of_group("picture"), rows=["copy", *(one.name for one in asked)], corner="variant", caption=caption,
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
    said = {}
    for row in gaps.to_dict("records"):
        metric = METRICS[row["metric"]]
        told = f"{row['minus']} {plain(row['value'] * metric.scale, metric.digits, '+')}"
        said.setdefault(row["metric"], []).append(told)
    metrics = _present(gaps)
    all_said = "; ".join(f"{METRICS[name].label}: {', '.join(said[name])}" for name in metrics)
    texts = described("variants.differences", said=all_said)
    return charts.dots(gaps, "minus", metrics, _shade, difference="full − variant", **texts)


def _shade(row: Mapping, own: pd.DataFrame) -> str:
    """Green where the part surely helps, red where it surely hurts, else grey."""
    if not sure(row):
        return charts.SOFT
    return charts.GREEN if METRICS[row["metric"]].improves(row["value"]) else charts.RED


def table7(found: pd.DataFrame, dataset: str) -> Table | Note:
    """Table 7 of the paper and our FID beside it, each with what the part is worth, where our faces are of its `dataset`; otherwise
    why it does not stand here.
    """
    paper = published("table7", dataset)
    if paper is None:
        return elsewhere("table7")
    ours = {row["method"]: row for row in found[found["metric"] == "fid"].to_dict("records")}
    names = {FULL: "all", "no-initialise": "without feature initialise network", "no-label": "without label"}
    lines, full = [], ours.get(FULL)
    for name, value in paper.items():
        mine, gained, own_gain = ours.get(name), "", ""
        if name != FULL:
            gained = plain(value - paper[FULL], 2, "+")
            own_gain = plain(mine["value"] - full["value"], 1, "+") if mine else ""
        printed = number({key: mine[key] for key in ("value", "deviation")}, 1, METRICS["fid"].digits) if mine else "–"
        lines.append((names[name], f"{value:.2f}", gained, printed, own_gain))
    heads = ["", "FID, published", "more than all, published", "FID, ours", "more than all, ours"]
    return Table(lines, heads, caption=sentence("variants.published"))


def blocks(found: pd.DataFrame, trained: Mapping[tuple[str, int], Path]) -> Picture | Note:
    """Each metric over T, the number of migration unit blocks, with its interval over people."""
    by_count: dict[int, str] = {}
    for name in dict.fromkeys(found["method"]):
        if name == FULL or name.startswith("blocks"):
            run = next(run for (variant, _), run in trained.items() if variant == name)
            by_count.setdefault(int(facts(run)["config"]["blocks"]), name)
    if len(by_count) < 2:
        return note("variants.no_blocks")
    counts = sorted(by_count)
    metrics = [name for name in _present(found) if name != "kid"]
    said = []
    with charts.panels(len(metrics), 2.4) as (figure, axes):
        for axis, name in zip(axes, metrics, strict=True):
            metric = METRICS[name]
            own = found[found["metric"] == name].set_index("method").loc[[by_count[count] for count in counts]]
            values, low, high = metric.scale * own[["value", "low", "high"]].to_numpy(float).T
            axis.plot(counts, values, "o-", color=charts.BLUE, lw=1.6, ms=5)
            axis.vlines(counts, low, high, color=charts.BLUE, lw=1.2)
            axis.set_title(metric.head, fontsize=10.5)
            axis.set_xlabel("blocks T", fontsize=10)
            axis.set_xticks(counts)
            axis.grid()
            means = ", ".join(f"T = {c}: {v:.{metric.digits}f}" for c, v in zip(counts, values, strict=True))
            said.append(f"{metric.label} {means}")
        none = " With T = 0 the landmarks do not reach the picture at all." if 0 in counts else ""
        return Picture.of_figure(figure, **described("variants.blocks", said="; ".join(said), none=none))


def settings_note(found: pd.DataFrame, true: Truth) -> Note:
    """What the metrics were computed with, and what so few faces and seeds are good for."""
    parts = [image_quality.settings().text, image_quality.missing_note()]
    if true.with_fid:
        parts += [f"{len(true)} made and {len(true)} true faces. {fid.caveat(len(true))}"]
    elif fid.available():
        parts += ["FID, KID: not asked for (`fid = False`)."]
    if found["seeds"].max() == 1:
        parts += [sentence("variants.one_seed")]
    return Note("\n\n".join(part for part in parts if part))
