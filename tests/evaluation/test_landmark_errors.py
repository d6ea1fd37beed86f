import numpy as np
import pandas as pd
import pytest

from fersyn.evaluation import landmark_errors as landmarks


@pytest.fixture
def truth():
    points = np.random.default_rng(0).uniform(20, 100, (3, 68, 2))
    points[:, 36], points[:, 45] = (40, 50), (90, 50)
    return points


def test_no_error_for_equal_points_and_a_known_one_for_a_shift(truth):
    assert landmarks.errors(truth, truth).max() == 0
    assert landmarks.errors(truth + (3, 4), truth) == pytest.approx(100 * 5 / 50)


def test_error_does_not_depend_on_scale(truth):
    found = truth + np.random.default_rng(1).normal(size=truth.shape)
    assert landmarks.errors(found, truth) == pytest.approx(landmarks.errors(3 * found, 3 * truth))


def test_groups_cover_all_points_once():
    assert sorted(point for points in landmarks.GROUPS.values() for point in points) == list(range(68))
    error = np.arange(68, dtype=float)[None]
    assert landmarks.by_group(error)["jaw"] == 8


def test_independent_points_are_those_that_the_mesh_pins_to_a_rim():
    pytest.importorskip("embreex")
    from fersyn.rendering import landmarks as mesh
    from fersyn.rendering.parts import rims

    on_rims = np.isin(mesh.weights()[0], np.concatenate(list(rims().values()))).all(1)
    assert set(np.flatnonzero(on_rims)) == set(landmarks.INDEPENDENT) and len(landmarks.INDEPENDENT) == 22


def test_shapes_must_fit(truth):
    with pytest.raises(ValueError, match="differ in shape"):
        landmarks.errors(truth[:2], truth)


def test_known_rows(truth):
    rows = pd.DataFrame({"truth_landmarks": [None, [list(p) for p in truth[1].tolist()]]})
    assert landmarks.known(rows).tolist() == [False, True]
    assert landmarks.truth_of(rows[landmarks.known(rows)])[0] == pytest.approx(truth[1], abs=1e-4)
