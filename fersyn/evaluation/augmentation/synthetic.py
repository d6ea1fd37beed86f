"""Synthetic faces of the training people: their own neutral faces with an expression that another of them wears. [ours]

The paper does not say where the landmarks of its synthetic faces came from. Here they are new: a neutral face of one
training person, moved part of the way to another of that person's poses, plus the displacement from neutral to peak of
*another* training person, mirrored or not, at a new strength. How a displacement looks depends on the pose and the
face, so it is not carried over as it is: the landmark motion says what the expression would do to the source, and of
the guide comes what sets the guide apart from what the motion says of the guide.

Nothing is drawn from anybody but the training people. Neutral faces are made as well: if every neutral face were real,
a recogniser could tell the real from the synthetic and call it expression.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.landmarks import MIRROR
from fersyn.methods.base import Synthesiser
from fersyn.pairs import NEUTRAL, Pairs
from fersyn.pixels import resize, to_bytes

# Displacements are drawn between these, in those of a full expression. A method trained on few people and steps gives
# less expression than it is asked for, so the range reaches beyond 1 (the label's entry stays at 1).
STRENGTHS = (1.0, 1.7)
POSE = 0.5  # largest part of the way to another pose of the same person


@dataclass(frozen=True)
class Recipes:
    """What M synthetic faces are made of.

    Attributes:
        source: int64 (M,), rows of the neutral faces that are edited.
        guide: int64 (M,), rows of the faces whose expression is taken; -1 for neutral.
        label: int64 (M,), index into EXPRESSIONS.
        strength: float32 (M,), intensity 0..1; 0 for neutral.
        landmarks: float32 (M, 68, 2), those of the face to be, px of the table's crops.
    """

    source: np.ndarray
    guide: np.ndarray
    label: np.ndarray
    strength: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def part(self, chosen: np.ndarray) -> Recipes:
        """Some of them."""
        return Recipes(*(getattr(self, field.name)[chosen] for field in fields(self)))


def draw(
    table, rows: np.ndarray, count: int, seed: int = 0, motion=None, strengths: tuple[float, float] = STRENGTHS
) -> Recipes:
    """Draw `count` recipes; those of a smaller count are the first of a larger one.

    Expressions take turns in an order of their own for each round, so that all are equally frequent.

    Args:
        table: FaceTable whose split has training people.
        rows: int64, positions of the training faces that may be used, as sources and as guides.
        count: number of recipes.
        seed: of all that is drawn.
        motion: `fersyn.methods.motion.Motion` of the training people; without one, or for an expression that it does
            not know, the guide's displacement is taken as it is.
        strengths: of the displacements, least and greatest, in those of a full expression.

    Raises:
        SubjectLeak: a row shows one of the table's test people.
        FersynError: nobody among them is there with a neutral face and an expression.
    """
    splits.check_disjoint(table.rows.iloc[rows], table.rows[table.rows["split"] == "test"])
    pairs = Pairs(table, rows, 16).forward  # 16 px: only the pairs are wanted, not the pictures
    labels, people, points = table.labels(), table.people, table.landmarks().astype(np.float64)
    pairs = pairs[labels[pairs[:, 0]] == NEUTRAL]
    sources = np.unique(rows[labels[rows] == NEUTRAL])
    if not len(pairs) or not len(sources):
        raise FersynError(
            f"{table.path}: no training person with a neutral face and an expression: nothing to synthesise from; use "
            "a table of people with both"
        )
    shift, usual = _shifts(table, pairs, sources, motion)
    kinds = sorted({NEUTRAL, *labels[pairs[:, 1]].tolist()})
    random = np.random.default_rng([seed, 11])
    found = []
    for number in range(count):
        if number % len(kinds) == 0:
            turn = random.permutation(kinds)
        label = int(turn[number % len(kinds)])
        # Always the same number of draws: what is drawn for one number does not depend on the one before.
        pick_source, pick_pose, pick_guide, part, strength, mirrored = random.uniform(size=6)
        source = sources[int(pick_source * len(sources))]
        others = sources[people[sources] == people[source]]
        other = others[int(pick_pose * len(others))]
        target = points[source] + POSE * part * (points[other] - points[source])
        guide, strength = -1, strengths[0] + (strengths[1] - strengths[0]) * strength if label != NEUTRAL else 0.0
        if label != NEUTRAL:
            own = np.flatnonzero(labels[pairs[:, 1]] == label)
            foreign = own[people[pairs[own, 1]] != people[source]]
            own = foreign if len(foreign) else own
            chosen = own[int(pick_guide * len(own))]
            guide, moved = pairs[chosen, 1], shift[chosen]
            if mirrored < 0.5:
                moved = moved[list(MIRROR)] * (-1, 1)
            target = target + strength * (usual[label, np.searchsorted(sources, source)] + moved)
        found.append((source, guide, label, min(strength, 1.0), target))
    columns = list(zip(*found, strict=True)) if found else [(), (), (), (), ()]
    return Recipes(
        *(np.array(column, np.int64) for column in columns[:3]),
        np.array(columns[3], np.float32), np.array(columns[4], np.float32).reshape(-1, 68, 2),
    )  # fmt: skip


def _shifts(table, pairs: np.ndarray, sources: np.ndarray, motion) -> tuple[np.ndarray, np.ndarray]:
    """Displacements at full strength, px: what each pair's guide adds to the usual, (P, 68, 2), and what is usual for
    each expression and source, (8, S, 68, 2); 0 where the motion does not know the expression.
    """
    labels, points = table.labels(), table.landmarks()
    strength = table.intensities(pairs[:, 1]).clip(0.3)
    shift = (points[pairs[:, 1]] - points[pairs[:, 0]]).astype(np.float64) / strength[:, None, None]
    usual = np.zeros((len(EXPRESSIONS), len(sources), 68, 2))
    motion = None if motion is None else motion.as_seen()  # a guide's displacement is one of landmarks, not of actions
    for name in motion.expressions if motion is not None else ():
        label = EXPRESSIONS.index(name)
        if label == NEUTRAL:
            continue

        def move(rows: np.ndarray, label: int = label) -> np.ndarray:
            start = torch.from_numpy(points[rows])
            kind, calm = torch.full((len(rows),), label), torch.full((len(rows),), NEUTRAL)
            return (motion.predict(start, kind, 1.0, calm, table.size) - start).numpy().astype(np.float64)

        own = labels[pairs[:, 1]] == label
        usual[label] = move(sources)
        if own.any():
            shift[own] -= move(pairs[own, 0])
    return shift, usual


@torch.inference_mode()
def make(synthesiser: Synthesiser, table, recipes: Recipes, size: int, batch: int = 64) -> Tensor:
    """Synthesise: uint8 (M, 3, size, size) on the CPU.

    The method edits the table's faces at the table's size (what works at a smaller one has its result enlarged); they
    are made smaller afterwards, as real ones are (`shrunk`), so that sharpness does not tell one from the other more
    than it must. A method that edits nobody but draws people (`Synthesiser.sample`) is asked for the expressions alone.
    """
    if not synthesiser.edits:
        names = [EXPRESSIONS[label] for label in recipes.label]
        return to_bytes(resize(synthesiser.sample(len(recipes), names)[0], size)).cpu()
    device = synthesiser.device
    sources, place = np.unique(recipes.source, return_inverse=True)
    faces, points = table.tensor(sources).to(device), torch.from_numpy(table.landmarks(sources)).to(device)
    made = []
    for part in np.split(np.arange(len(recipes)), range(batch, len(recipes), batch)) if len(recipes) else []:
        own = torch.from_numpy(place[part]).to(device)
        names = [EXPRESSIONS[label] for label in recipes.label[part]]
        strength, target = (torch.from_numpy(each[part]).to(device) for each in (recipes.strength, recipes.landmarks))
        made.append(to_bytes(resize(synthesiser.edit(faces[own], names, strength, target, points[own]), size)).cpu())
    return torch.cat(made) if made else torch.zeros(0, 3, size, size, dtype=torch.uint8)


def shrunk(table, rows: np.ndarray, size: int, batch: int = 512) -> Tensor:
    """Real faces of these rows, as bytes (N, 3, size, size)."""
    parts = [to_bytes(resize(table.tensor(rows[k : k + batch]), size)) for k in range(0, len(rows), batch)]
    return torch.cat(parts) if parts else torch.zeros(0, 3, size, size, dtype=torch.uint8)
