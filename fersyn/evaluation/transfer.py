"""What a recogniser that has learnt from people who do not exist calls photographs of people who do. [ours]

Trained on one domain and tested on another; nobody of the photographs is learnt from. Its answers are rows of scores as those
of the judges: a source is a method.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.evaluation import judging, recognition
from fersyn.evaluation.fidelity import OwnJudge
from fersyn.evaluation.scores import Scores, rows_of
from fersyn.nets.instruments import Judge
from fersyn.nets.recogniser import train_recogniser
from fersyn.table import FaceTable

STEPS = 600  # of each training, however many faces there are
BATCH = 32
# A smile is a smile long before another expression is one: judges name it at half its strength (docs/generator/CARD.md).
SMILE = 0.4


def learn(tables: Sequence[FaceTable], steps: int = STEPS, seed: int = 0) -> OwnJudge:
    """Train the recogniser on everybody of some tables, and freeze it.

    Each expression of each table is dealt equally often. Otherwise a table that has one neutral face a person would say next to
    nothing of neutral beside one that has twenty.

    Args:
        tables: face tables; `split` does not matter, for it is other tables that are named. Contempt is left out, as the
            judges of `fersyn.nets.instruments` do not know it either.
        steps: of 32 faces.
        seed: of weights, order and augmentation.

    Raises:
        FersynError: no face with an expression.
    """
    index = [_clear(table) for table in tables]
    labels = [table.labels(own) for table, own in zip(tables, index, strict=True)]
    known = np.concatenate([np.zeros(0, np.int64), *labels])
    if not len(known):
        raise FersynError(f"{', '.join(str(table.path) for table in tables)}: no face with an expression to learn from")
    classes, place = np.unique(known, return_inverse=True)
    faces = torch.cat([table.tensor(own) for table, own in zip(tables, index, strict=True)])
    network = train_recogniser(
        faces, torch.from_numpy(place), epochs=1, seed=seed, classes=len(classes), batch=BATCH,
        pool=_dealt_alike(labels, steps * BATCH, seed),
    )  # fmt: skip
    people = {who for table, own in zip(tables, index, strict=True) for who in table.people[own]}
    return OwnJudge(network, tuple(classes.tolist()), len(people), len(known))


def named(
    sources: Mapping[str, Sequence[FaceTable]],
    photographs: Sequence[FaceTable],
    steps: int = STEPS,
    seeds: int = 1,
    seed: int = 0,
) -> Scores:
    """What recognisers call pictures of face tables, the clearest of each person and expression, each trained on one of
    `sources` (name -> its face tables), `seeds` times; no row without photographs.

    Raises:
        SubjectLeak: somebody stands in a source and in the photographs.
        FersynError: as `learn`.
    """
    parts = []
    for name, tables in sources.items() if photographs else ():
        for learnt, shown in product(tables, photographs):
            splits.check_disjoint(learnt.rows, shown.rows)
        for k in range(seed, seed + seeds):
            judge = learn(tables, steps, k)
            parts += [_answers(judge, shown, method=name, seed=k) for shown in photographs]
    return Scores(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def _answers(judge: OwnJudge, table: FaceTable, **keys: Any) -> pd.DataFrame:
    index = _asked(table)
    right = judging.rightly(judge, table.tensor(index), table.labels(index))
    shown = table.rows["expression"].to_numpy(object)[index]
    found = rows_of(judging.KIT, right, table.people[index], index, shown, table=table.path.name, **keys)
    return found.dropna(subset="value")


def _asked(table: FaceTable) -> np.ndarray:
    """Positions of the faces that show what every judge knows, clearly."""
    index = recognition.usable(table.rows)
    return index[np.isin(table.labels(index), Judge.classes)]


def _clear(table: FaceTable) -> np.ndarray:
    """The same and weak smiles, of the faces to learn from."""
    weak = (table.rows["expression"] == "happiness") & (table.rows["intensity"] >= SMILE)
    return np.union1d(_asked(table), np.flatnonzero(weak & recognition.distinct(table.rows)))


def _dealt_alike(labels: Sequence[np.ndarray], count: int, seed: int) -> torch.Tensor:
    """`count` positions in the labels of all tables, one table after the other: each table, and in it each label, as likely."""
    labels = [own for own in labels if len(own)]
    alike = [1 / np.bincount(own)[own] / len(np.unique(own)) / len(labels) for own in labels]
    chance = torch.from_numpy(np.concatenate(alike))
    return torch.multinomial(chance, count, replacement=True, generator=torch.Generator().manual_seed(seed))
