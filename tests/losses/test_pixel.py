import pytest
import torch

from fersyn.losses import pixel


def test_value_by_hand():
    target = torch.zeros(1, 3, 2, 2)
    generated = target.clone()
    generated[0, 0, 0, 0], generated[0, 2, 1, 1] = 0.6, -1.2
    assert pixel(generated, target).item() == pytest.approx((0.6 + 1.2) / 12)
    assert pixel(torch.ones(2, 3, 4, 4), -torch.ones(2, 3, 4, 4)).item() == 2


def test_shapes_must_be_equal():
    with pytest.raises(ValueError, match="differ in shape"):
        pixel(torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 4, 4))
