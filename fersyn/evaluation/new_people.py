"""People whom a method draws: are they new, do they show what they should, and does a recogniser learn from them? [ours]

The ablation is that which "Facial Expression Synthesis and Recognition with Pre-Trained StyleGAN" claims in its abstract: a
recogniser learns from the true faces of a table's training people; with new people beside them; then with an intra-class loss
between both, with smoothed labels of the synthesised faces, and with both. All take as many steps, true faces are at least half
of what each sees, and true faces' labels are never smoothed. It is tested on true faces of others: people of the table who were
held out (at home), and people of another table (across sets). The last step counts; nothing is chosen by those who are tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn import splits
from fersyn.errors import FersynError
from fersyn.evaluation import judging, recognition
from fersyn.evaluation.augmentation import allowed, gain
from fersyn.evaluation.augmentation.experiment import BATCH, SIZE, pool, sides
from fersyn.evaluation.augmentation.synthetic import shrunk
from fersyn.evaluation.fidelity import OwnJudge
from fersyn.evaluation.scores import Metric, Scores, differences, register, rows_of, summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.methods.base import Synthesiser
from fersyn.methods.stylegan_fer import KNOWN
from fersyn.nets.dlib_face import describe
from fersyn.nets.recogniser import Synthesis, named, train_recogniser
from fersyn.pixels import resize, to_bytes, to_floats, to_images
from fersyn.progress import Progress
from fersyn.training.runs import load

register(Metric("nearest_known", "distance of the nearest training person (dlib)", "higher"))
register(Metric("stranger", f"further than {KNOWN} from every training person (dlib)", "higher", "%", 1, 100.0))


@dataclass(frozen=True)
class Arm:
    """A way to learn.

    Attributes:
        synthesis: whether from new people, too.
        intra_class, smoothing: of `recogniser.Synthesis`, the latter for synthesised faces.
    """

    synthesis: bool = True
    intra_class: float = 0.0
    smoothing: float = 0.0


INTRA_CLASS, SMOOTHING = 0.01, 0.1
ALONE = "true faces alone"
ARMS = {
    ALONE: Arm(synthesis=False),
    "+ new people": Arm(),
    "+ new people, intra-class loss": Arm(intra_class=INTRA_CLASS),
    "+ new people, smoothed labels": Arm(smoothing=SMOOTHING),
    "+ new people, both": Arm(intra_class=INTRA_CLASS, smoothing=SMOOTHING),
}


@dataclass(frozen=True)
class Drawn:
    """New people, and from whom they come.

    Attributes:
        method: a trained one.
        table: FaceTable with the sides that it was trained on.
        faces: uint8 (N, 3, size, size); labels: int64 (N,), index into EXPRESSIONS, which take turns.
    """

    method: Synthesiser
    table: object
    faces: Tensor
    labels: np.ndarray

    @property
    def guides(self) -> tuple[str, ...]:
        """Instruments that had a hand in making them."""
        return self.method.guides

    @property
    def curve(self) -> list[dict]:
        """What the method tried in order to tell expressions apart from people (`stylegan_fer.NewPeople.curve`); []: nothing."""
        return getattr(self.method, "curve", list)()

    @property
    def people(self) -> list[str]:
        """A name for each: nobody is drawn twice."""
        return [f"new-{k:04d}" for k in range(len(self.labels))]


def draw(run: str | Path, view, count: int, seed: int = 0) -> Drawn:
    """Draw `count` new people, with all expressions in turn that the training people show.

    Args:
        run: of a method that draws people.
        view: the table as it was trained on (`Request.view`).
        seed: of the people.

    Raises:
        SubjectLeak, FersynError: the run was trained on others (see `augmentation.allowed`), or draws nobody.
    """
    allowed(run, view)
    method, faces = load(run), []
    if not method.draws_people:
        raise FersynError(f"{run}: {method.name} draws no new people; name a method that does, such as stylegan-fer")
    kinds = ["neutral", *method.expressions]
    names = [kinds[k % len(kinds)] for k in range(count)]
    with Progress(count, "new people") as progress:
        for k in range(0, count, len(kinds)):
            # A seed for each round: a longer draw begins with a shorter one.
            part = names[k : k + len(kinds)]
            faces.append(to_bytes(method.sample(len(part), part, seed * 100_003 + k)[0]))
            progress.advance(len(part))
    labels = np.array([EXPRESSIONS.index(name) for name in names], np.int64)
    return Drawn(method, view, torch.cat(faces) if faces else torch.zeros(0, 3, SIZE, SIZE, dtype=torch.uint8), labels)


def newness(drawn: Drawn | None, seed: int = 0) -> Scores:
    """How far each is from the nearest training person, by dlib's network: their true neutral faces."""
    if drawn is None:
        return Scores(pd.DataFrame())
    table, who = drawn.table, np.flatnonzero((drawn.table.rows["split"] == "train") & (drawn.table.labels() == 0))
    known = describe(list(table.images(who)), list(table.landmarks(who)))
    points = find_source_landmarks(to_floats(drawn.faces)).numpy()
    found = describe(list(to_images(drawn.faces)), list(points))
    apart = np.linalg.norm(found[:, None] - known[None], axis=2).min(1) if len(found) else np.zeros(0)
    about = drawn.people, drawn.people, [EXPRESSIONS[k] for k in drawn.labels]
    keys = {"method": drawn.method.name, "seed": seed, "table": table.path.name}
    parts = [rows_of("nearest_known", apart, *about, **keys), rows_of("stranger", apart > KNOWN, *about, **keys)]
    return Scores(pd.concat(parts, ignore_index=True))


