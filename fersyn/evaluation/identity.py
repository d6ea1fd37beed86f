"""Does a face stay the same person? Face descriptors, Rank-1 identification and TAR at a fixed FAR (Li, Qi & Sun,
Table 6).

Gallery: one known picture of each person. Probe: the pictures to be named. A low distance means the same person.
"""

from dataclasses import dataclass

import numpy as np

from fersyn.errors import FersynError
from fersyn.evaluation.verifiers import distances as between
from fersyn.evaluation.verifiers.dlib_face import DlibFace

# Below this many impostor pairs for each accepted one, a threshold is set by single pairs: FAR 0.1 % wants 10 000
# pairs.
PAIRS_PER_FALSE_ACCEPT = 10


def rank1(gallery: np.ndarray, gallery_ids: np.ndarray, probe: np.ndarray, probe_ids: np.ndarray) -> float:
    """Share (0..1) of the probes whose nearest gallery picture is of the same person.

    Raises:
        FersynError: no probe, or a probe's person is not in the gallery (it could never be right).
    """
    gallery_ids, probe_ids = np.asarray(gallery_ids), np.asarray(probe_ids)
    if not len(probe_ids):
        raise FersynError("rank-1: there is no probe; the table needs people with two pictures or more")
    strangers = sorted(set(probe_ids.tolist()) - set(gallery_ids.tolist()))
    if strangers:
        raise FersynError(f"rank-1: no gallery picture of {', '.join(map(str, strangers[:5]))}")
    nearest = gallery_ids[between("euclidean", gallery, probe).argmin(1)]
    return float((nearest == probe_ids).mean())


def pairs(
    gallery: np.ndarray, gallery_ids: np.ndarray, probe: np.ndarray, probe_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances of all genuine and of all impostor (gallery, probe) pairs."""
    far_apart = between("euclidean", gallery, probe)
    same = np.asarray(probe_ids)[:, None] == np.asarray(gallery_ids)[None]
    return far_apart[same], far_apart[~same]


def roc(genuine: np.ndarray, impostor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true accept rates (T,), rising, when pairs at a distance up to each occurring one are accepted."""
    thresholds = np.unique(np.concatenate([genuine, impostor]))
    far = np.searchsorted(np.sort(impostor), thresholds, "right") / max(len(impostor), 1)
    tar = np.searchsorted(np.sort(genuine), thresholds, "right") / max(len(genuine), 1)
    return np.concatenate([[0.0], far]), np.concatenate([[0.0], tar])


def tar_on_curve(far: np.ndarray, tar: np.ndarray, at: float) -> float:
    """The highest TAR among the curve's points whose FAR does not exceed ``at``."""
    return float(tar[far <= at].max(initial=0.0))


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


def enough_pairs(impostor: np.ndarray, far: float) -> bool:
    """Whether there are so many impostor pairs that a threshold at ``far`` rests on at least ten of them."""
    return len(impostor) * far >= PAIRS_PER_FALSE_ACCEPT


@dataclass(frozen=True)
class Trial:
    """Distances of probes to a gallery, as one verifier sees them.

    Attributes:
        apart: (P, G), of each probe to each gallery face; infinite where a picture shows no face.
        probe: (P,) whose face each probe is.
        gallery: (G,) whose face each gallery face is, each person once.

    Methods take ``rows``, positions of probes (repeated ones count as often), for resampling; None: all once.
    """

    apart: np.ndarray
    probe: np.ndarray
    gallery: np.ndarray

    def __post_init__(self):
        strangers = sorted(set(self.probe.tolist()) - set(self.gallery.tolist()))
        if strangers:
            raise FersynError(f"no gallery picture of {', '.join(map(str, strangers[:5]))}")

    @property
    def same(self) -> np.ndarray:
        """(P, G), whether the pair is of one person."""
        return self.probe[:, None] == self.gallery[None]

    @property
    def genuine(self) -> np.ndarray:
        """Distances of the pairs of one person."""
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

    def enough(self, far: float) -> bool:
        """Whether :meth:`tar` at ``far`` rests on enough pairs."""
        return enough_pairs(self.impostor, far)


@dataclass(frozen=True)
class IdentityCheck:
    """What :func:`check` found. Rates are 0..1, distances those of :func:`pairs`."""

    rank1: float
    genuine: np.ndarray
    impostor: np.ndarray
    people: int
    probes: int

    def tar(self, far: float) -> float:
        """TAR at ``far``."""
        return tar_at_far(self.genuine, self.impostor, far)

    def enough(self, far: float) -> bool:
        """Whether :meth:`tar` at ``far`` rests on enough pairs."""
        return enough_pairs(self.impostor, far)


def choose(rows, probes_per_expression: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Gallery and probe positions in a table's rows.

    Gallery: each person's neutral picture (the first; without one, their first picture). Probe: of each further
    sequence or expression of that person the most intense picture. People with one picture are left out.

    Returns:
        Two int arrays of positions: gallery (one a person) and probe.
    """
    gallery, probe = [], []
    frame = rows.reset_index(drop=True)
    intensity = frame["intensity"].astype(float).fillna(1.0)
    for _, own in frame.groupby(["dataset", "subject"], sort=True):
        if len(own) < 2:
            continue
        neutral = own.index[own["expression"] == "neutral"]
        first = neutral[0] if len(neutral) else own.index[0]
        rest = own.drop(index=first)
        rest = rest[rest["expression"] != "neutral"] if (rest["expression"] != "neutral").any() else rest
        kinds = rest["expression"].astype(object).where(rest["expression"].notna(), rest["sequence"])
        chosen = []
        for _, group in rest.groupby(kinds, sort=True):
            order = intensity[group.index].sort_values(ascending=False, kind="stable").index
            chosen += list(order[:probes_per_expression])
        if chosen:
            gallery.append(first)
            probe += chosen
    return np.array(gallery, int), np.array(probe, int)


def check(table, probes_per_expression: int = 1) -> IdentityCheck | None:
    """Rank-1 and verification on a face table as it is, probes chosen by :func:`choose`; None with fewer than two
    people.
    """
    gallery, probe = choose(table.rows, probes_per_expression)
    if len(gallery) < 2:
        return None
    known, asked = (DlibFace().embed(table.images(part), table.landmarks(part)) for part in (gallery, probe))
    ids = np.asarray(table.people)
    genuine, impostor = pairs(known, ids[gallery], asked, ids[probe])
    return IdentityCheck(rank1(known, ids[gallery], asked, ids[probe]), genuine, impostor, len(gallery), len(probe))
