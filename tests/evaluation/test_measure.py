import numpy as np
import pandas as pd
import pytest
import torch

from fersyn import weights
from fersyn.evaluation import bootstrap, fid, fidelity, image_metrics, judging, measure, protocol, scores
from fersyn.evaluation.scores import differences, summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.figures import image_quality
from fersyn.figures import score_table as tables
from fersyn.methods.copy import CopySource
from fersyn.pixels import to_floats
from fersyn.reporting import Record
from fersyn.reporting.compare import compare, text


class Perfect:
    """Knows the answers, up to some noise."""

    name, needs_landmarks, size, guides, expressions = "perfect", True, 128, (), ()

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
        pairs, chosen = protocol.measured_pairs(small_table, everybody=True)
        yield measure.truth(pairs, chosen[:10], Oracle())


def features(faces):
    return torch.nn.functional.avg_pool2d(faces, 32).flatten(1).double().numpy()


@pytest.fixture(scope="module")
def measured(true):
    noisy = [Perfect(true.pairs, true.chosen, noise) for noise in (0.1, 0.3)]
    return measure.evaluate(
        {"copy": CopySource(128), "perfect": Perfect(true.pairs, true.chosen), "noisy": noisy}, true
    )


def test_pictures_are_measured_as_bytes_and_kept(true, measured):
    (pictures,), frame = measured.pictures["perfect"], measured.frame("perfect")
    assert torch.equal(pictures, true.target) and pictures.dtype == torch.uint8
    assert np.isinf(frame["psnr"]).all() and np.allclose(frame["ssim"], 1, atol=1e-5)
    assert np.allclose(frame["identity"], 0) and np.allclose(frame["st_lpips"], 0, atol=1e-6)
    assert torch.equal(measured.pictures["copy"][0], true.source)
    assert list(frame["right"]) == [float(e == "anger") for e in frame["expression"]]


def test_rows_say_what_they_are_of(true, measured):
    rows = measured.scores.rows
    assert list(rows.columns) == list(scores.COLUMNS) and set(rows["table"]) == {true.table}
    assert set(rows["seed"][rows["method"] == "noisy"]) == {0, 1} and len(rows["item"].unique()) == len(true)
    source, target = map(int, rows["item"][0].split("-"))
    assert [source, target] == list(true.chosen[0]) and rows["person"][0] == true.people[0]


def test_summaries_average_people_and_then_seeds(true, measured):
    table = summarise(measured.of("copy", "noisy").scores, resamples=30)
    row = table[(table["method"] == "noisy") & (table["metric"] == "ssim")].iloc[0]
    each = [measured.frame("noisy", run).groupby("person")["ssim"].mean().mean() for run in (0, 1)]
    assert row["value"] == pytest.approx(np.mean(each)) and row["seeds"] == 2
    assert row["deviation"] == pytest.approx(np.std(each, ddof=1)) and row["low"] < row["value"] < row["high"]
    copied = table[table["method"] == "copy"].set_index("metric")
    assert set(copied.index) >= {"psnr", "ssim", "st_lpips", "right", "landmark_error", "identity", "fid", "kid"}
    assert ("lpips" in copied.index) == (weights.find(image_metrics.LPIPS) is not None)
    assert copied["deviation"].isna().all()
    wanted = fid.Distances(features(to_floats(true.source)), true.read.features).fid()
    assert copied.loc["fid", "value"] == pytest.approx(wanted)


def test_frames_average_the_runs(measured):
    found = measured.frame("noisy")
    each = [measured.frame("noisy", run)["st_lpips"] for run in (0, 1)]
    assert np.allclose(found["st_lpips"], np.mean(each, 0)) and not np.allclose(each[0], each[1])
    pd.testing.assert_frame_equal(measured.frame("copy"), measured.frame("copy", 0))


def test_paired_differences_and_wins(true, measured):
    gaps = differences(measured.scores, of="noisy", resamples=30).set_index(["minus", "metric"])
    row = gaps.loc[("copy", "ssim")]
    own = measured.frame("noisy")["ssim"] - measured.frame("copy")["ssim"]
    assert row["value"] == pytest.approx(bootstrap.by_person(own, true.people).mean())
    assert row["better"] == (bootstrap.by_person(own, true.people) > 0).sum()
    assert gaps.loc[("perfect", "st_lpips"), "better"] == 0 and np.isnan(gaps.loc[("copy", "fid"), "better"])


