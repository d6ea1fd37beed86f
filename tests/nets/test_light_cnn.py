"""Names and sizes of the authors' checkpoints (github.com/AlfredXiangWu/LightCNN), and the arithmetic of an MFM."""

import pytest
import torch
from torch.nn import functional

from fersyn.nets.light_cnn import CLASSES, MFM, LightCNN9, LightCNN29, network

# Shapes of weights as in the authors' light_cnn.py, in the order of its layers: (name, channels in, out, kernel).
NINE = [
    ("features.0", 1, 48, 5),
    ("features.2.conv_a", 48, 48, 1), ("features.2.conv", 48, 96, 3),
    ("features.4.conv_a", 96, 96, 1), ("features.4.conv", 96, 192, 3),
    ("features.6.conv_a", 192, 192, 1), ("features.6.conv", 192, 128, 3),
    ("features.7.conv_a", 128, 128, 1), ("features.7.conv", 128, 128, 3),
]  # fmt: skip


def expected_29():
    found = [("conv1", 1, 48, 5)]
    for stage, (inside, outside) in enumerate(((48, 96), (96, 192), (192, 128), (128, 128)), 1):
        for block in range(stage):
            found += [(f"block{stage}.{block}.conv{k}", inside, inside, 3) for k in (1, 2)]
        found += [(f"group{stage}.conv_a", inside, inside, 1), (f"group{stage}.conv", inside, outside, 3)]
    return found


def shapes(net):
    return {name: tuple(weight.shape) for name, weight in net.state_dict().items()}


def convolutions(rows):
    found = {}
    for name, inside, outside, kernel in rows:
        found[f"{name}.filter.weight"] = (2 * outside, inside, kernel, kernel)
        found[f"{name}.filter.bias"] = (2 * outside,)
    return found


def test_mfm_is_the_larger_of_two_maps():
    layer = MFM(3, 4)
    x = torch.randn(2, 3, 6, 6)
    both = functional.conv2d(x, layer.filter.weight, layer.filter.bias, padding=1)
    assert torch.equal(layer(x), torch.max(both[:, :4], both[:, 4:]))


@pytest.mark.parametrize(
    ("name", "rows", "dense"),
    [
        ("light-cnn-9", NINE, {"fc1.filter.weight": (512, 8192), "fc1.filter.bias": (512,)}),
        ("light-cnn-29", expected_29(), {"fc.filter.weight": (512, 8192), "fc.filter.bias": (512,)}),
        ("light-cnn-29v2", expected_29(), {"fc.weight": (256, 8192), "fc.bias": (256,)}),
    ],
)
def test_weights_are_those_of_the_published_checkpoints(name, rows, dense):
    with torch.device("meta"):
        net = network(name, CLASSES[name])
    last = {"fc2.weight": (CLASSES[name], 256)}
    if name != "light-cnn-29v2":
        last["fc2.bias"] = (CLASSES[name],)
    assert shapes(net) == {**convolutions(rows), **dense, **last}


@pytest.mark.parametrize("name", CLASSES)
def test_descriptors_are_256_numbers_and_a_face_does_not_depend_on_its_batch(name):
    net = network(name).eval()
    faces = torch.rand(2, 1, 128, 128)
    with torch.inference_mode():
        both, one = net(faces), net(faces[1:])
    assert both.shape == (2, 256) and both.isfinite().all()
    assert torch.allclose(both[1:], one, atol=1e-5)
    with pytest.raises(AssertionError, match="LightCNN sees"):
        net(torch.rand(1, 3, 128, 128))


def test_version_2_pools_by_maximum_plus_mean():
    """Where the first layer gives 1 everywhere, the maximum is 1 and the maximum plus the mean is 2."""
    nets = {version: LightCNN29(version=version).eval() for version in (1, 2)}
    seen = {}
    for version, net in nets.items():
        for weight in net.conv1.parameters():
            torch.nn.init.zeros_(weight)
        torch.nn.init.ones_(net.conv1.filter.bias)
        net.block1.register_forward_hook(lambda m, i, out, version=version: seen.update({version: i[0]}))
        with torch.inference_mode():
            net(torch.rand(1, 1, 128, 128))
    assert seen[1].unique().tolist() == [1.0] and seen[2].unique().tolist() == [2.0]


def test_logits_drop_out_only_while_training():
    net = LightCNN9(5)
    faces = torch.rand(2, 1, 128, 128)
    with torch.inference_mode():
        assert not torch.equal(net.train().logits(faces), net.logits(faces))
        assert torch.equal(net.eval().logits(faces), net.fc2(net(faces)))
