"""People of a generator, moved by a mapper: the pictures and tables of notebook 08."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from fersyn.evaluation.bootstrap import counted
from fersyn.evaluation.controls import ASKED, DEAD, WORKS, Tried
from fersyn.evaluation.judging import ALL, NAMED
from fersyn.evaluation.measure import Measured
from fersyn.evaluation.population import FULL, HAPPY, SHIPPED, STRENGTHS, Population
from fersyn.evaluation.reconstruction import METRICS as NEAR
from fersyn.evaluation.reconstruction import SECONDS
from fersyn.evaluation.scores import METRICS
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts, faces
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import ScoreTable, plain
from fersyn.figures.table import Note, Table, described, note, sentence
from fersyn.files import data_of
from fersyn.nets import instruments, mobile_stylegan
from fersyn.nets.expression_mapper import MOVED
from fersyn.pixels import to_images

BREAK = " \\\n        "  # of a command
WEIGHTS = (*mobile_stylegan.NAMES, *instruments.NAMES)  # behind the numbers
SHORT = data_of(__file__)  # ablations of the mapper, as scripts/mapper_ablations.py found them
# What they are, and the settings that train them: `fersyn train expression-mapper --set ...`.
UNTRAINED = {
    "without facex": ("weight_facex=0",),
    "without actions": ("weight_actions=0", "weight_sliders=0"),
    "without identity": ("weight_identity=0", "weight_dlib=0"),
    "landmarks alone": ("weight_fer=0", "weight_facex=0", "weight_smile=0", "weight_actions=0", "weight_sliders=0"),
}


def missing_note(found: Population) -> str:
    """A sentence where the generator's weights are missing; otherwise empty."""
    return "" if found.mappers else sentence("generator.missing", weights=" ".join(mobile_stylegan.missing()))


def nobody() -> Note:
    """In place of a figure or a table, where there is nothing to show or to measure."""
    return note("generator.nobody")


def samples(found: Population, number: int = 8) -> Picture | Note:
    """The generator's own samples, and the mapper's neutral face of each; above, whether a face table takes the person."""
    if not found.samples:
        return nobody()
    who = list(found.samples)[:number]
    calm = [found.only(each, "neutral", 0.0) for each in who]
    rows = [[found.samples[each] for each in who], [None if at is None else found.pictures[at] for at in calm]]
    heads = [found.reasons[each].split(",")[0] or "taken" if each in found.reasons else "" for each in who]
    return faces.grid(rows, ["sample", "neutral"], heads, **described("generator.samples", people=counted(len(who))))


def refusals(found: Population, refused: pd.DataFrame) -> Table | Note:
    """How many people and faces a face table leaves out, by reason; `refused`: of `scores.summarise` of all faces."""
    if not found.reasons:
        return nobody()
    lines = [
        (f"person: {reason or 'taken'}", float(100 * many / len(found.reasons)))
        for reason, many in Counter(found.reasons.values()).most_common()
    ]
    lines += [("face: another person's, or believed by neither judge", 100 * each) for each in refused["value"]]
    caption = sentence("generator.refusals", people=counted(len(found.reasons)), lost=found.lost)
    return Table(lines, ["what", "%"], 1, caption)


def sheet(found: Population, number: int = 6) -> Picture | Note:
    """People with every expression, at full strength by the kit's mapper."""
    if not found.samples:
        return nobody()
    who = [each for each in found.samples if found.reasons.get(each, "") == ""][:number] or list(found.samples)[:number]
    rows = [[_picture(found, each, expression) for expression in EXPRESSIONS] for each in who]
    return faces.grid(rows, [], EXPRESSIONS, **described("generator.sheet", people=counted(len(who))))


def strengths(found: Population) -> Picture | Note:
    """One person, every expression, from weak to exaggerated."""
    if not found.first:
        return nobody()
    rows = [[_picture(found, found.first, each, strength) for each in MOVED] for strength in STRENGTHS]
    rows.insert(0, [_picture(found, found.first, "neutral")] * len(MOVED))
    heads = ["0", *(f"{strength:g}" for strength in STRENGTHS)]
    return faces.grid(rows, heads, MOVED, **described("generator.strengths"))


def _picture(found: Population, who: str, expression: str, strength: float = FULL) -> np.ndarray | None:
    at = found.only(who, expression, 0.0 if expression == "neutral" else strength)
    return None if at is None else found.pictures[at]


