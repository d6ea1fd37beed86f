"""Does an expression come out as strong as it was asked for? A sweep asks for several strengths and reads the landmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from fersyn.evaluation.fidelity import TRUE
from fersyn.evaluation.scores import Metric, Scores, register, rows_of
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.turned import find_fitting
from fersyn.methods.base import Synthesiser
from fersyn.nets.dlib_face import describe
from fersyn.pairs import Pairs
from fersyn.pixels import to_bytes, to_images

LEVELS = (0.25, 0.5, 0.75, 1.0)  # intensities that a sweep asks for, besides 0, the source itself
METRICS = [
    register(Metric(name, title, "higher", unit, digits, scale, group="intensity", robust=True)).name
    for name, title, unit, digits, scale in (
        ("rising", "steps that rise", "%", 0, 100.0),
        ("rank", "rank correlation", "", 2, 1.0),
        ("pearson", "linear correlation", "", 2, 1.0),
        ("full", "measured of full", "%", 0, 100.0),
    )
]

APART = register(Metric("apart", "distance from the source, dlib", "lower", "", 3)).name


def along(moved: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """How far along a motion a face is, (N,): 0 not begun, 1 arrived, below 0 the other way.

    The projection of the displacement on the whole motion, moved · whole / |whole|².

    Args:
        moved: (N, 68, 2) displacement of the landmarks so far.
        whole: (N, 68, 2), or (68, 2) for all, displacement of the true expression.
    """
    moved = np.asarray(moved, float).reshape(len(moved), -1)
    whole = np.broadcast_to(np.asarray(whole, float).reshape(-1, moved.shape[1]), moved.shape)
    return (moved * whole).sum(1) / np.maximum((whole**2).sum(1), 1e-12)


def known_intensities(table, chosen: np.ndarray) -> np.ndarray:
    """Those of the pairs (P, 2) whose target's intensity the table knows, and whose source is neutral."""
    known, labels = table.intensities(chosen[:, 1], unknown=np.nan), table.labels(chosen[:, 0])
    return chosen[np.isfinite(known) & (known > 0) & (labels == 0)]


def directions(table) -> np.ndarray:
    """How an expression moves the landmarks on average, learnt from the training people: the ruler of `sweep`.

    Each expressive frame less the mean of the neutral frames of its sequence (of its person, where there are no
    sequences), divided by its intensity; averaged over each person's frames, then over people.

    Args:
        table: FaceTable; of its column `split` only "train" is looked at.

    Returns:
        (8, 68, 2) by expression, parts of the crop's side at intensity 1; NaN where no intensity is known, and for neutral.
    """
    labels, strength = table.labels(), table.intensities(unknown=np.nan)
    points = table.landmarks().astype(float) / table.size
    own = (table.rows["split"] == "train").to_numpy()
    neutral = {row: points[calm].mean(0) for calm, loud in table.sequences(own).values() if len(calm) for row in loud}
    found = np.full((len(EXPRESSIONS), 68, 2), np.nan)
    for label in range(1, len(EXPRESSIONS)):
        moved: dict[str, list[np.ndarray]] = {}
        for k in np.flatnonzero(own & (labels == label) & (strength > 0)):
            if k in neutral:
                moved.setdefault(table.people[k], []).append((points[k] - neutral[k]) / strength[k])
        if moved:
            found[label] = np.mean([np.mean(each, 0) for each in moved.values()], 0)
    return found


def sweep(
    synthesiser: Synthesiser | None,
    pairs: Pairs,
    chosen: np.ndarray,
    ways: np.ndarray,
    levels: Sequence[float] = LEVELS,
    identity: bool = False,
) -> pd.DataFrame:
    """Ask for an expression in several strengths, and measure how strong it came out.

    The instrument is the landmarks: those found on the made face, less those found on the source, projected on the
    whole way of the expression. A recogniser's probability would not do: it jumps from 0 to 1 half way. What moves no
    landmark (a wrinkle, a shadow) is not seen. Where dlib loses a face, nothing is measured, and counted (`lost`).

    Args:
        synthesiser: the method; it predicts the landmarks itself, for nobody gives it those of the strength asked. None:
            the true pictures are measured, each at its own intensity.
        pairs: where the faces come from.
        chosen: int64 (P, 2) positions (neutral source, expressive target), of `known_intensities`.
        ways: (P, 68, 2), the whole way of each pair's landmarks, parts of the crop's side.
        levels: intensities asked for, 0..1.
        identity: whether dlib's distance from the source is measured, too.

    Returns:
        a row a face, and one at 0 for each source: person, expression, pair, asked, measured (1 is the whole way; NaN where
        dlib has lost this face or the source's), and with `identity` apart.

    Raises:
        FersynError: the method's landmark motion does not know one of the expressions.
    """
    frames = []
    for number, (pair, way) in enumerate(zip(chosen, ways, strict=True)):
        batch = pairs.gather(pair[None])
        label, size = int(batch.label), batch.source.shape[-1]
        person = pairs.table.people[int(batch.index_target)]
        if synthesiser is None:
            asked, made = [float(batch.intensity)], batch.target
        else:
            asked, count = list(levels), (len(levels), 1, 1)
            made = synthesiser.without([person]).edit(
                batch.source.repeat(*count, 1), EXPRESSIONS[label], torch.tensor(asked, dtype=torch.float32), None,
                batch.source_landmarks.repeat(count),
            )  # fmt: skip
        faces = torch.cat([batch.source, made.to(batch.source)])
        found, fits = find_fitting(faces)
        points = found.numpy()
        own = pd.DataFrame({"person": person, "expression": EXPRESSIONS[label], "pair": number, "asked": [0.0, *asked]})
        own["measured"] = np.where(fits & fits[0], along((points - points[0]) / size, way), np.nan)
        if identity:
            described = describe(list(to_images(to_bytes(faces))), list(points))
            own["apart"] = np.linalg.norm(described - described[0], axis=1)
        frames.append(own)
    return pd.concat(frames, ignore_index=True)


