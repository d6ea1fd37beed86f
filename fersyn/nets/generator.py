"""Landmark and label guided generator (Li, Qi & Sun, IEEE Access 9, 2021, Fig. 1 to 3, Tables 1 and 2).

The migration unit block follows the pose attention block of PATN (Zhu et al., CVPR 2019).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.expressions import EXPRESSIONS
from fersyn.nets.patchgan import initialise


class ReflectionPad(nn.Module):
    """Faces or maps (N, C, H, W) -> (N, C, H + 2 reach, W + 2 reach), reflected at the edges; channels that lie last stay there.

    torch's own of two dimensions lays the channels first, works, and lays them back: a quarter of a GPU's time. That of three
    takes the channels for a third dimension, which gets no edge.
    """

    def __init__(self, reach: int):
        super().__init__()
        self.edges = (0, 0, reach, reach, reach, reach)

    def forward(self, maps: Tensor) -> Tensor:
        """See the class."""
        last = maps.permute(0, 2, 3, 1)[:, None]  # (N, 1, H, W, C)
        return functional.pad(last, self.edges, mode="reflect")[:, 0].permute(0, 3, 1, 2)


def path(inside: int, between: int, outside: int, dropout: float, last_norm: bool) -> nn.Sequential:
    """One path of Table 1: (N, inside, H, W) -> (N, outside, H, W).

    ReflectionPad 1, Conv 3, BatchNorm, ReLU, Dropout, ReflectionPad 1, Conv 3 and, on the image's path alone (row
    1_8), BatchNorm. A convolution before a norm has no bias: the norm would take it out.
    """
    layers = [
        ReflectionPad(1),
        nn.Conv2d(inside, between, 3, bias=False),
        nn.BatchNorm2d(between),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        ReflectionPad(1),
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
        *layer(ReflectionPad(3), nn.Conv2d(inside, width, 7, bias=False)),
        *layer(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False)),
        *layer(nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=False)),
    )


def plain_reduction(inside: int, width: int) -> nn.Sequential:
    """What stands in for the feature initialise network in Table 7's ablation: same sizes, no features of its own.

    [ours; the paper does not say] Mean over 4x4 px and a 1x1 convolution to 4 width channels.
    """
    return nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(inside, 4 * width, 1))


class Decoder(nn.Sequential):
    """Table 2: (N, inside, H, W) -> (N, 3, 4 H, 4 W) in [-1, 1]; 32x32 -> 64x64x128 -> 128x128x64 -> 128x128x3.

    The transposed convolutions (3, stride 2, padding 1) need an output padding of 1 to give the sizes of the table.
    """

    def __init__(self, inside: int, width: int = 64):
        super().__init__(
            nn.ConvTranspose2d(inside, 2 * width, 3, stride=2, padding=1, output_padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            ReflectionPad(3),
            nn.Conv2d(width, 3, 7),
            nn.Tanh(),
        )


class LandmarkLabelGenerator(nn.Module):
    """The source face, its target landmarks and the expression's name make the target face.

    Args:
        blocks: T, migration unit blocks. The paper gives no number; 9 in PATN. With 0 the decoder gets F^P_0: the
            landmarks, which only the blocks bring in, do not count, and have no network.
        width: channels of the widest maps; the features have 4 width. Published: 64.
        heatmap_channels: 1 or 68; the paper does not say.
        initialise_networks: False for Table 7's first ablation (see `plain_reduction`).
        label_maps: False for Table 7's second ablation: no label beside the features of the decoder.
        dropout: rate inside the blocks.

    Weights are drawn as published, N(0, 0.02), from the global random state.

    Example:
        >>> generator = LandmarkLabelGenerator(blocks=1, width=8).eval()
        >>> generator(torch.zeros(2, 3, 64, 64), torch.zeros(2, 1, 64, 64), torch.ones(2, 8)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(
        self,
        blocks: int = 9,
        width: int = 64,
        heatmap_channels: int = 1,
        initialise_networks: bool = True,
        label_maps: bool = True,
        dropout: float = 0.5,
    ):
        super().__init__()
        features = 4 * width
        first = initialise_network if initialise_networks else plain_reduction
        self.heatmap_channels, self.label_maps = heatmap_channels, label_maps
        self.image_network = first(3, width)
        # None, not idle: neither optimiser nor the count of weights should hold what nothing reads.
        self.landmark_network = first(heatmap_channels, width) if blocks else None
        self.blocks = nn.ModuleList(MigrationBlock(features, t == 0, dropout) for t in range(blocks))
        self.decoder = Decoder(features + (len(EXPRESSIONS) if label_maps else 0), width)
        initialise(self)

    def forward(self, faces: Tensor, heatmaps: Tensor, code: Tensor) -> Tensor:
        """Source faces, target heatmaps and expression code to target faces.

        Args:
            faces: (N, 3, H, W) in [-1, 1]; H and W divisible by 4.
            heatmaps: (N, heatmap_channels, H, W) in [0, 1], of the target.
            code: (N, 8) in [-1, 1] as `fersyn.nets.labels.label_code` makes it; unused without label maps.

        Returns:
            (N, 3, H, W) in [-1, 1].
        """
        count, channels, height, width = faces.shape
        assert channels == 3 and height % 4 == 0 and width % 4 == 0, faces.shape
        assert heatmaps.shape == (count, self.heatmap_channels, height, width), heatmaps.shape
        assert code.shape == (count, len(EXPRESSIONS)), code.shape
        image = self.image_network(faces)  # F^P_0
        landmarks = heatmaps if self.landmark_network is None else self.landmark_network(heatmaps)  # F^S_0
        for block in self.blocks:
            image, landmarks = block(image, landmarks)
        if self.label_maps:
            maps = code.to(image.dtype)[:, :, None, None].expand(-1, -1, *image.shape[2:])
            image = torch.cat([image, maps], 1)
        return self.decoder(image)
