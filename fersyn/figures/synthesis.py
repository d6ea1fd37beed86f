"""What the methods make of people they have never seen: numbers and faces. The second half of notebook 02."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.evaluation.quality import BETTER, METRICS, TITLES
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import faces, selection
from fersyn.figures.note import Note
from fersyn.figures.picture import Picture
from fersyn.figures.table import Table
from fersyn.methods.base import Synthesiser
from fersyn.methods.copy_source import CopySource
from fersyn.methods.settle import EYES, NOSE
from fersyn.methods.warp import Warp
from fersyn.pairs import Batch, Pairs

# Li, Qi & Sun, IEEE Access 9, 2021, Table 5: CK+, as published there.
PUBLISHED = (
    ("GAFP-GAN", 20.123, 0.653, 73.65),
    ("GC-GAN", 27.665, 0.769, 68.36),
    ("CDAAE", 26.973, 0.765, 81.48),
    ("the paper's own", 23.004, 0.775, 67.69),
)


def floor(size: int, motion=None) -> dict[str, Synthesiser]:
    """What every method has to beat: ``copy`` and ``warp``, for faces of ``size`` px."""
    return {"copy": CopySource(size), "warp": Warp(size, motion)}


def held_floor(size: int, motion=None) -> dict[str, list[Synthesiser]]:
    """`warp` with nose and eyes held as `landmark-flow` holds them: what of its lead is due to that."""
    return {"warp, nose held": [Warp(size, motion, NOSE, EYES)]}


def motion_of(synthesisers: Iterable[Synthesiser]):
    """The landmark motion of the first method that has one, or None."""
    found = (getattr(each, "motion", None) for each in synthesisers)
    return next((motion for motion in found if motion is not None), None)


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
        return Note(f"All methods work on faces of {size} × {size} px, at which they are measured, or on larger ones.")
    which = "; ".join(f"{', '.join(names)}: {side} × {side} px" for side, names in sorted(small.items()))
    return Note(
        f"**Not all methods work at the size of {size} × {size} px at which they are measured** ({which}). What they make "
        "is enlarged, and the detail that is lost by it counts against them: part of their distance from the others is "
        "size, not method. Trained with `size=" + str(size) + "` they would be compared on equal terms."
    )


def quality(summary: pd.DataFrame) -> Table:
    """Mean ± deviation over people of each metric, the best of each column in bold (of `evaluation.quality.summary`)."""
    digits = {"psnr": 2, "ssim": 3, "st_lpips": 3}
    lines, bold = [], set()
    for row in summary.to_dict("records"):
        cells = [row["method"]]
        for metric in METRICS:
            spread = row[f"{metric}_deviation"]
            text = f"{row[metric]:.{digits[metric]}f}"
            cells.append(text + (f" ± {spread:.{digits[metric]}f}" if spread == spread else ""))
        lines.append(cells)
    for column, metric in enumerate(METRICS, 1):
        best = BETTER[metric](summary[metric])
        bold |= {(i, column) for i, value in enumerate(summary[metric]) if value == best}
    signs = {max: "higher is better", min: "lower is better"}
    heads = [f"{TITLES[metric]} ({signs[BETTER[metric]]})" for metric in METRICS]
    people, pictures = (int(summary[name].iloc[0]) for name in ("people", "pictures"))
    whose = "1 person" if people == 1 else f"mean ± deviation over {people} people"
    return Table(lines, ["method", *heads], caption=f"{pictures} pairs, {whose}", bold=bold)


def published() -> Table:
    """Table 5 of the paper."""
    lines = [(name, f"{psnr:.3f}", f"{ssim:.3f}", f"{fid:.2f}") for name, psnr, ssim, fid in PUBLISHED]
    caption = "As published for CK+ (Table 5): other faces, other code, SSIM settings not stated. Not comparable."
    return Table(lines, ["method", "PSNR, dB", "SSIM", "FID"], caption=caption)


def by_expression(frames: Mapping[str, pd.DataFrame], metric: str = "ssim") -> Table:
    """The metric's mean for each expression (rows) and method (columns), the best in bold."""
    found = {name: frame.groupby("expression")[metric].mean() for name, frame in frames.items()}
    names = [name for name in EXPRESSIONS if any(name in own.index for own in found.values())]
    lines = [(name, *(float(own.get(name, np.nan)) for own in found.values())) for name in names]
    bold = {(y, x) for y, line in enumerate(lines) for x in range(1, len(line)) if line[x] == BETTER[metric](line[1:])}
    return Table(lines, ["expression", *found], digits=3, caption=f"{TITLES[metric]} by expression", bold=bold)


