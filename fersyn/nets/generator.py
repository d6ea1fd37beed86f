"""Landmark and label guided generator (Li, Qi & Sun, IEEE Access 9, 2021, Fig. 1, Tables 1 and 2)."""

import torch
from torch import Tensor, nn

from fersyn.expressions import EXPRESSIONS
from fersyn.nets.blocks import MigrationBlock, initialise, initialise_network, plain_reduction


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
            nn.ReflectionPad2d(3),
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
