"""Is a synthesised face still that person? Table 6 of Li, Qi & Sun: the gallery holds untouched pictures, the probes
are synthesised.

The gallery holds a neutral picture of everybody in the table, also of the people that a method was trained on: a
network that turns faces into those it has learnt by heart is caught by it. The probes are people of the hold-out alone.
A probe is made from another picture than the one in the gallery, and from another sequence where there is one;
otherwise the verifier could tell the picture instead of the person. [ours: the paper names neither]
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fersyn.errors import FersynError, NoFace, SubjectLeak
from fersyn.evaluation import bootstrap
from fersyn.evaluation.identity import Trial
from fersyn.evaluation.verifiers import Verifier, distances
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.align import fit
from fersyn.methods.base import Synthesiser
from fersyn.pairs import NEUTRAL, Pairs

FARS = (0.01, 0.001)
MEASURES = {"rank1": "Rank-1", "tar_0.01": "TAR at FAR 1 %", "tar_0.001": "TAR at FAR 0.1 %"}
UNTOUCHED = "untouched"


@dataclass(frozen=True)
class LineUp:
    """Who is compared with whom.

    Attributes:
        pairs: where the faces come from.
        gallery: int64 (G,), positions in the table, one a person.
        chosen: int64 (P, 2), positions (source, target): a probe is the source with the target's expression.
        same_picture: how many people's probes are made from the very picture in the gallery, as they have no other.
        same_sequence: how many people's probes are made from another picture of the gallery's sequence.
        left_out: how many people are not in the gallery, as a verifier was trained on them.
    """

    pairs: Pairs
    gallery: np.ndarray
    chosen: np.ndarray
    same_picture: int
    same_sequence: int
    left_out: int = 0

    @property
    def people(self) -> np.ndarray:
        """(P,) whose face each probe is, as 'dataset/subject'."""
        return self.pairs.table.people[self.chosen[:, 0]]

    @property
    def gallery_people(self) -> np.ndarray:
        """(G,) whose face each gallery face is."""
        return self.pairs.table.people[self.gallery]

    @property
    def impostors(self) -> int:
        """Pairs of two people."""
        return len(self.chosen) * (len(self.gallery) - 1)


def line_up(table, frames: int = 1, everybody: bool = False, without: Collection[str] = ()) -> LineUp:
    """Choose gallery and probes.

    Args:
        table: FaceTable.
        frames: probes of each sequence and expression: the strongest pictures.
        everybody: probes of all people, not only of those held out; for tables that nothing was trained on.
        without: people who must not be in the gallery, as a verifier was trained on them.

    Raises:
        SubjectLeak: a probe's person is among `without`.
        FersynError: nobody is held out, nobody of them has two expressions, or the gallery has fewer than two people.
    """
    if frames < 1:
        raise FersynError(f"probe_frames is {frames}: use 1 or more")
    rows = np.ones(len(table), bool) if everybody else (table.rows["split"] == "test").to_numpy()
    if not rows.any():
        raise FersynError(f"{table.path}: nobody is held out for the test; a table of more people is needed")
    pairs = Pairs(table, rows, training=False)
    people, sequence = table.people, table.rows["sequence"].fillna("").astype(str).to_numpy(object)
    intensity = table.rows["intensity"].astype(float).fillna(1.0).to_numpy()
    forward = pairs.forward
    asked = sorted(set(people[forward[:, 0]]))
    known = sorted(set(people))
    leaked = sorted(set(asked) & set(without))
    if leaked:
        raise SubjectLeak(
            f"the verifier was trained on {len(leaked)} of the people it is to tell apart: {', '.join(leaked[:5])}; "
            "train it on others: fersyn train-verifier --out RUN"
        )
    gallery = {
        person: _gallery_picture(table, np.flatnonzero(people == person), sequence, turn)
        for turn, person in enumerate(known)
        if person in asked or person not in without
    }
    if len(gallery) < 2:
        raise FersynError(f"{table.path}: a gallery of one person names everybody rightly; a larger table is needed")
    chosen, shared = [], {"picture": 0, "sequence": 0}
    for person in asked:
        own, known_face = forward[people[forward[:, 0]] == person], gallery[person]
        # The gallery's picture as target: only of people without a neutral face, who have other targets, too.
        own = own[own[:, 1] != known_face]
        for kind, allowed in (
            ("", sequence[own[:, 0]] != sequence[known_face]),
            ("sequence", own[:, 0] != known_face),
            ("picture", np.ones(len(own), bool)),
        ):
            if allowed.any():
                own = own[allowed]
                shared[kind] = shared.get(kind, 0) + 1
                break
        chosen += _strongest(own, table.labels(), sequence, intensity, frames)
    return LineUp(
        pairs,
        np.array(list(gallery.values())),
        np.array(chosen, np.int64),
        shared["picture"],
        shared["sequence"],
        len(known) - len(gallery),
    )


def _gallery_picture(table, own: np.ndarray, sequence: np.ndarray, turn: int) -> int:
    """The first neutral picture of one of the person's sequences; people take turns, so that no expression is left out
    everywhere.
    """
    neutral = own[table.labels(own) == NEUTRAL]
    candidates = neutral if len(neutral) else own
    kinds = sorted(set(sequence[candidates]))
    return int(next(i for i in candidates if sequence[i] == kinds[turn % len(kinds)]))


def _strongest(
    own: np.ndarray, labels: np.ndarray, sequence: np.ndarray, intensity: np.ndarray, frames: int
) -> list[tuple[int, int]]:
    """Of each expression and sequence the strongest targets, each from another source as far as there are sources."""
    found = []
    kinds = pd.Series(list(zip(labels[own[:, 1]].tolist(), sequence[own[:, 1]].tolist(), strict=True)))
    for _, part in kinds.groupby(kinds, sort=True):
        mine = own[part.index]
        targets = sorted(set(mine[:, 1].tolist()), key=lambda i: (-intensity[i], i))[:frames]
        for number, target in enumerate(targets):
            sources = sorted(mine[mine[:, 1] == target, 0].tolist())
            found.append((sources[number % len(sources)], target))
    return found


@dataclass(frozen=True)
class Faces:
    """Pictures uint8 RGB (N, H, W, 3) and the landmarks (N, 68, 2) px that dlib finds in them."""

    images: np.ndarray
    landmarks: np.ndarray


def found(images: np.ndarray) -> Faces:
    """Faces whose landmarks are found anew in every picture, synthesised or not: in use nobody would know them."""
    import torch

    from fersyn.faces.landmarks import find_source_landmarks

    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    return Faces(images, find_source_landmarks(tensor).numpy())


def gallery_of(line: LineUp) -> Faces:
    """The gallery's faces."""
    return found(line.pairs.table.images(line.gallery))


