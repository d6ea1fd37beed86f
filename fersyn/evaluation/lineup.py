"""Who stands in the gallery, and which pictures are the probes: by one rule for a table's own pictures (notebook 01), by
another for synthesised ones (notebook 05, Table 6 of Li, Qi & Sun: is a synthesised face still that person?).

In 05 the gallery holds a neutral picture of everybody in the table, also of the people that a method was trained on: a
network that turns faces into those it has learnt by heart is caught by it. The probes are people of the hold-out alone.
A probe is made from another picture than the one in the gallery, and from another sequence where there is one;
otherwise the verifier could tell the picture instead of the person. [ours: the paper names neither]
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
import pandas as pd

from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import judging, verification
from fersyn.evaluation.protocol import edited_pairs, pairs_of
from fersyn.evaluation.scores import Scores
from fersyn.evaluation.verification import Faces, Trial, apart, described
from fersyn.evaluation.verifiers import Verifier
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.methods.base import Synthesiser
from fersyn.pairs import NEUTRAL, Pairs
from fersyn.pixels import to_floats, to_images, to_tensor

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
    def items(self) -> list[str]:
        """(P,) 'source-target', the positions in the table."""
        return [f"{source}-{target}" for source, target in self.chosen]

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
    pairs = pairs_of(table, everybody=everybody)
    people, sequence, forward = table.people, _sequences(table), pairs.forward
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
        chosen += _strongest_pairs(table, own, sequence, frames)
    both, left_out = (np.array(list(gallery.values())), np.array(chosen, np.int64)), len(known) - len(gallery)
    return LineUp(pairs, *both, shared["picture"], shared["sequence"], left_out)


def everybody(table, frames: int = 1, without: Collection[str] = ()) -> LineUp | None:
    """`line_up` of all people of a table that nothing was trained on; None without a table, or where nobody has two
    expressions, or there is one person.

    Raises:
        SubjectLeak: see `line_up`.
    """
    try:
        return line_up(table, frames, everybody=True, without=without) if table is not None else None
    except SubjectLeak:
        raise
    except FersynError:
        return None


def _gallery_picture(table, own: np.ndarray, sequence: np.ndarray, turn: int) -> int:
    """The first neutral picture of one of the person's sequences; people take turns, so that no expression is left out
    everywhere.
    """
    neutral = own[table.labels(own) == NEUTRAL]
    candidates = neutral if len(neutral) else own
    kinds = sorted(set(sequence[candidates]))
    return int(next(i for i in candidates if sequence[i] == kinds[turn % len(kinds)]))


def _strongest_pairs(table, own: np.ndarray, sequence: np.ndarray, frames: int) -> list[tuple[int, int]]:
    """Of each expression and sequence the strongest targets, each from another source as far as there are sources."""
    targets = np.unique(own[:, 1])
    kinds = list(zip(table.labels(targets).tolist(), sequence[targets].tolist(), strict=True))
    found = []
    for best in _strongest(table, targets, kinds, frames):
        for number, target in enumerate(best):
            sources = sorted(own[own[:, 1] == target, 0].tolist())
            found.append((sources[number % len(sources)], target))
    return found


def _strongest(table, rows: np.ndarray, kinds: Sequence, number: int) -> Iterable[list[int]]:
    """Of each kind among some rows, kinds sorted, the most intense pictures, the first of equally intense ones first."""
    order = sorted(zip(kinds, -table.intensities(rows), map(int, rows), strict=True))
    for _, own in groupby(order, key=lambda one: one[0]):
        yield [row for *_, row in islice(own, number)]


def _sequences(table) -> np.ndarray:
    return table.rows["sequence"].fillna("").astype(str).to_numpy(object)


def own_pictures(table) -> tuple[np.ndarray, np.ndarray]:
    """Gallery and probes of a table's own pictures, positions int64 (G,) and (P,).

    Gallery: each person's neutral picture (the first; without one, their first picture). Probes: of each expression of
    that person (of each sequence, where there is no label) the most intense further picture. People with one picture are
    left out.
    """
    gallery, probe = [], []
    labels, people, sequence = table.labels(), table.people, _sequences(table)
    for person in sorted(set(people)):
        own = np.flatnonzero(people == person)
        neutral = own[labels[own] == NEUTRAL]
        first = neutral[0] if len(neutral) else own[0]
        rest = own[own != first]
        rest = rest[labels[rest] != NEUTRAL] if (labels[rest] != NEUTRAL).any() else rest
        if len(rest):
            kinds = [EXPRESSIONS[labels[row]] if labels[row] >= 0 else sequence[row] for row in rest]
            gallery.append(first)
            probe += [row for best in _strongest(table, rest, kinds, 1) for row in best]
    return np.array(gallery, np.int64), np.array(probe, np.int64)


def own_trial(table, verifier: Verifier) -> tuple[Trial, Scores] | tuple[None, None]:
    """Are people the same from picture to picture? The table's own pictures (`own_pictures`) by one verifier, as a method
    called `UNTOUCHED`; None with fewer than two people.
    """
    gallery, probe = own_pictures(table)
    if len(gallery) < 2:
        return None, None
    known, asked = (described(verifier, Faces(table.images(part), table.landmarks(part))) for part in (gallery, probe))
    trial = Trial(apart(verifier, known, asked), table.people[probe], table.people[gallery])
    expression = table.rows["expression"].to_numpy(object)[probe]
    return trial, verification.scores({UNTOUCHED: trial}, verifier, table.path.name, probe, expression)


def found(images: np.ndarray) -> Faces:
    """Faces whose landmarks are found anew in every picture, synthesised or not: in use nobody would know them."""
    return Faces(images, find_source_landmarks(to_floats(to_tensor(images))).numpy())


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
        rows[name] = found(to_images(edited_pairs(synthesiser, line.pairs, line.chosen, batch)))
    return rows


def trials(
    line: LineUp, verifiers: Mapping[str, Verifier], gallery: Faces, probes: Mapping[str, Faces]
) -> dict[str, dict[str, Trial]]:
    """Every probe against the gallery: by verifier (those that are available) and by row.

    Raises:
        FersynError: no verifier is available.
    """
    there = {name: verifier for name, verifier in verifiers.items() if verifier.available()}
    if not there:
        ways = "; ".join(f"{verifier.title}: {verifier.how}" for verifier in verifiers.values())
        raise FersynError(f"no verifier to tell people apart with. {ways or 'Name one, such as dlib'}")
    result: dict[str, dict[str, Trial]] = {}
    for name, verifier in there.items():
        known = described(verifier, gallery)
        result[name] = {
            row: Trial(apart(verifier, known, described(verifier, faces)), line.people, line.gallery_people)
            for row, faces in probes.items()
        }
    return result


def scores(
    line: LineUp, found: Mapping[str, Mapping[str, Trial]], verifiers: Mapping[str, Verifier], seed: int = 0
) -> Scores:
    """All trials as rows and rates (see `verification.scores`)."""
    table = line.pairs.table
    expressions = [EXPRESSIONS[label] for label in table.labels(line.chosen[:, 1])]
    parts = [
        verification.scores(rows, verifiers[name], table.path.name, line.items, expressions, seed)
        for name, rows in found.items()
    ]
    return sum(parts[1:], parts[0])


def named(line: LineUp, probes: Mapping[str, Faces], synthesisers: Mapping[str, Synthesiser], seed: int = 0) -> Scores:
    """What the judges call the probes of each method's first seed: whoever changes nothing keeps the person, and shows
    nothing.
    """
    table, found = line.pairs.table, Scores(pd.DataFrame())
    for method, faces in probes.items():
        if verification.method_of(method) == method:
            about = table.labels(line.chosen[:, 1]), line.people, line.items
            guides = {*table.guides, *(synthesisers[method].guides if method in synthesisers else ())}
            keys = {"method": method, "seed": seed, "table": table.path.name}
            found = found + judging.of_faces(to_tensor(faces.images), *about, guides, **keys)
    return found


def unseen(rows: Mapping[str, Trial]) -> dict[str, int]:
    """By method how many probes there are in which one verifier saw no face, of its first seed; only what has some."""
    numbers = {name: int((~each.seen).sum()) for name, each in verification.firsts(rows).items()}
    return {name: number for name, number in numbers.items() if number}


def best_verifier(found: Mapping[str, Mapping[str, Trial]]) -> str:
    """Name of the verifier that tells the untouched people apart best: the largest area under its ROC curve."""
    return max(found, key=lambda name: found[name][UNTOUCHED].area())
