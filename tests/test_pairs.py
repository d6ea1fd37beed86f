import numpy as np
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.landmarks import MIRROR
from fersyn.pairs import Pairs
from fersyn.table import FaceTable


@pytest.fixture(scope="module")
def pairs(small_table):
    return Pairs(small_table, size=64)


def same(a, b):
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in vars(a))


def test_shapes_ranges_and_people(pairs, small_table):
    batch = pairs.batch(3, 8, seed=1)
    assert batch.source.shape == batch.target.shape == (8, 3, 64, 64) and batch.source.dtype == torch.float32
    assert batch.source.min() >= -1 and batch.source.max() <= 1 and batch.source.min() < -0.5
    assert batch.source_landmarks.shape == batch.target_landmarks.shape == (8, 68, 2)
    source, target = batch.index_source.numpy(), batch.index_target.numpy()
    assert (small_table.people[source] == small_table.people[target]).all()
    assert set(small_table.rows["split"].iloc[source]) == {"train"}
    assert torch.equal(batch.label, torch.from_numpy(small_table.labels(target)))
    assert (batch.label != batch.source_label).all()
    assert ((batch.label == 0) | (batch.source_label == 0)).all(), "no sequences: one side is neutral"
    assert ((batch.intensity == 0) == (batch.label == 0)).all()


def test_pictures_are_the_tables_and_landmarks_are_scaled_half_a_pixel_right(small_table):
    whole, half = Pairs(small_table), Pairs(small_table, size=64)
    one = whole.gather(whole.forward[:2])
    assert torch.equal(one.target, small_table.tensor(whole.forward[:2, 1]))
    assert np.array_equal(one.target_landmarks, small_table.landmarks(whole.forward[:2, 1]))
    two = half.gather(half.forward[:2])
    assert torch.allclose(two.target_landmarks, (one.target_landmarks + 0.5) / 2 - 0.5)
    assert torch.allclose(two.target, torch.nn.functional.avg_pool2d(one.target, 2), atol=1.1 / 127.5)


def test_a_step_depends_on_seed_and_step_only(small_table, pairs):
    assert same(pairs.batch(7, 4, seed=2), Pairs(small_table, size=64).batch(7, 4, seed=2))
    assert not same(pairs.batch(7, 4, seed=2), pairs.batch(7, 4, seed=3))
    assert not same(pairs.batch(7, 4, seed=2), pairs.batch(8, 4, seed=2))
    state = torch.get_rng_state()
    Pairs(small_table, size=64, augment=1.0).batch(0, 4)
    assert torch.equal(state, torch.get_rng_state())


def test_ranks_take_parts_of_the_same_batch(small_table):
    varied = Pairs(small_table, size=32, augment=1.0)
    whole, parts = varied.batch(5, 8), [varied.batch(5, 8, rank=rank, world=2) for rank in (0, 1)]
    assert torch.equal(whole.index_target, torch.cat([part.index_target for part in parts]))
    assert torch.allclose(whole.target, torch.cat([part.target for part in parts]), atol=1e-5)
    with pytest.raises(FersynError, match="batch of 9 does not divide among 2"):
        varied.batch(0, 9, world=2)


def test_an_epoch_is_a_permutation_and_the_share_is_kept(small_table):
    pairs = Pairs(small_table, size=16, neutral_share=0.25)
    assert len(pairs.forward) == len(pairs.back) == 18  # 3 people x neutral and 6 others
    seen = np.concatenate([pairs.chosen(step, 6, seed=4) for step in range(12)])  # 72 pairs: 18 back, 54 forward
    back = [tuple(pair) for pair in seen if small_table.labels(pair[1:])[0] == 0]
    forward = [tuple(pair) for pair in seen if small_table.labels(pair[1:])[0] != 0]
    assert sorted(back) == sorted(map(tuple, pairs.back))
    for epoch in range(3):
        assert sorted(forward[18 * epoch : 18 * epoch + 18]) == sorted(map(tuple, pairs.forward))
    assert forward[:18] != forward[18:36]
    assert not (Pairs(small_table, size=16, neutral_share=0.0).batch(0, 36).label == 0).any()
    assert (Pairs(small_table, size=16, neutral_share=1.0).batch(0, 18).label == 0).all()


