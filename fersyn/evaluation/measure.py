"""Every method by every metric on the same pairs: made once, measured once, kept for tables and pictures.

`truth` takes the true pictures, `evaluate` makes and measures those of the methods. What it gives are rows of the long table
of `scores`, which also sums up. Each instrument (landmarks, descriptors, features) reads a set of pictures once (`Pictures`),
and a metric compares what was read: the list stands below.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn import weights
from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.evaluation import fid, fidelity, image_metrics, sharpness
from fersyn.evaluation.judging import NAMED, marked
from fersyn.evaluation.protocol import BATCH, edited_pairs, measured_pairs, moved
from fersyn.evaluation.scores import COLUMNS, METRICS, Metric, Scores, SetScore, register, rows_of
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.methods.base import Synthesiser
from fersyn.nets.dlib_face import describe
from fersyn.pairs import Pairs
from fersyn.pixels import rescale, to_bytes, to_floats, to_images


class Pictures:
    """Some pictures, and what the instruments read on them: each reads once, when it is first asked.

    Args:
        pixels: uint8 (P, 3, H, W) on the CPU; `faces` are the same in [-1, 1], where instruments compute.
    """

    def __init__(self, pixels: Tensor):
        self.pixels, self.faces = pixels, to_floats(pixels.to(default_device()))

    @cached_property
    def landmarks(self) -> np.ndarray:
        """(P, 68, 2) px, found anew."""
        return find_source_landmarks(self.faces).cpu().numpy()

    @cached_property
    def features(self) -> np.ndarray:
        """(P, 2048) of FID's network."""
        return fid.features(self.faces)

    @cached_property
    def descriptors(self) -> np.ndarray:
        """(P, 128), dlib's."""
        return describe(to_images(self.pixels), self.landmarks).astype(np.float32)


@dataclass(frozen=True)
class Truth:
    """The true pictures of some pairs, and which instruments are asked.

    Attributes:
        pairs, chosen: where they come from, (P, 2) positions (source, target) in the table.
        people: (P,) 'dataset/subject'.
        labels: (P,) index into EXPRESSIONS.
        source, target: uint8 (P, 3, H, W).
        asked: (P, 68, 2) landmarks of the table, which the methods are given.
        judge: the frozen recogniser, or None.
        sets: whether FID and KID are asked for.
        content: whether landmarks and dlib's descriptors are read, which takes half of the time.
    """

    pairs: Pairs
    chosen: np.ndarray
    people: np.ndarray
    labels: np.ndarray
    source: Tensor
    target: Tensor
    asked: np.ndarray
    judge: fidelity.OwnJudge | None
    sets: bool = True
    content: bool = True

    def __len__(self) -> int:
        return len(self.chosen)

    @cached_property
    def read(self) -> Pictures:
        """The true pictures as the instruments see them."""
        return Pictures(self.target)

    @cached_property
    def source_landmarks(self) -> np.ndarray:
        """(P, 68, 2) px of the sources, as the table has them."""
        side = self.pairs.table.size
        points = torch.from_numpy(self.pairs.table.landmarks(self.chosen[:, 0]))
        return rescale(points, side, self.source.shape[-1]).numpy()

    @property
    def table(self) -> str:
        """The name of the face table."""
        return self.pairs.table.path.name

    @property
    def names(self) -> list[str]:
        """(P,) the expressions asked for."""
        return [EXPRESSIONS[label] for label in self.labels]

    @property
    def with_fid(self) -> bool:
        """Whether FID and KID can be measured."""
        return self.sets and fid.available() and len(self) > 1

    def rows(
        self, metric: str, values: np.ndarray, method: str, seed: int = 0, guides: Collection[str] = ()
    ) -> pd.DataFrame:
        """Rows of the long table: an item is 'source-target', the positions in the face table. `guides`: instruments that
        had a hand in making the faces, beside those of the table.
        """
        items = [f"{source}-{target}" for source, target in self.chosen]
        about = {"method": method, "seed": seed, "table": self.table}
        about |= marked(metric, {*guides, *self.pairs.table.guides})
        return rows_of(metric, values, self.people, items, self.names, **about).dropna(subset="value")

    def part(self, kept: np.ndarray) -> Truth:
        """Some of the pairs, mask (P,)."""
        own = {name: getattr(self, name)[kept] for name in ("chosen", "people", "labels", "asked")}
        return replace(self, **own, source=self.source[kept], target=self.target[kept])

    def readings(self, metrics: Sequence[str] = (*NAMED, "landmark_error", "sharpness")) -> Scores:
        """What the instruments read on the true pictures themselves, as a method called `fidelity.TRUE`."""
        made = {name: METRICS[name].function(self.read, self) for name in metrics}
        parts = [self.rows(name, own, fidelity.TRUE) for name, own in made.items() if own is not None]
        return Scores(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS)))


