"""Every method by every measure on the same pairs: made once, measured once, kept for tables and pictures.

`truth` looks at the true pictures, `measure` at those of a method, `scores` and `against` sum up with intervals over people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.evaluation import aside, bootstrap, fid, fidelity, lpips_distance
from fersyn.evaluation.quality import psnr, ssim, st_lpips
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.base import Synthesiser
from fersyn.pairs import Pairs

BATCH = 16


@dataclass(frozen=True)
class Metric:
    """One column of the tables.

    Attributes:
        title: as printed, with its unit.
        better: max or min.
        digits: decimals.
        scale: what the number is multiplied by when it is printed.
        weights: what it needs of `fersyn.weights`, or "".
    """

    title: str
    better: object
    digits: int
    scale: float = 1.0
    weights: str = ""


METRICS = {
    "psnr": Metric("PSNR, dB", max, 2),
    "ssim": Metric("SSIM", max, 3),
    "lpips": Metric("LPIPS", min, 3, weights=lpips_distance.WEIGHTS),
    "st_lpips": Metric("ST-LPIPS", min, 3),
    "fid": Metric("FID", min, 1, weights=fid.WEIGHTS),
    "kid": Metric("KID × 10³", min, 1, 1000.0, fid.WEIGHTS),
    "right": Metric("expression right, %", max, 1, 100.0),
    "landmark_error": Metric("landmark error, %", min, 2),
    "identity": Metric("identity distance", min, 3),
}
PICTURE = ("psnr", "ssim", "lpips", "st_lpips", "fid", "kid")
CONTENT = ("right", "landmark_error", "identity")
OF_A_SET = ("fid", "kid")  # no picture has one of its own


@dataclass(frozen=True)
class Truth:
    """The true pictures of some pairs, and what the instruments read on them.

    Attributes:
        pairs, chosen: where they come from, (P, 2) positions (source, target) in the table.
        people: (P,) 'dataset/subject'.
        labels: (P,) index into EXPRESSIONS.
        source, target: uint8 (P, 3, H, W).
        found: (P, 68, 2) landmarks found on the targets, or None; `asked`: those of the table, given to the methods.
        descriptors: (P, 128) dlib's, or None.
        features: (P, 2048) of FID's network; None where its weights are missing or nobody asked.
        judge: the frozen recogniser, or None.
    """

    pairs: Pairs
    chosen: np.ndarray
    people: np.ndarray
    labels: np.ndarray
    source: Tensor
    target: Tensor
    found: np.ndarray | None
    asked: np.ndarray
    descriptors: np.ndarray | None
    features: np.ndarray | None
    judge: fidelity.Judge | None

    def __len__(self) -> int:
        return len(self.chosen)

    def numbers(self, seed: int = 0) -> dict[str, bootstrap.Interval]:
        """What the instruments read on the true pictures themselves: `right` and `landmark_error`."""
        read = {"landmark_error": fidelity.landmark_error(self.found, self.asked)} if self.found is not None else {}
        if self.judge is not None:
            read["right"] = self.judge.named(floats(self.target)) == self.labels
        return {name: bootstrap.mean(values, self.people, seed=seed) for name, values in read.items()}


@dataclass(frozen=True)
class Measured:
    """What one run of a method made of the pairs: a row a pair in `frame` (person, expression, metrics), the pictures
    uint8 (P, 3, H, W), and the features (P, 2048) of FID's network or None.
    """

    frame: pd.DataFrame
    pictures: Tensor
    features: np.ndarray | None


def floats(pictures: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) as faces in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def as_bytes(faces: Tensor) -> Tensor:
    """Faces (N, 3, H, W) in [-1, 1] as uint8."""
    return ((faces.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def rgb(pictures: Tensor) -> np.ndarray:
    """uint8 (N, 3, H, W) as (N, H, W, 3)."""
    return pictures.permute(0, 2, 3, 1).contiguous().numpy()


def _described(pictures: Tensor, landmarks: np.ndarray | None) -> aside.Descriptors | None:
    """dlib's descriptors, worked out while the other instruments read."""
    return aside.Descriptors(rgb(pictures), landmarks) if landmarks is not None else None


