import numpy as np
import pandas as pd
import pytest

from fersyn.errors import FersynError
from fersyn.evaluation import bootstrap, scores
from fersyn.evaluation.scores import Metric, Scores, SetScore

PEOPLE = [f"set/{k // 3}" for k in range(24)]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(scores, "METRICS", dict(scores.METRICS))
    scores.register(Metric("near", "nearness", "higher", "px", 1, group="picture"))
    scores.register(Metric("far", "distance", "lower"))
    scores.register(Metric("rate", "rate", "higher", of_a_set=True))


def values(method, seed):
    return np.random.default_rng([*method.encode(), seed]).normal(size=24)


def rows(method, metric="near", seeds=(0,), **keys):
    about = dict(people=PEOPLE, item=range(24), expression=["anger"] * 24, method=method, table="set", **keys)
    return pd.concat([scores.rows_of(metric, values(method, s), seed=s, **about) for s in seeds], ignore_index=True)


def test_means_over_people_with_the_intervals_of_bootstrap():
    found = scores.summarise(Scores(rows("copy", seeds=(0, 1))), seed=3)
    (row,) = found.to_dict("records")
    wanted = bootstrap.mean((values("copy", 0) + values("copy", 1)) / 2, PEOPLE, seed=3)
    assert bootstrap.Interval.of(row) == wanted and row["people"] == 8 and row["pictures"] == 24
    each = [values("copy", seed).mean() for seed in (0, 1)]
    assert row["deviation"] == pytest.approx(np.std(each, ddof=1)) and row["seeds"] == 2
    own = ((values("copy", 0) + values("copy", 1)) / 2).reshape(8, 3).mean(1)
    assert row["people_deviation"] == pytest.approx(np.std(own, ddof=1))


def test_what_was_not_measured_has_no_row_and_one_seed_no_deviation():
    frame = pd.concat([rows("copy"), rows("copy", "far").assign(value=np.nan)])
    found = scores.summarise(Scores(frame))
    assert list(found["metric"]) == ["near"] and found["deviation"].isna().all()
    assert not len(scores.summarise(Scores(frame[:0])))


def test_further_columns_tell_rows_apart():
    frame = pd.concat([rows("copy", verifier="dlib"), rows("copy", verifier="SFace")])
    with pytest.raises(ValueError, match="tells them apart"):
        scores.summarise(Scores(frame))
    found = scores.summarise(Scores(frame), by=("verifier", "method"))
    assert list(found["verifier"]) == ["dlib", "SFace"] and list(frame.columns) == ["verifier", *scores.COLUMNS]


def test_differences_are_paired_by_item_and_say_which_way():
    frame = pd.concat([rows("copy"), rows("flow"), rows("bent")], ignore_index=True)
    shuffled = frame.sample(frac=1, random_state=0)
    found = scores.differences(Scores(frame), of="flow").set_index("minus")
    gap = values("flow", 0) - values("copy", 0)
    assert bootstrap.Interval.of(found.loc["copy"]) == bootstrap.mean(gap, PEOPLE)
    assert found.loc["copy", "better"] == (bootstrap.by_person(gap, PEOPLE) > 0).sum() and set(found["method"]) == {
        "flow"
    }
    other = scores.differences(Scores(shuffled), minus="flow").set_index("method")
    assert other.loc["copy", "value"] == pytest.approx(-found.loc["copy", "value"]) and set(other["minus"]) == {"flow"}
    assert other.loc["copy", "better"] == 8 - found.loc["copy", "better"]
    with pytest.raises(FersynError, match="'nobody' was not measured; there are: copy, flow, bent"):
        scores.differences(Scores(frame), of="nobody")


def test_people_who_lack_a_seed_are_pooled_with_what_there_is():
    whole = rows("copy", seeds=(0, 1))
    lacking = (whole["seed"] == 1) & whole["person"].isin(PEOPLE[:6])
    both = Scores(pd.concat([whole[~lacking], rows("flow", seeds=(0, 1))], ignore_index=True))
    one, two = values("copy", 0), values("copy", 1)
    wanted = np.where(np.arange(24) < 6, one, (one + two) / 2)
    found = scores.summarise(both.of(method="copy")).iloc[0]
    assert bootstrap.Interval.of(found) == bootstrap.mean(wanted, PEOPLE) and found["people"] == 8
    gap = scores.differences(both, of="copy").iloc[0]
    other = (values("flow", 0) + values("flow", 1)) / 2
    assert bootstrap.Interval.of(gap) == bootstrap.mean(wanted - other, PEOPLE)


def test_lower_is_better_where_the_metric_says_so():
    frame = pd.concat([rows("copy", "far").assign(value=1.0), rows("flow", "far").assign(value=0.5)])
    (row,) = scores.differences(Scores(frame), of="flow").to_dict("records")
    assert row["value"] == -0.5 and row["better"] == 8 and scores.sure(row)


def test_numbers_of_a_set_are_drawn_by_people():
    def one(method, seed):
        own, keys = values(method, seed), {"method": method, "seed": seed, "table": "set"}
        return SetScore(keys, "rate", PEOPLE, lambda rows: float((own[rows] > 0).mean()))

    both = Scores(rows("copy"), (one("copy", 0), one("copy", 1))) + Scores(rows("flow")[:0], (one("flow", 0),))
    found = scores.summarise(both, resamples=50, seed=1).set_index(["method", "metric"])
    rates = [(values("copy", seed) > 0).mean() for seed in (0, 1)]
    row = found.loc[("copy", "rate")]
    assert row["value"] == pytest.approx(np.mean(rates)) and row["deviation"] == pytest.approx(np.std(rates, ddof=1))
    assert row["low"] < row["value"] < row["high"] and ("copy", "near") in found.index
    gap = scores.differences(both.of(metric="rate"), of="flow", resamples=50).iloc[0]
    assert gap["value"] == pytest.approx(found.loc[("flow", "rate"), "value"] - row["value"]) and np.isnan(
        gap["better"]
    )
    assert both.of(method=["flow"]).rows.empty and len(both.of(method="flow").sets) == 1


def test_a_metric_says_how_it_is_printed():
    metric = scores.METRICS["near"]
    assert (metric.head, scores.METRICS["far"].head) == ("nearness, px ↑", "distance ↓")
    assert (
        metric.best([1, 3, 2]) == 3 and scores.METRICS["far"].best([1, 3]) == 1 and "near" in scores.of_group("picture")
    )
    assert metric.plain()["unit"] == "px" and "function" not in metric.plain()
