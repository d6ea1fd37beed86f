"""ResNet-18 (He et al., CVPR 2016; torchvision's) as a recogniser of expressions: eleven million weights, from scratch or from
ImageNet's, where the small CNN of `fersyn.nets.recogniser` has a third of a million. It sees colours, normalised as ImageNet's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn import weights
from fersyn.losses.perceptual import DEVIATION, MEAN
from fersyn.pixels import constant

INPUT = 64  # px that the network sees [ours: faces of experiments are no larger; its authors' 224 px cost twelve times as much]


class ResNet18(nn.Module):
    """``forward``: prepared faces (N, 3, 64, 64) -> logits (N, classes).

    Args:
        classes: how many.
        imagenet: begin with ImageNet's weights, all but those of the last layer.

    Raises:
        FersynError: these are not on the machine; the message says how to get them.
    """

    side = INPUT

    def __init__(self, classes: int, imagenet: bool = False):
        super().__init__()
        from torchvision.models import resnet18  # seconds: most have no need of it

        self.network = resnet18(num_classes=classes)
        self.classes = classes
        if imagenet:
            found = weights.state_dict("resnet18")
            own = self.network.state_dict()
            self.network.load_state_dict({**found, **{name: own[name] for name in ("fc.weight", "fc.bias")}})

    @staticmethod
    def prepare(inner: Tensor, side: int) -> Tensor:
        """The inner part of faces (N, 3, h, w) in [-1, 1] -> (N, 3, side, side)."""
        sized = functional.interpolate(inner, (side, side), mode="bilinear", antialias=True, align_corners=False)
        mean, deviation = (constant(each, sized.device)[:, None, None] for each in (MEAN, DEVIATION))
        return ((sized + 1) / 2 - mean) / deviation

    def features(self, faces: Tensor) -> Tensor:
        """Prepared faces -> what the last layer names them by, (N, 512)."""
        net = self.network
        x = net.maxpool(net.relu(net.bn1(net.conv1(faces))))
        return torch.flatten(net.avgpool(net.layer4(net.layer3(net.layer2(net.layer1(x))))), 1)

    def classify(self, features: Tensor) -> Tensor:
        """Features (N, 512) -> logits (N, classes)."""
        return self.network.fc(features)

    def forward(self, faces: Tensor) -> Tensor:
        """See the class."""
        return self.classify(self.features(faces))
