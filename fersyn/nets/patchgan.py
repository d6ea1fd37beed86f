"""Discriminators: PatchGAN (Isola et al., CVPR 2017) in the form of Li, Qi & Sun, IEEE Access 9, 2021, Table 3, with the weights
that networks of its kind begin with; and one that judges features.
"""

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


class PatchGAN(nn.Module):
    """Judges patches of 70x70 px. Table 3 at 128x128: 64x64x64, 32x32x128, 16x16x256, 15x15x512, 14x14x1.

    Returns logits: the sigmoid of Table 3's last row lives in the loss (`fersyn.losses.adversarial`), where it is
    numerically safe.

    Table 3 also prints a batch norm behind the last convolution (row 13). Off by default [ours]: where real and
    generated faces pass in batches of their own, it gives both the same mean logit, that of its bias, so that a
    discriminator could no longer tell one from the other. PATN and pix2pix have none.

    Args:
        inside: channels of the pair that is judged, e.g. 6 for (source, target).
        width: channels of the first layer; published: 64.
        last_norm: the batch norm of row 13.
    """

    def __init__(self, inside: int = 6, width: int = 64, last_norm: bool = False):
        super().__init__()
        self.inside = inside
        layers: list[nn.Module] = [nn.Conv2d(inside, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
        for stage, stride in ((1, 2), (2, 2), (3, 1)):
            before, after = width * 2 ** (stage - 1), width * 2**stage
            layers += [
                nn.Conv2d(before, after, 4, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(0.2, True),
            ]
        layers.append(nn.Conv2d(8 * width, 1, 4, stride=1, padding=1))
        if last_norm:
            layers.append(nn.BatchNorm2d(1))
        self.layers = nn.Sequential(*layers)
        initialise(self)

    def forward(self, pair: Tensor) -> Tensor:
        """(N, inside, H, W), H and W >= 32 -> logits (N, 1, H/8 - 2, W/8 - 2)."""
        assert pair.ndim == 4 and pair.shape[1] == self.inside, (pair.shape, self.inside)
        assert min(pair.shape[2:]) >= 32, f"PatchGAN needs 32 px at least, got {tuple(pair.shape)}"
        return self.layers(pair)


class FeatureGAN(nn.Module):
    """Judges features of a network that has learnt to see, and that nobody trains here (projected GAN, Sauer et al., NeurIPS
    2021; its random projections are left out [ours]): it need not learn first what a mouth is. Group norm [ours]: among
    spectral norm, none and this one it learnt fastest to tell the truth from bent faces.

    Args:
        inside: channels of the features and whatever is laid beside them.
        width: a quarter of the channels of its layers; a multiple of 2.
    """

    def __init__(self, inside: int, width: int = 16):
        super().__init__()
        channels, layers = 4 * width, []
        for before, kernel in ((inside, 1), (channels, 3)):
            layers += [nn.Conv2d(before, channels, kernel, padding=kernel // 2), nn.GroupNorm(8, channels)]
            layers += [nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        """(N, inside, H, W) -> logits (N, 1, H, W)."""
        return self.layers(features)
