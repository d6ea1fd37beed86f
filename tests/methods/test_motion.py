from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.methods import motion
from fersyn.table import FaceTable

SIZE = 128


def table(people=24, seed=0, sequences=("happiness", "anger"), path="toy"):
    """Landmarks of made-up people whose mouths move with the width of their jaws: what a linear model can know."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(30, 98, (68, 2))
    rows, points = [], []
    for person in range(people):
        wide = rng.normal(0, 4)
        own = base + np.outer(np.linspace(-1, 1, 68), [wide, 0])
        for name in sequences:
            for frame, strength in enumerate((0.0, 0.5, 1.0)):
                shift = np.zeros((68, 2))
                shift[48:68, 1] = (-6 if name == "happiness" else 4) * strength * (1 + 0.05 * wide)
                rows.append(
                    dict(
                        dataset="toy", subject=f"P{person:02d}", sequence=name, frame=frame,
                        expression=name if strength else "neutral", intensity=strength,
                        split="test" if person >= people - 4 else "train",
                    )
                )  # fmt: skip
                points.append(own + shift + rng.normal(0, 0.05, (68, 2)))
    return FaceTable(Path(path), pd.DataFrame(rows).assign(landmarks=points), {"size": SIZE}, pd.DataFrame())


@pytest.fixture(scope="module")
def learnt():
    faces = table()
    return faces, motion.fit(faces)


def held_out(faces, expression, strength):
    rows = faces.rows
    at = (rows["split"] == "test") & (rows["sequence"] == expression)
    calm = np.flatnonzero(at & (rows["intensity"] == 0))
    loud = np.flatnonzero(at & (rows["intensity"] == strength))
    return torch.from_numpy(faces.landmarks(calm)), torch.from_numpy(faces.landmarks(loud))


@pytest.mark.parametrize(("expression", "label"), [("happiness", 5), ("anger", 1)])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_predicts_unseen_people_at_any_intensity(learnt, expression, label, strength):
    faces, model = learnt
    calm, loud = held_out(faces, expression, strength)
    found = model.predict(calm, torch.full((len(calm),), label), strength, torch.zeros(len(calm)))
    still, missed = (calm - loud).norm(dim=-1).mean(), (found - loud).norm(dim=-1).mean()
    assert missed < 0.3 * still


def test_intensity_zero_and_neutral_leave_a_neutral_face(learnt):
    faces, model = learnt
    calm, _ = held_out(faces, "anger", 1.0)
    known = torch.zeros(len(calm))
    assert torch.allclose(model.predict(calm, torch.full((len(calm),), 1), 0.0, known), calm, atol=1e-3)
    assert torch.allclose(model.predict(calm, torch.zeros(len(calm), dtype=torch.long), 1.0, known), calm, atol=1e-3)


def test_expression_worn_is_taken_back(learnt):
    faces, model = learnt
    calm, loud = held_out(faces, "happiness", 1.0)
    found = model.predict(loud, torch.zeros(len(loud), dtype=torch.long))
    assert (found - calm).norm(dim=-1).mean() < 0.6 * (loud - calm).norm(dim=-1).mean()


def test_size_of_the_crop_does_not_matter(learnt):
    faces, model = learnt
    calm, _ = held_out(faces, "anger", 1.0)
    label = torch.full((len(calm),), 1)
    small = model.predict((calm + 0.5) / 2 - 0.5, label, size=64)
    assert torch.allclose((small + 0.5) * 2 - 0.5, model.predict(calm, label), atol=1e-3)


def test_expressions_never_seen_are_named(learnt):
    faces, model = learnt
    assert model.expressions == ("neutral", "anger", "happiness")
    with pytest.raises(FersynError, match="no landmark motion for fear.*there is: neutral, anger, happiness"):
        model.predict(torch.zeros(1, 68, 2), torch.tensor([4]))


def test_save_and_load(learnt, tmp_path):
    faces, model = learnt
    model.save(tmp_path / "motion.npz")
    calm, _ = held_out(faces, "anger", 1.0)
    label = torch.full((len(calm),), 1)
    assert torch.equal(motion.load(tmp_path / "motion.npz").predict(calm, label), model.predict(calm, label))
    (tmp_path / "bad.npz").write_bytes(b"no")
    with pytest.raises(FersynError, match="bad.npz is no landmark motion"):
        motion.load(tmp_path / "bad.npz")


def test_people_held_out_are_not_learnt_from():
    faces = table()
    with pytest.raises(SubjectLeak):
        motion.fit(faces, np.arange(len(faces.rows)))


def test_nothing_to_learn_from_is_said():
    faces = table()
    faces.rows["expression"] = "neutral"
    faces.labels = lambda: np.zeros(len(faces.rows), int)
    with pytest.raises(FersynError, match="no person with a neutral and an expressive face"):
        motion.fit(faces)