def manners(tried: Tried, found: Population, photographs, shown: np.ndarray | None) -> Picture | Note:
    """People of a face table, and below each the generated person in that manner; first the mean manner."""
    if not tried.pictures:
        return nobody()
    rows, heads = [], []
    for expression in dict.fromkeys(key[0] for key in tried.pictures):
        keys = [key for key in tried.pictures if key[0] == expression]
        models = [tried.models[key] for key in keys]
        seen = photographs.images(models)
        rows.append([None, *(face if shown[at] else None for face, at in zip(seen, models, strict=True))])
        rows.append([_picture(found, tried.who, expression), *(tried.pictures[key] for key in keys)])
        heads += [expression, "their manner"]
    columns = ["mean manner", *(f"{k + 1}" for k in range(max(map(len, rows)) - 1))]
    return faces.grid(rows, heads, columns, **described("generator.manners"))


def arrived(summary: pd.DataFrame) -> Table | Note:
    """How much of what tells manners from the mean arrives, of `scores.summarise` by expression."""
    if not len(summary):
        return nobody()
    return ScoreTable(summary, ["of_manner"], down="expression", corner="expression", bold="")


def slider_faces(
    tried: Tried, found: Population, summary: pd.DataFrame, best: int = 4, worst: int = 2
) -> Picture | Note:
    """The actions that moved most and least, on one neutral face."""
    own = summary[summary["metric"] == "slider"].sort_values("value", ascending=False, kind="stable")["action"]
    names = [*own[:best], *own[best:][-worst:]]
    if not names or not tried.pictures:
        return nobody()
    cells = [_picture(found, tried.who, "neutral"), *(tried.pictures[name] for name in names)]
    return faces.grid([cells], [], ["neutral", *names], cell=104, **described("generator.slider_faces", asked=ASKED))


