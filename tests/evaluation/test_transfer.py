import numpy as np
import pandas as pd
import pytest
import torch

from fersyn.errors import FersynError, SubjectLeak
from fersyn.evaluation import judging, transfer
from fersyn.expressions import EXPRESSIONS
from fersyn.table import FaceTable


@pytest.fixture
def two(graded):
    """Two tables of other people: two and two of the same."""
    side = (graded.rows["split"] == "train").to_numpy()
    return [
        FaceTable(graded.path, graded.rows[own].reset_index(drop=True), graded.info, graded.skipped)
        for own in (side, ~side)
    ]


def test_each_expression_of_each_table_is_dealt_equally_often():
    many, few = np.repeat([0, 5], [300, 20]), np.array([0, 5, 5, 5])
    dealt = transfer._dealt_alike([many, few, few[:0]], 8000, seed=3)
    table, label = dealt.numpy() >= len(many), np.concatenate([many, few])[dealt]
    share = pd.crosstab(table, label, normalize=True).to_numpy()
    assert np.allclose(share, 0.25, atol=0.03)
    assert torch.equal(dealt, transfer._dealt_alike([many, few], 8000, seed=3))
    assert not torch.equal(dealt, transfer._dealt_alike([many, few], 8000, seed=4))


def test_it_learns_from_everybody_the_same_for_a_seed(two):
    judge, again = (transfer.learn(two, steps=3, seed=2) for _ in range(2))
    assert judge.people == 4 and not judge.network.training
    assert [EXPRESSIONS[label] for label in judge.classes] == [name for name in EXPRESSIONS if name != "contempt"]
    same = zip(judge.network.parameters(), again.network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in same)
    with pytest.raises(FersynError, match="no face with an expression"):
        transfer.learn([FaceTable(two[0].path, two[0].rows[:0], two[0].info, two[0].skipped)])


def test_weak_smiles_are_learnt_from_and_no_other_weak_face(two):
    rows = two[0].rows.assign(sequence="")
    weak = FaceTable(
        two[0].path, rows.assign(intensity=np.where(rows["expression"] == "neutral", 0, 0.4)), two[0].info, None
    )
    assert set(weak.rows["expression"].iloc[transfer._clear(weak)]) == {"neutral", "happiness"}
    assert set(weak.rows["expression"].iloc[transfer._asked(weak)]) == {"neutral"}


def test_photographs_of_others_are_named_a_row_a_face(two):
    learnt, photographs = two
    found = transfer.named({"some": [learnt], "the same": [learnt]}, [photographs], steps=2, seeds=2)
    rows = found.rows
    assert set(rows["method"]) == {"some", "the same"} and set(rows["seed"]) == {0, 1}
    assert set(rows["person"]) == set(photographs.people) and "contempt" not in set(rows["expression"])
    assert set(rows["metric"]) == {judging.KIT} and set(rows["value"]) <= {0.0, 1.0}
    one, other = (own["value"].to_numpy() for _, own in rows.groupby("method"))
    assert np.array_equal(one, other)
    whole = judging.by_expression(found)
    assert (whole["seeds"] == 2).all() and judging.ALL in set(whole["expression"])
    assert not len(transfer.named({"some": [learnt]}, []).rows)
    with pytest.raises(SubjectLeak):
        transfer.named({"some": [photographs]}, [photographs], steps=1)
