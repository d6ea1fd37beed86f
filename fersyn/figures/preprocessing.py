"""Notebook 01 in tables and pictures: what a face table holds, and its landmark error, identity and recognition."""

import cv2
import numpy as np
import pandas as pd
import torch

from fersyn.evaluation import fidelity
from fersyn.evaluation.recognition import CrossValidation, confusion
from fersyn.evaluation.verification import FARS, PAIRS_PER_FALSE_ACCEPT, Trial, tar_on_curve
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.heatmaps import heatmaps
from fersyn.faces.landmarks import GROUPS
from fersyn.figures import charts, faces
from fersyn.figures.picture import Picture
from fersyn.figures.table import Note, Table, described, note, sentence

WEIGHTS = ("dlib-landmarks", "dlib-face")  # behind a face table and its check of identity
# Named in the heatmaps figure, numbered from 0.
POINTS = {"nose tip": 30, "eye corner": 36, "lip corner": 48, "chin": 8}


def numbers(table) -> dict:
    """Counts of a face table, JSON-able."""
    rows = table.rows
    labelled = rows["expression"].notna()
    return {
        "faces": len(rows),
        "people": len(set(table.people)),
        "skipped": len(table.skipped),
        "labelled": int(labelled.sum()),
        "size": table.size,
        "by_expression": {name: int((rows["expression"] == name).sum()) for name in present(rows)},
        "publishable": int(rows["publishable"].sum()),
    }


def present(rows) -> list[str]:
    """The expressions that occur, in the kit's order."""
    found = set(rows["expression"].dropna())
    return [name for name in EXPRESSIONS if name in found]


def overview(table) -> Table:
    """Facts about the set in a few lines."""
    count, info = numbers(table), table.info
    lines = [
        ("set", info["dataset"]),
        ("faces", f"{count['faces']} of {count['people']} people, {table.size} × {table.size} px"),
        ("labels", f"{count['labelled']} faces, {len(count['by_expression'])} expressions"),
        ("pictures skipped", str(count["skipped"])),
        ("may be pictured in public", f"{count['publishable']} of {count['faces']}"),
        ("licence", info.get("licence") or "not stated"),
        *[("note", note) for note in [*info.get("notes", []), *info.get("split_notes", [])]],
    ]
    return Table(lines, ["", ""])


def by_expression(table) -> Picture:
    """Bars of the number of pictures of each expression, by side of the hold-out split."""
    label = table.rows["expression"].astype(object).fillna("no label")
    side = table.rows["split"].replace({"train": "training"})
    values = pd.crosstab(label, side).reindex([*present(table.rows), *({"no label"} & set(label))])
    values = values.reindex(columns=["training", "test"], fill_value=0)
    held = len(table.people_of("test"))
    caption = f"Pictures of each expression; {held} of {len(set(table.people))} people {'is' if held == 1 else 'are'} kept for the test."
    return charts.counts(values.T.to_dict(), caption=caption)


def per_person(table) -> Picture | Note:
    """Histogram of pictures a person, or a sentence where all bring the same number."""
    counts = np.unique(table.people, return_counts=True)[1]
    if counts.min() == counts.max():
        return note("preprocessing.all_alike", people=len(counts), number=counts[0])
    bins = np.arange(counts.min() - 0.5, counts.max() + 1.5) if counts.max() - counts.min() < 60 else 40
    return charts.histogram(
        {"people": counts}, "pictures of one person", bins, caption="How many pictures each person brings."
    )


def intensity(table) -> Picture | Note:
    """Histogram of the intensity of the expressions other than neutral, or a sentence where it is unknown."""
    labelled = table.rows[table.rows["expression"].notna() & (table.rows["expression"] != "neutral")]
    values = labelled["intensity"].astype(float).dropna()
    if values.empty:
        return note("preprocessing.no_intensity")
    if values.nunique() == 1:
        return note("preprocessing.one_intensity", intensity=values.iloc[0])
    return charts.histogram(
        {"faces": values.to_numpy()}, "intensity (0 neutral, 1 peak)", np.linspace(0, 1, 21),
        caption="How strong the expressions are; neutral faces, of intensity 0, are left out.",
    )  # fmt: skip


