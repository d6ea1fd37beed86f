"""Published sizes: Li, Qi & Sun, IEEE Access 9, 2021, Table 3, at 128x128."""

import pytest
import torch
from torch import nn

from fersyn.nets.patchgan import FeatureGAN, PatchGAN


def test_table_3():
    network = PatchGAN(6).eval()
    found = []
    for layer in network.layers:
        layer.register_forward_hook(lambda m, i, out: found.append((type(m).__name__, tuple(out.shape[1:]))))
    with torch.no_grad():
        network(torch.zeros(1, 6, 128, 128))
    sizes = [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 15, 15), (1, 14, 14)]  # (channels, height, width)
    assert [shape for name, shape in found if name == "Conv2d"] == sizes
    between = [("Conv2d", size) for size in sizes[1:4]], [("BatchNorm2d", size) for size in sizes[1:4]]
    rows = [("Conv2d", sizes[0]), ("LeakyReLU", sizes[0])]
    for convolution, norm in zip(*between, strict=True):
        rows += [convolution, norm, ("LeakyReLU", norm[1])]
    assert found == [*rows, ("Conv2d", sizes[4])]


@pytest.mark.parametrize("inside", [4, 6, 71])
def test_number_of_weights(inside):
    by_hand = inside * 64 * 16 + 64 + sum(a * 2 * a * 16 + 4 * a for a in (64, 128, 256)) + 512 * 16 + 1
    assert sum(weight.numel() for weight in PatchGAN(inside).parameters()) == by_hand


def test_every_logit_sees_a_patch_of_70_px():
    network = PatchGAN(1, width=2).eval()
    image = torch.randn(1, 1, 128, 128, requires_grad=True)
    network(image)[0, 0, 7, 7].backward()
    seen = image.grad[0, 0].abs() > 0
    assert seen.any(0).sum() == seen.any(1).sum() == 70


def test_logits_are_not_squashed_and_64_px_work():
    network = PatchGAN(6, width=4)
    nn.init.constant_(network.layers[-1].bias, 5.0)  # a sigmoid would not let it through
    logits = network(torch.randn(2, 6, 64, 64))
    assert logits.shape == (2, 1, 6, 6) and logits.abs().max() > 1


def test_norm_on_the_logits_blinds_the_discriminator():
    """Why row 13 of Table 3 is off by default: whatever goes in, the mean logit of a batch is the bias."""
    network = PatchGAN(6, width=4, last_norm=True)
    assert isinstance(network.layers[-1], nn.BatchNorm2d)
    for scale in (0.1, 10.0):
        assert network(scale * torch.randn(4, 6, 64, 64) + scale).mean().item() == pytest.approx(0, abs=1e-5)


def test_wrong_shapes_are_refused():
    for wrong in (torch.zeros(1, 5, 64, 64), torch.zeros(1, 6, 16, 16)):
        with pytest.raises(AssertionError):
            PatchGAN(6, width=2)(wrong)


def test_features_are_judged_place_by_place_and_it_learns():
    torch.manual_seed(0)
    network = FeatureGAN(20, 4)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(60):  # true ones have a pattern in one channel
        real, fake = torch.randn(8, 20, 8, 8), torch.randn(8, 20, 8, 8)
        real[:, 3, ::2] += 2
        loss = torch.relu(1 - network(real)).mean() + torch.relu(1 + network(fake)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert network(real).shape == (8, 1, 8, 8) and network(real).mean() > network(fake).mean() + 1
