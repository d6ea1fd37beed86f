import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fersyn.expressions import EXPRESSIONS
from fersyn.nets.labels import label_code, label_maps


def test_code_of_the_paper():
    code = label_code(torch.arange(8))
    assert torch.equal(code, 2 * torch.eye(8) - 1)


@given(st.integers(1, 7), st.floats(0, 1))
def test_intensity_stands_at_the_asked_expression(label, intensity):
    code = label_code(torch.tensor([label]), intensity)
    assert code[0, label] == pytest.approx(2 * intensity - 1, abs=1e-6)
    assert (code[0, [i for i in range(8) if i != label]] == -1).all()


def test_neutral_has_no_degree():
    assert torch.equal(label_code(torch.tensor([0, 0]), torch.tensor([0.0, 1.0])), label_code(torch.tensor([0, 0])))


def test_maps_are_constant():
    maps = label_maps(torch.tensor([EXPRESSIONS.index("fear"), 0]), torch.tensor([0.25, 0.0]), 5)
    assert maps.shape == (2, 8, 5, 5) and maps.dtype == torch.float32
    assert (maps[0, 4] == -0.5).all() and (maps[1, 0] == 1).all() and (maps == maps[..., :1, :1]).all()


@pytest.mark.parametrize("labels", [torch.tensor([-1]), torch.tensor([8]), torch.zeros(2, 2).long(), torch.zeros(2)])
def test_what_is_no_label_is_refused(labels):
    with pytest.raises(ValueError, match="labels"):
        label_code(labels)