def samples(table, shown: np.ndarray, number: int = 8, seed: int = 0) -> Picture | Note:
    """Pictures as they came and the faces made of them (seed 004, Fig. 6)."""
    previews = faces.previews(table, shown, number, seed)
    rows = [preview["row"] for preview in previews]
    labels = [table.rows["expression"].iloc[row] or "no label" for row in rows]
    caption = f"Samples of {table.info['dataset']} before and after preprocessing."
    return faces.before_after(previews, table.images(rows), labels, caption)


def people(table, shown: np.ndarray, number: int = 4, seed: int = 0) -> Picture | Note:
    """Some people, each with every expression at its strongest."""
    found = faces.people(table.rows, shown, number, seed)
    columns = [name for name in EXPRESSIONS if any(name in own for own in found.values())]
    cells = [[table.images([own[name]])[0] if name in own else None for name in columns] for own in found.values()]
    return faces.grid(
        cells, [person.split("/", 1)[1][:12] for person in found], columns,
        **described("preprocessing.people", number=len(found), dataset=table.info["dataset"], expressions=", ".join(columns)),
    )  # fmt: skip


def thumbnail(table, shown: np.ndarray, seed: int = 0) -> Picture | None:
    """A strip of faces for the index page; None where nobody may be shown."""
    chosen = faces.mixed(table.rows, shown, 8, seed)
    if not len(chosen):
        return None
    alt = f"{len(chosen)} aligned faces of {table.info['dataset']} with different expressions"
    return faces.strip(alt, table.images(chosen))


def landmarks(table, shown: np.ndarray, number: int = 12, seed: int = 0, columns: int = 6) -> Picture | Note:
    """Faces with their 68 landmarks drawn in."""
    chosen = faces.mixed(table.rows, shown, number, seed)
    drawn = [faces.overlay(*pair) for pair in zip(table.images(chosen), table.landmarks(chosen), strict=True)]
    rows = [drawn[start : start + columns] for start in range(0, len(drawn), columns)]
    return faces.grid(rows, cell=116, **described("preprocessing.landmarks", number=len(drawn)))


def heat(channel: np.ndarray | torch.Tensor) -> np.ndarray:
    """A heatmap (H, W) in [0, 1] as a picture, black to yellow, uint8 RGB (H, W, 3)."""
    level = (np.asarray(channel) * 255).clip(0, 255).astype(np.uint8)
    return cv2.applyColorMap(level, cv2.COLORMAP_INFERNO)[..., ::-1]


def heatmap_rows(table, shown: np.ndarray, sigma: float, number: int = 3, seed: int = 0) -> Picture | Note:
    """Faces beside the heatmaps made of their landmarks: all points in one channel, and some of the 68 channels."""
    chosen = faces.mixed(table.rows, shown, number, seed)
    points = torch.from_numpy(table.landmarks(chosen))
    one, many = heatmaps(points, table.size, sigma)[:, 0], heatmaps(points, table.size, sigma, channels=68)
    rows = [
        [image, heat(single), *(heat(maps[k]) for k in POINTS.values())]
        for image, single, maps in zip(table.images(chosen), one, many, strict=True)
    ]
    names = ["face", "all 68", *POINTS]
    return faces.grid(rows, column_names=names, cell=116, **described("preprocessing.heatmaps", sigma=sigma))


