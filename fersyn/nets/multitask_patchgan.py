"""A discriminator with several tasks: which patches are real, and, by heads of its own, which expression, whose face.

FESGAN's image discriminator is a patch critic with an expression head [sec], DE-GAN's a multi-task CNN that classifies
expression and identity [doc: arXiv 1912.01456, abstract]. Layers after the kit's PatchGAN, without batch norm, which a gradient
penalty does not allow (Gulrajani et al., NeurIPS 2017), and so with torch's own first weights: those of PatchGAN are so small that
heads would not learn. [ours]
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class MultiTaskPatchGAN(nn.Module):
    """Convolutions of 4x4 and stride 2, from `width` channels to at most 16 times as many, down to 4x4; LeakyReLU 0.2.

    Args:
        size: side of the faces, px, a power of two from 16 on.
        width: channels of the first layer.
        heads: name -> number of classes.
        dropout: rate before the heads.
    """

    def __init__(self, size: int, width: int, heads: Mapping[str, int], dropout: float = 0.0):
        super().__init__()
        layers, inside = [], 3
        for level in range(size.bit_length() - 3):
            outside = width * 2 ** min(level, 4)
            layers += [nn.Conv2d(inside, outside, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            inside = outside
        self.layers = nn.Sequential(*layers)
        self.patches = nn.Conv2d(inside, 1, 3, padding=1)
        self.heads = nn.ModuleDict({name: nn.Linear(16 * inside, classes) for name, classes in heads.items()})
        self.dropout = nn.Dropout(dropout)

    def forward(self, faces: Tensor) -> dict[str, Tensor]:
        """Faces (N, 3, size, size) -> logits: `patches` (N, 1, 4, 4), and of each head by its name, (N, classes)."""
        seen = self.layers(faces)
        flat = self.dropout(seen.flatten(1))
        return {"patches": self.patches(seen)} | {name: head(flat) for name, head in self.heads.items()}