def slider_chart(summary: pd.DataFrame) -> Picture | Note:
    """How far every action went that was asked for alone; the other side's as a mark."""
    own = summary[summary["metric"] == "slider"].sort_values("value", ascending=False, kind="stable")
    if not len(own):
        return nobody()
    other = summary[summary["metric"] == "slider_other"].set_index("action")["value"]
    with charts.panels(min(3, len(own)), 0.2 * -(-len(own) // 3) + 0.7, sharex=True) as (figure, axes):
        for axis, part in zip(axes, np.array_split(np.arange(len(own)), len(axes)), strict=True):
            some = own.iloc[part]
            shades = [charts.GREEN if v >= WORKS else charts.ORANGE if v >= DEAD else charts.RED for v in some["value"]]
            axis.barh(range(len(some)), some["value"], 0.7, color=shades)
            axis.plot(other.reindex(some["action"]), range(len(some)), "|", color=charts.INK, ms=8)
            axis.axvline(ASKED, color=charts.SOFT, ls="--", lw=1)
            axis.set_yticks(range(len(some)), some["action"], fontsize=8.5)
            axis.set_xlabel("moved", fontsize=9)
            axis.invert_yaxis()
            axis.tick_params(axis="y", length=0, labelcolor=charts.INK)
            axis.grid(axis="x")
        usable = own[own["value"] >= WORKS]["action"]
        dead = own[own["value"] < DEAD]["action"]
        about = {"works": WORKS, "dead": DEAD, "asked": ASKED, "usable": ", ".join(usable) or "none"}
        return Picture.of_figure(figure, **described("generator.slider_chart", **about, lost=", ".join(dead) or "none"))


def of_methods(summary: pd.DataFrame, mappers: Collection[str], others: bool) -> pd.DataFrame:
    """Of `judging.by_expression` the rows of mappers at full strength; `others`: those of the kit's at every strength."""
    if not len(summary):
        return summary
    ours = summary["method"].str.startswith(SHIPPED)
    return summary[ours if others else summary["method"].isin(list(mappers))]


def identity(summary: pd.DataFrame) -> Table | Note:
    """How near each expression stays to the own neutral face, of `scores.summarise` by expression."""
    if not len(summary):
        return nobody()
    columns = ["own_distance", "recognised"]
    return ScoreTable(
        summary, columns, down="expression", corner="expression", caption=sentence("generator.identity"), bold=""
    )


def strength(summary: pd.DataFrame) -> Table | Note:
    """In step with the strength? Of `intensity.sweep_scores`, summarised by expression."""
    if not len(summary):
        return nobody()
    columns = {name: METRICS[name].label for name in ("rank", "full")}
    return ScoreTable(
        summary, columns, down="expression", corner="expression", caption=sentence("generator.strength"), bold=""
    )


def contempt(summary: pd.DataFrame) -> Table | Note:
    """One-sided, and not called happy: a row a mapper."""
    heads = {"one_sided": "corner, %", **{metric: f"happy, says {name}, %" for name, metric in HAPPY.items()}}
    columns = {name: head for name, head in heads.items() if len(summary) and name in set(summary["metric"])}
    if not columns:
        return nobody()
    return ScoreTable(summary, columns, corner="mapper", caption=sentence("generator.contempt"), bold="")


def ablation(named: pd.DataFrame, *others: pd.DataFrame, mappers: Sequence[str], caption: str = "") -> Table | Note:
    """A column a mapper, at full strength, all expressions together: who names them, and whether it is still the person.

    Args:
        named: of `judging.by_expression`.
        others: of `scores.summarise`, with further metrics.
        mappers: names, in order.
        caption: another one than that.
    """
    whole = named[named["expression"] == ALL] if len(named) else named
    both = pd.concat([whole, *others], ignore_index=True)
    if not len(both):
        return nobody()
    order = [name for name in (*NAMED, "own_distance", "rank1", "one_sided") if name in set(both["metric"])]
    both = both.assign(what=both["metric"].map(lambda name: METRICS[name].head))
    return ScoreTable(
        both, {name: name for name in mappers}, across="method", down="what",
        rows=[METRICS[name].head for name in order], corner="at full strength", caption=caption or sentence("generator.ablation"), bold="",
    )  # fmt: skip


def short_ablation() -> Table | Note:
    """The same of mappers that were trained equally and shortly, as measured once: not on this machine."""
    rows = pd.DataFrame(SHORT["rows"]).assign(expression=ALL)
    caption = sentence("generator.short_ablation", **SHORT)
    return ablation(rows, mappers=list(dict.fromkeys(rows["method"])), caption=caption)


def untrained(mappers: Collection[str], profile: str) -> Note:
    """Which ablations no trained mapper is here for, and the commands that train them."""
    lacking = {name: settings for name, settings in UNTRAINED.items() if name not in mappers}
    if not lacking:
        return Note("")
    lines = "\n".join(
        f"    fersyn train expression-mapper --data data/{profile}/openpeople --out 'runs/{name}'"
        + "".join(f"{' ' if k % 3 else BREAK}--set {each}" for k, each in enumerate(settings))
        for name, settings in lacking.items()
    )
    return note("generator.untrained", names=", ".join(lacking), commands=lines)


def costs(seconds: Mapping[str, float]) -> Table | Note:
    """Seconds of one core for a face, of `controls.costs`."""
    lines = [(name, plain(value, 3)) for name, value in seconds.items()]
    return Table(lines, ["what", "s"], caption=sentence("generator.costs")) if lines else nobody()


def inverted(photographs, back: Measured, shown: np.ndarray) -> Picture | Note:
    """Photographs of a table, and what each way to invert them gives back; of `reconstruction.reconstructed`."""
    rows = [int(item.partition("-")[0]) for item in back.scores.rows["item"].unique()]
    seen = [k for k, row in enumerate(rows) if shown[row]]
    made = {name: [to_images(parts[0])[k] for k in seen] for name, parts in back.pictures.items()}
    cells = [[photographs.images([rows[k]])[0] for k in seen], *made.values()]
    return faces.grid(cells, ["photograph", *made], **described("generator.inverted", people=counted(len(seen))))


def reconstruction(summary: pd.DataFrame) -> Table | Note:
    """How near it comes to the photographs; of the same, summarised."""
    there = [name for name in (*NEAR, SECONDS) if len(summary) and name in set(summary["metric"])]
    if not there:
        return nobody()
    columns = {name: METRICS[name].label for name in there}
    return ScoreTable(summary, columns, corner="inverted by", caption=sentence("generator.reconstruction"), bold="")


def credits() -> Note:
    """Whose faces these are, under which licence."""
    return note("generator.credits")


def thumbnail(found: Population) -> Picture | None:
    """A strip of one person's expressions for the index page; None where there is nobody."""
    cells = [_picture(found, found.first, expression) for expression in EXPRESSIONS] if found.first else []
    cells = [cell for cell in cells if cell is not None]
    return faces.strip("A person of the generator with every expression", cells) if cells else None