def truth(
    pairs: Pairs, chosen: np.ndarray, judge: fidelity.Judge | None = None, sets: bool = True, content: bool = True
) -> Truth:
    """Read all instruments on the true pictures.

    Args:
        pairs: where the faces come from.
        chosen: int64 (P, 2), of `quality.measured_pairs`.
        judge: names expressions; None: nobody does.
        sets: also FID and KID, where the weights are there.
        content: also landmarks and dlib's descriptors, which take half of the time.
    """
    parts = [pairs.gather(chosen[start : start + BATCH]) for start in range(0, len(chosen), BATCH)]
    source, target = (torch.cat([as_bytes(getattr(part, side)) for part in parts]) for side in ("source", "target"))
    asked = torch.cat([part.target_landmarks for part in parts]).cpu().numpy()
    found = fidelity.landmarks_on(floats(target)) if content else None
    described = _described(target, found)
    features = fid.features(floats(target)) if sets and fid.available() else None
    return Truth(
        pairs, chosen, pairs.table.people[chosen[:, 1]], torch.cat([part.label for part in parts]).cpu().numpy(),
        source, target, found, asked, described.result() if described else None, features, judge,
    )  # fmt: skip


def make(synthesiser: Synthesiser, true: Truth) -> Tensor:
    """The pictures that a method makes of the sources, given the targets' landmarks (the paper's protocol): uint8."""
    made = []
    for start in range(0, len(true), BATCH):
        own = true.pairs.gather(true.chosen[start : start + BATCH])
        names = [EXPRESSIONS[label] for label in own.label.tolist()]
        made.append(
            as_bytes(synthesiser.edit(own.source, names, own.intensity, own.target_landmarks, own.source_landmarks))
        )
    return torch.cat(made)


def measure(synthesiser: Synthesiser, true: Truth) -> Measured:
    """Make all pictures and measure them (`measure_pictures`)."""
    return measure_pictures(make(synthesiser, true), true)


def measure_pictures(pictures: Tensor, true: Truth) -> Measured:
    """Measure pictures as bytes: as they would be saved and looked at.

    Args:
        pictures: uint8 (P, 3, H, W), one for each pair of `true`.
        true: what they are compared with.

    Returns:
        `Measured`; its frame has, beside person and expression, psnr (dB), ssim, lpips (NaN without its weights),
        st_lpips, right (whether the judge named the expression asked for; NaN without a judge), landmark_error (%), and
        identity (distance from the true picture's descriptor); both NaN where `truth` left the content out.
    """
    faces = floats(pictures)
    found = fidelity.landmarks_on(faces) if true.found is not None else None
    described = _described(pictures, found)
    values: dict[str, list] = {name: [] for name in ("psnr", "ssim", "lpips", "st_lpips")}
    functions = {"psnr": psnr, "ssim": ssim, "st_lpips": st_lpips}
    if lpips_distance.available():
        functions["lpips"] = lpips_distance.lpips
    for part, real in zip(faces.split(BATCH), floats(true.target).split(BATCH), strict=True):
        for name, function in functions.items():
            values[name].append(function(part, real).cpu().numpy().astype(float))
    frame = pd.DataFrame(
        {
            "source": true.chosen[:, 0],
            "target": true.chosen[:, 1],
            "person": true.people,
            "expression": [EXPRESSIONS[label] for label in true.labels],
            **{name: np.concatenate(own) if own else np.nan for name, own in values.items()},
        }
    )
    features = fid.features(faces) if true.features is not None else None
    frame["right"] = (true.judge.named(faces) == true.labels).astype(float) if true.judge is not None else np.nan
    frame["landmark_error"] = frame["identity"] = np.nan
    if described:
        frame["landmark_error"] = fidelity.landmark_error(found, true.asked)
        frame["identity"] = fidelity.identity_distance(described.result(), true.descriptors)
    return Measured(frame, pictures, features)


def measure_all(synthesisers: Mapping[str, Sequence[Synthesiser]], true: Truth) -> dict[str, list[Measured]]:
    """`measure` for each method, and for each of its runs with different seeds."""
    return {name: [measure(each, true) for each in runs] for name, runs in synthesisers.items()}


def of_runs(runs: Sequence[Measured], name: str) -> np.ndarray:
    """A metric's values, (runs, P)."""
    return np.stack([run.frame[name].to_numpy(float) for run in runs])


def frames(measured: Mapping[str, Sequence[Measured]]) -> dict[str, pd.DataFrame]:
    """Each method's frame, the metrics averaged over its runs."""
    names = [name for name in METRICS if name not in OF_A_SET]
    return {
        method: runs[0].frame.assign(**{name: of_runs(runs, name).mean(0) for name in names})
        for method, runs in measured.items()
    }


