import pytest
import torch
from torch import nn

from fersyn.nets.unet import UNet


@pytest.mark.parametrize("size", [32, 64, 128])
def test_down_to_one_px_and_back(size):
    network = UNet(11, size, width=2)
    sizes = []
    for layer in network.down:
        layer.register_forward_hook(lambda m, i, out: sizes.append(out.shape[-1]))
    faces = network(torch.randn(1, 11, size, size))  # a batch of one trains, too
    assert faces.shape == (1, 3, size, size) and faces.abs().max() <= 1
    assert sizes == [size // 2**level for level in range(1, len(sizes) + 1)] and sizes[-1] == 1


def test_layers_of_pix2pix_at_256():
    """Isola et al., section 6.1.1: C64-C128-C256-C512-C512-C512-C512-C512 and CD512-CD512-CD512-C512-C256-C128-C64."""
    network = UNet(3, 256)
    down = [layer for part in network.down for layer in part if isinstance(layer, nn.Conv2d)]
    up = [layer for part in network.up for layer in part if isinstance(layer, nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in down] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [layer.out_channels for layer in up] == [512, 512, 512, 512, 256, 128, 64, 3]
    assert [layer.in_channels for layer in up] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    assert [any(isinstance(layer, nn.Dropout) for layer in part) for part in network.up] == [True] * 3 + [False] * 5
    normed = [any(isinstance(layer, nn.BatchNorm2d) for layer in part) for part in network.down]
    assert normed == [False] + [True] * 6 + [False]


def test_every_weight_is_used():
    network = UNet(11, 32, width=2, dropout=0.0)
    network(torch.randn(4, 11, 32, 32)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters() if weight.ndim == 4)


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="power of two"):
        UNet(3, 96)
    with pytest.raises(AssertionError):
        UNet(3, 32, width=2)(torch.zeros(1, 3, 64, 64))
