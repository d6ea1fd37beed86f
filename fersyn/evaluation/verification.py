"""Is it the same person? How far faces lie from a gallery's, and the rates that follow from it: Rank-1 identification, and
TAR at a fixed FAR (Li, Qi & Sun, Table 6).

Gallery: one known picture of each person. Probe: the pictures to be named. A low distance means the same person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from fersyn.errors import FersynError, NoFace
from fersyn.evaluation.scores import GUIDE, Metric, Scores, SetScore, register, rows_of
from fersyn.evaluation.verifiers import Verifier, distances
from fersyn.faces.align import fit

FARS = (0.01, 0.001)
# Below this many impostor pairs for each accepted one, a threshold is set by single pairs: FAR 0.1 % wants 10 000
# pairs.
PAIRS_PER_FALSE_ACCEPT = 10

register(Metric("recognised", "nearest gallery face is the own person's", "higher", "%", 1, 100.0))
register(Metric("own_distance", "distance from the own gallery face", "lower", digits=3))
RATES = {
    name: register(Metric(name, title, "higher", "%", 1, 100.0, of_a_set=True))
    for name, title in (("rank1", "Rank-1"), *((f"tar_{far:g}", f"TAR at FAR {100 * far:g} %") for far in FARS))
}


def tar_at_far(genuine: np.ndarray, impostor: np.ndarray, far: float) -> float:
    """Share (0..1) of genuine pairs accepted at the loosest threshold that accepts at most ``far`` of the impostor
    pairs (NaN without a genuine pair).
    """
    genuine, impostor = np.asarray(genuine), np.asarray(impostor)
    if not len(genuine):
        return float("nan")
    allowed = min(int(far * len(impostor)) + 1, len(impostor))
    while allowed and allowed / len(impostor) > far:  # 0.29 * 100 is a little less than 29
        allowed -= 1
    if allowed >= len(impostor):
        return 1.0
    return float((genuine < np.partition(impostor, allowed)[allowed]).mean())


def tar_on_curve(far: np.ndarray, tar: np.ndarray, at: float) -> float:
    """The highest TAR among the points of `Trial.curve` whose FAR does not exceed ``at``."""
    return float(tar[far <= at].max(initial=0.0))


@dataclass(frozen=True)
class Trial:
    """Distances of probes to a gallery, as one verifier sees them.

    Attributes:
        apart: (P, G), of each probe to each gallery face; infinite where a picture shows no face.
        probe: (P,) whose face each probe is.
        gallery: (G,) whose face each gallery face is, each person once.

    Methods take ``rows``, positions of probes (repeated ones count as often), for resampling; None: all once.

    Raises:
        FersynError: no probe, or a probe's person is not in the gallery (it could never be right).
    """

    apart: np.ndarray
    probe: np.ndarray
    gallery: np.ndarray

    def __post_init__(self):
        if not len(self.probe):
            raise FersynError("there is no probe; the table needs people with two pictures or more")
        strangers = sorted(set(self.probe.tolist()) - set(self.gallery.tolist()))
        if strangers:
            raise FersynError(f"no gallery picture of {', '.join(map(str, strangers[:5]))}")

    @property
    def same(self) -> np.ndarray:
        """(P, G), whether the pair is of one person."""
        return self.probe[:, None] == self.gallery[None]

    @property
    def genuine(self) -> np.ndarray:
        """Distances (P,) of the pairs of one person."""
        return self.apart[self.same]

    @property
    def impostor(self) -> np.ndarray:
        """Distances of the pairs of two people."""
        return self.apart[~self.same]

    @property
    def seen(self) -> np.ndarray:
        """(P,), whether a probe was compared with anybody."""
        return np.isfinite(self.apart).any(1)

    @property
    def named(self) -> np.ndarray:
        """(P,) the person of the nearest gallery face; "" for a probe without a face."""
        return np.where(self.seen, self.gallery[self.apart.argmin(1)], "")

    def rank1(self, rows: np.ndarray | None = None) -> float:
        """Share (0..1) of the probes whose nearest gallery face is of the same person."""
        right = self.named == self.probe
        return float((right if rows is None else right[rows]).mean())

    def tar(self, far: float, rows: np.ndarray | None = None) -> float:
        """TAR (0..1) at ``far``."""
        apart, same = (self.apart, self.same) if rows is None else (self.apart[rows], self.same[rows])
        return tar_at_far(apart[same], apart[~same], far)

    def rate(self, name: str, rows: np.ndarray | None = None) -> float:
        """One of `RATES`, 0..1."""
        return self.rank1(rows) if name == "rank1" else self.tar(float(name.removeprefix("tar_")), rows)

    def enough(self, far: float) -> bool:
        """Whether there are so many impostor pairs that a threshold at ``far`` rests on at least ten of them."""
        return len(self.impostor) * far >= PAIRS_PER_FALSE_ACCEPT

    def enough_for(self, name: str) -> bool:
        """Whether one of `RATES` rests on enough pairs of two people."""
        return name == "rank1" or self.enough(float(name.removeprefix("tar_")))

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """False and true accept rates (T,), rising, when pairs at a distance up to each occurring one are accepted."""
        from sklearn.metrics import roc_curve

        return roc_curve(self.same.ravel(), self._accepted(), drop_intermediate=False)[:2]

    def area(self) -> float:
        """Area under the curve, 0..1: how often a pair of one person is nearer than one of two."""
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(self.same.ravel(), self._accepted()))

    def _accepted(self) -> np.ndarray:
        """(P * G,), the greater the sooner a pair is accepted; finite, as scikit-learn wants it."""
        far = self.apart.ravel()
        seen = np.isfinite(far)
        return -np.where(seen, far, far[seen].max(initial=0) + 1)


@dataclass(frozen=True)
class Faces:
    """Pictures uint8 RGB (N, H, W, 3) and their landmarks (N, 68, 2) px."""

    images: np.ndarray
    landmarks: np.ndarray


def described(verifier: Verifier, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors (M, D) of those faces that a verifier can cut out, and which they are, bool (N,)."""

    def cut(function: Callable, *given: Any) -> Any:
        try:
            return function(*given)
        except NoFace:
            return None

    # dlib and OpenCV cut rubbish out of points that fall into one: such faces come to no verifier.
    fine = np.array([cut(fit, points) is not None for points in faces.landmarks], bool)
    vectors = cut(verifier.embed, faces.images[fine], faces.landmarks[fine]) if fine.any() else None
    if vectors is None:  # of a single face, but it ends the call
        each = {i: cut(verifier.embed, faces.images[[i]], faces.landmarks[[i]]) for i in np.flatnonzero(fine)}
        fine = np.array([each.get(i) is not None for i in range(len(fine))], bool)
        vectors = np.concatenate([each[i] for i in np.flatnonzero(fine)] or [np.zeros((0, 1), np.float32)])
    return vectors, fine


