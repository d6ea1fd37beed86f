"""Tables and pictures of notebook 05: is the synthesised face still that person?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fersyn.evaluation.bootstrap import counted, marked
from fersyn.evaluation.judging import JUDGED
from fersyn.evaluation.lineup import UNTOUCHED, LineUp, unseen
from fersyn.evaluation.scores import METRICS, guided
from fersyn.evaluation.verification import FARS, RATES, Faces, Trial, firsts, method_of, tar_on_curve
from fersyn.evaluation.verifiers import AXES, Verifier
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import charts, faces
from fersyn.figures.picture import Picture
from fersyn.figures.score_table import ScoreTable, number, plain
from fersyn.figures.table import Note, Table, described, elsewhere, published, sentence

TITLES = {name: rate.title for name, rate in RATES.items()}


def line_up(line: LineUp) -> Table:
    """How many people, pictures and pairs the rates come from."""
    people = len(set(line.people))
    lines = [
        ("faces in the gallery", len(line.gallery), "a neutral picture of everybody in the table"),
        ("people of the probes", people, "no method has seen them"),
        ("probes in each row", len(line.chosen), "one expression each"),
        ("pairs of one person", len(line.chosen), "probe and the same person's gallery face"),
        ("pairs of two people", line.impostors, "probe and everybody else's gallery face"),
    ]
    for far in FARS:
        needed = round(10 / far)
        fine = "enough" if line.impostors >= needed else "too few"
        lines.append((f"pairs that FAR {100 * far:g} % needs", needed, f"ten accepted pairs of two people: {fine}"))
    return Table(lines, ["what", "number", "which"])


def sources_note(line: LineUp) -> Note:
    """Which pictures the probes are made from, where that weakens the test."""
    people = len(set(line.people))
    text = []
    if line.left_out:
        text.append(sentence("identity.left_out", number=line.left_out))
    if line.same_picture:
        text.append(sentence("identity.same_picture", number=line.same_picture, people=people, untouched=UNTOUCHED))
    if line.same_sequence:
        text.append(sentence("identity.same_sequence", number=line.same_sequence, people=people))
    if not line.same_picture and not line.same_sequence:
        text.append(sentence("identity.all_apart"))
    return Note(" ".join(text))


def _percent(row: Mapping, sign: str = "") -> str:
    """A rate or a difference of two in %: '83.3 ± 2.1 [72, 91]'."""
    text = plain(100 * row["value"], 1, sign)
    if np.isfinite(row.get("deviation", np.nan)):
        text += f" ±\u00a0{100 * row['deviation']:.1f}"
    if np.isfinite(row["low"]):
        text += f" [{plain(100 * row['low'], 0, sign)},\u00a0{plain(100 * row['high'], 0, sign)}]"
    return text


def _best_made(column: Mapping[int, Mapping]) -> list[int]:
    """The lines of the best synthesised faces."""
    made = {y: row for y, row in column.items() if row["method"] not in (UNTOUCHED, "copy") and not guided(row)}
    return [y for y, row in made.items() if row["value"] == max(each["value"] for each in made.values())]


def table6(summary: pd.DataFrame, verifier: Verifier, rows: Mapping[str, Trial]) -> Table:
    """One verifier's part of Table 6: a row a method; the best synthesised face of each column in bold.

    Args:
        summary: of `scores.summarise`, of all verifiers.
        verifier: which.
        rows: its trials.
    """
    first = rows[UNTOUCHED]
    pairs = f"{len(first.probe)} probes of {len(set(first.probe))} people, {len(first.impostor)} pairs of two people"
    return ScoreTable(
        summary[summary["verifier"] == verifier.title], TITLES, corner="probe", bold=_best_made, absent="too few pairs",
        text=_percent, caption=f"{verifier.title}, in %: {pairs}{_unseen(rows)}; best synthesised face bold",
    )  # fmt: skip


def beside(kept: pd.DataFrame, shown: pd.DataFrame, verifier: Verifier) -> Table:
    """Is the person kept *and* the expression shown? A row a method: Rank-1 of one verifier, whose rates `kept` are, and what
    the judges say (`shown`, of `lineup.named`); both of `scores.summarise`.
    """
    metrics = {"rank1": f"Rank-1 ({verifier.title}), % ↑", **{name: METRICS[name].head for name in JUDGED.values()}}
    return ScoreTable(
        pd.concat([kept, shown], ignore_index=True), metrics, corner="probe", bold=_best_made,
        caption=sentence("identity.beside", people=counted(int(kept["people"].max()))),
        text=lambda row, sign: number({**row, "deviation": np.nan}, METRICS[row["metric"]].scale, 1),
    )  # fmt: skip


def _unseen(rows: Mapping[str, Trial]) -> str:
    """Probes of one verifier in which it saw no face, by method, as the end of a sentence."""
    told = ", ".join(f"{method} {number}" for method, number in unseen(rows).items())
    return f"; probes without a face, counted as not recognised: {told}" if told else ""


def unseen_note(found: Mapping[str, Mapping[str, Trial]], verifiers: Mapping[str, Verifier]) -> str:
    """A sentence for the index page on probes in which a verifier saw no face; empty where there are none."""
    parts = [f"{verifiers[name].title}{_unseen(rows)}" for name, rows in found.items() if unseen(rows)]
    return ". ".join(parts) + "." if parts else ""


def missing(verifiers: Mapping[str, Verifier]) -> Table | Note:
    """The columns that are not there, and how to get them."""
    lines = [(each.title, each.how) for each in verifiers.values() if not each.available()]
    if not lines:
        return Note("The weights of all verifiers are on this machine.")
    return Table(lines, ["column without weights", "how to get it"])


def base_of(methods: Sequence[str]) -> str:
    """With which row the methods are compared: `c-gan`, the baseline of the paper, or `warp` where it is not there."""
    return "c-gan" if "c-gan" in methods else "warp"


def table6_of_the_paper(dataset: str) -> Table | Note:
    """The published one, where our faces are of its `dataset`; otherwise why it does not stand here."""
    rows = published("table6", dataset)
    if rows is None:
        return elsewhere("table6")
    lines = [(network, row, *(f"{value:.2f}" for value in values)) for network, row, *values in rows]
    return Table(lines, ["network", "probe", *TITLES.values()], caption=sentence("identity.published"))


def against(gaps: pd.DataFrame, base: str) -> Table | Note:
    """Differences of Rank-1 and TAR to a row of the table, on the same probes, with intervals over people.

    Args:
        gaps: of `scores.differences`, `minus` that row; empty where it is not there.
        base: its name.
    """
    if not len(gaps):
        return Note(f"*There is no row {base} to compare with.*")
    caption = f"Difference to {base}, percentage points, on the same probes; {marked(int(gaps['people'].iloc[0]))}"
    return ScoreTable(
        gaps, TITLES, down=("verifier", "method"), corner=("verifier", "probe"), bold="sure", absent="too few pairs",
        text=_percent, caption=caption,
    )  # fmt: skip


def _first_seed(rows: Mapping[str, Trial]) -> str:
    return " First seed of each method." if len(firsts(rows)) < len(rows) else ""


def roc_curves(rows: Mapping[str, Trial], verifier: Verifier) -> Picture:
    """ROC curves of all methods by one verifier, the false accept rate on a logarithmic axis."""
    first = next(iter(rows.values()))
    marks = [far for far in FARS if first.enough(far)]
    curves = {method: each.curve() for method, each in firsts(rows).items()}
    said = [
        f"{method} {tar_on_curve(*curve, mark):.2f} at FAR {mark:g}"
        for method, curve in curves.items()
        for mark in marks[:1]
    ]
    dots = " Dotted: the rates of the table." if marks else ""
    about = {"said": "; ".join(said) or "too few pairs to name a rate", "more": f"{dots}{_first_seed(rows)}"}
    return charts.roc(
        curves, marks, 0.5 / max(len(first.impostor), 1), title=verifier.title, dashed=UNTOUCHED,
        **described("identity.roc", verifier=verifier.title, **about),
    )  # fmt: skip


def histograms(rows: Mapping[str, Trial], verifier: Verifier) -> Picture:
    """Distances of pairs of one person and of two people, a small chart a method."""
    methods = firsts(rows)
    top = max(float(each.apart[np.isfinite(each.apart)].max(initial=0)) for each in methods.values())
    edges = np.linspace(0, top or 1, 31)
    middles = {name: float(np.median(each.genuine)) for name, each in methods.items()}
    with charts.panels(len(methods), 1.75, 0.5, sharex=True, sharey=True) as (figure, axes):
        for axis, (name, each) in zip(axes, methods.items(), strict=True):
            kinds = (each.impostor, charts.GREY, "two people"), (each.genuine, charts.BLUE, "one person")
            for pairs, shade, label in kinds:
                seen = pairs[np.isfinite(pairs)]
                axis.hist(seen, edges, density=len(seen) > 0, color=shade, alpha=0.75, label=label)
            if np.isfinite(middles[name]):
                axis.axvline(middles[name], color=charts.INK, lw=1)
            axis.set_title(name, fontsize=10.5)
            axis.set_yticks([])
        for axis in axes[::3]:
            axis.set_ylabel("density")
        for axis in axes[-3:]:
            axis.set_xlabel("distance")
        charts.key(figure)
        said = "; ".join(f"{name} {middle:.2f}" for name, middle in middles.items())
        about = {"verifier": verifier.title, "axis": AXES[verifier.score], "more": _first_seed(rows)}
        return Picture.of_figure(figure, **described("identity.histograms", said=said, **about))


def _gallery(line: LineUp, probes: Sequence[int]) -> np.ndarray:
    """Positions in the table of the gallery faces of the people of these probes."""
    known = dict(zip(line.gallery_people, line.gallery, strict=True))
    return np.array([known[line.people[k]] for k in probes], int)


def _pictured(line: LineUp, shown: np.ndarray) -> list[int]:
    """Probes whose source, target and gallery face may be shown."""
    fine = shown[line.chosen].all(1) & shown[_gallery(line, range(len(line.chosen)))]
    return np.flatnonzero(fine).tolist()


def examples(line: LineUp, probes: Mapping[str, Faces], shown: np.ndarray, number: int = 8) -> Picture | Note:
    """Gallery face, source, and every row's probe (of a method's first seed), of as many people as there are: one person
    after the other, round by round, with another expression each time.
    """
    own: dict[str, list[int]] = {}
    for k in _pictured(line, shown):
        own.setdefault(line.people[k], []).append(k)
    rounds = range(max(map(len, own.values()), default=0))
    everybody = [own[person] for person in sorted(own)]
    order = [p[(turn + n) % len(p)] for turn in rounds for n, p in enumerate(everybody) if turn < len(p)][:number]
    table, chosen = line.pairs.table, np.array(order, int)
    probes = {name: each for name, each in probes.items() if method_of(name) == name}
    rows = [table.images(_gallery(line, chosen)), table.images(line.chosen[chosen, 0])]
    return faces.grid(
        [*rows, *(each.images[chosen] for each in probes.values())], ["gallery", "source", *probes],
        [EXPRESSIONS[k] for k in table.labels(line.chosen[chosen, 1])],
        **described("identity.examples", rows=len(probes), pairs=len(chosen), untouched=UNTOUCHED),
    )  # fmt: skip


def furthest(
    line: LineUp, probes: Mapping[str, Faces], rows: Mapping[str, Trial], verifier: Verifier, shown: np.ndarray
) -> Picture | Note:
    """For each row of the table the probe that is furthest from its person: gallery face, probe, whom it was taken for.

    Only probes all of whose faces may be shown.
    """
    table, columns, names = line.pairs.table, [], []
    for row, each in firsts(rows).items():
        taken_for = line.gallery[each.apart.argmin(1)]
        own = np.stack([_gallery(line, range(len(line.chosen))), *line.chosen.T[::-1], taken_for], 1)
        for k in [k for k in np.argsort(-each.genuine, kind="stable") if shown[own[k]].all()][:1]:
            known, true, _, taken = table.images(own[k])
            wrong = each.named[k] not in ("", each.probe[k])
            columns.append((known, true, probes[row].images[k], taken if wrong else None))
            names.append(row)
    return faces.grid(
        [list(cells) for cells in zip(*columns, strict=True)], ["gallery", "true", "probe", "taken for"], names,
        **described("identity.furthest", rows=len(columns), verifier=verifier.title),
    )  # fmt: skip


def weights_table(verifiers: Mapping[str, Verifier]) -> Table:
    """The weights behind the numbers: file, hash, licence."""
    from fersyn import weights

    lines = []
    for each in verifiers.values():
        if not each.available():
            continue
        if each.weights:
            about = weights.about([each.weights])[0]
            lines.append((each.title, about["source"], about["sha256"][:12], about["licence"]))
        else:
            own = each.about
            what = f"LightCNN-9 trained by the kit on {own['faces']} faces of {own['people']} {own['kind']} people"
            lines.append((each.title, what, "", "that of the faces"))
    return Table(lines, ["network", "weights from", "SHA-256", "licence"])


def thumbnail(line: LineUp, probes: Mapping[str, Faces], methods: Sequence[str], shown: np.ndarray) -> Picture | None:
    """A strip of source and probe for the index page; None where nobody may be shown."""
    fine, rows = _pictured(line, shown), [name for name in probes if name in methods]
    if not fine or not rows:
        return None
    some = [fine[i] for i in np.unique(np.linspace(0, len(fine) - 1, 4).round().astype(int))]
    alt = f"Gallery faces and the probes that {rows[-1]} made of other pictures of these people"
    return faces.strip(alt, line.pairs.table.images(_gallery(line, some)), probes[rows[-1]].images[some])
