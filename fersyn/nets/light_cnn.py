"""LightCNN (Wu, He, Sun & Tan, "A Light CNN for Deep Face Representation with Noisy Labels", IEEE TIFS 13, 2018): the
face descriptor of Table 6 of Li, Qi & Sun, in the forms 9, 29 and 29v2.

Its activation is max-feature-map (MFM): a convolution gives twice the channels, and of each pair of maps the larger
value passes. Names and shapes of all weights are those of the authors' PyTorch checkpoints
(github.com/AlfredXiangWu/LightCNN), so that these load as they are.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = 128  # side of the grey face, px
FEATURES = 256  # numbers of the descriptor
CLASSES = {"light-cnn-9": 79077, "light-cnn-29": 79077, "light-cnn-29v2": 80013}  # identities of the checkpoints


class MFM(nn.Module):
    """A convolution (or, with kernel 0, a dense layer) to twice `outside` channels, and the larger of each pair."""

    def __init__(self, inside: int, outside: int, kernel: int = 3):
        super().__init__()
        conv = nn.Conv2d(inside, 2 * outside, kernel, padding=kernel // 2) if kernel else None
        self.filter = conv or nn.Linear(inside, 2 * outside)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, ...) -> (N, outside, ...)."""
        return torch.maximum(*self.filter(x).chunk(2, 1))


class Group(nn.Module):
    """MFM of 1x1, then MFM of 3x3 (the paper's network-in-network pair)."""

    def __init__(self, inside: int, outside: int):
        super().__init__()
        self.conv_a = MFM(inside, inside, 1)
        self.conv = MFM(inside, outside)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, outside, H, W)."""
        return self.conv(self.conv_a(x))


class Residual(nn.Module):
    """Two MFMs of 3x3 around a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = MFM(channels, channels)
        self.conv2 = MFM(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same."""
        return self.conv2(self.conv1(x)) + x


class LightCNN9(nn.Module):
    """Nine layers: five convolutions (four of them with a 1x1 before) and a dense one. 5.5 M weights without classes.

    Args:
        classes: identities that `logits` tells apart; 0 leaves that layer out.
    """

    def __init__(self, classes: int = 0):
        super().__init__()
        pool = {"kernel_size": 2, "stride": 2, "ceil_mode": True}
        self.features = nn.Sequential(
            MFM(1, 48, 5), nn.MaxPool2d(**pool),
            Group(48, 96), nn.MaxPool2d(**pool),
            Group(96, 192), nn.MaxPool2d(**pool),
            Group(192, 128), Group(128, 128), nn.MaxPool2d(**pool),
        )  # fmt: skip
        self.fc1 = MFM(8 * 8 * 128, FEATURES, 0)
        if classes:
            self.fc2 = nn.Linear(FEATURES, classes)

    def forward(self, faces: Tensor) -> Tensor:
        """Grey faces (N, 1, 128, 128) in [0, 1] -> descriptors (N, 256)."""
        return self.fc1(self.features(_checked(faces)).flatten(1))

    def logits(self, faces: Tensor) -> Tensor:
        """Grey faces -> (N, classes), through the authors' dropout of a half while training."""
        return self.fc2(functional.dropout(self(faces), 0.5, self.training))


class LightCNN29(nn.Module):
    """Twenty-nine layers: residual blocks 1, 2, 3 and 4 before the groups. 12.6 M weights without classes.

    Args:
        classes: identities of the last layer, which the descriptor does not use; 0 leaves it out.
        version: 1: max pooling and a dense MFM. 2 (29v2): max plus mean pooling and a plain dense layer.
    """

    def __init__(self, classes: int = 0, version: int = 1):
        super().__init__()
        self.version = version
        self.conv1 = MFM(1, 48, 5)
        stages = ((48, 96), (96, 192), (192, 128), (128, 128))
        for number, (inside, outside) in enumerate(stages, 1):
            setattr(self, f"block{number}", nn.Sequential(*(Residual(inside) for _ in range(number))))
            setattr(self, f"group{number}", Group(inside, outside))
        self.fc = MFM(8 * 8 * 128, FEATURES, 0) if version == 1 else nn.Linear(8 * 8 * 128, FEATURES)
        if classes:
            self.fc2 = nn.Linear(FEATURES, classes, bias=version == 1)

    def forward(self, faces: Tensor) -> Tensor:
        """Grey faces (N, 1, 128, 128) in [0, 1] -> descriptors (N, 256)."""

        def pool(x: Tensor) -> Tensor:
            largest = functional.max_pool2d(x, 2, ceil_mode=self.version == 1)
            return largest if self.version == 1 else largest + functional.avg_pool2d(x, 2)

        x = pool(self.conv1(_checked(faces)))
        x = pool(self.group1(self.block1(x)))
        x = pool(self.group2(self.block2(x)))
        x = self.group3(self.block3(x))
        x = pool(self.group4(self.block4(x)))
        return self.fc(x.flatten(1))


def _checked(faces: Tensor) -> Tensor:
    assert faces.shape[1:] == (1, SIZE, SIZE), f"LightCNN sees (N, 1, {SIZE}, {SIZE}), got {tuple(faces.shape)}"
    return faces


def network(name: str, classes: int = 0) -> nn.Module:
    """The network of a name in `CLASSES`; raises KeyError for others."""
    kinds = {"light-cnn-9": LightCNN9, "light-cnn-29": LightCNN29}
    return LightCNN29(classes, version=2) if name == "light-cnn-29v2" else kinds[name](classes)