def truth(
    pairs: Pairs, chosen: np.ndarray, judge: fidelity.OwnJudge | None = None, sets: bool = True, content: bool = True
) -> Truth:
    """The true pictures of some pairs.

    Args:
        pairs: where the faces come from.
        chosen: int64 (P, 2), of `protocol.measured_pairs`.
        judge: names expressions; None: nobody does.
        sets: also FID and KID, where the weights are there.
        content: also landmarks and dlib's descriptors, which take half of the time.
    """
    parts = [pairs.gather(chosen[start : start + BATCH]) for start in range(0, len(chosen), BATCH)]
    source, target = (
        torch.cat([to_bytes(getattr(part, side)).cpu() for part in parts]) for side in ("source", "target")
    )
    asked = torch.cat([part.target_landmarks for part in parts]).cpu().numpy()
    labels = torch.cat([part.label for part in parts]).cpu().numpy()
    people = pairs.table.people[chosen[:, 1]]
    return Truth(pairs, chosen, people, labels, source, target, asked, judge, sets, content)


def everybody(table) -> Truth | None:
    """The true pictures of all people of a table that nothing was trained on, without FID and KID; None without a table, or
    where nobody has two expressions.
    """
    try:
        return truth(*measured_pairs(table, everybody=True), sets=False) if table is not None else None
    except FersynError:
        return None


def held_out(table, judge=None) -> Truth | None:
    """The true pictures of a table's people held out, without FID and KID; None without a table."""
    return truth(*measured_pairs(table), judge, sets=False) if table is not None else None


@dataclass(frozen=True)
class Measured:
    """What the methods made of the pairs.

    Attributes:
        scores: rows of the long table.
        pictures: method -> those of each of its runs, uint8 (P, 3, H, W).
    """

    scores: Scores
    pictures: dict[str, list[Tensor]] = field(default_factory=dict)

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.scores + other.scores, {**self.pictures, **other.pictures})

    def of(self, *methods: str) -> Measured:
        """Some of the methods."""
        return Measured(self.scores.of(method=methods), {name: self.pictures[name] for name in methods})

    def frame(self, method: str, run: int | None = None) -> pd.DataFrame:
        """A row a pair: source, target, person, expression, and a column a metric; averaged over the runs, or of one.

        Metrics that were not measured are columns of NaN.
        """
        rows = self.scores.of(method=method).rows
        if run is not None:
            rows = rows[rows["seed"] == rows["seed"].unique()[run]]
        order = rows["item"].unique()
        values = rows.pivot(index=["seed", "item"], columns="metric", values="value").groupby("item").mean()
        about = rows.drop_duplicates("item").set_index("item")[["person", "expression"]].loc[order]
        places = pd.DataFrame([map(int, item.split("-")) for item in order], columns=["source", "target"], index=order)
        names = [name for name in METRICS if name in values or METRICS[name].function and not METRICS[name].of_a_set]
        return pd.concat([places, about, values.reindex(order).reindex(columns=names)], axis=1).reset_index(drop=True)


def evaluate(
    synthesisers: Mapping[str, Synthesiser | Sequence[Synthesiser]],
    true: Truth,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
) -> Measured:
    """Edit each source to its target's expression, given the target's landmarks (the paper's protocol), and measure the
    pictures as they would be saved, as bytes.

    Args:
        synthesisers: by name; several of one name are its runs with seed, seed + 1, ...
        true: the pairs, and what the results are compared with.
        metrics: names; None: all of the tables of notebook 03.
        seed: of each method's first run, for the rows.
    """
    found = Measured(Scores(pd.DataFrame()))
    for name, runs in synthesisers.items():
        for number, each in enumerate(runs if isinstance(runs, Sequence) else [runs]):
            pictures = Pictures(edited_pairs(each, true.pairs, true.chosen))
            scores = measure(pictures, true, name, seed + number, metrics, each.guides)
            if AT_ZERO in metrics if metrics else true.content:
                scores = scores + at_zero(each, true, name, seed + number)
            found.pictures.setdefault(name, []).append(pictures.pixels)
            found = Measured(found.scores + scores, found.pictures)
    return found


def own_motion(
    synthesiser: Synthesiser, name: str, trues: Sequence[Truth | None], metrics: Sequence[str] = NAMED, seed: int = 0
) -> Scores:
    """What a method makes of the sources by itself, at full strength (`protocol.moved`), and the true pictures beside
    it; of the expressions that its motion knows, for pairs of one table or more (None is left out). `name`: of its rows.
    """
    found = Scores(pd.DataFrame())
    for whole in filter(None, trues):
        kept = np.isin(whole.names, synthesiser.expressions)
        if kept.any():
            true = whole.part(kept)
            made = Pictures(to_bytes(moved(synthesiser, true.pairs.table, true.chosen[:, 0], true.names)))
            own = measure(made, true, name, seed, metrics, synthesiser.guides)
            found = found + true.readings(metrics) + own
    return found


