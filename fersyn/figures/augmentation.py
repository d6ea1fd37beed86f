"""What synthetic faces bring to a recogniser: notebook 06. Numbers come from fersyn.evaluation.augmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fersyn.evaluation.augmentation import gain, synthetic
from fersyn.evaluation.augmentation.experiment import BATCH, SIZE, Fold
from fersyn.evaluation.augmentation.gain import Arm, Outcome
from fersyn.evaluation.bootstrap import Interval, counted, marked
from fersyn.evaluation.recognition import confusion
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts, faces
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import number
from fersyn.figures.table import Note, Table, described, note, published, sentence
from fersyn.pixels import to_images
from fersyn.training.runs import load

TITLES = {"none": "no other variation", "classical": "with classical variation"}
COLOURS = {"none": charts.BLUE, "classical": charts.ORANGE}


def times(factor: int) -> str:
    """How many synthetic faces came to a real one: '10 ×'."""
    return f"{factor} ×"


def interval(found: Interval, signed: bool = False) -> str:
    """In %: '61.3 [55.0, 67.1]', or as a difference '+5.2 [1.0, 9.3]'; no bounds where there are none."""
    return number(vars(found), 100, 1, "+" if signed else "").replace("\u00a0", " ")


def setup(facts: pd.DataFrame, method: str, epochs: int, real_share: float) -> Table:
    """How much of what there was, over folds and seeds."""

    def several(name: str) -> str:
        low, high = int(facts[name].min()), int(facts[name].max())
        return f"{low}" if low == high else f"{low} to {high}"

    mixed = "as they fall, each face equally often"
    if real_share:
        mixed = f"real faces are dealt so often that they make up {real_share:.0%} of what is seen"
    tested = f"{several('tested')} real faces of other people, number of people: {several('test_people')}"
    steps = f"{several('steps')} × {BATCH} ({epochs} passes over so many real faces)"
    lines = [
        ("folds × seeds", f"{facts['fold'].nunique()} × {facts['seed'].nunique()}"),
        ("learnt from, each time", f"{several('real')} real faces, number of people: {several('people')}"),
        ("named, each time", tested),
        ("synthetic faces", f"up to {facts['synthetic'].max():.0f}, by {method} trained on the same people"),
        ("faces", f"{SIZE} × {SIZE} px, real and synthetic alike"),
        ("steps × batch of every recogniser", steps),
        ("real and synthetic together", mixed),
    ]
    return Table(lines, ["", ""])


def samples(fold: Fold, shown: np.ndarray, number: int = 8) -> Picture | Note:
    """Recipes of the first fold: source, guide, and the synthetic face, one an expression."""
    synthesiser = load(fold.run)
    table, motion = fold.table, getattr(synthesiser, "motion", None)
    recipes = synthetic.draw(table, fold.train, 16 * number, fold.seed, motion)
    seen = shown[recipes.source] & ((recipes.guide < 0) | shown[recipes.guide])
    order = [int(k) for k in np.flatnonzero(seen)]
    kinds = list(dict.fromkeys(recipes.label[order].tolist()))
    first = [next(k for k in order if recipes.label[k] == kind) for kind in sorted(kinds)]
    chosen = np.array((first + [k for k in order if k not in first])[:number], int)
    if not len(chosen):
        return faces.nothing()
    made = to_images(synthetic.make(synthesiser, table, recipes.part(chosen), table.size))
    sources = list(table.images(recipes.source[chosen])) if synthesiser.edits else [None] * len(chosen)
    guides = [
        faces.overlay(table.images([guide])[0], table.landmarks([guide])[0], scale=1)
        if guide >= 0 and synthesiser.edits
        else None
        for guide in recipes.guide[chosen]
    ]
    return faces.grid(
        [sources, guides, made], ["source", "guide", "synthetic"], [EXPRESSIONS[k] for k in recipes.label[chosen]],
        **described("augmentation.samples", number=len(chosen), name=synthesiser.name, fold=fold.number),
    )  # fmt: skip


def thumbnail(fold: Fold, shown: np.ndarray) -> Picture | None:
    """A strip of sources and synthetic faces for the index page; None where nobody may be shown."""
    synthesiser = load(fold.run)
    recipes = synthetic.draw(fold.table, fold.train, 64, fold.seed, getattr(synthesiser, "motion", None))
    chosen = np.flatnonzero(shown[recipes.source] & (recipes.label > 0))[:4]
    if not len(chosen):
        return None
    made = to_images(synthetic.make(synthesiser, fold.table, recipes.part(chosen), fold.table.size))
    alt = "Neutral faces and synthetic ones made of them"
    sources = (fold.table.images(recipes.source[chosen]),) if synthesiser.edits else ()
    return faces.strip(alt, *sources, made)


def _whiskers(axes, at: Sequence[float], found: Sequence[Interval], variation: str, whose: str) -> None:
    """A line of accuracies in % at positions (N,), with their intervals; none where there is no interval."""
    value, low, high = 100 * np.array([[one.value, one.low, one.high] for one in found]).T
    axes.errorbar(
        at, value, np.nan_to_num([value - low, high - value]).clip(0), color=COLOURS[variation], marker="o", ms=5, capsize=3,
        lw=2, elinewidth=1.2, label=f"{whose}, {TITLES[variation]}",
    )  # fmt: skip


def _finished(figure, axes, xlabel: str, name: str, said: Sequence[str], **texts: str) -> Picture:
    axes.set(xlabel=xlabel, ylabel="balanced accuracy, %")
    axes.grid(axis="y")
    charts.key(figure)
    return Picture.of_figure(figure, **described(f"augmentation.{name}", said="; ".join(said), **texts))


def curve(outcome: Outcome, dataset: str = "") -> Picture:
    """Accuracy over the number of synthetic faces to a real one, with intervals; beside the published curve, where that is of this
    `dataset`, too.
    """
    paper = published("table4", dataset) or {}
    factors = gain.factors(outcome.frame)
    at, said = np.arange(len(factors), dtype=float), []
    with charts.drawing(height=3.4) as (figure, axes):
        for shift, variation in ((-0.04, "none"), (0.04, "classical")):
            found = [outcome.accuracy(Arm(variation, factor)) for factor in factors]
            _whiskers(axes, at + shift, found, variation, "ours")
            points = zip(factors, found, strict=True)
            said.append(f"{TITLES[variation]} " + ", ".join(f"{times(k)} {interval(one)}" for k, one in points))
        known = [(x, paper[factor]) for x, factor in zip(at, factors, strict=True) if factor in paper]
        if known:
            line = "published (another network)"
            axes.plot(*zip(*known, strict=True), color=charts.SOFT, ls="--", marker="s", ms=4, lw=1.3, label=line)
        axes.set_xticks(at, [times(factor) for factor in factors])
        more = " The dashed line is Table 4 of the paper: compare shapes, not heights." if known else ""
        return _finished(figure, axes, "synthetic faces to each real one", "curve", said, published=more)


def table(outcome: Outcome, dataset: str = "") -> Table:
    """Table 4: accuracy by factor, the gain over 0 × below it, and the published row, where that is of this `dataset`, too."""
    factors = gain.factors(outcome.frame)
    lines, bold = [], set()
    for variation, title in TITLES.items():
        lines.append([title, *(interval(outcome.accuracy(Arm(variation, factor))) for factor in factors)])
        gained: list[str] = ["– gain over 0 × of the same variation, points", "–"]
        for column, factor in enumerate(factors[1:], 2):
            found = outcome.difference(Arm(variation, factor), Arm(variation))
            gained.append(interval(found, signed=True))
            if found.excludes_zero:
                bold.add((len(lines), column))
        lines.append(gained)
    paper, number = published("table4", dataset), outcome.frame["person"].nunique()
    if paper:
        lines.append(["as published*", *(f"{paper[each]:.1f}" if each in paper else "–" for each in factors)])
    more = ". *Table 4 of the paper: another network" if paper else ""
    caption = sentence("augmentation.table", people=counted(number), marked=marked(number), published=more)
    return Table(lines, ["recogniser", *map(times, factors)], caption=caption, bold=bold)


def key_figures(outcome: Outcome) -> dict[str, str]:
    """The gains of the most synthetic faces and of classical variation, for the index page: name -> points."""
    most = gain.factors(outcome.frame)[-1]
    found = {"classical variation against none": (Arm("classical"), Arm())}
    if most:
        found = {
            f"{most} × synthetic against none": (Arm("none", most), Arm()),
            **found,
            f"{most} × synthetic on top of classical variation": (Arm("classical", most), Arm("classical")),
        }
    return {name: interval(outcome.difference(*pair), signed=True) for name, pair in found.items()}


def verdict(outcome: Outcome) -> Note:
    """The outcome in sentences: what the most synthetic faces brought, and what the controls brought."""
    most = gain.factors(outcome.frame)[-1]

    def told(what: str, arm: Arm, base: Arm) -> str:
        found = outcome.difference(arm, base)
        sure = "more than chance" if found.excludes_zero else "which may be chance"
        side, plainly = "gain" if found.value >= 0 else "loss", outcome.plain(arm) - outcome.plain(base)
        fell = (
            f" Plain accuracy, all pictures alike, moved the other way, by {number({'value': plainly}, 100, 1, '+')}."
        )
        both = fell if found.value * plainly < 0 else ""
        return f"- {what}: **{interval(found, signed=True)} points**, a {side}, {sure}.{both}"

    plain = Arm("none")
    lines = []
    if most:
        lines += [
            told(f"{times(most)} synthetic faces, nothing else", Arm("none", most), plain),
            told("classical variation alone, at equal steps", Arm("classical"), plain),
            told("synthetic faces on top of classical variation", Arm("classical", most), Arm("classical")),
            told("synthetic faces alone against classical variation alone", Arm("none", most), Arm("classical")),
        ]
    numbers, own = gain.people_curve(outcome.frame, "none")
    if len(own) > 1 and own[-1] != plain:
        lines.append(told(f"real faces of {counted(numbers[-1])} instead, nothing else", own[-1], plain))
    if outcome.frame["person"].nunique() < 2:
        return note("augmentation.one_person")
    return Note("\n".join(lines)) if lines else note("augmentation.no_factors")


def people(outcome: Outcome) -> Picture | Note:
    """Accuracy over the number of real people without synthesis, beside the level that synthesis reached."""
    most, said = gain.factors(outcome.frame)[-1], []
    if all(len(gain.people_curve(outcome.frame, variation)[0]) < 2 for variation in TITLES):
        return note("augmentation.no_people")
    with charts.drawing(height=3.4) as (figure, axes):
        ticks: set[float] = set()
        for variation, title in TITLES.items():
            numbers, own = gain.people_curve(outcome.frame, variation)
            found = [outcome.accuracy(arm) for arm in own]
            _whiskers(axes, numbers, found, variation, "real people")
            ticks |= set(numbers)
            points = zip(numbers, found, strict=True)
            said.append(f"{title} " + ", ".join(f"{number:.0f} people {interval(one)}" for number, one in points))
            if most:
                level = 100 * outcome.accuracy(Arm(variation, most)).value
                label = f"{times(most)} synthetic, {title}"
                axes.axhline(level, color=COLOURS[variation], ls="--", lw=1.3, label=label)
                said.append(f"{label} {level:.1f}")
        axes.set_xscale("log")
        axes.set_xticks(sorted(ticks), [f"{number:.0f}" for number in sorted(ticks)])
        axes.minorticks_off()
        return _finished(figure, axes, "real people learnt from (logarithmic)", "people", said)


def worth(outcome: Outcome) -> Table | Note:
    """How many real people the synthetic faces are worth."""
    lines = []
    for row in outcome.worths.to_dict("records"):
        curve, _ = gain.people_curve(outcome.frame, row["variation"])
        value, low, high = (_bounded(row[name], curve[0], curve[-1]) for name in ("value", "low", "high"))
        between = low if low == high else f"{low} to {high}"
        lines.append((f"{times(row['factor'])}, {TITLES[row['variation']]}", value, between))
    if not lines:
        return Note("*Without a curve of real people there is nothing to compare with.*")
    base = Arm().of(outcome.frame)["people"].mean()
    return Table(
        lines, ["synthetic faces to each real one", "are worth real people", "95 % interval"],
        caption=f"So many real people reach the accuracy of faces of {counted(base)}, real and synthetic",
    )  # fmt: skip


def _bounded(value: float, low: float, high: float) -> str:
    if not np.isfinite(value):
        return "–"
    if value <= low * 1.001:
        return f"{low:.0f} or fewer"
    return f"{high:.0f} or more" if value >= high * 0.999 else f"{value:.0f}"


def _compared(outcome: Outcome) -> dict[str, Arm]:
    most = gain.factors(outcome.frame)[-1]
    found = {"0 ×": Arm(), times(most): Arm("none", most), "classical": Arm("classical"),
             f"classical, {times(most)}": Arm("classical", most)}  # fmt: skip
    return found if most else {name: arm for name, arm in found.items() if not arm.factor}


def recall(outcome: Outcome) -> Table:
    """Share of each expression that was named rightly, in %, without and with the most synthetic faces; the best of
    each row bold.
    """
    arms = _compared(outcome)
    found = pd.DataFrame({name: outcome.recall(arm) for name, arm in arms.items()})
    own = 100 * found.reindex(EXPRESSIONS).dropna(how="all")
    bold = {(y, x + 1) for y, x in np.argwhere(own.eq(own.max(axis=1), axis=0).to_numpy())}
    lines = list(own.itertuples(name=None))
    lines.append(("all, each expression alike", *(100 * outcome.accuracy(arm).value for arm in arms.values())))
    lines.append(("all pictures alike", *(100 * outcome.plain(arm) for arm in arms.values())))
    return Table(lines, ["named rightly, %", *own], digits=1, caption="The best of each row bold", bold=bold)


def confusions(outcome: Outcome) -> list[Picture]:
    """Confusion matrices without and with the most synthetic faces, nothing else varied."""
    found = []
    for name, arm in _compared(outcome).items():
        if arm.variation == "none":
            matrix, names = confusion(arm.of(outcome.frame))
            found.append(charts.confusion(matrix, names, sentence("augmentation.confusion", name=name)))
    return found


def judgement(judged: pd.DataFrame) -> Table:
    """What the judge (of `experiment.judged`) named rightly, by expression; in brackets what it called neutral."""
    kinds, found = list(dict.fromkeys(judged["faces"])), judged.set_index(["expression", "faces"])

    def cell(name: str, kind: str) -> str:
        if (name, kind) not in found.index:
            return "–"
        right, neutral = 100 * found.loc[(name, kind), ["right", "neutral"]]
        return f"{right:.0f}" + (f" ({neutral:.0f})" if name != "neutral" else "")

    names = [name for name in EXPRESSIONS if name in set(judged["expression"])]
    lines = [(name, *(cell(name, kind) for kind in kinds)) for name in names]
    means = judged.groupby("faces")["right"].mean()
    lines.append(("all", *(f"{100 * means[kind]:.1f}" for kind in kinds)))
    caption = sentence("augmentation.judgement", **judged.attrs)
    return Table(lines, ["expression", *kinds], caption=caption)
