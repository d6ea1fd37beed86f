import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersyn.errors import FersynError
from fersyn.evaluation import identity
from fersyn.evaluation.verifiers.dlib_face import DlibFace


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
    assert identity.tar_at_far(genuine, impostor, far) == pytest.approx(brute_tar(genuine, impostor, far))


def test_tar_at_far_where_the_rate_falls_on_a_whole_number_of_pairs():
    impostor = np.arange(100) / 100
    assert 0.29 * 100 < 29, "floating point: a plain int() would accept 28"
    assert identity.tar_at_far(np.array([0.285, 0.295]), impostor, 0.29) == 0.5
    assert identity.tar_at_far(np.array([0.28, 0.29]), impostor, 0.29) == 0.5
    assert np.isnan(identity.tar_at_far(np.zeros(0), impostor, 0.1))


@given(numbers, numbers)
def test_roc_rises_from_0_to_1(genuine, impostor):
    far, tar = identity.roc(np.array(genuine), np.array(impostor))
    assert far[0] == tar[0] == 0 and far[-1] == tar[-1] == 1
    assert (np.diff(far) >= 0).all() and (np.diff(tar) >= 0).all()


def test_rank1_counts_as_by_hand():
    random = np.random.default_rng(0)
    gallery, probe = random.normal(size=(6, 5)), random.normal(size=(40, 5))
    ids, asked = np.arange(6), random.integers(0, 6, 40)
    right = sum(
        ids[np.argmin([np.linalg.norm(p - g) for g in gallery])] == a for p, a in zip(probe, asked, strict=True)
    )
    assert identity.rank1(gallery, ids, probe, asked) == pytest.approx(right / 40)
    assert identity.rank1(gallery, ids, gallery, ids) == 1


def test_rank1_refuses_strangers_and_nothing():
    with pytest.raises(FersynError, match="no gallery picture of eve"):
        identity.rank1(np.zeros((1, 2)), np.array(["ann"]), np.zeros((1, 2)), np.array(["eve"]))
    with pytest.raises(FersynError, match="no probe"):
        identity.rank1(np.zeros((1, 2)), np.array(["ann"]), np.zeros((0, 2)), np.array([]))


def test_enough_pairs():
    assert identity.enough_pairs(np.zeros(1000), 0.01) and not identity.enough_pairs(np.zeros(999), 0.01)


def rows(*entries):
    return pd.DataFrame(
        [{"dataset": "d", "sequence": s, "subject": p, "expression": e, "intensity": i} for p, s, e, i in entries]
    )


def test_choose_takes_neutral_for_the_gallery_and_peaks_for_probes():
    table = rows(
        ("a", "1", "neutral", 0.0), ("a", "1", "anger", 0.7), ("a", "1", "anger", 0.9), ("a", "2", "fear", None),
        ("b", "1", "happiness", 1.0), ("b", "1", "neutral", 0.0), ("b", "2", "neutral", 0.0),
        ("c", "1", "anger", 1.0),
        ("d", "1", None, None), ("d", "2", None, None),
    )  # fmt: skip
    gallery, probe = identity.choose(table)
    assert gallery.tolist() == [0, 5, 8], "c has one picture; d has no neutral one"
    assert sorted(probe.tolist()) == [2, 3, 4, 9]


def test_faces_of_one_person_lie_closer(small_table):
    found = DlibFace().embed(small_table.images(), small_table.landmarks())
    assert found.shape == (len(small_table), 128) and np.isfinite(found).all()
    who = identity.check(small_table)
    assert who.people == 4 and who.probes == 24
    assert who.rank1 > 0.8
    assert np.median(who.genuine) < np.median(who.impostor)
    assert not who.enough(0.01)


def test_embed_needs_landmarks_for_each_image():
    with pytest.raises(FersynError, match="2 images but 1"):
        DlibFace().embed(np.zeros((2, 8, 8, 3), np.uint8), np.zeros((1, 68, 2)))
