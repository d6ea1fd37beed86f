import numpy as np
import pytest
import torch

from fersyn.evaluation import borrowed, measure, quality
from fersyn.figures import borrowed as figures
from fersyn.ibug import GROUPS
from fersyn.methods.copy_source import CopySource


@pytest.fixture(scope="module")
def true(small_table):
    pairs, chosen = quality.measured_pairs(small_table, everybody=True)
    return measure.truth(pairs, chosen[:6], sets=False)


@pytest.fixture(scope="module")
def measured(true):
    return measure.measure_all({"copy": [CopySource(128)]}, true)


def test_the_mouth_is_the_true_one_and_all_else_the_source(true):
    made = borrowed.true_mouth(true)
    assert made.dtype == torch.uint8 and made.shape == true.source.shape
    for picture, source, target, points in zip(made, true.source, true.target, true.asked, strict=True):
        x, y = np.round(points[GROUPS["lips"]].mean(0)).astype(int)
        middle = (slice(None), slice(y - 2, y + 3), slice(x - 2, x + 3))
        assert torch.equal(picture[middle], target[middle])
        top = (slice(None), slice(0, int(points[:, 1].min())))  # above the brows
        assert torch.equal(picture[top], source[top])
    assert (made != true.source).any() and (made != true.target).any()


def test_the_flow_takes_a_shifted_picture_back(true):
    shifted = measure.Truth(**{**true.__dict__, "source": torch.roll(true.target, 3, -1)})
    error = [
        (x.float() - true.target.float())[..., 12:-12].abs().mean()
        for x in (shifted.source, borrowed.true_flow(shifted))
    ]
    assert error[1] < 0.4 * error[0]


def test_they_are_measured_like_methods_and_read_against_copy(true, measured):
    found = borrowed.measure_borrowed(true)
    assert list(found) == list(borrowed.BORROWED)
    table = figures.table(measured, found, "copy", true)
    assert list(table.frame["method"]) == ["copy", *borrowed.BORROWED] and not table.bold
    flow = found["source bent by the true flow"][0].frame
    assert flow["psnr"].mean() > measured["copy"][0].frame["psnr"].mean()


@pytest.mark.parametrize(("identity", "word"), [(0.5, "farther"), (0.1, "nearer"), (0.3, "neither")])
def test_the_sentence_follows_the_numbers(identity, word):
    people = np.array([f"set/{k}" for k in range(12)])

    def run(own_ssim, own_identity):
        frame = measure.pd.DataFrame(
            {name: np.full(12, 0.3) for name in measure.METRICS if name not in measure.OF_A_SET}
        )
        frame["ssim"] = own_ssim + 0.01 * np.sin(np.arange(12))
        frame["identity"] = own_identity + 0.01 * np.cos(np.arange(12))
        return [measure.Measured(frame, torch.zeros(0), None)]

    class True_:
        pass

    true = True_()
    true.people = people
    text = figures.verdict({"copy": run(0.6, 0.3)}, {"source with the true mouth": run(0.8, identity)}, true).text
    assert f"{word}" in text and "nearer (0.200" in text
    assert ("can lose to the untouched photograph" in text) == (identity > 0.3)