def scores(
    measured: Mapping[str, Sequence[Measured]], true: Truth, resamples: int = 400, seed: int = 0
) -> pd.DataFrame:
    """Each method by each metric.

    Args:
        measured: method -> its runs.
        true: what they are compared with.
        resamples: of FID and KID (`bootstrap.statistic`); means over people take `bootstrap.RESAMPLES`.
        seed: of the resamples.

    Returns:
        columns method, metric, value, low, high (95 % over people, the runs averaged), people, seeds, deviation (over
        seeds, n - 1; NaN with one). What could not be measured has no row.
    """
    lines = []
    for method, runs in measured.items():
        found = {}
        for name in METRICS:
            if name in OF_A_SET:
                continue
            values = of_runs(runs, name)
            if np.isfinite(values).any():
                each = [float(bootstrap.by_person(own, true.people).mean()) for own in values]
                found[name] = bootstrap.mean(values.mean(0), true.people, seed=seed), each
        if true.features is not None and len(true) > 1:
            sets = [fid.Distances(run.features, true.features) for run in runs]
            for name in OF_A_SET:
                functions = [getattr(own, name) for own in sets]
                found[name] = (
                    bootstrap.statistic(_average(functions), true.people, resamples, seed, centred=True),
                    [function() for function in functions],
                )
        for name, (interval, each) in found.items():
            spread = float(np.std(each, ddof=1)) if len(each) > 1 else float("nan")
            lines.append(
                {"method": method, "metric": name, **interval.as_dict(), "seeds": len(each), "deviation": spread}
            )
    return pd.DataFrame(lines)


def _average(functions):
    return lambda positions: float(np.mean([function(positions) for function in functions]))


def against(
    measured: Mapping[str, Sequence[Measured]], true: Truth, editor: str, resamples: int = 400, seed: int = 0
) -> pd.DataFrame:
    """Paired differences of one method from each other one, on the same people.

    Returns:
        columns method (the other one), metric, value (editor - other), low, high, people, better (how many of the people
        the editor is nearer to the mark for; NaN for FID and KID).

    Raises:
        FersynError: the editor was not measured.
    """
    if editor not in measured:
        raise FersynError(f"'{editor}' was not measured; there are: {', '.join(measured)}")
    lines = []
    for other, runs in measured.items():
        if other == editor:
            continue
        for name, metric in METRICS.items():
            better = float("nan")
            if name in OF_A_SET:
                if true.features is None or len(true) < 2:
                    continue
                own, its = (
                    _average([getattr(fid.Distances(run.features, true.features), name) for run in group])
                    for group in (measured[editor], runs)
                )
                found = bootstrap.statistic(_minus(own, its), true.people, resamples, seed, centred=True)
            else:
                own, its = (of_runs(group, name).mean(0) for group in (measured[editor], runs))
                if not np.isfinite(own - its).any():
                    continue
                found = bootstrap.difference(own, its, true.people, seed=seed)
                gap = bootstrap.by_person(own - its, true.people)
                better = int((gap > 0).sum() if metric.better is max else (gap < 0).sum())
            lines.append({"method": other, "metric": name, **found.as_dict(), "better": better})
    return pd.DataFrame(lines)


def _minus(first, second):
    return lambda positions: first(positions) - second(positions)


def nested(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """A result of `scores` or `against` for the JSON: method -> metric -> value, low, high and the rest."""
    found: dict = {}
    for row in table.to_dict("records"):
        found.setdefault(row.pop("method"), {})[row.pop("metric")] = row
    return found


def ranked(frame: pd.DataFrame, metric: str, allowed: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The best and the worst pairs by a metric, one a person as long as there are people: rows of the frame.

    Args:
        frame: of `Measured`.
        metric: a column; best first follows from `METRICS`.
        allowed: (P,) bool, which pairs may be taken.
        number: of each.
    """
    order = frame[metric].to_numpy(float)
    order = -order if METRICS[metric].better is max else order
    rows = np.flatnonzero(np.asarray(allowed, bool) & np.isfinite(order))
    best = _spread(rows[np.argsort(order[rows], kind="stable")], frame["person"].to_numpy(), number)
    left = np.setdiff1d(rows, best)
    worst = _spread(left[np.argsort(-order[left], kind="stable")], frame["person"].to_numpy(), number)
    return best, worst


def _spread(rows: np.ndarray, people: np.ndarray, number: int) -> np.ndarray:
    """The first `number` of the rows, other people first as long as there are any."""
    turn: dict[str, int] = {}
    turns = []
    for row in rows:
        turns.append(turn.setdefault(people[row], 0))
        turn[people[row]] += 1
    chosen = np.argsort(np.array(turns, int), kind="stable")[:number]
    return rows[np.sort(chosen)]