def at_zero(synthesiser: Synthesiser, true: Truth, method: str, seed: int = 0) -> Scores:
    """How much a method changes the sources that it is asked to edit by itself at intensity 0: grey levels, mean over the
    pixels; of each source once.
    """
    able = np.flatnonzero(np.isin(true.names, synthesiser.expressions))
    kept = able[np.unique(true.chosen[able, 0], return_index=True)[1]]
    if not len(kept):
        return Scores(pd.DataFrame())
    own, table = true.part(kept), true.pairs.table
    rows = own.chosen[:, 0]
    made = to_bytes(moved(synthesiser, table, rows, own.names, 0.0)).float()
    far = (made - to_bytes(table.tensor(rows)).float()).abs().mean((1, 2, 3))
    return Scores(own.rows(AT_ZERO, far.numpy(), method, seed))


def measure(
    made: Pictures,
    true: Truth,
    method: str,
    seed: int = 0,
    metrics: Sequence[str] | None = None,
    guides: Collection[str] = (),
) -> Scores:
    """All metrics of one set of pictures; those that cannot be measured here have no rows.

    Args:
        made: a picture for each pair of `true`.
        true: what they are compared with.
        method, seed: for the rows.
        metrics: names; None: all of the tables of notebook 03.
        guides: instruments that had a hand in making them.
    """
    wanted = [metric for name, metric in METRICS.items() if (name in metrics if metrics else metric.group)]
    rows, sets = [], []
    for metric in wanted:
        found = metric.function(made, true) if metric.function else None
        if found is None:
            continue
        if metric.of_a_set:
            keys = {"method": method, "seed": seed, "table": true.table}
            sets.append(SetScore(keys, metric.name, true.people, found))
        else:
            rows.append(true.rows(metric.name, found, method, seed, guides))
    return Scores(pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(), tuple(sets))


def ranked(frame: pd.DataFrame, metric: str, allowed: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The best and the worst pairs by a metric, one a person as long as there are people: rows of the frame.

    Args:
        frame: of `Measured.frame`.
        metric: a column; best first follows from `METRICS`.
        allowed: (P,) bool, which pairs may be taken.
        number: of each.
    """
    order = frame[metric].to_numpy(float)
    order = -order if METRICS[metric].better == "higher" else order
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


def _by_batch(function: Callable[[Tensor, Tensor], Tensor], needed: str = "") -> Callable:
    """A metric that compares picture with picture, some at a time; None where the weights it needs are missing."""

    def values(made: Pictures, true: Truth) -> np.ndarray | None:
        if needed and weights.find(needed) is None:
            return None
        parts = zip(made.faces.split(BATCH), true.read.faces.split(BATCH), strict=True)
        return np.concatenate([function(*part).cpu().numpy().astype(float) for part in parts])

    return values


def _distance(name: str) -> Callable:
    return lambda made, true: getattr(fid.Distances(made.features, true.read.features), name) if true.with_fid else None


def _content(read: Callable[[Pictures, Truth], np.ndarray]) -> Callable:
    return lambda made, true: read(made, true) if true.content else None


_landmark_error = _content(lambda made, true: fidelity.landmark_errors(made.landmarks, true.asked).mean(1))
_identity = _content(lambda made, true: fidelity.identity_distance(made.descriptors, true.read.descriptors))


def _sharpness(function: Callable) -> Callable:
    def read(made: Pictures, true: Truth) -> np.ndarray:
        pictures = (to_images(each) for each in (made.pixels, true.source))
        return function(*pictures, true.source_landmarks, true.asked)

    return _content(read)


AT_ZERO = "change_at_0"
_LPIPS, _ST_LPIPS = image_metrics.LPIPS, image_metrics.ST_LPIPS
_SET = {"group": "picture", "weights": fid.WEIGHTS, "of_a_set": True, "centred": True}
for _metric in (
    Metric("psnr", "PSNR", "higher", "dB", 2, group="picture", function=_by_batch(image_metrics.psnr)),
    Metric("ssim", "SSIM", "higher", "", 3, group="picture", function=_by_batch(image_metrics.ssim)),
    Metric("lpips", "LPIPS", "lower", "", 3, 1, _LPIPS, "picture", function=_by_batch(image_metrics.lpips, _LPIPS)),
    Metric(
        "st_lpips", "ST-LPIPS", "lower", "", 3, 1, _ST_LPIPS, "picture",
        function=_by_batch(image_metrics.st_lpips, _ST_LPIPS),
    ),
    Metric("fid", "FID", "lower", "", 1, 1, **_SET, function=_distance("fid")),
    Metric("kid", "KID × 10³", "lower", "", 1, 1000, **_SET, function=_distance("kid")),
    Metric("landmark_error", "landmark error", "lower", "%", 2, group="content", function=_landmark_error),
    Metric("identity", "identity distance", "lower", "", 3, group="content", function=_identity),
    Metric("sharpness", "sharpness kept", "higher", "%", 0, 100, group="kept", function=_sharpness(sharpness.kept)),
    Metric(
        "sharpness_still", "sharpness kept where nothing moves", "higher", "%", 0, 100, group="kept",
        function=_sharpness(sharpness.kept_still),
    ),
    Metric(AT_ZERO, "change at intensity 0", "lower", "grey levels", 2, group="kept"),
):  # fmt: skip
    register(_metric)
