"""What the methods make of people they have never seen: the faces of notebooks 02 to 04."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.evaluation.measure import Measured, Truth, ranked
from fersyn.evaluation.protocol import edited, moved
from fersyn.evaluation.scores import METRICS
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import faces, preprocessing
from fersyn.figures.picture import Picture
from fersyn.figures.table import Note, described, note
from fersyn.methods.base import Synthesiser
from fersyn.pairs import Pairs
from fersyn.pixels import to_bytes, to_images


def sizes_note(synthesisers: Mapping[str, Synthesiser], size: int) -> Note:
    """Which methods work on smaller faces than those that they are measured on: that counts against them.

    Args:
        synthesisers: by name.
        size: side of the faces that are measured, px.
    """
    small: dict[int, list[str]] = {}
    for name, each in synthesisers.items():
        if each.size < size:
            small.setdefault(each.size, []).append(name)
    if not small:
        return note("synthesis.sizes_alike", size=size)
    which = "; ".join(f"{', '.join(names)}: {side} × {side} px" for side, names in sorted(small.items()))
    return note("synthesis.sizes", size=size, which=which)


def pixels(faces_: Tensor) -> list[np.ndarray]:
    """Faces (N, 3, H, W), bytes or in [-1, 1], as uint8 RGB pictures (H, W, 3)."""
    return list(to_images(faces_ if faces_.dtype == torch.uint8 else to_bytes(faces_)))


def _may(true: Truth, shown: np.ndarray) -> np.ndarray:
    """Which pairs (P,) may be pictured."""
    return np.asarray(shown, bool)[true.chosen].all(1)


def _stack(true: Truth, measured: Measured, rows: np.ndarray) -> tuple[list, list[str]]:
    # `copy` is the source, which stands above.
    made = {name: pixels(runs[0][rows]) for name, runs in measured.pictures.items() if name != "copy"}
    return [pixels(true.source[rows]), *made.values(), pixels(true.target[rows])], ["source", *made, "true"]


def results(true: Truth, measured: Measured, shown: np.ndarray, count: int = 8) -> Picture | Note:
    """Source, every method's result, and the true picture (Fig. 7 and 9 of the paper)."""
    rows = np.flatnonzero(_may(true, shown))[:count]
    cells, names = _stack(true, measured, rows)
    texts = described("synthesis.results", methods=", ".join(names[1:-1]), pairs=len(rows))
    return faces.grid(cells, names, [true.names[k] for k in rows], **texts)


def people(true: Truth, measured: Measured, name: str, shown: np.ndarray, count: int = 3) -> Picture | Note:
    """Input, target and result of every expression of some people (Fig. 9 of the paper)."""
    allowed = _may(true, shown)
    who = list(dict.fromkeys(true.people[allowed]))[:count]
    labels = [label for label in range(len(EXPRESSIONS)) if (true.labels[np.isin(true.people, who)] == label).any()]
    stacks = {"input": true.source, "target": true.target, "result": measured.pictures[name][0]}
    cells = []
    for person in who:
        at = {int(true.labels[k]): k for k in np.flatnonzero(allowed & (true.people == person))}
        for stack in stacks.values():
            cells.append([pixels(stack[[at[label]]])[0] if label in at else None for label in labels])
    texts = described("synthesis.people", name=name, people=len(who), expressions=len(labels))
    return faces.grid(cells, list(stacks) * len(who), [EXPRESSIONS[label] for label in labels], **texts)


def case_metric(frame: pd.DataFrame) -> str:
    """By which metric best and worst cases are chosen: LPIPS, or ST-LPIPS where its weights are missing."""
    return "lpips" if np.isfinite(frame["lpips"]).any() else "st_lpips"


def cases(true: Truth, measured: Measured, editor: str, shown: np.ndarray, count: int = 4) -> Picture | Note:
    """The best and the worst results of a method, chosen by rule, beside the other methods' results of the same pairs."""
    frame = measured.frame(editor, run=0)
    metric = case_metric(frame)
    best, worst = ranked(frame, metric, _may(true, shown), count)
    rows = np.concatenate([best, worst[::-1]])
    cells, names = _stack(true, measured, rows)
    heads = [f"{name} {value:.2f}" for name, value in zip(frame["expression"][rows], frame[metric][rows], strict=True)]
    about = {"best": len(best), "worst": len(worst), "editor": editor, "metric": METRICS[metric].title}
    return faces.grid(cells, names, heads, **described("synthesis.cases", **about))


def strangers(table, chosen: np.ndarray, shown: np.ndarray, number: int = 6) -> list[tuple[int, int]]:
    """(source, guide) positions: a neutral face, and the face of another person whose expression it is to take on.

    Expressions take turns, and so do the people.
    """
    own = chosen[shown[chosen].all(1)]
    people, labels = table.people, table.labels()
    found = []
    for source, target in own:
        guides = [int(t) for t in own[:, 1] if labels[t] == labels[target] and people[t] != people[source]]
        if guides:
            found.append((int(source), guides[len(found) % len(guides)]))
    return found[:number]