def probes_of(line: LineUp, synthesisers: Mapping[str, Synthesiser], batch: int = 16) -> dict[str, Faces]:
    """The probes by row of the table: `UNTOUCHED` (the true pictures with those expressions), then each method's.

    A method is given the source, the expression's name and intensity, and the landmarks of the true picture, as in the
    paper.
    """
    rows = {UNTOUCHED: found(line.pairs.table.images(line.chosen[:, 1]))}
    for name, synthesiser in synthesisers.items():
        parts = []
        for start in range(0, len(line.chosen), batch):
            own = line.pairs.gather(line.chosen[start : start + batch])
            names = [EXPRESSIONS[label] for label in own.label.tolist()]
            made = synthesiser.edit(own.source, names, own.intensity, own.target_landmarks, own.source_landmarks)
            pixels = ((made.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte()
            parts.append(pixels.permute(0, 2, 3, 1).numpy())
        rows[name] = found(np.concatenate(parts))
    return rows


def trials(
    line: LineUp, verifiers: Mapping[str, Verifier], gallery: Faces, probes: Mapping[str, Faces]
) -> dict[str, dict[str, Trial]]:
    """Every probe against the gallery: by verifier (those that are available) and by row.

    A face that a verifier cannot cut out by its landmarks is infinitely far from everybody: not recognised, and never
    taken for somebody else.

    Raises:
        FersynError: no verifier is available.
    """
    if not any(verifier.available() for verifier in verifiers.values()):
        ways = "; ".join(f"{verifier.title}: {verifier.how}" for verifier in verifiers.values())
        raise FersynError(f"no verifier to tell people apart with. {ways or 'Name one, such as dlib'}")
    result: dict[str, dict[str, Trial]] = {}
    for name, verifier in verifiers.items():
        if not verifier.available():
            continue
        known = described(verifier, gallery)
        result[name] = {
            row: Trial(_apart(verifier, known, described(verifier, faces)), line.people, line.gallery_people)
            for row, faces in probes.items()
        }
    return result


def described(verifier: Verifier, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors (M, D) of those faces that a verifier can cut out, and which they are, bool (N,)."""
    # dlib and OpenCV cut rubbish out of points that fall into one: such faces come to no verifier.
    fine = np.array([_is_face(points) for points in faces.landmarks], bool)
    nothing = np.zeros((0, 1), np.float32)
    if not fine.any():
        return nothing, fine
    try:
        return verifier.embed(faces.images[fine], faces.landmarks[fine]), fine
    except NoFace:  # of a single face, but it ends the call
        vectors = []
        for i in np.flatnonzero(fine):
            try:
                vectors.append(verifier.embed(faces.images[i : i + 1], faces.landmarks[i : i + 1])[0])
            except NoFace:
                fine[i] = False
        return np.stack(vectors) if vectors else nothing, fine


def _is_face(landmarks: np.ndarray) -> bool:
    try:
        fit(landmarks)
    except NoFace:
        return False
    return True


def _apart(
    verifier: Verifier, gallery: tuple[np.ndarray, np.ndarray], probe: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Distances (P, G) of what `described` gave; infinite where one of the two is no face."""
    (known, in_gallery), (asked, in_probe) = gallery, probe
    found = np.full((len(in_probe), len(in_gallery)), np.inf)
    if in_probe.any() and in_gallery.any():
        found[np.ix_(in_probe, in_gallery)] = distances(verifier.score, known, asked)
    return found


def method_of(row: str) -> str:
    """The method of a run's name: its further seeds are `method.seedN`."""
    stem, dot, seed = row.rpartition(".seed")
    return stem if dot and seed.isdigit() else row


def by_method(rows: Mapping[str, Trial]) -> dict[str, list[Trial]]:
    """The trials of one verifier, those of one method's seeds together."""
    result: dict[str, list[Trial]] = {}
    for row, each in rows.items():
        result.setdefault(method_of(row), []).append(each)
    return result


def measure(name: str, one: Trial, rows: np.ndarray | None = None) -> float:
    """A rate of `MEASURES`, 0..1."""
    return one.rank1(rows) if name == "rank1" else one.tar(float(name.removeprefix("tar_")), rows)


def enough(name: str, one: Trial) -> bool:
    """Whether a measure rests on enough pairs of two people."""
    return name == "rank1" or one.enough(float(name.removeprefix("tar_")))


def summary(found: Mapping[str, Mapping[str, Trial]], resamples: int = 400, seed: int = 0) -> pd.DataFrame:
    """The rates, a row a verifier, method and measure.

    Returns:
        columns verifier, method, measure, seeds, value (0..1, mean over seeds; NaN where the pairs are too few),
        deviation (over seeds; NaN for one), low, high (95 % over the probes' people, the gallery as it is), people,
        probes, impostor_pairs, unseen (probes without a face, of the first seed), enough.
    """
    lines = []
    for verifier, rows in found.items():
        for method, each in by_method(rows).items():
            for name in MEASURES:
                lines.append(
                    {"verifier": verifier, "method": method, "measure": name} | _line(name, each, resamples, seed)
                )
    return pd.DataFrame(lines)


def _line(name: str, each: list[Trial], resamples: int, seed: int) -> dict:
    first, nan = each[0], float("nan")
    fine = enough(name, first)
    values = [measure(name, one) for one in each] if fine else [nan]
    line = {
        "seeds": len(each),
        "value": float(np.mean(values)),
        "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else nan,
        "low": nan,
        "high": nan,
        "people": len(set(first.probe.tolist())),
        "probes": len(first.probe),
        "impostor_pairs": len(first.impostor),
        "unseen": int((~first.seen).sum()),
        "enough": fine,
    }
    if fine:
        interval = bootstrap.statistic(
            lambda rows: float(np.mean([measure(name, one, rows) for one in each])), first.probe, resamples, seed
        )
        line["low"], line["high"] = interval.low, interval.high
    return line


def differences(
    rows: Mapping[str, Trial], base: str, name: str = "rank1", resamples: int = 400, seed: int = 0
) -> dict[str, bootstrap.Interval]:
    """How much higher each method's rate is than that of `base`, on the same probes, with the interval over people.

    Args:
        rows: trials of one verifier.
        base: a method among them.
        name: of the measure.
        resamples, seed: of the bootstrap.
    """
    methods = by_method(rows)
    reference = methods.pop(base)

    def gain(own: list[Trial]):
        return lambda part: float(
            np.mean([measure(name, one, part) for one in own])
            - np.mean([measure(name, one, part) for one in reference])
        )

    return {method: bootstrap.statistic(gain(own), own[0].probe, resamples, seed) for method, own in methods.items()}
