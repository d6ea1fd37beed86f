import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.evaluation import intensity, measure
from fersyn.evaluation.fidelity import TRUE
from fersyn.evaluation.protocol import measured_pairs
from fersyn.evaluation.scores import summarise
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.copy import CopySource
from fersyn.methods.warp import Warp
from fersyn.table import FaceTable


class Mover:
    """Landmark motion of the training people's average, times a gain."""

    expressions = EXPRESSIONS

    def __init__(self, ruler, gain=1.0):
        self.ruler, self.gain = np.nan_to_num(ruler), gain

    def without(self, people):
        return self

    def predict(self, landmarks, label, intensity=1.0, source_label=None, size=128):
        degree = torch.as_tensor(intensity).numpy().reshape(-1, 1, 1)
        return landmarks + torch.from_numpy(size * self.gain * degree * self.ruler[label.numpy()]).float()


def test_the_ruler_is_the_training_peoples_average(graded):
    ruler = intensity.directions(graded)
    assert np.isnan(ruler[0]).all() and ruler.shape == (8, 68, 2)
    rows, label = graded.rows, EXPRESSIONS.index("surprise")
    wanted = []
    for person in sorted(set(graded.people[rows["split"] == "train"])):
        own = graded.people == person
        calm, loud = (
            graded.landmarks(own & (rows["expression"] == name).to_numpy())[0] for name in ("neutral", "surprise")
        )
        wanted.append((loud - calm) / 0.8 / graded.size)
    assert np.allclose(ruler[label], np.mean(wanted, 0), atol=1e-6)
    unknown = FaceTable(graded.path, graded.rows.assign(intensity=np.nan), graded.info, graded.skipped)
    assert np.isnan(intensity.directions(unknown)).all()


def test_along_is_the_part_of_the_way():
    whole = np.random.default_rng(0).normal(size=(68, 2))
    aside = np.zeros((68, 2))
    aside[0] = [-whole[0, 1], whole[0, 0]]  # at right angles to the way
    assert np.allclose(intensity.along(np.stack([0 * whole, 0.3 * whole, -whole, aside]), whole), [0, 0.3, -1, 0])


def test_a_sweep_rises_with_what_is_asked_and_a_copy_stays(graded):
    pairs, chosen = measured_pairs(graded)
    ruler = intensity.directions(graded)
    own = [pair for pair in chosen if graded.rows["expression"].iloc[pair[1]] == "surprise"][:2]
    full, half, still = (
        intensity.sweep(each, pairs, np.array(own), ruler[[EXPRESSIONS.index("surprise")] * 2], (0.5, 1.0))
        for each in (Warp(128, Mover(ruler)), Warp(128, Mover(ruler, 0.5)), CopySource(128))
    )
    numbers = intensity.sweep_numbers(full)
    assert (numbers["rank"] == 1).all() and (numbers["rising"] == 1).all() and (numbers["full"] > 0.5).all()
    assert (intensity.sweep_numbers(half)["full"] < numbers["full"]).all()
    assert (still["measured"].abs() < 1e-6).all() and (intensity.sweep_numbers(still)["rank"] == 0).all()
    assert sorted(set(full["asked"])) == [0.0, 0.5, 1.0] and len(full) == 6


def test_sweeps_take_what_all_methods_can_do(graded):
    pairs, chosen = measured_pairs(graded)
    mover = Mover(intensity.directions(graded))
    mover.expressions = ("neutral", "anger", "surprise")
    found = intensity.sweeps({"copy": CopySource(128), "warp": Warp(128, mover)}, pairs, chosen, 2)
    assert list(found) == [TRUE, "warp"]
    assert set(found["warp"]["expression"]) <= {"anger", "surprise"} and found["warp"]["pair"].nunique() == 2
    true = intensity.sweep_numbers(found[TRUE])
    assert true["rank"].isna().all() and np.isfinite(true["full"]).all()
    assert intensity.sweeps({"warp": Warp(128)}, pairs, chosen, 2) == {}, "nobody predicts its landmarks"
    unknown = FaceTable(graded.path, graded.rows.assign(intensity=np.nan), graded.info, graded.skipped)
    assert intensity.sweeps({"warp": Warp(128, mover)}, measured_pairs(unknown)[0], chosen, 2) == {}


def test_photographs_are_measured_along_the_way_to_their_true_pictures(graded):
    true = measure.everybody(graded)
    ruler = intensity.directions(graded)
    found = intensity.photo_sweeps({"warp": Warp(128, Mover(ruler)), "copy": CopySource(128)}, true, 3)
    assert found["warp"]["pair"].nunique() == 3 and sorted(set(found["warp"]["asked"])) == [0, *intensity.LEVELS]
    own = (
        intensity.sweep_scores(found, "set")
        .of(method="warp")
        .rows.pivot(index="item", columns="metric", values="value")
    )
    assert (own["rank"] > 0.9).all() and (own["full"].between(0.2, 2)).all()
    last = found["warp"].groupby("pair")["apart"].last()
    assert (last > 0.05).all() and np.allclose(own["apart"], last), "at the strongest asked"
    assert (found["copy"]["apart"] < 1e-6).all() and (found["warp"].groupby("pair")["apart"].first() == 0).all()


def test_sweep_numbers_by_hand():
    frame = pd.DataFrame(
        [("a", "fear", 0, *pair) for pair in [(0, 0), (0.5, 0.4), (1, 0.3)]]
        + [("b", "fear", 1, *pair) for pair in [(0, 0), (0.5, 0.1), (1, 0.9)]],
        columns=["person", "expression", "pair", "asked", "measured"],
    )
    found = intensity.sweep_numbers(frame)
    assert list(found["rising"]) == [0.5, 1.0] and list(found["full"]) == [0.3, 0.9]
    assert np.allclose(found["rank"], [0.5, 1.0]) and found["pearson"].iloc[1] == pytest.approx(0.9122, abs=1e-3)
    rows = intensity.sweep_scores({"flow": frame}, "set").rows
    assert set(rows["metric"]) == set(intensity.METRICS) and set(rows["person"]) == {"a", "b"} and len(rows) == 8
    summary = summarise(intensity.sweep_scores({"flow": frame}, "set")).set_index("metric")
    assert summary.loc["full", "value"] == pytest.approx(0.6)