def skipped(table, private: bool = False, most: int = 20) -> Table | Note:
    """The pictures that could not be used, with their reasons; without their names, which may be those of people, where
    somebody of the set did not agree to be shown and the page is not `private`.
    """
    rows = table.skipped
    if not len(rows):
        return Note("Nothing was skipped: every picture of the set is in the table.")
    if not (private or table.rows["publishable"].to_numpy(bool).all()):
        counts = rows["reason"].str.replace(r" \(.*\)$", "", regex=True).value_counts()
        lines = [(int(count), reason) for reason, count in counts.items()]
        return Table(lines, ["pictures", "reason"], caption="Which ones, says skipped.csv in the table's folder")
    lines = [(row.source, row.expression or "–", row.reason) for row in rows.head(most).itertuples()]
    if len(rows) > most:
        lines.append((f"and {len(rows) - most} more", "", "see skipped.csv in the table's folder"))
    return Table(lines, ["picture", "expression", "reason"])


def means(table, shown: np.ndarray) -> Picture | Note:
    """The average face of each expression, and its difference from the average neutral face."""
    label = table.rows["expression"]
    clear = shown & ((table.intensities(unknown=1) >= 0.5) | (label == "neutral").to_numpy())
    found = {}
    for name in present(table.rows[clear]):
        found[name] = table.images(clear & (label == name).to_numpy()).mean(0)
    rows, names = [[mean.round().astype(np.uint8) for mean in found.values()]], ["mean"]
    if "neutral" in found and len(found) > 1:
        rows.append([np.clip(128 + 2 * (mean - found["neutral"]), 0, 255).astype(np.uint8) for mean in found.values()])
        names.append("− neutral")
    return faces.grid(rows, names, list(found), **described("preprocessing.means", expressions=", ".join(found)))


def credits(table) -> Note:
    """Whose faces these are, under which licence."""
    info = table.info
    parts = [
        f"**{info['dataset']}**",
        info.get("attribution") or "",
        f"Licence: {info['licence']}." if info.get("licence") else "",
    ]
    return Note("Faces: " + ". ".join(part.rstrip(".") for part in parts if part) + ".")


def landmark_error_table(table, error: np.ndarray | None) -> Table | Note:
    """Mean, median and worst error (N, 68) in %, of the independent points, of all, and by part of the face; a sentence
    where no truth is known.
    """
    if error is None:
        return note("preprocessing.no_true_landmarks", dataset=table.info["dataset"])
    edges = fidelity.INDEPENDENT
    parts = {f"eyes and inner lips ({len(edges)}, independent)": edges, "all 68": range(68), **GROUPS}
    lines = []
    for name, points in parts.items():
        own = error[:, list(points)]
        lines.append((name, float(own.mean()), float(np.median(own.mean(1))), float(np.percentile(own.mean(1), 95))))
    return Table(lines, ["part", "mean, %", "median face, %", "95 % of faces below, %"])


def landmark_error_face(table, shown: np.ndarray, known: np.ndarray, error: np.ndarray | None) -> Picture | None:
    """The mean error of each point as discs on the average face."""
    if error is None or not (known & shown).any():
        return None
    face = table.images(np.flatnonzero(known & shown)).mean(0).round().astype(np.uint8)
    caption = "Mean error of each of the 68 points, drawn on the average face."
    return charts.landmark_errors(face, table.landmarks(known).mean(0), error.mean(0), caption)


def landmark_error_worst(
    table, shown: np.ndarray, known: np.ndarray, error: np.ndarray | None, number: int = 6
) -> Picture | None:
    """The faces with the largest mean error: found and true points."""
    if error is None or not (known & shown).any():
        return None
    rows = np.flatnonzero(known)
    worst = [i for i in np.argsort(-error.mean(1)) if shown[rows[i]]][:number]
    truth = fidelity.true_landmarks(table.rows.iloc[rows[worst]])
    cells = [
        faces.overlay(image, found, truth=true)
        for image, found, true in zip(table.images(rows[worst]), table.landmarks(rows[worst]), truth, strict=True)
    ]
    names = [f"{error[i].mean():.1f} %" for i in worst]
    return faces.grid([cells], column_names=names, cell=116, **described("preprocessing.worst_landmarks"))


