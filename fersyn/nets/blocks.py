"""Building blocks of the landmark and label guided generator (Li, Qi & Sun, IEEE Access 9, 2021, Fig. 2-3, Table 1).

The migration unit block follows the pose attention block of PATN (Zhu et al., CVPR 2019).
"""

import torch
from torch import Tensor, nn


def initialise(network: nn.Module, deviation: float = 0.02) -> nn.Module:
    """Draw all convolution weights from N(0, 0.02) [doc], biases 0, batch norm scales from N(1, 0.02) [sec, PATN].

    Uses the global random state. Returns the network.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, deviation)
            nn.init.zeros_(module.bias)
    return network


def path(inside: int, between: int, outside: int, dropout: float, last_norm: bool) -> nn.Sequential:
    """One path of Table 1: (N, inside, H, W) -> (N, outside, H, W).

    ReflectionPad 1, Conv 3, BatchNorm, ReLU, Dropout, ReflectionPad 1, Conv 3 and, on the image's path alone (row
    1_8), BatchNorm. A convolution before a norm has no bias: the norm would take it out.
    """
    layers = [
        nn.ReflectionPad2d(1),
        nn.Conv2d(inside, between, 3, bias=False),
        nn.BatchNorm2d(between),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.ReflectionPad2d(1),
        nn.Conv2d(between, outside, 3, bias=not last_norm),
    ]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(outside)] if last_norm else []))


class MigrationBlock(nn.Module):
    """Migration unit block, eq. (1) to (3): the landmarks say where the image's features may change.

    Args:
        channels: C of the image's features.
        first: whether it is the first block. Every later one gets 2 C landmark channels, as eq. (3) concatenates;
            its conv_s is then 2 C -> 2 C -> C (inner width [sec, PATN]).
        dropout: rate of the Dropout rows (Table 1 gives none; 0.5 in PATN).
    """

    def __init__(self, channels: int, first: bool = False, dropout: float = 0.5):
        super().__init__()
        self.channels, self.landmark_channels = channels, channels if first else 2 * channels
        self.conv_p = path(channels, channels, channels, dropout, last_norm=True)
        self.conv_s = path(self.landmark_channels, self.landmark_channels, channels, dropout, last_norm=False)

    def forward(self, image: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """F^P (N, C, H, W) and F^S (N, C or 2 C, H, W) -> F^P (N, C, H, W) and F^S (N, 2 C, H, W)."""
        assert image.shape[1] == self.channels, (image.shape, self.channels)
        assert landmarks.shape[1] == self.landmark_channels, (landmarks.shape, self.landmark_channels)
        code = self.conv_s(landmarks)
        mask = torch.sigmoid(code)  # (1) M_t = sigmoid(conv_s(F^S_{t-1}))
        image = mask * self.conv_p(image) + image  # (2) F^P_t = M_t * conv_p(F^P_{t-1}) + F^P_{t-1}
        return image, torch.cat([code, image], 1)  # (3) F^S_t = conv_s(F^S_{t-1}) || F^P_t


def initialise_network(inside: int, width: int) -> nn.Sequential:
    """Feature initialise network: (N, inside, H, W) -> (N, 4 width, H/4, W/4).

    [ours, after PATN; the paper gives no table] Reflect-padded 7x7 convolution and two 3x3 ones of stride 2, with
    batch norm and ReLU: 128x128 -> 32x32x256 at width 64.
    """

    def layer(*convolution: nn.Module) -> list[nn.Module]:
        return [*convolution, nn.BatchNorm2d(convolution[-1].out_channels), nn.ReLU(inplace=True)]

    return nn.Sequential(
        *layer(nn.ReflectionPad2d(3), nn.Conv2d(inside, width, 7, bias=False)),
        *layer(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)),
        *layer(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=False)),
    )


def plain_reduction(inside: int, width: int) -> nn.Sequential:
    """What stands in for the feature initialise network in Table 7's ablation: same sizes, no features of its own.

    [ours; the paper does not say] Mean over 4x4 px and a 1x1 convolution to 4 width channels.
    """
    return nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(inside, 4 * width, 1))