def pixels(faces_: Tensor) -> list[np.ndarray]:
    """Faces (N, 3, H, W) in [-1, 1] as uint8 RGB pictures (H, W, 3)."""
    stack = ((faces_.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte()
    return list(stack.permute(0, 2, 3, 1).numpy())


def edited(synthesiser: Synthesiser, batch: Batch) -> Tensor:
    """The sources of a batch with their targets' expressions, by the targets' landmarks."""
    names = [EXPRESSIONS[label] for label in batch.label.tolist()]
    return synthesiser.edit(batch.source, names, batch.intensity, batch.target_landmarks, batch.source_landmarks)


def _shown(chosen: np.ndarray, shown: np.ndarray) -> np.ndarray:
    return chosen[shown[chosen].all(1)]


def results(
    synthesisers: Mapping[str, Synthesiser], pairs: Pairs, chosen: np.ndarray, shown: np.ndarray, number: int = 8
) -> Picture | Note:
    """Source, every method's result, and target (Fig. 7 and 9 of the paper)."""
    own = _shown(chosen, shown)[:number]
    if not len(own):
        return selection.nothing()
    batch = pairs.gather(own)
    rows = [pixels(batch.source), *(pixels(edited(each, batch)) for each in synthesisers.values())]
    rows.append(pixels(batch.target))
    return faces.grid(
        rows, ["source", *synthesisers, "target"], [EXPRESSIONS[label] for label in batch.label.tolist()],
        f"Source (top), the results of {', '.join(synthesisers)}, and the true picture (bottom) of {len(own)} pairs.",
        "People never trained on: the source (top), each method's result, and the true picture (bottom). Look at the "
        "mouth's inside, at wrinkles, and at whether it is still the same person.",
    )  # fmt: skip


def strangers(table, chosen: np.ndarray, shown: np.ndarray, number: int = 6) -> list[tuple[int, int]]:
    """(source, guide) positions: a neutral face, and the face of another person whose expression it is to take on.

    Expressions take turns, and so do the people.
    """
    own = _shown(chosen, shown)
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
        return Note(
            "*Nothing is shown here: it takes two people who may be pictured, and a method that reads landmarks.*"
        )
    batch = pairs.gather(np.array(found))
    guides = [
        faces.overlay(image, points.numpy())
        for image, points in zip(pixels(batch.target), batch.target_landmarks.cpu(), strict=True)
    ]
    rows = [pixels(batch.source), guides, *(pixels(edited(each, batch)) for each in able.values())]
    return faces.grid(
        rows, ["source", "guide", *able], [EXPRESSIONS[label] for label in batch.label.tolist()],
        f"Sources, other people with their landmarks, and the results of {', '.join(able)}.",
        "Another person's landmarks: the source (top) is given the landmarks of the guide (second row). The closer the "
        "result keeps to the source's own face, the better a method tells shape of expression from shape of person.",
    )  # fmt: skip


def reachable(synthesiser: Synthesiser) -> list[str]:
    """Expressions that the method's motion model can predict, besides neutral; empty without one."""
    if not synthesiser.needs_landmarks:
        return list(EXPRESSIONS[1:])
    motion = getattr(synthesiser, "motion", None)
    return [name for name in motion.expressions if name != "neutral"] if motion is not None else []


def _no_motion(synthesiser: Synthesiser) -> Note:
    return Note(
        f"*{synthesiser.name} has no landmark motion: the training people show too few sequences to learn it from. "
        "Train on more people.*"
    )


def neutral_faces(table, shown: np.ndarray, number: int, seed: int = 0, test: bool = False) -> np.ndarray:
    """Positions of up to ``number`` neutral faces, one a person, at random; with ``test`` of people held out only."""
    side = (table.rows["split"] == "test").to_numpy() if test else np.ones(len(table), bool)
    found = selection.people(table.rows, shown & side, number, seed)
    return np.array([own["neutral"] for own in found.values() if "neutral" in own], int)


def _faces(table, index: np.ndarray) -> tuple[Tensor, Tensor]:
    return table.tensor(index), torch.from_numpy(table.landmarks(index))


def sweep(
    synthesiser: Synthesiser, table, shown: np.ndarray, steps: int = 6, number: int = 4, seed: int = 0
) -> Picture | Note:
    """A neutral face of the hold-out on its way to some expressions, from intensity 0 to 1."""
    index, names = neutral_faces(table, shown, 2, seed, test=True), reachable(synthesiser)
    if not names:
        return _no_motion(synthesiser)
    if not len(index):
        return selection.nothing()
    names = [
        name for name in ("happiness", "surprise", "anger", "disgust", "sadness", "fear") if name in names
    ] or names
    degrees = torch.linspace(0, 1, steps)
    rows = []
    for k, name in enumerate(names[:number]):
        picture, points = _faces(table, index[[k % len(index)]])
        count = (steps, 1, 1, 1)
        rows.append(pixels(synthesiser.edit(picture.repeat(count), name, degrees, None, points.repeat(count[:3]))))
    return faces.grid(
        rows, names[:number], [f"{degree:.0%}" for degree in degrees.tolist()],
        f"A neutral face on its way to {', '.join(names[:number])} in {steps} steps of intensity, by {synthesiser.name}.",
        f"{synthesiser.name}, intensity from 0 to 100 %; the landmark motion predicts where the landmarks go. The first "
        "column should be the untouched face.",
    )  # fmt: skip


def photographs(synthesiser: Synthesiser, table, shown: np.ndarray, number: int = 4, seed: int = 0) -> Picture | Note:
    """Neutral faces of people of another set, with every expression that the motion model knows."""
    if table is None:
        return no_photographs()
    index, names = neutral_faces(table, shown, number, seed), reachable(synthesiser)
    if not names:
        return _no_motion(synthesiser)
    if not len(index):
        return selection.nothing()
    source, points = _faces(table, index)
    made = [pixels(synthesiser.edit(source, name, 1.0, None, points)) for name in names]
    rows = [[picture, *(column[i] for column in made)] for i, picture in enumerate(pixels(source))]
    return faces.grid(
        rows, [], ["source", *names],
        f"{len(rows)} photographs (left) and what {synthesiser.name} makes of them: {', '.join(names)}.",
        f"{table.info['dataset']}: the neutral photograph (left) and {synthesiser.name}'s expressions, from this one "
        "picture alone. Trained on none of these people.",
    )  # fmt: skip


def no_photographs() -> Note:
    """In place of what needs the table of photographs."""
    return Note("*There is no table of photographs here; make one with `fersyn data openpeople`, or of your own.*")


def open_photographs(path):
    """The face table of photographs, or None where there is none."""
    from fersyn.table import FaceTable

    try:
        return FaceTable.open(path) if path.is_dir() else None
    except FersynError:
        return None


def thumbnail(synthesiser: Synthesiser, pairs: Pairs, chosen: np.ndarray, shown: np.ndarray) -> Picture | None:
    """A strip of source and result for the index page; None where nobody may be shown."""
    own = _shown(chosen, shown)[:4]
    if not len(own):
        return None
    batch = pairs.gather(own)
    both = zip(pixels(batch.source), pixels(edited(synthesiser, batch)), strict=True)
    cells = [picture for pair in both for picture in pair]
    return faces.strip(cells, f"Faces before and after {synthesiser.name}, people never trained on")


def settings_note() -> Note:
    """What the metrics were computed with: re-implementations differ here."""
    from fersyn.evaluation.quality import SETTINGS

    return Note(SETTINGS)


def measure_photographs(synthesisers: Mapping[str, Synthesiser], table) -> dict[str, pd.DataFrame]:
    """Each method measured on all people of a table that nothing was trained on; empty where that cannot be done."""
    from fersyn.evaluation import quality as measures

    if table is None:
        return {}
    try:
        pairs, chosen = measures.measured_pairs(table, everybody=True)
    except FersynError:  # nobody with two expressions
        return {}
    return {name: measures.evaluate(each, pairs, chosen) for name, each in synthesisers.items()}


def photographs_table(frames: Mapping[str, pd.DataFrame]) -> Table | Note:
    """The table of `measure_photographs`, or why there is none."""
    from fersyn.evaluation.quality import summary

    if not frames:
        return Note("*Nothing to measure: no table of photographs here, or nobody in it with two expressions.*")
    return quality(summary(frames))


def credits(*tables) -> Note:
    """Whose faces these are, under which licence."""
    from fersyn.figures import dataset

    return Note("\n\n".join(dataset.credits(table).text for table in tables if table is not None))
