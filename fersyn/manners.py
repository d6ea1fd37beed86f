"""Manners: how people wear their expressions, as displacements of actions and of the mesh; and tasks drawn from them, for what
learns to move a generated face (`fersyn.methods.expression_mapper`). [ours]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.align import similarity
from fersyn.nets.expression_mapper import MOVED, NONE
from fersyn.nets.instruments import ACTIONS, get

if TYPE_CHECKING:
    from fersyn.table import FaceTable

STABLE = (33, 133, 362, 263, 168, 6, 197, 195, 5)  # of the mesh: corners of the eyes, bridge of the nose
# How often a row is drawn: the harder, the more often.
OFTEN = dict(zip((*MOVED, "none"), (1.2, 1.1, 1.3, 1.8, 0.7, 1.8, 0.7, 2.2), strict=True))
# One corner of the mouth, where the table has no contempt.
CONTEMPT = {
    "mouthSmileLeft": 0.45, "mouthDimpleLeft": 0.3, "mouthPressLeft": 0.2, "eyeSquintLeft": 0.1, "mouthLeft": 0.15,
    "browOuterUpLeft": 0.05,
}  # fmt: skip


def _other_side(name: str) -> int:
    for a, b in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(a) and (other := name.removesuffix(a) + b) in ACTIONS:
            return ACTIONS.index(other)
    return ACTIONS.index(name)


MIRRORED = [_other_side(name) for name in ACTIONS]


@dataclass(frozen=True)
class Task:
    """What a step is asked for: N faces.

    Attributes:
        seed, people: who, numbers among those that are learnt from.
        row: int64 (N,), of the mapper's tables.
        strength: (N,).
        shift, mesh: displacements wanted at strength 1, of actions (N, 52) and mesh (N, 478, 2).
        slider: (N, 52), displacements of single actions beside.
        left: (N,), bool: side of contempt.
        mean: (rows, 52) mean displacements; neutral (52,): the mean neutral actions of the table's people.
    """

    seed: int
    people: list[int]
    row: Tensor
    strength: Tensor
    shift: Tensor
    mesh: Tensor
    slider: Tensor
    left: Tensor
    mean: Tensor
    neutral: Tensor


class Manners:
    """Batches: who shows what, how strongly, in whose manner. The manners are those of a face table's training people."""

    def __init__(self, config: Any, table: FaceTable, device: Any):
        self.config, self.device = config, device
        rows = np.flatnonzero((table.rows["split"] == "train").to_numpy())
        meter = get("actions")
        with torch.inference_mode():
            mesh = torch.cat([meter.mesh(table.tensor(rows[k : k + 16])) for k in range(0, len(rows), 16)])
            actions = meter.of_mesh(mesh).cpu().numpy()
        mesh, at = mesh[..., :2].cpu().numpy() / table.size, {int(row): k for k, row in enumerate(rows)}
        labels = table.labels()
        self.shift, self.mesh, self.rows = ([[] for _ in range(NONE + 1)] for _ in range(3))
        calm_rows = []
        for calm, loud in table.sequences(rows).values():
            calm_rows += [at[row] for row in calm]
            for row in loud if len(calm) else ():
                a, b = at[int(calm[0])], at[int(row)]
                kind = MOVED.index(EXPRESSIONS[labels[row]])
                self.shift[kind].append(_open_eyes(actions[b] - actions[a], kind))
                self.mesh[kind].append(rigid(mesh[b], mesh[a]) - mesh[a])
                self.rows[kind].append(int(row))  # whose each is
        if not calm_rows or not any(map(len, self.shift)):
            raise FersynError(
                f"{table.path}: nobody to learn manners from: a neutral and an expressive face are needed"
            )
        if not self.shift[MOVED.index("contempt")]:
            wanted = np.zeros(len(ACTIONS), np.float32)
            for name, value in CONTEMPT.items():
                wanted[ACTIONS.index(name)] = value
            self.shift[MOVED.index("contempt")] = [wanted]
            self.mesh[MOVED.index("contempt")] = [np.zeros_like(mesh[0])]
        self.neutral = actions[calm_rows].mean(0)
        none = np.zeros(len(ACTIONS), np.float32)
        self.mean = np.stack([np.mean(own, 0) if own else none for own in self.shift])
        self.known = [k for k in range(len(MOVED)) if self.shift[k]] + [NONE]

    def batch(self, step: int, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1) -> Task:
        """See `methods.base.Batches`."""
        rng = np.random.default_rng([seed, step])
        often = np.array([(*OFTEN.values(),)[min(k, len(MOVED))] for k in self.known])
        row = rng.choice(self.known, batch_size, p=often / often.sum())
        # A third at full strength; the rest from weak to exaggerated.
        strength = np.where(rng.random(batch_size) < 0.35, 1.0, rng.uniform(0.1, 1.3, batch_size))
        left = rng.random(batch_size) < 0.7
        shift, mesh, sliders = [], [], []
        for kind, side in zip(row, left, strict=True):
            moved, points = self._manner(int(kind), rng)
            if kind == MOVED.index("contempt") and not side:
                moved = moved[MIRRORED]
            shift.append(moved)
            mesh.append(points)
            sliders.append(drawn_sliders(rng) * (kind == NONE or rng.random() < 0.1))
        own = slice(rank * batch_size // world, (rank + 1) * batch_size // world)
        first = step * batch_size

        def tensor(values: Any, kind: torch.dtype = torch.float32) -> Tensor:
            return torch.as_tensor(np.asarray(values), dtype=kind, device=self.device)

        parts = (
            tensor(row, torch.int64),
            tensor(strength),
            tensor(shift),
            tensor(mesh),
            tensor(sliders),
            tensor(left, torch.bool),
        )
        who = [(first + k) % self.config.people for k in range(batch_size)]
        return Task(seed, who[own], *(part[own] for part in parts), tensor(self.mean), tensor(self.neutral))

    def _manner(self, kind: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One person's displacements, or two people's mixed, varied a little."""
        there = self.shift[kind]
        if not there:
            return np.zeros(len(ACTIONS)), np.zeros_like(next(own for own in self.mesh if own)[0])
        a, b = rng.integers(len(there), size=2)
        share = 1.0 if rng.random() < 0.5 else rng.random()
        moved = share * there[a] + (1 - share) * there[b]
        return moved * (1 + 0.1 * rng.standard_normal(len(moved))), share * self.mesh[kind][a] + (
            1 - share
        ) * self.mesh[kind][b]


def _open_eyes(shift: np.ndarray, kind: int) -> np.ndarray:
    if MOVED[kind] not in ("disgust", "happiness"):
        lids = [ACTIONS.index("eyeBlinkLeft"), ACTIONS.index("eyeBlinkRight")]
        shift[lids] = shift[lids].clip(max=0)
    shift[0] = 0  # `_neutral` is no action
    return shift


def rigid(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Points (478, 2) brought onto others by the similarity that fits the stable ones."""
    matrix = similarity(points[list(STABLE)], onto[list(STABLE)])
    return points @ matrix[:, :2].T + matrix[:, 2]


def drawn_sliders(rng: np.random.Generator) -> np.ndarray:
    """One to three displacements of single actions, every other time of both sides alike: (52,), in the order of ACTIONS."""
    wanted = np.zeros(len(ACTIONS), np.float32)
    for chance in (1.0, 0.4, 0.2):
        action, amount = int(rng.integers(1, len(ACTIONS))), rng.uniform(0.15, 0.9) * (-1 if rng.random() < 0.12 else 1)
        both = rng.random() < 0.5
        if rng.random() < chance:
            wanted[action] += amount
            wanted[MIRRORED[action]] = wanted[action] if both else wanted[MIRRORED[action]]
    return wanted.clip(-0.9, 0.9)
