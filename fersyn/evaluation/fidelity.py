"""Does the face do what it was asked to do? The right expression, the asked landmarks, the asked intensity, the same person.

Every instrument is used on the true pictures as well: what it reads there is the best that any method can be expected
to reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn import splits
from fersyn.errors import SubjectLeak
from fersyn.evaluation import landmarks as errors_of
from fersyn.evaluation.recogniser import Recogniser, predict, train_recogniser
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.methods.base import Synthesiser
from fersyn.pairs import Pairs

LEVELS = (0.25, 0.5, 0.75, 1.0)  # intensities that a sweep asks for, besides 0, the source itself
LEAST_CLASSES = 2
TRUE = "true picture"  # the row of what the instruments read on the true pictures


@dataclass(frozen=True)
class Judge:
    """A recogniser that is frozen: it names expressions and learns nothing any more.

    Attributes:
        network: the recogniser.
        classes: what it can name, indices into EXPRESSIONS, rising.
        people, faces: how many it was trained on.
    """

    network: Recogniser
    classes: tuple[int, ...]
    people: int
    faces: int

    def named(self, faces: Tensor) -> np.ndarray:
        """What it calls faces (N, 3, H, W) in [-1, 1]: indices into EXPRESSIONS, int64 (N,)."""
        return np.asarray(self.classes, np.int64)[predict(self.network, faces).argmax(1).numpy()]


def train_judge(table, epochs: int = 60, seed: int = 0, device: str | torch.device = "cpu") -> Judge | None:
    """Train the recogniser on the real faces of the training people of a table, and freeze it after the last epoch.

    Args:
        table: FaceTable; of its column `split` only "train" is learnt from.
        epochs: passes over the faces.
        seed: of weights, order and augmentation: the same judge for all methods and seeds.
        device: where it is trained.

    Returns:
        the judge; None where the training people show fewer than two expressions.

    Raises:
        SubjectLeak: somebody stands on both sides.
    """
    from fersyn.evaluation.recognition import usable

    rows = table.rows
    index = usable(rows)
    index = index[(rows["split"] == "train").to_numpy()[index]]
    splits.check_disjoint(rows.iloc[index], rows[rows["split"] == "test"])
    labels = table.labels(index)
    classes = sorted(set(labels.tolist()))
    if len(classes) < LEAST_CLASSES:
        return None
    own = torch.from_numpy(np.searchsorted(classes, labels))
    network = train_recogniser(table.tensor(index), own, epochs, seed, len(classes), device=device)
    return Judge(network.cpu(), tuple(classes), len(set(table.people[index])), len(index))


def landmarks_on(faces: Tensor) -> np.ndarray:
    """Landmarks (N, 68, 2) px that dlib finds on faces (N, 3, H, H) in [-1, 1]; detected anew, as on any picture."""
    return find_source_landmarks(faces).numpy()


def landmark_error(found: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Mean distance (N,) of found landmarks (N, 68, 2) px from those asked for, in % of the asked eyes' distance."""
    return errors_of.errors(found, asked).mean(1)