def called(drawn: Drawn | None, judge: OwnJudge | None, seed: int = 0) -> Scores:
    """What judges call them; `judge`: the kit's recogniser, None: there is none."""
    if drawn is None:
        return Scores(pd.DataFrame())
    keys = {"method": drawn.method.name, "seed": seed, "table": drawn.table.path.name}
    about = drawn.people, drawn.people
    scores = judging.of_faces(drawn.faces, drawn.labels, *about, drawn.guides, **keys)
    if (right := judging.rightly(judge, drawn.faces, drawn.labels)) is not None:
        names = [EXPRESSIONS[k] for k in drawn.labels]
        scores = scores + Scores(rows_of(judging.KIT, right, *about, names, **keys).dropna(subset="value"))
    return scores


def ablation(
    drawn: Drawn | None, others: object, steps: int = 500, seeds: int = 1, seed: int = 0, real_share: float = 0.5
) -> Scores:
    """Balanced accuracy of all `ARMS` at home and across sets: a row a person, expression and seed.

    Args:
        drawn: of `draw`.
        others: FaceTable whose people are all tested, across sets; None: none.
        steps: of every recogniser.
        seeds: recognisers of each arm, which differ in their first weights and in what they see when.
        seed: the first.
        real_share: least part of true faces among those seen.

    Raises:
        SubjectLeak: somebody is learnt from and tested.
    """
    if drawn is None:
        return Scores(pd.DataFrame())
    view = drawn.table
    train, test = sides(view)
    tests = {view.path.name: (view, test)}
    if others is not None and others.fingerprint != view.fingerprint:
        index = recognition.usable(others.rows)
        splits.check_disjoint(view.rows.iloc[train], others.rows.iloc[index])
        tests[others.path.name] = others, index
    shown = {name: shrunk(table, index, SIZE) for name, (table, index) in tests.items()}
    real, made = shrunk(view, train, SIZE), to_bytes(resize(to_floats(drawn.faces), SIZE))
    labels = torch.from_numpy(np.concatenate([view.labels(train), drawn.labels]))
    parts = []
    with Progress(len(ARMS) * seeds, "recognisers") as progress:
        for name, arm in ARMS.items():
            count = len(made) if arm.synthesis else 0
            told = torch.arange(len(real) + count) >= len(real)
            synthesis = Synthesis(told, (0.0, arm.smoothing), arm.intra_class)
            for number in range(seed, seed + seeds):
                network = train_recogniser(
                    torch.cat([real, made[:count]]), labels[: len(told)], seed=number, batch=BATCH, steps=steps,
                    pool=pool(len(real), count, real_share), synthesis=synthesis,
                )  # fmt: skip
                for where, (table, index) in tests.items():
                    found = recognition.answers(table, index, named(network, shown[where]))
                    parts.append(gain.balanced(found, method=name, table=where, seed=number))
                progress.advance()
    return Scores(pd.concat(parts, ignore_index=True))


def summaries(learnt: Scores, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of `ablation`: each arm's accuracy by table, and what it has more than true faces alone, paired by person."""
    if not len(learnt.rows):
        return learnt.rows, learnt.rows
    return summarise(learnt, seed=seed), differences(learnt, minus=ALONE, seed=seed)
