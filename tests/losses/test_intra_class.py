import pytest
import torch

from fersyn.losses.intra_class import intra_class

LABELS = torch.tensor([0, 0, 1, 0, 2])
MADE = torch.tensor([False, True, True, True, False])  # pairs of one class: 0 with 1 and 3


def features():
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize("guided", [False, True])
def test_half_the_squared_distance_of_pairs_of_one_class(guided):
    found = features()
    wanted = ((found[0] - found[1]).square().sum() + (found[0] - found[3]).square().sum()) / 4
    torch.testing.assert_close(intra_class(found, LABELS, MADE, guided), wanted)


def test_both_get_a_gradient():
    found = features()
    intra_class(found, LABELS, MADE).backward()
    torch.testing.assert_close(found.grad[0], found.detach()[0] - found.detach()[[1, 3]].mean(0))
    torch.testing.assert_close(found.grad[1], (found.detach()[1] - found.detach()[0]) / 2)
    assert not found.grad[[2, 4]].any(), "classes without a pair"


def test_guided_by_real_faces_the_synthesised_one_alone_gets_a_gradient():
    found = features()
    intra_class(found, LABELS, MADE, guided=True).backward()
    assert not found.grad[0].any(), "the real face is a guide"
    torch.testing.assert_close(found.grad[[1, 3]], (found.detach()[[1, 3]] - found.detach()[0]) / 2)


@pytest.mark.parametrize("made", [torch.zeros(5, dtype=torch.bool), torch.ones(5, dtype=torch.bool)])
def test_without_pairs_there_is_nothing_to_pull(made):
    found = features()
    loss = intra_class(found, LABELS, made)
    loss.backward()
    assert loss == 0 and not found.grad.any()
