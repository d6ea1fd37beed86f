import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.errors import SubjectLeak
from fersyn.evaluation import fidelity
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.table import FaceTable


def test_the_judge_learns_from_training_people_alone_and_is_frozen(graded):
    judge = fidelity.train_judge(graded, epochs=2, seed=3)
    assert (judge.people, judge.faces) == (2, 14) and not judge.network.training
    assert [EXPRESSIONS[k] for k in judge.classes] == [e for e in EXPRESSIONS if e != "contempt"]
    faces = graded.tensor([0, 1, 2])
    named = judge.named(faces)
    assert np.array_equal(named, judge.named(faces)) and set(named) <= set(judge.classes)
    again = fidelity.train_judge(graded, epochs=2, seed=3)
    same = zip(judge.network.parameters(), again.network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in same)
    calm = graded.rows[(graded.rows["expression"] == "neutral").to_numpy()]
    assert fidelity.train_judge(FaceTable(graded.path, calm, graded.info, graded.skipped), 1) is None


def test_the_judge_of_a_leaking_table_is_refused(graded):
    side = graded.rows["split"].to_numpy().copy()
    side[1] = "test" if side[0] == "train" else "train"
    with pytest.raises(SubjectLeak):
        fidelity.train_judge(FaceTable(graded.path, graded.rows.assign(split=side), graded.info, graded.skipped), 1)


def test_landmark_error_and_identity(graded):
    points = graded.landmarks([0, 1])
    eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=-1)
    assert np.allclose(fidelity.landmark_errors(points + [3, 4], points).mean(1), 500 / eyes)
    found = find_source_landmarks(graded.tensor([0, 1])).numpy()
    assert found.shape == (2, 68, 2) and (fidelity.landmark_errors(found, points).mean(1) < 8).all()
    assert np.allclose(fidelity.identity_distance(np.array([[0, 0], [3.0, 0]]), np.array([[0, 1.0], [0, 4]])), [1, 5])


@pytest.fixture
def truth():
    points = np.random.default_rng(0).uniform(20, 100, (3, 68, 2))
    points[:, 36], points[:, 45] = (40, 50), (90, 50)
    return points


def test_no_error_for_equal_points_and_a_known_one_for_a_shift(truth):
    assert fidelity.landmark_errors(truth, truth).max() == 0
    assert fidelity.landmark_errors(truth + (3, 4), truth) == pytest.approx(100 * 5 / 50)


def test_error_does_not_depend_on_scale(truth):
    found = truth + np.random.default_rng(1).normal(size=truth.shape)
    assert fidelity.landmark_errors(found, truth) == pytest.approx(fidelity.landmark_errors(3 * found, 3 * truth))


def test_groups_cover_all_points_once():
    assert sorted(point for points in fidelity.GROUPS.values() for point in points) == list(range(68))
    error = np.arange(68, dtype=float)[None]
    assert fidelity.by_group(error)["jaw"] == 8


def test_independent_points_are_those_that_the_mesh_pins_to_a_rim():
    pytest.importorskip("embreex")
    from fersyn.rendering import landmarks as mesh
    from fersyn.rendering.parts import rims

    on_rims = np.isin(mesh.weights()[0], np.concatenate(list(rims().values()))).all(1)
    assert set(np.flatnonzero(on_rims)) == set(fidelity.INDEPENDENT) and len(fidelity.INDEPENDENT) == 22


def test_shapes_must_fit(truth):
    with pytest.raises(ValueError, match="differ in shape"):
        fidelity.landmark_errors(truth[:2], truth)


def test_known_rows(truth):
    rows = pd.DataFrame({"truth_landmarks": [None, [list(p) for p in truth[1].tolist()]]})
    assert fidelity.with_truth(rows).tolist() == [False, True]
    assert fidelity.true_landmarks(rows[fidelity.with_truth(rows)])[0] == pytest.approx(truth[1], abs=1e-4)