def test_the_same_method_does_not_differ_from_itself(true):
    twice = measure.evaluate({"a": CopySource(128), "b": CopySource(128)}, true)
    gaps = differences(twice.scores, of="a", resamples=20)
    assert np.allclose(gaps["value"], 0) and np.allclose(gaps["low"], 0) and np.allclose(gaps["high"], 0)


def test_what_is_not_asked_for_or_not_there_has_no_number(true):
    bare = measure.truth(true.pairs, true.chosen, None, sets=False, content=False)
    found = measure.evaluate({"copy": CopySource(128)}, bare)
    assert "ssim" in set(summarise(found.scores)["metric"]) and not found.scores.sets
    assert not set(found.scores.rows["metric"]) & {"right", "landmark_error", "identity"}
    assert found.frame("copy")["identity"].isna().all()
    assert set(bare.readings().rows["metric"]) <= set(judging.JUDGED.values()), "judges need no landmarks"
    read = true.readings().rows
    assert set(read["metric"]) - set(judging.JUDGED.values()) == {"landmark_error", "right", "sharpness"} and set(
        read["method"]
    ) == {fidelity.TRUE}


def test_everybody_of_a_table_or_nobody(small_table):
    assert measure.everybody(None) is None and len(measure.everybody(small_table)) == 24


def test_a_new_metric_is_added_in_one_place(true, monkeypatch, tmp_path):
    """It stands in the table of notebook 03, in the JSON and in `fersyn compare`."""
    monkeypatch.setattr(scores, "METRICS", known := dict(scores.METRICS))
    for module in (measure, judging, image_quality, tables):
        monkeypatch.setattr(module, "METRICS", known)
    scores.register(
        scores.Metric(
            "brightness", "brightness", "lower", "levels", 1, 127.5, group="picture",
            function=lambda made, true: (made.faces - true.read.faces).mean((1, 2, 3)).abs().numpy(),
        )
    )  # fmt: skip
    measured = measure.evaluate({"copy": CopySource(128)}, true)
    summary = summarise(measured.scores)
    wanted = 127.5 * measured.frame("copy").groupby("person")["brightness"].mean().mean()
    table = image_quality.pictures(summary, true).frame
    assert table["brightness, levels ↓"][0].startswith(f"{wanted:.1f}")

    record = Record("Probe", {"seed": 0})
    record.scores(measured.scores, summary)
    record.save(tmp_path / "run.json")
    run = compare(tmp_path / "run.json", tmp_path / "run.json")
    name = ("summary", true.table, "copy", "brightness")
    (line,) = [line for line in run["runs"]["run"]["numbers"] if line["name"] == name]
    assert 127.5 * line["a"].value == pytest.approx(wanted) and " / ".join(name) in text(run)


def test_best_and_worst_are_chosen_by_rule_and_spread_over_people():
    frame = pd.DataFrame({"person": list("aaabbc"), "ssim": [0.9, 0.8, 0.1, 0.7, 0.2, np.nan]})
    everybody = np.ones(6, bool)
    best, worst = measure.ranked(frame, "ssim", everybody, 2)
    assert list(best) == [0, 3] and list(worst) == [2, 4]
    best, worst = measure.ranked(frame, "ssim", np.array([False, True, True, False, False, True]), 4)
    assert sorted([*best, *worst]) == [1, 2], "nobody else may be pictured, and nobody twice"


class Brighter(CopySource):
    """Makes faces brighter by the intensity, and by two grey levels in any case."""

    expressions = ("anger", "fear")

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        return faces + 2 / 127.5 + intensity


def test_change_at_intensity_0_is_in_grey_levels_and_of_each_source_once(true):
    found = measure.at_zero(Brighter(128), true, "brighter", 3).rows
    assert set(found["metric"]) == {"change_at_0"} and set(found["seed"]) == {3}
    assert len(found) == len(set(true.chosen[np.isin(true.names, ("anger", "fear")), 0]))
    assert found["value"].to_numpy() == pytest.approx(2, abs=0.05)  # white cannot become brighter
    assert (measure.at_zero(CopySource(128), true, "copy").rows["value"] == 0).all()
    assert not len(measure.at_zero(Perfect(true.pairs, true.chosen), true, "perfect").rows)


def test_copy_keeps_all_sharpness_and_changes_nothing(measured):
    own = summarise(measured.scores.of(method="copy"))
    values = dict(zip(own["metric"], own["value"], strict=True))
    assert 0.8 < values["sharpness"] < 1.25  # another hull: that of the landmarks asked for
    assert values["sharpness_still"] == pytest.approx(1) and values["change_at_0"] == 0