def another_person(
    synthesisers: Mapping[str, Synthesiser], pairs: Pairs, chosen: np.ndarray, shown: np.ndarray, number: int = 6
) -> Picture | Note:
    """Results by the landmarks of somebody else with the same expression (Fig. 8 of the paper)."""
    able = {name: each for name, each in synthesisers.items() if each.needs_landmarks}
    found = strangers(pairs.table, chosen, shown, number)
    if not found or not able:
        return note("synthesis.no_other_person")
    batch = pairs.gather(np.array(found))
    guides = [
        faces.overlay(image, points.numpy())
        for image, points in zip(pixels(batch.target), batch.target_landmarks.cpu(), strict=True)
    ]
    rows = [pixels(batch.source), guides, *(pixels(edited(each, batch)) for each in able.values())]
    return faces.grid(
        rows, ["source", "guide", *able], [EXPRESSIONS[label] for label in batch.label.tolist()],
        **described("synthesis.another_person", methods=", ".join(able)),
    )  # fmt: skip


def neutral_faces(table, shown: np.ndarray, number: int, seed: int = 0, test: bool = False) -> np.ndarray:
    """Positions of up to ``number`` neutral faces, one a person, at random; with ``test`` of people held out only."""
    side = (table.rows["split"] == "test").to_numpy() if test else np.ones(len(table), bool)
    found = faces.people(table.rows, shown & side, number, seed)
    return np.array([own["neutral"] for own in found.values() if "neutral" in own], int)


def _faces(table, index: np.ndarray) -> tuple[Tensor, Tensor]:
    return table.tensor(index), torch.from_numpy(table.landmarks(index))


def sweep(
    synthesiser: Synthesiser, table, shown: np.ndarray, steps: int = 6, number: int = 4, seed: int = 0
) -> Picture | Note:
    """A neutral face of the hold-out on its way to some expressions, from intensity 0 to 1."""
    index, names = neutral_faces(table, shown, 2, seed, test=True), synthesiser.expressions
    if not names:
        return note("synthesis.no_motion", name=synthesiser.name)
    if not len(index):
        return faces.nothing()
    order = ("happiness", "surprise", "anger", "disgust", "sadness", "fear")
    names = ([name for name in order if name in names] or list(names))[:number]
    degrees = torch.linspace(0, 1, steps)
    rows = []
    for k, name in enumerate(names):
        picture, points = _faces(table, index[[k % len(index)]])
        count = (steps, 1, 1, 1)
        rows.append(pixels(synthesiser.edit(picture.repeat(count), name, degrees, None, points.repeat(count[:3]))))
    texts = described("synthesis.sweep", expressions=", ".join(names), steps=steps, name=synthesiser.name)
    return faces.grid(rows, names, [f"{degree:.0%}" for degree in degrees.tolist()], **texts)


def photographs(synthesiser: Synthesiser, table, shown: np.ndarray, number: int = 4, seed: int = 0) -> Picture | Note:
    """Neutral faces of people of another set, with every expression that the motion knows of others than themselves."""
    if table is None:
        return note("synthesis.no_photographs")
    index, names = neutral_faces(table, shown, number, seed), synthesiser.expressions
    if not names:
        return note("synthesis.no_motion", name=synthesiser.name)
    made = [pixels(moved(synthesiser, table, index, name)) for name in names]
    rows = [[picture, *(column[i] for column in made)] for i, picture in enumerate(pixels(table.tensor(index)))]
    about = {"number": len(rows), "name": synthesiser.name, "dataset": table.info["dataset"]}
    texts = described("synthesis.photographs", expressions=", ".join(names), **about)
    return faces.grid(rows, [], ["source", *names], **texts)


def open_photographs(path):
    """The face table of photographs, or None where there is none."""
    from fersyn.table import FaceTable

    try:
        return FaceTable.open(path) if path.is_dir() else None
    except FersynError:
        return None


def thumbnail(true: Truth, measured: Measured, name: str, shown: np.ndarray) -> Picture | None:
    """A strip of source and a method's result for the index page; None where nobody may be shown."""
    rows = np.flatnonzero(_may(true, shown))[:4]
    if not len(rows):
        return None
    both = pixels(true.source[rows]), pixels(measured.pictures[name][0][rows])
    names = [word for label in true.labels[rows] for word in ("neutral", f"{name}: {EXPRESSIONS[label]}")]
    return faces.strip(f"Faces before and after {name}, people never trained on", *both, names=names)


def credits(*tables) -> Note:
    """Whose faces these are, under which licence."""
    return Note("\n\n".join(preprocessing.credits(table).text for table in tables if table is not None))
