import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.errors import FersynError
from fersyn.evaluation import bootstrap, fid, lpips_distance, measure, quality
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.copy_source import CopySource


class Perfect:
    """Knows the answers, up to some noise."""

    name, needs_landmarks, size = "perfect", True, 128

    def __init__(self, pairs, chosen, noise=0.0):
        self.pairs, self.chosen, self.noise, self.at = pairs, chosen, noise, 0

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        own = self.chosen[self.at : self.at + len(faces)]
        self.at += len(faces)
        target = self.pairs.gather(own).target
        return target + self.noise * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))


class Oracle:
    """A judge that calls everything anger."""

    people, faces, classes = 2, 14, tuple(range(8))

    def named(self, faces):
        return np.full(len(faces), EXPRESSIONS.index("anger"))


@pytest.fixture(scope="module")
def true(small_table):
    with pytest.MonkeyPatch.context() as patch:  # stands in for the network: what is tested here is the counting
        patch.setattr(fid, "available", lambda: True)
        patch.setattr(fid, "features", features)
        pairs, chosen = quality.measured_pairs(small_table, everybody=True)
        yield measure.truth(pairs, chosen[:10], Oracle())


def features(faces):
    return torch.nn.functional.avg_pool2d(faces, 32).flatten(1).double().numpy()


@pytest.fixture(scope="module")
def measured(true):
    noisy = [Perfect(true.pairs, true.chosen, noise) for noise in (0.1, 0.3)]
    return measure.measure_all(
        {"copy": [CopySource(128)], "perfect": [Perfect(true.pairs, true.chosen)], "noisy": noisy}, true
    )


def test_pictures_are_measured_as_bytes_and_kept(true, measured):
    run = measured["perfect"][0]
    assert torch.equal(run.pictures, true.target) and run.pictures.dtype == torch.uint8
    assert np.isinf(run.frame["psnr"]).all() and np.allclose(run.frame["ssim"], 1, atol=1e-5)
    assert np.allclose(run.frame["identity"], 0) and np.allclose(run.frame["st_lpips"], 0, atol=1e-6)
    assert torch.equal(measured["copy"][0].pictures, true.source)
    assert list(run.frame["right"]) == [float(e == "anger") for e in run.frame["expression"]]


def test_it_says_what_quality_says(true, measured):
    frame = quality.evaluate(CopySource(128), true.pairs, true.chosen)
    for name in quality.METRICS:
        assert np.allclose(frame[name], measured["copy"][0].frame[name], rtol=1e-3), name
    assert list(frame["person"]) == list(true.people)


def test_scores_average_people_and_then_seeds(true, measured):
    table = measure.scores({name: measured[name] for name in ("copy", "noisy")}, true, resamples=30)
    row = table[(table["method"] == "noisy") & (table["metric"] == "ssim")].iloc[0]
    each = [run.frame.groupby("person")["ssim"].mean().mean() for run in measured["noisy"]]
    assert row["value"] == pytest.approx(np.mean(each)) and row["seeds"] == 2
    assert row["deviation"] == pytest.approx(np.std(each, ddof=1)) and row["low"] < row["value"] < row["high"]
    copied = table[table["method"] == "copy"].set_index("metric")
    assert set(copied.index) >= {"psnr", "ssim", "st_lpips", "right", "landmark_error", "identity", "fid", "kid"}
    assert ("lpips" in copied.index) == lpips_distance.available()
    assert copied["deviation"].isna().all()
    assert copied.loc["fid", "value"] == pytest.approx(fid.fid(features(measure.floats(true.source)), true.features))


def test_frames_average_the_runs(measured):
    found = measure.frames(measured)
    each = [run.frame["st_lpips"] for run in measured["noisy"]]
    assert np.allclose(found["noisy"]["st_lpips"], np.mean(each, 0)) and not np.allclose(each[0], each[1])
    pd.testing.assert_frame_equal(found["copy"], measured["copy"][0].frame, check_dtype=False)


def test_paired_differences_and_wins(true, measured):
    gaps = measure.against(measured, true, "noisy", resamples=30).set_index(["method", "metric"])
    row = gaps.loc["copy", "ssim"]
    own = measure.of_runs(measured["noisy"], "ssim").mean(0) - measured["copy"][0].frame["ssim"]
    assert row["value"] == pytest.approx(bootstrap.by_person(own, true.people).mean())
    assert row["better"] == (bootstrap.by_person(own, true.people) > 0).sum()
    assert gaps.loc[("perfect", "st_lpips"), "better"] == 0 and np.isnan(gaps.loc[("copy", "fid"), "better"])
    with pytest.raises(FersynError, match="noisy"):
        measure.against(measured, true, "nobody")


def test_the_same_method_does_not_differ_from_itself(true, measured):
    gaps = measure.against({"a": measured["copy"], "b": measured["copy"]}, true, "a", resamples=20)
    assert np.allclose(gaps["value"], 0) and np.allclose(gaps["low"], 0) and np.allclose(gaps["high"], 0)


def test_without_fids_network_the_columns_have_no_number(true, measured):
    bare = measure.Truth(**{**true.__dict__, "features": None, "judge": None})
    names = set(measure.scores({"copy": measured["copy"]}, bare)["metric"])
    assert not names & {"fid", "kid"} and "ssim" in names
    assert measure.measure(CopySource(128), bare).features is None
    assert set(bare.numbers()) == {"landmark_error"} and set(true.numbers()) == {"landmark_error", "right"}


def test_json_is_nested_by_structure(true, measured):
    found = measure.nested(measure.scores({"copy": measured["copy"]}, true, resamples=10))
    assert {"value", "low", "high", "people", "seeds"} <= set(found["copy"]["ssim"])


def test_best_and_worst_are_chosen_by_rule_and_spread_over_people():
    frame = pd.DataFrame({"person": list("aaabbc"), "ssim": [0.9, 0.8, 0.1, 0.7, 0.2, np.nan]})
    everybody = np.ones(6, bool)
    best, worst = measure.ranked(frame, "ssim", everybody, 2)
    assert list(best) == [0, 3] and list(worst) == [2, 4]
    best, worst = measure.ranked(frame, "ssim", np.array([False, True, True, False, False, True]), 4)
    assert sorted([*best, *worst]) == [1, 2], "nobody else may be pictured, and nobody twice"