def lost(frame: pd.DataFrame) -> int:
    """How many of the faces of a sweep dlib has lost, so that they were left out."""
    return int(frame["measured"].isna().sum())


def sweep_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """What each sweep says, a row a sweep of `sweep`'s result.

    Returns:
        person, expression, rising (share 0..1 of the steps from one strength to the next at which the measured one grew),
        rank (Spearman correlation of asked and measured; 0 where nothing moved), pearson (the same, linear), full
        (measured over asked, at the strongest asked), and apart at that one, where it was measured. Of the true pictures,
        with one strength each, only full is known. What was lost is left out: NaN where too little remains.
    """
    from scipy.stats import pearsonr, spearmanr

    lines = []
    for _, own in frame.groupby("pair", sort=True):
        own = own.sort_values("asked")
        asked, measured = own["asked"].to_numpy(), own["measured"].to_numpy()
        line = {"person": own["person"].iloc[0], "expression": own["expression"].iloc[0]}
        line |= dict.fromkeys(("rising", "rank", "pearson"), float("nan"))
        seen = np.isfinite(measured)
        if seen.sum() > 2:
            asked, measured = asked[seen], measured[seen]
            still = np.ptp(measured) < 1e-9
            line["rising"] = float((np.diff(measured) > 0).mean())
            line["rank"] = 0.0 if still else float(spearmanr(asked, measured)[0])
            line["pearson"] = 0.0 if still else float(pearsonr(asked, measured)[0])
        line |= {APART: own[APART].iloc[-1]} if APART in own else {}
        strongest = own.iloc[-1]
        lines.append({**line, "full": float(strongest["measured"] / strongest["asked"])})
    return pd.DataFrame(lines)


def sweeps(
    synthesisers: Mapping[str, Synthesiser], pairs: Pairs, chosen: np.ndarray, number: int
) -> dict[str, pd.DataFrame]:
    """`sweep` for each method that can do without given landmarks, all on the same pairs, and for the true pictures.

    Args:
        synthesisers: by name; `copy`, which asks nothing of anybody, is left out.
        pairs: where the faces come from.
        chosen: int64 (P, 2), of `protocol.measured_pairs`: expressions and people take turns, so any beginning is mixed.
        number: how many of the pairs are swept.

    Returns:
        method, and "true picture" first -> result of `sweep`; {} where no intensity is known, or no method can.
    """
    able = {name: each for name, each in synthesisers.items() if name != "copy" and each.expressions}
    known, ruler = known_intensities(pairs.table, chosen), directions(pairs.table)
    labels = pairs.table.labels()[known[:, 1]]
    usable = np.isfinite(ruler[labels]).all((1, 2))
    for each in able.values():
        usable &= np.array([EXPRESSIONS[label] in each.expressions for label in labels], bool)
    known = known[usable][:number]
    if not able or not len(known):
        return {}
    ways = ruler[pairs.table.labels()[known[:, 1]]]
    return {name: sweep(each, pairs, known, ways) for name, each in {TRUE: None, **able}.items()}


def photo_sweeps(synthesisers: Mapping[str, Synthesiser], true, number: int) -> dict[str, pd.DataFrame]:
    """`sweep` with `identity` on photographs, of which nobody knows how strong they are: the whole way of a pair's landmarks is
    that to its own true picture.

    Args:
        synthesisers: by name.
        true: of `measure.truth`; expressions and people take turns.
        number: how many of the pairs are swept.
    """
    table, chosen = true.pairs.table, true.chosen[:number]
    ways = (true.asked[:number] - table.landmarks(chosen[:, 0])) / table.size
    return {name: sweep(each, true.pairs, chosen, ways, identity=True) for name, each in synthesisers.items()}


def sweep_scores(sweeps: Mapping[str, pd.DataFrame], table: str, seed: int = 0) -> Scores:
    """The numbers of `sweep_numbers` as rows of the long table, an item a sweep."""
    parts = [
        rows_of(name, own[name], own["person"], own.index, own["expression"], method=method, seed=seed, table=table)
        for method, own in {method: sweep_numbers(frame) for method, frame in sweeps.items()}.items()
        for name in (*METRICS, APART)
        if name in own
    ]
    return Scores(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())
