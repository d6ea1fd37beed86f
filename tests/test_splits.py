import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fersyn import splits
from fersyn.errors import FersynError, SubjectLeak


def rows(people: int, labels=("neutral", "anger", "fear"), each: int = 2) -> pd.DataFrame:
    records = [("set", f"S{p:03d}", label) for p in range(people) for label in labels for _ in range(each)]
    return pd.DataFrame(records, columns=["dataset", "subject", "expression"])


@st.composite
def some_rows(draw, least=2):
    people = draw(
        st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 30)), min_size=least, max_size=20, unique=True)
    )
    records = []
    for dataset, number in people:
        for label in draw(st.lists(st.sampled_from(["neutral", "anger", None]), min_size=1, max_size=5)):
            records.append((dataset, f"{number:03d}", label))
    return pd.DataFrame(records, columns=["dataset", "subject", "expression"])


@settings(max_examples=40)
@given(some_rows(), st.floats(0.05, 0.9), st.integers(0, 5))
def test_holdout_takes_whole_people_and_leaves_some_on_both_sides(table, fraction, seed):
    split = splits.holdout(table, fraction, seed)
    side = splits.assign(table, split)
    assert set(side) == {"train", "test"}
    splits.check_disjoint(table[side == "train"], table[side == "test"])
    assert sorted(set(splits.people(split))) == sorted(set(splits.people(table)))
    wanted = min(max(1, round(fraction * len(split))), len(split) - 1)
    assert (split["split"] == "test").sum() == wanted


@settings(max_examples=40)
@given(some_rows(), st.integers(2, 6), st.integers(0, 5))
def test_folds_are_disjoint_and_even(table, k, seed):
    people = len(set(splits.people(table)))
    if people < k:
        with pytest.raises(FersynError, match=f"{k} folds cannot be made of {people} people"):
            splits.kfold(table, k, seed)
        return
    fold = splits.assign(table, splits.kfold(table, k, seed))
    for i in range(k):
        splits.check_disjoint(table[fold == i], table[fold != i])
    sizes = np.bincount(splits.kfold(table, k, seed)["fold"], minlength=k)
    assert sizes.max() - sizes.min() <= 1


def test_the_order_of_rows_does_not_matter_but_the_seed_does():
    table = rows(30)
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(splits.holdout(table), splits.holdout(shuffled))
    pd.testing.assert_frame_equal(splits.kfold(table, 5), splits.kfold(shuffled, 5))
    assert not splits.kfold(table, 5, seed=0).equals(splits.kfold(table, 5, seed=1))


def test_folds_are_stratified():
    """Half of the people show only anger, half only fear: each of five folds gets two of each kind, which chance
    seldom gives.
    """
    table = pd.concat([rows(10, ("anger",)), rows(10, ("fear",)).assign(dataset="other")])
    fold = splits.assign(table, splits.kfold(table, 5))
    counts = pd.crosstab(fold, table["expression"].to_numpy())
    assert (counts.to_numpy() >= 2).all() and counts.to_numpy().std() <= 2


def test_equal_names_in_two_sets_are_two_people():
    table = pd.concat([rows(1), rows(1).assign(dataset="other")])
    assert len(splits.holdout(table)) == 2
    splits.check_disjoint(rows(1), rows(1).assign(dataset="other"))


def test_one_person_is_never_held_out():
    assert list(splits.holdout(rows(1))["split"]) == ["train"]


def test_a_leak_is_refused_by_name():
    table = rows(4)
    with pytest.raises(SubjectLeak, match=r"share 2 of their people: set/S001, set/S002; split by subject"):
        splits.check_disjoint(table[table.subject < "S003"].iloc[6:], table[table.subject > "S000"])


def test_files_round_trip(tmp_path):
    table = rows(12).assign(subject=lambda r: r.subject.str.lstrip("S"))  # '007' must not become 7
    for name, split in (("holdout", splits.holdout(table)), ("kfold", splits.kfold(table, 3))):
        splits.write(split, tmp_path / "deep" / f"{name}.csv")
        back = splits.read(tmp_path / "deep" / f"{name}.csv")
        assert back.astype(str).equals(split.astype(str))
        assert (splits.assign(table, back) == splits.assign(table, split)).all()


def test_bad_files_and_arguments_are_named(tmp_path):
    with pytest.raises(FersynError, match="no such split"):
        splits.read(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FersynError, match="columns must be dataset, subject and split or fold, found a, b"):
        splits.read(tmp_path / "x.csv")
    (tmp_path / "y.csv").write_text("dataset,subject,split\ns,1,train\ns,1,test\n")
    with pytest.raises(SubjectLeak, match="s/1 stand there twice"):
        splits.read(tmp_path / "y.csv")
    with pytest.raises(FersynError, match="must lie between 0 and 1, not 1.5"):
        splits.holdout(rows(3), 1.5)
    with pytest.raises(FersynError, match="the table has no rows"):
        splits.holdout(rows(3).iloc[:0])
    with pytest.raises(FersynError, match="the split does not know set/S002"):
        splits.assign(rows(3), splits.holdout(rows(2)))


def test_sides_of_a_fold_and_of_fewer_people():
    table = rows(12).assign(split=["test" if p < 3 else "train" for p in range(12) for _ in range(6)])
    assert list(splits.sides(table)) == list(table["split"])
    tested = []
    for fold in ("1/3", "2/3", "3/3"):
        side = splits.sides(table, fold, seed=4)
        splits.check_disjoint(table[side == "train"], table[side == "test"])
        assert set(side) == {"train", "test"}
        tested += sorted(set(splits.people(table[side == "test"])))
    assert sorted(tested) == sorted(set(splits.people(table))), "everybody is tested once"
    few = splits.sides(table, "1/3", 5, seed=4)
    assert len(set(splits.people(table[few == "train"]))) == 5
    assert list(few == "test") == list(splits.sides(table, "1/3", seed=4) == "test")
    assert list(splits.sides(table, people_left=4, seed=1)) != list(splits.sides(table, people_left=4, seed=2))


@pytest.mark.parametrize("fold", ["0/3", "4/3", "one", "1/", "1/99"])
def test_folds_that_are_none(fold):
    with pytest.raises(FersynError, match="fold"):
        splits.sides(rows(5).assign(split="train"), fold)


def test_more_people_than_there_are():
    with pytest.raises(FersynError, match="6 people to train on: there are 5"):
        splits.sides(rows(5).assign(split="train"), people_left=6)
