"""Landmark error, identity and recognition in tables and pictures: the second half of notebook 01."""

import numpy as np
import pandas as pd

from fersyn.evaluation import fidelity
from fersyn.evaluation.recognition import CrossValidation, confusion
from fersyn.evaluation.verification import FARS, PAIRS_PER_FALSE_ACCEPT, Trial
from fersyn.faces.landmarks import GROUPS
from fersyn.figures import charts, faces
from fersyn.figures.note import Note
from fersyn.figures.picture import Picture
from fersyn.figures.table import Table
from fersyn.weights import about


def weights() -> list[dict]:
    """The pre-trained weights behind a face table and its check of identity, as `fersyn.weights.about` gives them."""
    return about(("dlib-landmarks", "dlib-face"))


def landmark_error_table(table, error: np.ndarray | None) -> Table | Note:
    """Mean, median and worst error (N, 68) in %, of the independent points, of all, and by part of the face; a sentence
    where no truth is known.
    """
    if error is None:
        return Note(
            f"The set *{table.info['dataset']}* brings no true landmark positions: "
            "only faces that the kit renders itself do. "
            "So this page cannot say how far dlib's landmarks are off here; look at the drawn ones above."
        )
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
    return faces.landmark_errors(
        face,
        table.landmarks(known).mean(0),
        error.mean(0),
        "Mean error of each of the 68 points, drawn on the average face.",
    )


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
    return faces.grid(
        [cells], column_names=[f"{error[i].mean():.1f} %" for i in worst],
        alt="The faces with the largest landmark error, found points in blue and true ones in orange.",
        caption="The largest errors in the set: dlib's points in blue, the mesh's own in orange.", cell=116,
    )  # fmt: skip


def identity_table(who: Trial | None) -> Table | Note:
    """Rank-1 and TAR@FAR, or why they cannot be had."""
    if who is None:
        return Note("This set has fewer than two people with two pictures or more: identity cannot be checked.")
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
        charts.scores(who.genuine, who.impostor, "The less the two hills overlap, the better people are told apart.")
    ]
    marks = [far for far in FARS if who.enough(far)]
    if marks:
        caption = (
            "Same people accepted against other people accepted, as the threshold moves; dots at the FARs of the table."
        )
        found.append(charts.roc(*who.curve(), marks, caption=caption))
    return found


def recognition_table(tests: list[CrossValidation], summary: pd.DataFrame, cnn_people: int) -> Table | Note:
    """Accuracy as mean ± deviation over folds and seeds, beside that of always naming the most frequent expression.

    Args:
        tests: what was answered.
        summary: of `scores.summarise`, of their scores.
        cnn_people: with fewer people the CNN is not trained.
    """
    if not tests:
        return Note(
            "This set has fewer than two people, or fewer than two labelled expressions: recognition cannot be tested."
        )
    first, own = tests[0].facts(), {(row["method"], row["metric"]): row for row in summary.to_dict("records")}
    guessing = f"{100 / tests[0].answers['expression'].nunique():.1f} %"
    lines = [("always the most frequent expression", f"{100 * first['chance']:.1f} %", guessing, "")]
    for test in tests:
        plain, balanced = own[test.name, "accuracy"], own[test.name, "balanced"]
        spread = f" ± {100 * plain['deviation']:.1f}" if np.isfinite(plain["deviation"]) else ""
        about = test.facts()
        runs = f"{about['runs']} runs on {about['people']} people, {about['faces']} faces"
        lines.append((test.name, f"{100 * plain['value']:.1f}{spread} %", f"{100 * balanced['value']:.1f} %", runs))
    if len(tests) == 1:
        why = f"{first['people']} people are fewer than {cnn_people}: it would learn the people"
        lines.append(("CNN on pixels", "not trained", "", why))
    return Table(lines, ["classifier", "accuracy", "balanced", "from"])


def recognition_figures(tests: list[CrossValidation]) -> list[Picture]:
    """Confusion matrix of each classifier, and the CNN's training loss."""
    found = []
    for test in tests:
        caption = f"{test.name}: which expression was named what, in % of each row, all folds together."
        found.append(charts.confusion(*confusion(test.answers), caption=caption))
    for test in tests:
        if test.losses:
            curves = {f"fold {i + 1}": curve for i, curve in enumerate(test.losses)}
            caption = "The CNN's loss while it trains. A curve that still falls at its end wants more epochs."
            found.append(charts.learning(curves, "training loss (cross-entropy)", caption=caption))
    return found
