"""Landmark motion: where each landmark goes when a face takes on an expression. [ours]

A face to be edited brings no target landmarks. People whose neutral and expressive faces are known say where they go: those
of the training table, and of photographs that no network learns from. The nearer a person's neutral shape is to the face's
own, the more he counts, so that each face gets a manner of its own; and as a mean of manners is weaker than every one of
them, it is made as strong as they are. How far it goes at 100 % is known by the actions that are to be seen
(`fersyn.methods.strength`).

An edit goes from what is there (`fersyn.methods.worn`): a smile that is asked to be angry leaves the one as it takes on the other.

All that was learnt from is kept, person by person (motion.npz), so that whoever is measured himself can be left out
(`Motion.without`): what is left is what would have been learnt without him.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.files import write_arrays
from fersyn.methods import strength, worn

COMPONENTS = 10  # principal components of the neutral shape that the prediction looks at
WIDTHS = (0.35, 0.5, 0.7, 1.0)  # of the kernel, in deviations a component; the best for people left out is taken
LEAST = 6  # displacements to an expression below which there is nothing to learn
METERED = 8  # people of a table whose actions are measured: a few seconds
FARTHEST = 2.5  # deviations: a face unlike all seen is treated like the nearest that is not
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))  # (upper, lower): they meet, and do not pass through each other
LIPS = ((61, 67), (62, 66), (63, 65))
UPPER_LIP, LOWER_LIP = ((50, 61), (51, 62), (52, 63)), ((67, 58), (66, 57), (65, 56))  # (above, below)
THINNEST = (
    0.55  # of its own height a lip keeps: as much as pressed lips of generated people, whose smirk would else have none
)
OPEN = 0.2  # part of a mouth's width: the lips of one that is wide open are farther apart
JAW = (*range(5, 12), *range(55, 60), *range(65, 68))  # what goes down where a mouth opens: chin and lower lip
_ROWS = ("neutral", "shift", "label", "person", "photo", "true", "bent")


@dataclass(frozen=True, eq=False)
class Motion:
    """Shapes are landmarks (68, 2) in parts of the crop, centre at 0, flattened to 136. A row is what a person does in one
    sequence for one expression.

    Attributes:
        neutral: float32 (P, 136) neutral shape.
        shift: float32 (P, 136) displacement to the expression at intensity 1.
        label: int64 (P,), index into EXPRESSIONS, never neutral.
        person: str (P,), 'dataset/subject'.
        photo: bool (P,), whether it comes of the photographs; else of the training table.
        true: float32 (P, 52) actions of the true peak (`strength.measure`); NaN: not measured.
        bent: float32 (P, D, 52) actions of bent pictures, likewise.
        tables: str (T,), fingerprints of the tables learnt from, that of the training first.
    """

    neutral: np.ndarray
    shift: np.ndarray
    label: np.ndarray
    person: np.ndarray
    photo: np.ndarray
    true: np.ndarray
    bent: np.ndarray
    tables: np.ndarray
    _left_out: dict[frozenset, Motion] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> dict[int, np.ndarray]:
        """Label -> the rows that it is learnt from: photographs, where they show the expression often enough, for nobody
        drew them; else the training table.
        """
        found = {}
        for label in range(1, len(EXPRESSIONS)):
            own = self.label == label
            pools = (np.flatnonzero(own & self.photo), np.flatnonzero(own & ~self.photo))
            if fit := [pool for pool in pools if len(pool) >= LEAST]:
                found[label] = fit[0]
        return found

    @property
    def expressions(self) -> tuple[str, ...]:
        """Expressions that can be predicted; neutral always can."""
        return tuple(name for label, name in enumerate(EXPRESSIONS) if label == 0 or label in self.rows)

    @property
    def metered(self) -> bool:
        """Whether actions say how far to go."""
        return bool(np.isfinite(self.true).any())

    def about(self) -> dict[str, object]:
        """What it was learnt from, for the run's record: people by table, and whether their actions were measured."""
        people = {name: len(set(self.person[self.photo == photo])) for name, photo in _SIDES}
        return people | {"actions": self.metered, "tables": self.tables.tolist()}

    def without(self, people: Iterable[str]) -> Motion:
        """The motion that would have been learnt without these people ('dataset/subject'); itself, if it knows none of them.

        Raises:
            FersynError: nobody would be left.
        """
        gone = frozenset(people) & set(self.person.tolist())
        if not gone:
            return self
        if gone not in self._left_out:
            stay = ~np.isin(self.person, sorted(gone))
            if len(set(self.person[stay])) < 2:
                raise FersynError("landmark motion: without the people who are measured fewer than two are left")
            kept = {name: getattr(self, name)[stay] for name in _ROWS}
            self._left_out[gone] = replace(self, **kept, _left_out={})
        return self._left_out[gone]

    def as_seen(self) -> Motion:
        """The same as far as people's landmarks went, whatever a picture needs to show it."""
        return replace(self, true=np.full_like(self.true, np.nan), _left_out={})

    def predict(
        self,
        landmarks: Tensor,
        label: Tensor,
        intensity: Tensor | float = 1.0,
        source_label: Tensor | None = None,
        size: int = 128,
    ) -> Tensor:
        """Return the landmarks (N, 68, 2) that faces will have.

        Args:
            landmarks: (N, 68, 2) px of the faces as they are, in crops of `size` px.
            label: (N,) expression wanted.
            intensity: from 0, as the face is, to 1, the peak, and beyond; one or (N,). Landmarks go there in a straight
                line, until lids or lips meet or the mouth is as open as any was seen; at 0 they stay, bit for bit.
            source_label: (N,) expression worn, -1 unknown, told by the landmarks; None: unknown for all. Of a face that
                wears one the same part is taken back, at most all of it.

        Raises:
            FersynError: the people learnt from do not show an expression wanted.
        """
        wanted = label.detach().cpu().numpy()
        missing = sorted({EXPRESSIONS[k] for k in wanted} - set(self.expressions))
        if missing:
            raise FersynError(
                f"no landmark motion for {', '.join(missing)}: the training set has too few sequences of it; "
                f"there is: {', '.join(self.expressions)}"
            )
        shape = ((landmarks.detach().double().cpu().numpy() + 0.5) / size - 0.5).reshape(len(landmarks), -1)
        back = self.worn.back(shape, None if source_label is None else source_label.detach().cpu().numpy())
        degree = np.broadcast_to(np.asarray(torch.as_tensor(intensity).cpu(), float), len(shape))[:, None]
        moved = shape + degree.clip(max=1) * back
        for k in np.unique(wanted[wanted > 0]):
            own = wanted == k
            moved[own] += degree[own] * self.towards((shape + back)[own], int(k))
        points = (self._bounded(shape + back, moved).reshape(-1, 68, 2) + 0.5) * size - 0.5
        still = torch.from_numpy(degree[:, :, None] == 0).to(landmarks.device)
        return torch.where(still, landmarks, torch.from_numpy(points).to(landmarks))

    @cached_property
    def worn(self) -> worn.Worn:
        """What faces wear, and how it is taken back, as these people tell it."""
        return worn.fit(self.neutral, self.shift, self.label)

    def towards(self, neutral: np.ndarray, label: int) -> np.ndarray:
        """Displacements (N, 136) at intensity 1 of faces with neutral shapes (N, 136)."""
        rows = self.rows[label]
        seen = self.shift[rows].astype(float)
        weight = _kernel(self._scores(neutral), self._scores(self.neutral[rows]), self.widths[label])
        found = _as_strong(weight, seen)
        found = np.clip(found, seen.min(0), seen.max(0))
        return found * np.repeat(self.gains[label], 2)

    @cached_property
    def gains(self) -> dict[int, np.ndarray]:
        """Label -> (68,), by how much each landmark's displacement is multiplied (`strength.gains`)."""
        found = {}
        for label, rows in self.rows.items():
            measured = rows[np.isfinite(self.true[rows]).all(1)]
            found[label] = strength.gains(self.true[measured], self.bent[measured])
        return found

    @cached_property
    def widths(self) -> dict[int, float]:
        """Label -> width of the kernel: that of WIDTHS which foretells people who are left out best."""
        found = {}
        for label, rows in self.rows.items():
            scores, seen, person = self._scores(self.neutral[rows]), self.shift[rows], self.person[rows]
            other = person[:, None] != person
            errors = [
                np.square(_kernel(scores, scores, width, other) @ seen - seen).sum() if other.any(1).all() else 0.0
                for width in WIDTHS
            ]
            found[label] = WIDTHS[int(np.argmin(errors))]
        return found

    @cached_property
    def basis(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean neutral shape (136,), and axes (136, K): shape -> standardised principal components."""
        from sklearn.decomposition import PCA

        first = np.unique(self.neutral, axis=0).astype(float)
        pca = PCA(min(COMPONENTS, len(first) - 1, first.shape[1]), svd_solver="full").fit(first)
        return pca.mean_, pca.components_.T / np.sqrt(np.maximum(pca.explained_variance_, 1e-9))

    def _scores(self, shape: np.ndarray) -> np.ndarray:
        mean, axes = self.basis
        return np.clip((shape - mean) @ axes, -FARTHEST, FARTHEST)

    def _bounded(self, neutral: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """`moved` shapes of faces whose neutral shape is known, with mouths no wider open than any seen, lids and lips that do
        not pass through each other, and lips that stay lips.
        """
        start, end = neutral.reshape(-1, 68, 2), moved.reshape(-1, 68, 2).copy()
        seen = (self.neutral + self.shift).reshape(-1, 68, 2)

        def gap(shapes: np.ndarray, upper: int, lower: int) -> np.ndarray:
            return shapes[:, lower, 1] - shapes[:, upper, 1]

        most = np.maximum(gap(seen, *LIPS[1]).max(), gap(start, *LIPS[1]))
        end[:, JAW, 1] -= (gap(end, *LIPS[1]) - most).clip(0)[:, None]
        for pair in (*LIDS, *LIPS):
            crossed = (gap(end, *pair) - gap(start, *pair).clip(max=0)).clip(max=0)
            end[:, pair, 1] += crossed[:, None] * (0.5, -0.5)
        for pairs, outer, way in ((UPPER_LIP, 0, -1), (LOWER_LIP, 1, 1)):
            for pair in pairs:
                high = gap(start, *pair)
                short = (np.minimum(high, THINNEST * high) - gap(end, *pair)).clip(0)
                end[:, pair[outer], 1] += way * short
        return end.reshape(len(end), -1)

    def save(self, path: Path) -> None:
        """Write motion.npz atomically."""
        write_arrays(Path(path), self.arrays())

    def arrays(self) -> dict[str, np.ndarray]:
        """All that was learnt from, by name, as `Motion` is made of it."""
        return {name: getattr(self, name) for name in (*_ROWS, "tables")}


def shuts(source: Tensor, target: Tensor) -> Tensor:
    """Whether (N,) mouths that are wide open in landmarks `source` (N, 68, 2) are closed in `target`: nobody has seen the lips
    that belong there, and what was between them leaves traces.
    """
    (upper, lower), (left, right) = LIPS[1], (48, 54)
    before, after = (each[:, lower, 1] - each[:, upper, 1] for each in (source, target))
    return (before > OPEN * (source[:, right] - source[:, left]).norm(dim=-1)) & (after < before / 2)


_SIDES = (("training", False), ("photographs", True))


def load(path: Path) -> Motion:
    """Read a motion.npz; raises FersynError if it is none."""
    again = "learn it again: fersyn train METHOD --data TABLE --out RUN --resume"
    try:
        with np.load(path, allow_pickle=False) as data:
            return Motion(**dict(data))
    except TypeError:
        raise FersynError(f"{path} is no landmark motion of this version of fersyn; {again}") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FersynError(f"{path} is no landmark motion ({error}); {again}") from None


def fit(table, index: np.ndarray | None = None, photographs: Sequence = (), meter=None) -> Motion:
    """Learn from the training people of a face table, and from everybody in tables of photographs.

    Pairs of a neutral and an expressive frame of one sequence are used (of one person, where there are no sequences).

    Args:
        table: FaceTable.
        index: rows to learn from; None: all with split "train".
        photographs: FaceTables that nothing else is trained on.
        meter: `fersyn.nets.instruments.ActionMeter`, which says how far to go at 100 %; None: as far as the landmarks went.

    Raises:
        FersynError: no such pairs, or neutral faces of a single shape.
        SubjectLeak: `index` or the photographs reach into the hold-out people.
    """
    from fersyn import splits  # and with it pandas, which an edit does without

    index = np.flatnonzero(table.rows["split"] == "train") if index is None else np.asarray(index)
    held_out = table.rows[table.rows["split"] == "test"]
    splits.check_disjoint(table.rows.iloc[index], held_out)
    found = [_learnt(table, index, False, meter)]
    for each in photographs:
        splits.check_disjoint(each.rows, held_out)
        found.append(_learnt(each, np.arange(len(each)), True, meter))
    if not len(found[0]["label"]):
        raise FersynError(
            f"{table.path}: no person with a neutral and an expressive face in the training split; landmark motion "
            "cannot be learnt from it"
        )
    arrays = {name: np.concatenate([part[name] for part in found]) for name in _ROWS}
    if len(np.unique(arrays["neutral"], axis=0)) < 2:
        raise FersynError(f"{table.path}: landmark motion takes two neutral faces to learn from, there is one")
    return Motion(**arrays, tables=np.array([each.info.get("fingerprint", "") for each in (table, *photographs)], str))


def _learnt(table, index: np.ndarray, photo: bool, meter) -> dict[str, np.ndarray]:
    """The rows that a table gives, as `Motion` has them."""
    neutral, peak = _pairs(table, index)
    shape = ((table.landmarks().astype(float) + 0.5) / table.size - 0.5).reshape(len(table), -1)
    labels, people, degree = table.labels(), table.people, table.intensities().clip(0.3)
    names = table.rows["sequence"].fillna("").astype(str).to_numpy(dtype=object)
    groups: dict[tuple, list[int]] = {}
    for pair, at in enumerate(peak):
        groups.setdefault((people[at], names[at], int(labels[at])), []).append(pair)
    calm = [shape[neutral[own]].mean(0) for own in groups.values()]
    moved = [((shape[peak[own]] - shape[neutral[own]]) / degree[peak[own], None]).mean(0) for own in groups.values()]
    true, bent = np.full((len(groups), 52), np.nan), np.full((len(groups), len(strength.DEGREES), 52), np.nan)
    if meter is not None:
        strongest = {key: own[int(np.argmax(degree[peak[own]]))] for key, own in groups.items()}
        first = {(key[0], key[2]): row for row, key in reversed(list(enumerate(groups)))}  # one sequence an expression
        some = list(dict.fromkeys(key[0] for key in groups))[:METERED]
        rows = sorted(row for (person, _), row in first.items() if person in some)
        chosen = np.array([list(strongest.values())[row] for row in rows], int)
        if len(rows):
            true[rows], bent[rows] = strength.measure(table, neutral[chosen], peak[chosen], meter)
    return {
        "neutral": np.array(calm, np.float32).reshape(-1, 136),
        "shift": np.array(moved, np.float32).reshape(-1, 136),
        "label": np.array([key[2] for key in groups], np.int64),
        "person": np.array([key[0] for key in groups], str),
        "photo": np.full(len(groups), photo),
        "true": true.astype(np.float32),
        "bent": bent.astype(np.float32),
    }


def _kernel(faces: np.ndarray, seen: np.ndarray, width: float, allowed: np.ndarray | bool = True) -> np.ndarray:
    """Weights (N, P), rows sum to 1, of people with components `seen` (P, K) for `faces` (N, K); 0 where not `allowed`."""
    square = ((faces[:, None] - seen) ** 2).mean(-1) / (2 * width**2)
    weight = np.where(allowed, np.exp(square.min(1, keepdims=True) - square), 0.0)
    return weight / weight.sum(1, keepdims=True).clip(1e-300)


def _as_strong(weight: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Means (N, 136) of displacements `seen` (P, 136), as long as these are in the mean."""
    mean = weight @ seen
    usual = weight @ np.linalg.norm(seen, axis=1)
    return mean * (usual / np.linalg.norm(mean, axis=1).clip(1e-9))[:, None]


def _pairs(table, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of neutral and expressive faces that belong together: each expressive one once, the neutral ones in turn."""
    neutral, peak = [], []
    groups = table.sequences(index)
    for person, sequence in sorted(groups, key=lambda name: (name[1] == "", *name)):
        calm, loud = groups[person, sequence]
        for number, at in enumerate(loud if len(calm) else []):
            neutral.append(calm[number % len(calm)])
            peak.append(at)
    return np.array(neutral, int), np.array(peak, int)
