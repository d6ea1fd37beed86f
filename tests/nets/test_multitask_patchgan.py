import pytest
import torch

from fersyn.losses.adversarial import critic, gradient_penalty
from fersyn.nets.multitask_patchgan import MultiTaskPatchGAN


@pytest.mark.parametrize("size", [32, 64, 128])
def test_patches_and_heads(size):
    network = MultiTaskPatchGAN(size, 4, {"expression": 8, "identity": 5})
    found = network(torch.zeros(2, 3, size, size))
    assert {name: tuple(logits.shape) for name, logits in found.items()} == {
        "patches": (2, 1, 4, 4), "expression": (2, 8), "identity": (2, 5),
    }  # fmt: skip


def test_every_task_shares_the_layers():
    network = MultiTaskPatchGAN(32, 4, {"expression": 8})
    for task in ("patches", "expression"):
        network.zero_grad()
        network(torch.randn(2, 3, 32, 32))[task].square().sum().backward()
        assert all(weight.grad.any() for weight in network.layers.parameters())


def test_critic_and_penalty():
    """Of D(x) = the sum of 3 x over D pixels the slope is 3 sqrt(D) at every place; second derivatives reach the weights."""
    real, fake = torch.ones(4, 1, 2, 2), torch.zeros(4, 1, 2, 2)
    weight = torch.tensor(3.0, requires_grad=True)

    def score(faces):
        return weight * faces.sum((2, 3))

    assert critic(score(real), score(fake)) == -12
    found = gradient_penalty(score, real, fake)
    torch.testing.assert_close(found, torch.tensor((3 * 2 - 1.0) ** 2))
    found.backward()
    torch.testing.assert_close(weight.grad, torch.tensor(2.0 * 5 * 2))


def test_the_penalty_is_taken_between_real_and_generated_faces():
    places = []
    real, fake = torch.ones(64, 1, 1, 1), torch.zeros(64, 1, 1, 1)
    gradient_penalty(lambda faces: places.append(faces.detach()) or faces.sum((2, 3)), real, fake)
    assert 0 < places[0].min() < 0.3 and 0.7 < places[0].max() < 1 and len(places[0].unique()) == 64
