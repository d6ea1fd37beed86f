import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersyn.errors import FersynError
from fersyn.evaluation import lineup, verification, verifiers
from fersyn.evaluation.scores import summarise
from fersyn.evaluation.verification import Trial
from fersyn.evaluation.verifiers.dlib_face import DlibFace
from fersyn.table import FaceTable


def brute_tar(genuine, impostor, far):
    """Try every threshold: the highest share of genuine pairs at or below it, with at most far of the impostors."""
    best = 0.0
    for threshold in [*genuine, *impostor]:
        if np.mean(np.array(impostor) <= threshold) <= far:
            best = max(best, float(np.mean(np.array(genuine) <= threshold)))
    return best


numbers = st.lists(st.integers(0, 30).map(lambda value: value / 10), min_size=1, max_size=25)


@given(numbers, numbers, st.sampled_from([0.0, 0.01, 0.1, 0.34, 1.0]))
def test_tar_at_far_is_that_of_a_brute_force_count(genuine, impostor, far):
    assert verification.tar_at_far(genuine, impostor, far) == pytest.approx(brute_tar(genuine, impostor, far))


def test_tar_at_far_where_the_rate_falls_on_a_whole_number_of_pairs():
    impostor = np.arange(100) / 100
    assert 0.29 * 100 < 29, "floating point: a plain int() would accept 28"
    assert verification.tar_at_far(np.array([0.285, 0.295]), impostor, 0.29) == 0.5
    assert verification.tar_at_far(np.array([0.28, 0.29]), impostor, 0.29) == 0.5
    assert np.isnan(verification.tar_at_far(np.zeros(0), impostor, 0.1))


def of_one(genuine, impostor):
    """A trial of ann's probes against herself and bob, as many pairs of each as the shorter list has."""
    both = np.array(list(zip(genuine, impostor, strict=False)))
    return Trial(both, np.full(len(both), "ann"), np.array(["ann", "bob"]))


@given(numbers, numbers)
def test_roc_rises_from_0_to_1_and_is_that_of_a_count(genuine, impostor):
    trial = of_one(genuine, impostor)
    far, tar = trial.curve()
    assert far[0] == tar[0] == 0 and far[-1] == tar[-1] == 1
    assert (np.diff(far) >= 0).all() and (np.diff(tar) >= 0).all()
    counted = [((trial.impostor <= t).mean(), (trial.genuine <= t).mean()) for t in np.unique(trial.apart)]
    assert list(zip(far[1:], tar[1:], strict=True)) == counted, "every threshold, so that a rate can be read off it"
    nearer = trial.genuine[:, None] - trial.impostor[None]
    assert trial.area() == pytest.approx(((nearer < 0) + (nearer == 0) / 2).mean())


def test_faces_without_a_face_come_last_on_the_curve():
    far, tar = of_one([0.1, np.inf], [0.2, np.inf]).curve()
    assert far.tolist() == [0, 0, 0.5, 1] and tar.tolist() == [0, 0.5, 0.5, 1]


def test_rank1_counts_as_by_hand():
    random = np.random.default_rng(0)
    gallery, probe = random.normal(size=(6, 5)), random.normal(size=(40, 5))
    ids = np.array(list("abcdef"))
    asked = ids[random.integers(0, 6, 40)]
    right = sum(
        ids[np.argmin([np.linalg.norm(p - g) for g in gallery])] == a for p, a in zip(probe, asked, strict=True)
    )
    assert Trial(verifiers.distances("euclidean", gallery, probe), asked, ids).rank1() == pytest.approx(right / 40)
    assert Trial(verifiers.distances("euclidean", gallery, gallery), ids, ids).rank1() == 1


def test_strangers_and_nothing_are_refused():
    with pytest.raises(FersynError, match="no gallery picture of eve"):
        Trial(np.zeros((1, 1)), np.array(["eve"]), np.array(["ann"]))
    with pytest.raises(FersynError, match="no probe"):
        Trial(np.zeros((0, 1)), np.array([]), np.array(["ann"]))


def test_enough_pairs():
    assert of_one(np.zeros(1000), np.ones(1000)).enough(0.01) and not of_one(np.zeros(999), np.ones(999)).enough(0.01)


def rows(*entries):
    lines = [{"dataset": "d", "sequence": s, "subject": p, "expression": e, "intensity": i} for p, s, e, i in entries]
    return FaceTable("d", pd.DataFrame(lines), {}, pd.DataFrame())


def test_own_pictures_take_neutral_for_the_gallery_and_peaks_for_probes():
    table = rows(
        ("a", "1", "neutral", 0.0), ("a", "1", "anger", 0.7), ("a", "1", "anger", 0.9), ("a", "2", "fear", None),
        ("b", "1", "happiness", 1.0), ("b", "1", "neutral", 0.0), ("b", "2", "neutral", 0.0),
        ("c", "1", "anger", 1.0),
        ("d", "1", None, None), ("d", "2", None, None),
    )  # fmt: skip
    gallery, probe = lineup.own_pictures(table)
    assert gallery.tolist() == [0, 5, 8], "c has one picture; d has no neutral one"
    assert sorted(probe.tolist()) == [2, 3, 4, 9]


def test_faces_of_one_person_lie_closer(small_table):
    found = DlibFace().embed(small_table.images(), small_table.landmarks())
    assert found.shape == (len(small_table), 128) and np.isfinite(found).all()
    who, scores = lineup.own_trial(small_table, verifiers.get("dlib"))
    assert len(who.gallery) == 4 and len(who.probe) == 24
    assert who.rank1() > 0.8
    assert summarise(scores.of(metric="rank1"), ("verifier",))["value"].tolist() == [who.rank1()]
    assert scores.rows.query("metric == 'recognised'")["value"].mean() == pytest.approx(who.rank1())
    assert np.median(who.genuine) < np.median(who.impostor)
    assert not who.enough(0.01)


def test_embed_needs_landmarks_for_each_image():
    with pytest.raises(FersynError, match="2 images but 1"):
        DlibFace().embed(np.zeros((2, 8, 8, 3), np.uint8), np.zeros((1, 68, 2)))
