"""Do synthetic faces show what they should? A recogniser of other people's real faces names them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from fersyn import splits
from fersyn.evaluation import recognition
from fersyn.evaluation.augmentation.classical import classical
from fersyn.evaluation.augmentation.experiment import SIZE, Fold, steps_of
from fersyn.evaluation.augmentation.synthetic import STRENGTHS, draw, make, shrunk
from fersyn.evaluation.recogniser import middle, predict, train_recogniser
from fersyn.expressions import EXPRESSIONS
from fersyn.training.runs import load

REAL = "real faces"


def judged(fold: Fold, epochs: int = 60, count: int = 320, device: str | torch.device = "cpu") -> pd.DataFrame:
    """What a judge says of a fold's faces: real ones, synthetic ones as they are used, and at the strength of a full
    expression.

    The judge is trained on real faces of everybody but the people whose faces it names, the fold's test people among
    them: nothing that it says goes into any recogniser.

    Args:
        fold: of `experiment.fold_of`.
        epochs: as for the recognisers; the judge takes twice as many steps as they.
        count: number of synthetic faces of each kind.
        device: of synthesis and judge.

    Returns:
        rows faces (which), expression, right, neutral (shares named rightly, and neutral, 0..1), number; the judge's
        people and faces in `attrs`.
    """
    table = fold.table
    usable = recognition.usable(table.rows)
    others = usable[~np.isin(table.people[usable].astype(str), table.people[fold.train].astype(str))]
    splits.check_disjoint(table.rows.iloc[others], table.rows.iloc[fold.train])
    network = train_recogniser(
        shrunk(table, others, SIZE), torch.from_numpy(table.labels(others)), seed=fold.seed, device=device,
        steps=2 * steps_of(fold, epochs), vary=middle, before=classical,
    )  # fmt: skip
    synthesiser = load(fold.run, device)
    motion = getattr(synthesiser, "motion", None)
    kinds = {REAL: (shrunk(table, fold.train, SIZE), table.labels(fold.train))}
    for name, strengths in (
        (f"synthetic, strength {STRENGTHS[0]:g} to {STRENGTHS[1]:g}", STRENGTHS),
        ("synthetic, strength 1", (1.0, 1.0)),
    ):
        recipes = draw(table, fold.train, count, fold.seed, motion, strengths)
        kinds[name] = make(synthesiser, table, recipes, SIZE, device=device), recipes.label
    lines = []
    for name, (faces, labels) in kinds.items():
        named = predict(network, faces).argmax(1).numpy()
        for label in sorted(set(labels.tolist())):
            own = named[labels == label]
            lines.append((name, EXPRESSIONS[label], float((own == label).mean()), float((own == 0).mean()), len(own)))
    found = pd.DataFrame(lines, columns=["faces", "expression", "right", "neutral", "number"])
    found.attrs = {"people": len(set(table.people[others])), "real": len(others)}
    return found
