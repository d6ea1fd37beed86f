"""Published sizes: Parkhi et al., BMVC 2015, Table 3, configuration D; names of vgg_face_dag.pth."""

import pytest
import torch
from torch import nn

from fersyn.nets.vgg_face import CLASSES, MEAN, VGGFace

CHANNELS = {
    "conv1_1": (3, 64), "conv1_2": (64, 64), "conv2_1": (64, 128), "conv2_2": (128, 128),
    "conv3_1": (128, 256), "conv3_2": (256, 256), "conv3_3": (256, 256),
    "conv4_1": (256, 512), "conv4_2": (512, 512), "conv4_3": (512, 512),
    "conv5_1": (512, 512), "conv5_2": (512, 512), "conv5_3": (512, 512),
}  # fmt: skip


def test_weights_are_those_of_the_published_port():
    with torch.device("meta"):
        net = VGGFace(CLASSES)
    found = {name: tuple(weight.shape) for name, weight in net.state_dict().items()}
    expected = {f"{name}.weight": (outside, inside, 3, 3) for name, (inside, outside) in CHANNELS.items()}
    expected |= {f"{name}.bias": (outside,) for name, (_, outside) in CHANNELS.items()}
    expected |= {"fc6.weight": (4096, 25088), "fc7.weight": (4096, 4096), "fc8.weight": (2622, 4096)}
    expected |= {"fc6.bias": (4096,), "fc7.bias": (4096,), "fc8.bias": (2622,)}
    assert found == expected
    assert sum(weight.numel() for weight in net.parameters()) == 145_002_878


def test_it_computes_what_the_layers_in_a_row_compute():
    torch.manual_seed(0)
    net = VGGFace(width=2).eval()
    layers = []
    for stage in net.names:
        for name in stage:
            layers += [getattr(net, name), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    row = nn.Sequential(*layers, nn.Flatten(), net.fc6, nn.ReLU(), nn.Dropout(), net.fc7, nn.ReLU()).eval()
    faces = torch.rand(2, 3, 224, 224) * 255
    with torch.inference_mode():
        found = net(faces)
        assert torch.allclose(found, row(faces - torch.tensor(MEAN).reshape(3, 1, 1)), atol=1e-4)
    assert found.shape == (2, 128) and (found >= 0).all() and found.std() > 0


def test_other_sizes_are_refused():
    with pytest.raises(AssertionError, match="VGG-Face sees"):
        VGGFace(width=2)(torch.zeros(1, 3, 128, 128))