def identity_distance(made: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Distance (N,) of two sets of dlib descriptors (N, 128), face by face; 0 alike, two pictures of one person mostly
    below 0.6.
    """
    return np.linalg.norm(np.asarray(made, float) - np.asarray(real, float), axis=1)


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
    ruler: np.ndarray,
    levels: Sequence[float] = LEVELS,
) -> pd.DataFrame:
    """Ask for an expression in several strengths, and measure how strong it came out.

    The instrument is the landmarks: those found on the made face, less those found on the source, projected on the
    expression's average motion among the training people. A recogniser's probability would not do: it jumps from 0 to 1
    half way. What moves no landmark (a wrinkle, a shadow) is not seen.

    Args:
        synthesiser: the method; it predicts the landmarks itself, for nobody gives it those of the strength asked. None:
            the true pictures are measured, each at its own intensity.
        pairs: where the faces come from.
        chosen: int64 (P, 2) positions (neutral source, expressive target), of `known_intensities`.
        ruler: of `directions`.
        levels: intensities asked for, 0..1.

    Returns:
        a row a face, and one at 0 for each source: person, expression, pair, asked, measured (1 is the average training
        person at full strength).

    Raises:
        FersynError: the method's landmark motion does not know one of the expressions.
    """
    lines = []
    for number, pair in enumerate(chosen):
        batch = pairs.gather(pair[None])
        label, size = int(batch.label), batch.source.shape[-1]
        if synthesiser is None:
            asked, made = [float(batch.intensity)], batch.target
        else:
            asked, count = list(levels), (len(levels), 1, 1)
            made = synthesiser.edit(
                batch.source.repeat(*count, 1), EXPRESSIONS[label], torch.tensor(asked, dtype=torch.float32), None,
                batch.source_landmarks.repeat(count),
            )  # fmt: skip
        found = landmarks_on(torch.cat([batch.source, made.to(batch.source)])) / size
        measured = along(found[1:] - found[0], ruler[label])
        person = pairs.table.people[int(batch.index_target)]
        for strength, value in zip((0.0, *asked), (0.0, *measured), strict=True):
            lines.append((person, EXPRESSIONS[label], number, strength, float(value)))
    return pd.DataFrame(lines, columns=["person", "expression", "pair", "asked", "measured"])


def sweep_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """What each sweep says, a row a sweep of `sweep`'s result.

    Returns:
        person, expression, rising (share 0..1 of the steps from one strength to the next at which the measured one grew),
        rank (Spearman correlation of asked and measured; 0 where nothing moved), pearson (the same, linear), full
        (measured over asked, at the strongest asked). Of the true pictures, with one strength each, only full is known.
    """
    from scipy.stats import pearsonr, spearmanr

    lines = []
    for _, own in frame.groupby("pair", sort=True):
        own = own.sort_values("asked")
        asked, measured = own["asked"].to_numpy(), own["measured"].to_numpy()
        line = {"person": own["person"].iloc[0], "expression": own["expression"].iloc[0]}
        line |= dict.fromkeys(("rising", "rank", "pearson"), float("nan"))
        if len(asked) > 2:
            still = np.ptp(measured) < 1e-9
            line["rising"] = float((np.diff(measured) > 0).mean())
            line["rank"] = 0.0 if still else float(spearmanr(asked, measured)[0])
            line["pearson"] = 0.0 if still else float(pearsonr(asked, measured)[0])
        lines.append({**line, "full": float(measured[-1] / asked[-1])})
    return pd.DataFrame(lines)


def check_people(runs: Sequence, people: Sequence[str]) -> None:
    """Refuse numbers of people that a run was trained on.

    Args:
        runs: run folders.
        people: 'dataset/subject' of those who are measured.

    Raises:
        SubjectLeak: somebody was trained on.
        FersynError: a run does not say whom it was trained on.
    """
    from fersyn.training.runs import trained_people

    for run in runs:
        both = sorted(trained_people(run) & set(people))
        if both:
            raise SubjectLeak(
                f"{run} was trained on {len(both)} of the people to be measured ({', '.join(both[:5])}); measure people of "
                "its hold-out, or train on others"
            )


def sweeps(
    synthesisers: Mapping[str, Synthesiser], pairs: Pairs, chosen: np.ndarray, number: int
) -> dict[str, pd.DataFrame]:
    """`sweep` for each method that can do without given landmarks, all on the same pairs, and for the true pictures.

    Args:
        synthesisers: by name; `copy`, which asks nothing of anybody, is left out.
        pairs: where the faces come from.
        chosen: int64 (P, 2), of `quality.measured_pairs`: expressions and people take turns, so any beginning is mixed.
        number: how many of the pairs are swept.

    Returns:
        method, and "true picture" first -> result of `sweep`; {} where no intensity is known, or no method can.
    """
    able = {name: each for name, each in synthesisers.items() if name != "copy" and _expressions(each)}
    known, ruler = known_intensities(pairs.table, chosen), directions(pairs.table)
    labels = pairs.table.labels()[known[:, 1]]
    usable = np.isfinite(ruler[labels]).all((1, 2))
    for each in able.values():
        usable &= np.array([EXPRESSIONS[label] in _expressions(each) for label in labels], bool)
    known = known[usable][:number]
    if not able or not len(known):
        return {}
    return {name: sweep(each, pairs, known, ruler) for name, each in {TRUE: None, **able}.items()}


def _expressions(synthesiser: Synthesiser) -> tuple[str, ...]:
    """What a method can make without being given landmarks, neutral not counted."""
    if not synthesiser.needs_landmarks:
        return EXPRESSIONS[1:]
    motion = getattr(synthesiser, "motion", None)
    return tuple(name for name in motion.expressions if name != "neutral") if motion is not None else ()