def test_pairs_from_one_expression_to_another(small_table):
    pairs = Pairs(small_table, size=16, neutral_share=0.25, cross_share=0.25)
    assert len(pairs.cross) == 3 * 6 * 5
    seen = np.concatenate([pairs.chosen(step, 10, seed=4) for step in range(36)])  # 360 pairs: 90 back, 90 across
    before, after = (small_table.labels(seen[:, side]) for side in (0, 1))
    across = [tuple(pair) for pair in seen[(before != 0) & (after != 0)]]
    assert (after == 0).sum() == 90 and (before == 0).sum() == 180
    assert (
        sorted(across) == sorted(map(tuple, pairs.cross))
        and (small_table.people[seen[:, 0]] == small_table.people[seen[:, 1]]).all()
    )
    assert np.array_equal(
        Pairs(small_table, size=16).chosen(5, 8), Pairs(small_table, size=16, cross_share=0.0).chosen(5, 8)
    )
    with pytest.raises(FersynError, match="neutral_share . cross_share is 1.5"):
        Pairs(small_table, neutral_share=0.75, cross_share=0.75)


def test_two_strengths_of_one_expression_are_a_pair_where_they_differ_enough(small_table):
    labels = small_table.labels()
    rows = changed(
        small_table,
        expression=np.where(labels == 0, "neutral", "anger"),
        intensity=np.where(labels == 0, 0, labels / 8),
    )
    cross = Pairs(rows, size=16).cross
    assert (abs(labels[cross[:, 0]] - labels[cross[:, 1]]) >= 3).all() and len(cross) > 0


def changed(table, **columns):
    rows = table.rows.copy()
    for name, values in columns.items():
        rows[name] = values
    return FaceTable(table.path, rows, table.info, table.skipped)


def test_pairs_stay_in_their_sequence(small_table):
    """Two sequences a person: neutral + happiness + anger, and the rest (which has no neutral face)."""
    first = small_table.rows["expression"].isin(["neutral", "happiness", "anger"])
    pairs = Pairs(changed(small_table, sequence=np.where(first, "a", "b")), size=16)
    assert {EXPRESSIONS[i] for i in small_table.labels(pairs.forward[:, 1])} == {"happiness", "anger"}
    assert len(pairs.forward) == 3 * 2


def test_people_without_a_neutral_face_and_faces_without_label(small_table):
    labels = small_table.rows["expression"]
    pairs = Pairs(changed(small_table, expression=labels.where(labels != "neutral", None)), size=16)
    assert len(pairs.back) == 0 and len(pairs.forward) == 3 * 6 * 5
    with pytest.raises(FersynError, match="nobody of the 21 faces is there with two expressions"):
        Pairs(changed(small_table, expression="sadness"), size=16)


def test_people_of_the_test_side_are_refused(small_table):
    with pytest.raises(SubjectLeak, match="openpeople/P0"):
        Pairs(small_table, np.arange(len(small_table)), size=16)
    held_out = Pairs(small_table, small_table.rows["split"] == "test", size=16, training=False)
    assert len(held_out.forward) == 6


def test_examples_are_spread(pairs, small_table):
    chosen = pairs.examples(6)
    assert len(set(small_table.labels(chosen[:, 1]))) == 6 and len(set(small_table.people[chosen[:, 1]])) == 3
    assert len(pairs.examples(100)) == 18 and np.array_equal(chosen, pairs.examples(6))


def test_range_of_settings(small_table):
    with pytest.raises(FersynError, match="augment is 2: a number between 0 and 1"):
        Pairs(small_table, augment=2)


def test_mirror_order_is_an_involution_and_swaps_the_sides(small_table):
    assert sorted(MIRROR) == list(range(68)) and all(MIRROR[MIRROR[i]] == i for i in range(68))
    points = small_table.landmarks().mean(0)
    flipped = points[list(MIRROR)] * (-1, 1) + (small_table.size - 1, 0)
    assert np.abs(flipped - points).mean() < 3  # a mean face is nearly symmetric
