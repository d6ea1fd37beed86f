from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.methods import motion, strength
from fersyn.nets import instruments
from fersyn.table import FaceTable

SIZE = 128


def table(people=24, seed=0, sequences=("happiness", "anger"), path="toy", gain=1.0):
    """Landmarks of made-up people whose mouths move with the width of their jaws: what a linear model can know."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(30, 98, (68, 2))
    rows, points = [], []
    for person in range(people):
        wide = rng.normal(0, 4)
        own = base + np.outer(np.linspace(-1, 1, 68), [wide, 0])
        for name in sequences:
            for frame, degree in enumerate((0.0, 0.5, 1.0)):
                shift = np.zeros((68, 2))
                shift[48:68, 1] = gain * (-6 if name == "happiness" else 4) * degree * (1 + 0.05 * wide)
                rows.append(
                    dict(
                        dataset=path, subject=f"P{person:02d}", sequence=name, frame=frame,
                        expression=name if degree else "neutral", intensity=degree,
                        split="test" if person >= people - 4 else "train",
                    )
                )  # fmt: skip
                points.append(own + shift + rng.normal(0, 0.05, (68, 2)))
    return FaceTable(
        Path(path), pd.DataFrame(rows).assign(landmarks=points), {"size": SIZE, "fingerprint": path}, pd.DataFrame()
    )


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


def test_neutral_leaves_a_neutral_face_and_intensity_zero_any(learnt):
    faces, model = learnt
    calm, loud = held_out(faces, "anger", 1.0)
    known, neutral = torch.zeros(len(calm)), torch.zeros(len(calm), dtype=torch.long)
    for face in (calm, loud):
        for label in (0, 1, 5):
            assert torch.equal(model.predict(face, torch.full((len(face),), label), 0.0), face), "bit for bit"
    assert torch.allclose(model.predict(calm, neutral, 1.0, known), calm, atol=1e-3)
    assert (model.predict(calm, neutral) - calm).norm(dim=-1).mean() < 0.2, "px: its landmarks say that it is neutral"


def test_expression_worn_is_taken_back(learnt):
    faces, model = learnt
    calm, loud = held_out(faces, "happiness", 1.0)
    neutral = torch.zeros(len(loud), dtype=torch.long)
    far = (loud - calm).norm(dim=-1).mean()
    for known in (None, torch.full((len(loud),), 5)):
        found = model.predict(loud, neutral, source_label=known)
        assert (found - calm).norm(dim=-1).mean() < 0.3 * far
        calm_too, weak = held_out(faces, "happiness", 0.5)
        found_weak = model.predict(weak, neutral, source_label=known)
        assert (found_weak - calm_too).norm(dim=-1).mean() < 0.5 * (weak - calm_too).norm(dim=-1).mean()
        half = model.predict(loud, neutral, 0.5, known)
        assert (half - loud - (found - loud) / 2).abs().mean() < 0.05, "half of the way"


def test_an_edit_goes_from_the_expression_worn_to_the_one_asked(learnt):
    faces, model = learnt
    calm, loud = held_out(faces, "happiness", 1.0)
    anger = torch.ones(len(loud), dtype=torch.long)
    wanted = model.predict(calm, anger, 1.0, torch.zeros(len(calm)))
    found = model.predict(loud, anger)
    assert (found - wanted).norm(dim=-1).mean() < 0.3 * (loud - wanted).norm(dim=-1).mean()


def test_the_landmarks_tell_what_a_face_wears(learnt):
    faces, model = learnt
    for name, label in (("happiness", 5), ("anger", 1)):
        shapes = [((each.numpy() + 0.5) / SIZE - 0.5).reshape(len(each), -1) for each in held_out(faces, name, 1.0)]
        for shape, worn in zip(shapes, (0, label), strict=True):
            share = model.worn.told(shape)
            assert np.allclose(share.sum(1), 1) and (share.argmax(1) == worn).all()


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
    np.savez(tmp_path / "old.npz", mean=np.zeros(136), axes=np.zeros((136, 10)))
    with pytest.raises(FersynError, match="old.npz is no landmark motion of this version.*--resume"):
        motion.load(tmp_path / "old.npz")


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


def seen_by(model, faces, label, part=slice(None)):
    """What a motion makes of all neutral faces of a table, px."""
    calm = torch.from_numpy(faces.landmarks(np.flatnonzero(faces.labels() == 0)[part]))
    return model.predict(calm, torch.full((len(calm),), label), 1.0, torch.zeros(len(calm))), calm


def actions_of_landmarks(faces, neutral, peak, meter):
    """Stands for `strength.measure`: actions that are sums of displacements, of which a bent picture shows 60 %."""
    moved = (faces.landmarks(peak) - faces.landmarks(neutral)).reshape(len(peak), -1) @ np.ones((136, 52)) / 100
    return moved, np.stack([0.6 * degree * moved for degree in strength.DEGREES], 1)


def test_nothing_of_a_person_left_out_is_left(monkeypatch):
    monkeypatch.setattr(strength, "measure", actions_of_landmarks)
    photos, changed = (table(8, 3, path="photos") for _ in range(2))
    own = changed.people == "photos/P03"
    points = np.stack([np.stack(each) for each in changed.rows["landmarks"]])
    points[own] += np.random.default_rng(0).normal(0, 9, (own.sum(), 68, 2))
    changed.rows["landmarks"] = list(points)
    one, other = (motion.fit(table(), photographs=[each], meter=object()) for each in (photos, changed))
    one_left, other_left = (each.without(["photos/P03", "toy/nobody"]) for each in (one, other))
    assert not torch.equal(seen_by(one, photos, 5)[0], seen_by(other, photos, 5)[0]), "he does count where he is in"
    for label in (0, 1, 5):
        assert torch.equal(seen_by(one_left, photos, label)[0], seen_by(other_left, photos, label)[0])
    assert "photos/P03" not in one_left.person and len(set(one_left.person)) == len(set(one.person)) - 1
    assert one.without(["photos/P03"]) is one_left, "asked for again it is there"
    assert one.without(["london/001"]) is one and one_left.without(["photos/P03"]) is one_left
    with pytest.raises(FersynError, match="fewer than two are left"):
        one.without(one.person)


def test_photographs_come_first_where_they_show_enough(learnt):
    faces, alone = learnt
    photos = table(8, 3, sequences=("happiness",), path="photos", gain=2.0)
    model = motion.fit(faces, photographs=[photos])
    both, calm = seen_by(model, faces, 5)
    ratio = (both - calm)[:, 48:, 1].mean() / (seen_by(alone, faces, 5)[0] - calm)[:, 48:, 1].mean()
    assert 1.8 < ratio < 2.2, "happiness is the photographs'"
    assert set(model.person[model.rows[1]]) == set(alone.person), "anger is the training people's"
    few = motion.fit(faces, photographs=[table(4, 3, path="photos")])
    assert not few.photo[few.rows[5]].any() and few.expressions == alone.expressions
    assert model.about() == {"training": 20, "photographs": 8, "actions": False, "tables": ["toy", "photos"]}


def test_photographs_of_people_held_out_are_refused(learnt):
    with pytest.raises(SubjectLeak):
        motion.fit(learnt[0], photographs=[table()])


def test_a_mean_of_manners_is_as_strong_as_they_are():
    faces = table()
    points = np.stack([np.stack(each) for each in faces.rows["landmarks"]])
    labels, random = faces.labels(), np.random.default_rng(1)
    for person in sorted(set(faces.people)):  # half of them do it to the right, and half to the left
        own = (faces.people == person) & (labels == 5) & (faces.rows["intensity"] == 1).to_numpy()
        points[own, 48:68, 0] += random.choice((-8, 8))
    faces.rows["landmarks"] = list(points)
    model = motion.fit(faces)
    usual = np.linalg.norm(model.shift[model.rows[5]], axis=1).mean()
    found = np.linalg.norm(model.towards(model.neutral, 5), axis=1)
    assert found.mean() == pytest.approx(usual, rel=0.1)


def test_at_full_strength_actions_not_landmarks_arrive(monkeypatch):
    monkeypatch.setattr(strength, "measure", actions_of_landmarks)
    faces = table()
    plain, model = motion.fit(faces), motion.fit(faces, meter=object())
    (strong, calm), (weak, _) = seen_by(model, faces, 5), seen_by(plain, faces, 5)
    moved = (strong - calm)[:, 48:, 1].mean() / (weak - calm)[:, 48:, 1].mean()
    assert moved == pytest.approx(1 / 0.6, rel=0.05), "60 % of the actions are to be seen: so much further it goes"
    assert torch.allclose(seen_by(model.as_seen(), faces, 5)[0], weak)
    assert model.metered and not plain.metered and model.without(model.person[:1]).metered
    half = model.predict(calm, torch.full((len(calm),), 5), 0.5, torch.zeros(len(calm)))
    assert (half - calm - (strong - calm) / 2).abs().mean() < 0.05, "in a straight line"


def test_extremes_are_bounded():
    model = motion.fit(table())
    shape = np.zeros((1, 68, 2))
    shape[0, 60:68, 1] = (0, -0.01, -0.01, -0.01, 0, 0.01, 0.01, 0.01)
    moved = shape.copy()
    moved[0, list(motion.JAW), 1] += 5.0
    opened = model._bounded(shape.reshape(1, -1), moved.reshape(1, -1)).reshape(68, 2)
    seen = (model.neutral + model.shift).reshape(-1, 68, 2)
    widest = max((seen[:, 66, 1] - seen[:, 62, 1]).max(), 0.02)
    assert opened[66, 1] - opened[62, 1] == pytest.approx(widest)
    moved = shape.copy()
    moved[0, 65:68, 1] -= 0.08
    closed = model._bounded(shape.reshape(1, -1), moved.reshape(1, -1)).reshape(68, 2)
    assert np.allclose(closed[65:68, 1], closed[[63, 62, 61], 1]), "lips meet, and no lip passes through the other"


def test_lips_stay_lips():
    model = motion.fit(table())
    shape = np.zeros((1, 68, 2))
    for pairs, height in ((motion.UPPER_LIP, 0.04), (motion.LOWER_LIP, 0.06)):
        for above, below in pairs:
            shape[0, below, 1] = shape[0, above, 1] + height
    pressed, thin = shape.copy(), shape.copy()
    pressed[0, [50, 51, 52], 1] += 0.03
    pressed[0, [56, 57, 58], 1] -= 0.09  # beyond the line between the lips
    thin[0, [56, 57, 58], 1] -= 0.02
    found = model._bounded(shape.reshape(1, -1), pressed.reshape(1, -1)).reshape(68, 2)
    for pairs, height in ((motion.UPPER_LIP, 0.04), (motion.LOWER_LIP, 0.06)):
        for above, below in pairs:
            assert found[below, 1] - found[above, 1] == pytest.approx(motion.THINNEST * height)
    assert np.array_equal(found[60:68], pressed[0, 60:68]), "the line between them stays where it went"
    assert np.allclose(model._bounded(shape.reshape(1, -1), thin.reshape(1, -1)), thin.reshape(1, -1))


def test_a_wide_open_mouth_that_is_to_be_closed_is_known():
    wide, closed = torch.zeros(1, 68, 2), torch.zeros(1, 68, 2)
    for face, gap in ((wide, 12.0), (closed, 0.0)):
        face[:, 54, 0], face[:, 66, 1] = 40.0, gap
    assert motion.shuts(wide, closed) and not motion.shuts(wide, wide) and not motion.shuts(closed, wide)


@pytest.mark.slow
@pytest.mark.skipif(not instruments.available("actions"), reason="the meter's weights are not here")
def test_photographs_left_out_show_as_much_as_their_true_peaks(tmp_path):
    from fersyn.building.preprocess import build_table
    from fersyn.datasets.openpeople import read_openpeople
    from fersyn.evaluation import protocol
    from fersyn.expressions import EXPRESSIONS
    from fersyn.methods.warp import Warp
    from fersyn.nets import instruments

    faces, meter = build_table(read_openpeople(), tmp_path / "photos", workers=0), instruments.get("actions")
    everybody = FaceTable(faces.path, faces.rows.assign(split="train"), faces.info, faces.skipped)
    bent = Warp(faces.size, motion.fit(everybody, meter=meter))
    labels, calm = faces.labels(), np.flatnonzero(faces.labels() == 0)
    still = meter.measured(faces.tensor(calm)).mean(0)
    for name in ("happiness", "surprise", "disgust", "anger"):
        true = meter.measured(faces.tensor(np.flatnonzero(labels == EXPRESSIONS.index(name)))).mean(0) - still
        made = meter.measured(protocol.moved(bent, faces, calm, name)).mean(0) - still
        assert true @ made / (true @ true) == pytest.approx(1, abs=0.2), name