def apart(
    verifier: Verifier, gallery: tuple[np.ndarray, np.ndarray], probe: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Distances (P, G) of what `described` gave. A face that a verifier cannot cut out is infinitely far from everybody:
    not recognised, and never taken for somebody else.
    """
    (known, in_gallery), (asked, in_probe) = gallery, probe
    found = np.full((len(in_probe), len(in_gallery)), np.inf)
    if in_probe.any() and in_gallery.any():
        found[np.ix_(in_probe, in_gallery)] = distances(verifier.score, known, asked)
    return found


def scores(
    trials: Mapping[str, Trial],
    verifier: Verifier,
    table: str,
    item: Sequence,
    expression: Sequence,
    seed: int = 0,
    guide: bool = False,
) -> Scores:
    """One verifier's trials as `Scores`: a row a probe, and the rates, which only the set of probes has.

    Args:
        trials: by row of the table; the runs of a method's further seeds are named `method.seedN` (`method_of`).
        verifier: whose they are; its title stands in the column `verifier`.
        table: name of the face table.
        item, expression: (P,) what each probe is.
        seed: of the first run of each method.
        guide: whether the verifier had a hand in making the probes.
    """
    rows, sets, marks = [], [], {GUIDE: True} if guide else {}
    for name, trial in trials.items():
        method = method_of(name)
        own = seed if method == name else int(name.rpartition(".seed")[2])
        keys = {"verifier": verifier.title, "method": method, "seed": own, "table": table, **marks}
        each = {"recognised": trial.named == trial.probe, "own_distance": trial.genuine}
        rows += [rows_of(metric, values, trial.probe, item, expression, **keys) for metric, values in each.items()]
        sets += [
            SetScore(keys, rate, trial.probe, partial(trial.rate, rate)) for rate in RATES if trial.enough_for(rate)
        ]
    return Scores(pd.concat(rows, ignore_index=True), tuple(sets))


def method_of(row: str) -> str:
    """The method of a run's name: its further seeds are `method.seedN`."""
    stem, dot, seed = row.rpartition(".seed")
    return stem if dot and seed.isdigit() else row


def firsts(rows: Mapping[str, Trial]) -> dict[str, Trial]:
    """The trials of each method's first seed."""
    return {name: each for name, each in rows.items() if method_of(name) == name}
