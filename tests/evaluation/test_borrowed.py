from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.evaluation import borrowed, measure, protocol
from fersyn.evaluation.scores import Scores, differences, rows_of, summarise
from fersyn.faces.landmarks import GROUPS
from fersyn.figures import image_quality
from fersyn.methods.copy import CopySource


@pytest.fixture(scope="module")
def true(small_table):
    pairs, chosen = protocol.measured_pairs(small_table, everybody=True)
    return measure.truth(pairs, chosen[:6], sets=False)


@pytest.fixture(scope="module")
def measured(true):
    own = {"copy": CopySource(128), **protocol.held_floor(128)}
    return measure.evaluate(own, true) + borrowed.measure_borrowed(true)


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


def test_the_lower_face_is_the_true_one(true):
    for picture, source, target, points in zip(
        borrowed.true_lower_face(true), true.source, true.target, true.asked, strict=True
    ):
        base = round(float(points[33, 1]))
        assert torch.equal(picture[:, base + 10 :], target[:, base + 10 :])
        assert torch.equal(picture[:, : base - 10], source[:, : base - 10])


def test_the_flow_takes_a_shifted_picture_back(true):
    shifted = replace(true, source=torch.roll(true.target, 3, -1))
    both = shifted.source, borrowed.true_flow(shifted)
    error = [(each.float() - true.target.float())[..., 12:-12].abs().mean() for each in both]
    assert error[1] < 0.4 * error[0]


@pytest.mark.parametrize("size", [64, 160])
def test_any_size(small_table, size):
    pairs, chosen = protocol.measured_pairs(small_table, size, everybody=True)
    true = measure.truth(pairs, chosen[:2], sets=False, content=False)
    for make in borrowed.BORROWED.values():
        made = make(true)
        assert made.shape == true.source.shape and (made != true.source).any()


def test_they_are_measured_like_methods(true, measured):
    table = image_quality.photographs(summarise(measured.scores), true, best=False)
    assert list(table.frame["method"]) == ["copy", "warp, nose held", *borrowed.BORROWED] and not table.bold
    flow = measured.frame("source bent by the true flow")
    assert flow["psnr"].mean() > measured.frame("copy")["psnr"].mean()
    few = image_quality.verdict(differences(measured.scores, of="copy")).text
    assert "cannot show a difference" in few and "nearer" not in few


def compared(ssim, identity, people=12, runs=2):
    """Differences of `copy` (SSIM 0.6, identity 0.3) from borrowed pictures with these values."""

    def run(method, seed, own_ssim, own_identity, wave):
        about = dict(
            people=[f"set/{k}" for k in range(people)], item=range(people), expression=["fear"] * people,
            method=method, seed=seed, table="set",
        )  # fmt: skip
        values = {
            "ssim": own_ssim + wave * (-1.0) ** np.arange(people),  # people differ
            "identity": own_identity + 0.01 * np.cos(np.arange(people)),
        }
        return [rows_of(name, own, **about) for name, own in values.items()]

    parts = run("copy", 0, 0.6, 0.3, 0.0)
    for name in borrowed.BORROWED:
        for seed, wave in enumerate((0.02, 0.01)[:runs]):
            parts += run(name, seed, ssim, identity, wave)
    return differences(Scores(pd.concat(parts, ignore_index=True)), of="copy")


@pytest.mark.parametrize(
    ("ssim", "identity", "said", "loses"),
    [
        (0.8, 0.5, "nearer by SSIM and farther by identity distance", True),
        (0.8, 0.1, "nearer by SSIM and nearer by identity distance", False),
        (0.5, 0.5, "farther by SSIM and farther by identity distance", False),
        (0.6, 0.5, "not surely nearer or farther by SSIM and farther by identity distance", False),
    ],
)
def test_the_sentence_follows_the_numbers(ssim, identity, said, loses):
    for runs in (1, 2):
        text = image_quality.verdict(compared(ssim, identity, runs=runs)).text
        assert said in text
        assert ("can lose to the untouched photograph" in text) == loses


@pytest.mark.parametrize("people", [1, 5])
def test_few_people_show_nothing(people):
    text = image_quality.verdict(compared(0.8, 0.5, people)).text
    assert text.startswith(f"*{people} p") and "nearer" not in text