def identity_table(who: Trial | None) -> Table | Note:
    """Rank-1 and TAR@FAR, or why they cannot be had."""
    if who is None:
        return note("preprocessing.no_identity")
    rank1, probes, pairs = who.rank1(), len(who.probe), len(who.impostor)
    lines = [
        ("people in the gallery", str(len(who.gallery)), ""),
        ("probes", str(probes), "pictures of these people with another expression"),
        ("Rank-1", f"{100 * rank1:.1f} %", f"{round(rank1 * probes)} of {probes} named rightly"),
    ]
    for far in FARS:
        needed = "" if who.enough(far) else f"; {round(PAIRS_PER_FALSE_ACCEPT / far)} would be needed"
        value = f"{who.tar(far):.3f}" if who.enough(far) else "too few pairs"
        lines.append((f"TAR at FAR {100 * far:g} %", value, f"{pairs} pairs of two people{needed}"))
    return Table(lines, ["measure", "value", "from"])


def identity_figures(who: Trial | None) -> list[Picture]:
    """Distances of genuine and impostor pairs; the ROC curve where there are pairs enough."""
    if who is None:
        return []
    found = [
        charts.histogram(
            {"same person": who.genuine, "two people": who.impostor}, "distance of the two descriptors (0 = equal)",
            caption="The less the two hills overlap, the better people are told apart.", density=True,
        )
    ]  # fmt: skip
    marks = [far for far in FARS if who.enough(far)]
    if marks:
        curve = who.curve()
        said = ", ".join(f"TAR {tar_on_curve(*curve, mark):.2f} at FAR {mark:g}" for mark in marks)
        lowest = max(curve[0][curve[0] > 0].min(), 1e-5)
        found.append(charts.roc({"": curve}, marks, lowest, **described("preprocessing.roc", said=said)))
    return found


def recognition_table(tests: list[CrossValidation], summary: pd.DataFrame, cnn_people: int) -> Table | Note:
    """Accuracy as mean ± deviation over folds and seeds, beside that of always naming the most frequent expression.

    Args:
        tests: what was answered.
        summary: of `scores.summarise`, of their scores.
        cnn_people: with fewer people the CNN is not trained.
    """
    if not tests:
        return note("preprocessing.no_recognition")
    first, own = tests[0].facts(), {(row["method"], row["metric"]): row for row in summary.to_dict("records")}
    guessing = f"{100 / tests[0].answers['expression'].nunique():.1f} %"
    lines = [("always the most frequent expression", f"{100 * first['chance']:.1f} %", guessing, "")]
    for test in tests:
        plain, balanced = own[test.name, "accuracy"], own[test.name, "balanced"]
        spread = f" ± {100 * plain['deviation']:.1f}" if np.isfinite(plain["deviation"]) else ""
        facts = test.facts()
        runs = f"{facts['runs']} runs on {facts['people']} people, {facts['faces']} faces"
        lines.append((test.name, f"{100 * plain['value']:.1f}{spread} %", f"{100 * balanced['value']:.1f} %", runs))
    if len(tests) == 1:
        why = f"{first['people']} people are fewer than {cnn_people}: it would learn the people"
        lines.append(("CNN on pixels", "not trained", "", why))
    return Table(lines, ["classifier", "accuracy", "balanced", "from"])


def recognition_figures(tests: list[CrossValidation]) -> list[Picture]:
    """Confusion matrix of each classifier, and the CNN's training loss."""
    found = [
        charts.confusion(*confusion(test.answers), caption=sentence("preprocessing.confusion", name=test.name))
        for test in tests
    ]
    for test in tests:
        if test.losses:
            curves = {f"fold {i + 1}": curve for i, curve in enumerate(test.losses)}
            found.append(charts.learning(curves, "training loss (cross-entropy)", sentence("preprocessing.losses")))
    return found
