import numpy as np
import pytest

from fersyn.methods import strength
from fersyn.nets.instruments import ACTIONS

BROW, EYE, JAW = (ACTIONS.index(name) for name in ("browInnerUp", "eyeWideLeft", "jawOpen"))


def actions(**values):
    found = np.zeros((2, 52))
    for name, value in values.items():
        found[:, {"brow": BROW, "eye": EYE, "jaw": JAW}[name]] = value
    return found


def test_each_part_goes_as_far_as_its_own_actions_need():
    true = actions(brow=0.6, eye=0.3, jaw=0.5)
    bent = np.stack([actions(brow=0.4 * d, eye=0.3 * d, jaw=0.2 * d) for d in strength.DEGREES], 1)
    gain = strength.gains(true, bent)
    brows, eyes, mouth = (gain[list(points)] for points, _ in strength.PARTS)
    assert np.allclose(brows, 1.5, atol=0.02) and np.allclose(eyes, 1.0, atol=0.02)
    assert np.allclose(mouth, 2.0), "never further than the last degree"
    assert 1 < gain[30] < 2, "the nose goes as the whole face does"


def test_a_quiet_part_goes_as_the_face_does_and_without_measures_all_stays():
    true = actions(brow=0.6, jaw=0.03)
    bent = np.stack([actions(brow=0.4 * d, jaw=-0.2 * d) for d in strength.DEGREES], 1)
    gain = strength.gains(true, bent)
    assert np.ptp(gain) > 0 and gain[60] == gain[30], "the mouth's own actions say nothing"
    assert np.array_equal(strength.gains(true[:0], bent[:0]), np.ones(68))


def test_measured_are_the_true_peak_and_the_bent_neutral_picture(small_table):
    """A meter that sees how bright a picture is, and in its first number the whole picture."""

    class Meter:
        def measured(self, faces):
            return faces.flatten(1).double().mean(1, keepdim=True).repeat(1, 52).numpy()

    labels = small_table.labels()
    neutral, peak = np.flatnonzero(labels == 0)[:2], np.flatnonzero(labels == 7)[:2]
    true, bent = strength.measure(small_table, neutral, peak, Meter())
    bright = small_table.tensor().flatten(1).double().mean(1).numpy()
    assert true.shape == (2, 52) and bent.shape == (2, len(strength.DEGREES), 52)
    assert np.allclose(true[:, 0], bright[peak] - bright[neutral])
    assert np.abs(bent).max() > 0 and not np.allclose(bent[:, 0], bent[:, 2])
    still, _ = strength.measure(small_table, neutral, neutral, Meter())
    assert np.allclose(still, 0)


@pytest.mark.parametrize("degree", [0.7, 1.2, 1.9])
def test_the_nearest_degree_is_found_between_those_measured(degree):
    line = np.concatenate([strength.DEGREES])
    assert strength._gain(np.array([degree]), line[:, None], 1.0) == pytest.approx(degree, abs=0.01)
