import numpy as np
import pytest

from fersyn.evaluation import bootstrap

PEOPLE = np.repeat([f"set/{k}" for k in range(30)], 4)


def test_people_count_and_not_their_pictures():
    rng = np.random.default_rng(0)
    level = rng.normal(0, 1, 30)
    values = level.repeat(4) + rng.normal(0, 0.01, 120)  # all that differs is the person
    found = bootstrap.mean(values, PEOPLE)
    assert found.people == 30 and found.low < found.value < found.high
    half = (found.high - found.low) / 2
    assert half == pytest.approx(1.96 * level.std(ddof=1) / np.sqrt(30), rel=0.2)
    pictures = bootstrap.mean(values, np.arange(120))
    assert (pictures.high - pictures.low) / 2 < 0.6 * half, "pictures taken for people look far surer than they are"


def test_each_person_weighs_the_same_and_gaps_are_left_out():
    found = bootstrap.mean([1, 1, 1, 4, np.nan], ["a", "a", "a", "b", "b"])
    assert found.value == 2.5 and found.people == 2
    assert np.allclose(bootstrap.by_person([1, 3, 5], ["b", "a", "b"]), [3, 3])


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = [
        (found := bootstrap.mean(rng.exponential(1, 40), np.arange(40), resamples=400)).low <= 1 <= found.high
        for _ in range(120)
    ]
    assert 0.85 < np.mean(hits) <= 1.0


def test_a_paired_difference_is_surer_than_two_intervals():
    rng = np.random.default_rng(2)
    hard = rng.normal(0, 1, 30).repeat(4)
    a, b = hard + 0.1 + rng.normal(0, 0.05, 120), hard + rng.normal(0, 0.05, 120)
    gap = bootstrap.mean(a - b, PEOPLE)
    assert gap.excludes_zero and gap.value == pytest.approx(0.1, abs=0.03)
    one, other = bootstrap.mean(a, PEOPLE), bootstrap.mean(b, PEOPLE)
    assert one.low < other.high, "the two intervals alone could not tell"
    assert not bootstrap.mean(b - b[::-1], PEOPLE).excludes_zero


def test_same_seed_same_interval():
    values = np.random.default_rng(3).normal(size=120)
    assert bootstrap.mean(values, PEOPLE, seed=5) == bootstrap.mean(values, PEOPLE, seed=5)
    assert bootstrap.mean(values, PEOPLE, seed=5) != bootstrap.mean(values, PEOPLE, seed=6)


def test_too_few_people_give_no_bounds():
    one = bootstrap.mean([1.0, 2.0], ["a", "a"])
    assert one.value == 1.5 and np.isnan([one.low, one.high]).all() and not one.excludes_zero
    none = bootstrap.mean([np.nan], ["a"])
    assert np.isnan(none.value) and none.people == 0
    same = bootstrap.mean([0.0, 0.0, 0.0], ["a", "b", "c"])
    assert (same.low, same.high) == (0.0, 0.0)
    assert np.isnan(bootstrap.statistic(len, ["a", "a"]).low)


def test_few_people_who_agree_by_chance_show_no_difference():
    for count, sure in ((2, False), (bootstrap.LEAST - 1, False), (bootstrap.LEAST, True)):
        gap = bootstrap.mean(1 + np.arange(count) / 10, np.arange(count))
        assert gap.low > 0 and gap.excludes_zero is sure
        assert bootstrap.marked(count).startswith("bold" if sure else "nothing is bold")
    rng = np.random.default_rng(0)
    alarms = [bootstrap.mean(rng.normal(size=3), np.arange(3), 100).excludes_zero for _ in range(40)]
    assert not any(alarms), "of three people all lean one way in a quarter of cases"


def test_any_statistic_takes_all_pictures_of_a_person_who_is_drawn():
    values = np.random.default_rng(4).normal(size=120)
    seen = []

    def mean(positions):
        seen.append(positions)
        return values[positions].mean()

    found = bootstrap.statistic(mean, PEOPLE, resamples=500, seed=1)
    exact = bootstrap.mean(values, PEOPLE)
    assert found.value == pytest.approx(exact.value)
    assert found.low == pytest.approx(exact.low, abs=0.05) and found.high == pytest.approx(exact.high, abs=0.05)
    assert np.array_equal(seen[0], np.arange(120))
    for positions in seen[1:20]:
        counts = np.bincount(positions, minlength=120).reshape(30, 4)
        assert len(positions) == 120 and (counts == counts[:, :1]).all()


def test_a_biased_statistic_is_centred():
    def largest(positions):  # of distinct ones: a resample can only fall short
        return len(set(positions.tolist()))

    plain = bootstrap.statistic(largest, PEOPLE, 200)
    centred = bootstrap.statistic(largest, PEOPLE, 200, centred=True)
    assert plain.high < plain.value and centred.low < centred.value < centred.high
    assert centred.high - centred.low == pytest.approx(plain.high - plain.low)


def test_lengths_must_fit():
    with pytest.raises(ValueError, match="person"):
        bootstrap.mean([1, 2], ["a"])
