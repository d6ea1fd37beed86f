"""Faces that a recogniser may learn from beside the real ones of a *lab*, a face table of which few people are learnt from. [ours]

Systems have learnt from another table, and from nobody in the lab; each edits the neutral faces of the lab's people by itself: it
is told an expression and a strength, and whatever landmarks it needs come from its own motion. So what is made of a person
depends on that person alone, and the faces are made once for all folds: those of whoever is learnt from are taken. (In
notebook 06 the method learns from the few people themselves, for each fold anew.) Neutral faces are made as well: if every
neutral face were real, a recogniser could tell the real from the synthetic and call it expression.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import new_people, recognition
from fersyn.evaluation.augmentation.experiment import SIZE, sides
from fersyn.evaluation.augmentation.synthetic import shrunk
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.base import Synthesiser
from fersyn.nets.recogniser import classical
from fersyn.pairs import NEUTRAL
from fersyn.pixels import resize, to_bytes, to_floats
from fersyn.training import runs

STRENGTHS = (0.7, 1.3)  # asked for, least and greatest: a clear, posed expression is 1
NOBODY = ""  # whose a face is that shows nobody of the lab
BATCH = 64
CLASSICAL = "classical variation"


@dataclass(frozen=True)
class Bank:
    """Faces to be learnt from.

    Attributes:
        name: of the system, or of what they are.
        faces: uint8 (N, 3, `SIZE`, `SIZE`).
        labels: int64 (N,), indices into EXPRESSIONS.
        people: object (N,), of which person of the lab each is made; `NOBODY` where of none.
        guides: instruments that had a hand in them.
        about: facts: what it learnt from (people), steps and seconds of the training, seconds a face.
    """

    name: str
    faces: Tensor
    labels: np.ndarray
    people: np.ndarray
    guides: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    def of(self, people: Collection[str]) -> tuple[Tensor, Tensor]:
        """Faces and labels of these people of the lab, and of nobody in it."""
        own = np.flatnonzero(np.isin(self.people.astype(str), [NOBODY, *sorted(people)]))
        return self.faces[own], torch.from_numpy(self.labels[own])


def joined(banks: Sequence[Bank]) -> Bank:
    """The faces of several banks as those of one."""
    return Bank(
        " and ".join(bank.name for bank in banks),
        torch.cat([bank.faces for bank in banks]),
        *(np.concatenate([getattr(bank, name) for bank in banks]) for name in ("labels", "people")),
        tuple(dict.fromkeys(guide for bank in banks for guide in bank.guides)),
    )


def apart(lab, *others) -> Any:
    """The lab without those people who stand in other tables, too; None where that leaves fewer than two, or there is no lab."""
    if lab is None:
        return None
    known = {person for other in others if other is not None for person in other.people}
    stay = ~np.isin(lab.people.astype(str), sorted(map(str, known)))
    if len(set(lab.people[stay])) < 2:
        return None
    return type(lab)(lab.path, lab.rows[stay].reset_index(drop=True), lab.info, lab.skipped)


def trained(run: str | Path, tested: Iterable[str]) -> tuple[Synthesiser, dict[str, Any]]:
    """The system of a run folder, with a landmark motion that knows nobody who is `tested` ('dataset/subject'), and its facts.

    Raises:
        SubjectLeak: its networks have learnt from somebody who is tested.
    """
    tested, seen = set(map(str, tested)), runs.trained_people(Path(run))
    if known := sorted(tested & seen):
        raise SubjectLeak(
            f"{run} was trained on {len(known)} people who are learnt from or tested here ({', '.join(known[:5])}); give the "
            "recognisers another table (parameter lab)"
        )
    told = runs.facts(Path(run))
    about = {"people": len(seen), "steps": told.get("step", 0), "seconds": told.get("seconds", 0.0)}
    return runs.load(run).without(tested), about


def varied(lab, times: float = 10, seed: int = 0) -> Bank:
    """Classical variation: each real face `times` over (once at least), mirrored or not, shifted, in other light and colours. Which
    faces share a draw is dealt, so that no face's copies do.
    """
    once, copies, random = recognition.usable(lab.rows), max(1, round(times)), torch.Generator().manual_seed(seed)
    index, real = np.repeat(once, copies), shrunk(lab, once, SIZE).repeat_interleave(copies, 0)
    faces, order = torch.empty_like(real), torch.randperm(len(real), generator=random)
    faces[order] = classical(real[order], random)
    return Bank(CLASSICAL, faces, lab.labels(index), lab.people[index])


def edited(
    synthesiser: Synthesiser, lab, times: float = 10, seed: int = 0, about: dict[str, Any] | None = None,
    strengths: tuple[float, float] = STRENGTHS,
) -> Bank:  # fmt: skip
    """What a system makes of the lab's people: `times` as many faces as each of them has, expressions in turn, neutral too.

    Args:
        synthesiser: of `trained`.
        lab: FaceTable; of each person who has a neutral face.
        times: synthetic faces to each real one; below 1: a part.
        seed: of sources and strengths.
        about: facts on its training.
        strengths: least and greatest.

    Raises:
        FersynError: nobody in the lab has a neutral face, or the system knows none of its expressions.
    """
    labels, people = lab.labels(), lab.people.astype(str)
    index = recognition.usable(lab.rows)
    kinds = [
        k for k in sorted(set(labels[index].tolist())) if k != NEUTRAL and EXPRESSIONS[k] in synthesiser.expressions
    ]
    recipes: list[tuple[int, int, float]] = []
    for number, person in enumerate(sorted(set(people[index]))):
        own = index[people[index] == person]
        calm, random = own[labels[own] == NEUTRAL], np.random.default_rng([seed, 13, number])
        turns = np.resize(random.permutation([NEUTRAL, *kinds]), round(times * len(own)))
        strength = np.where(turns == NEUTRAL, 0.0, random.uniform(*strengths, len(turns)))
        sources = calm[random.integers(len(calm), size=len(turns))] if len(calm) else turns[:0]
        recipes += sorted(zip(sources.tolist(), turns.tolist(), strength.tolist(), strict=False))
    if not recipes or not kinds:
        raise FersynError(
            f"{lab.path}: {synthesiser.name} finds no neutral face to edit, or knows none of its expressions"
        )
    source, label, strength = map(np.array, zip(*recipes, strict=True))
    began = time.perf_counter()
    faces = to_bytes(torch.cat([
        resize(_edit(synthesiser, lab, *(each[k : k + BATCH] for each in (source, label, strength))), SIZE)
        for k in range(0, len(source), BATCH)
    ]))  # fmt: skip
    about = {**(about or {}), "each": (time.perf_counter() - began) / len(source)}
    return Bank(synthesiser.name, faces, label.astype(np.int64), lab.people[source], synthesiser.guides, about)


def _edit(synthesiser: Synthesiser, lab, source: np.ndarray, label: np.ndarray, strength: np.ndarray) -> Tensor:
    read, place = np.unique(source, return_inverse=True)
    faces, points = lab.tensor(read)[place], torch.from_numpy(lab.landmarks(read))[place]
    names = [EXPRESSIONS[k] for k in label]
    return synthesiser.edit(faces, names, torch.from_numpy(strength).float(), None, points)


def of_systems(
    trainings: Mapping[str, Path], lab, tested: Iterable[str], times: Mapping[str, float], seed: int = 0
) -> tuple[list[Bank], dict[str, Synthesiser], str]:
    """What systems make of the lab's people (`edited`); those of them that have learnt to name expressions, too; and a sentence on
    those that can make none of the lab's expressions without the people who are tested.

    Args:
        trainings: run folders by system.
        times: synthetic faces to each real one, by system.
    """
    made, speaking, unable = [], {}, []
    for name, run in trainings.items():
        system, about = trained(run, tested)
        if set(system.expressions) & set(lab.rows["expression"].dropna()):
            made.append(edited(system, lab, times[name], seed, about))
        else:
            unable.append(name)
        speaking |= {name: system} if system.recognises else {}
    note = f"left out, for without the people who are tested too few are left to move a face by: {', '.join(unable)}"
    return made, speaking, note if unable else ""


def drawn(run: str | Path, view, count: int, tested: Iterable[str], seed: int = 0) -> Bank:
    """New people of a method that draws them; `view`: the table as it was trained on. Raises what `new_people.draw` does, and
    SubjectLeak.
    """
    _, about = trained(run, tested)
    began = time.perf_counter()
    new = new_people.draw(run, view, count, seed)
    about["each"] = (time.perf_counter() - began) / max(1, count)
    faces = to_bytes(resize(to_floats(new.faces), SIZE))
    return Bank(new.method.name, faces, new.labels, np.full(count, NOBODY, object), new.guides, about)


def true(table, tested: Iterable[str]) -> Bank:
    """The true faces of the table's training people: those whom systems have learnt from, as further people to learn from.

    Raises:
        SubjectLeak: one of them is tested.
    """
    train, _ = sides(table)
    if known := sorted(set(map(str, tested)) & set(table.people[train].astype(str))):
        raise SubjectLeak(f"{table.path}: {len(known)} of its training people are tested ({', '.join(known[:5])})")
    about = {"people": len(set(table.people[train]))}
    who = np.full(len(train), NOBODY, object)
    return Bank(f"{table.path.name} people", shrunk(table, train, SIZE), table.labels(train), who, table.guides, about)
