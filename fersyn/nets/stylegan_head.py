"""The short way through MobileStyleGAN: from the features of its level of 128 px to the picture of 256 px. [ours]

Distilled from the generator's own upper levels on its own samples. Their styles steer those levels, and they hold fixed
noise: so the head gets both, the generator's own scales of channels, which modulate its blocks, and the noise as constant
planes. (A head that is linear in the features knows neither, and stays at 22 to 28 dB.) `shipped/README.md` has its card.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE, SIZE = 128, 256  # of the features and of the picture, px


def pointwise(x: Tensor, weight: Tensor) -> Tensor:
    """A 1x1 convolution as a product of matrices, faster on a CPU: (N, I, H, W), (O, I) or (N, O, I) -> (N, O, H, W)."""
    return torch.matmul(weight, x.flatten(2)).unflatten(2, x.shape[2:])


def inverse_haar(x: Tensor) -> Tensor:
    """Inverse Haar transform: (N, 4 C, H, W), the C averages first, then three details of each -> (N, C, 2 H, 2 W)."""
    average, details = x[:, : x.shape[1] // 4], x[:, x.shape[1] // 4 :].unflatten(1, (-1, 3))
    across, down, both = details.unbind(2)
    low = torch.stack([average + across, average - across], 3).flatten(2, 3)
    high = torch.stack([down + both, down - both], 3).flatten(2, 3)
    return torch.stack([low + high, low - high], 4).flatten(3) * 0.5


class Head(nn.Module):
    """``forward``: features (N, channels, 128, 128) and scales (N, S) of the generator -> pictures (N, 3, 256, 256).

    Args:
        scales: numbers that steer it, S; the first `channels` of them scale the features.
        planes: the generator's noise, (1, P, 128, 128).
        channels: of the features.
        width, blocks, fine: of the head: channels and blocks at 128 px, channels at 256 px.
    """

    def __init__(
        self, scales: int, planes: Tensor, channels: int = 256, width: int = 96, blocks: int = 3, fine: int = 16
    ):
        super().__init__()
        self.channels, self.width, self.blocks = channels, width, blocks
        self.register_buffer("planes", planes, persistent=False)
        self.register_buffer("centre", torch.zeros(scales))
        self.register_buffer("spread_of", torch.ones(scales))
        self.steer = nn.Linear(scales, width * (2 * blocks + 1) + 3 * fine)

        def drawn(*shape: int, over: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape) / over**0.5)

        self.first = drawn(width, channels, 1, 1, over=channels)
        self.spread = nn.ParameterList(drawn(width, 1, 3, 3, over=9) for _ in range(blocks))
        self.inner = nn.ParameterList(drawn(width, width, 1, 1, over=width) for _ in range(blocks))
        self.outer = nn.ParameterList(drawn(width, width, 1, 1, over=9 * width) for _ in range(blocks))
        self.noise = nn.ParameterList(torch.zeros(width, planes.shape[1], 1, 1) for _ in range(blocks))
        self.bias = nn.ParameterList(torch.zeros(1, width, 1, 1) for _ in range(blocks))
        self.split = drawn(4 * fine, width, 1, 1, over=width)
        self.fine, self.fine_bias = drawn(fine, 1, 3, 3, over=9), nn.Parameter(torch.zeros(1, fine, 1, 1))
        self.mix, self.last = drawn(fine, fine, 1, 1, over=fine), drawn(3, 2 * fine, 1, 1, over=100 * fine)

    def forward(self, features: Tensor, scales: Tensor) -> Tensor:
        """See the class."""
        steered = self.steer((scales - self.centre) / self.spread_of)[:, :, None, None]
        coarse = (1 + steered[:, : self.width * (2 * self.blocks + 1)]).split(self.width, 1)
        gain, inner, offset = steered[:, self.width * (2 * self.blocks + 1) :].chunk(3, 1)
        first = self.first[:, :, 0, 0] * scales[:, None, : self.channels]
        x = pointwise(features, first) * coarse[0]
        for k in range(self.blocks):
            y = functional.conv2d(x, self.spread[k], padding=1, groups=self.width)
            y = pointwise(y, self.inner[k][:, :, 0, 0]) * coarse[2 * k + 1]
            y = y + pointwise(self.planes, self.noise[k][:, :, 0, 0]) + self.bias[k]
            x = x + pointwise(functional.leaky_relu(y, 0.2) * coarse[2 * k + 2], self.outer[k][:, :, 0, 0])
        x = inverse_haar(pointwise(x, self.split[:, :, 0, 0])) * (1 + gain)
        y = functional.conv2d(x, self.fine, padding=1, groups=x.shape[1])
        y = pointwise(y, self.mix[:, :, 0, 0]) * (1 + inner) + self.fine_bias + offset
        return pointwise(torch.cat([x, functional.leaky_relu(y, 0.2)], 1), self.last[:, :, 0, 0])
