"""Names of the FID network's layers: TensorFlow's, as the TorchScript file has them, and torchvision's.

Both are the Inception-v3 of 2015-12-05 (Szegedy et al., CVPR 2016); torchvision's names are those of
`pytorch_fid.inception.fid_inception_v3()`. Batch normalisation has no scale there: `bn.weight` is 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
_BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
# A tower's convolutions are chained: conv, conv_1, ... are _1, _2, ... of the branch.
_BRANCHES = {
    "A": {"conv": "branch1x1", "tower": "branch5x5", "tower_1": "branch3x3dbl", "tower_2.conv": "branch_pool"},
    "B": {"conv": "branch3x3", "tower": "branch3x3dbl"},
    "C": {"conv": "branch1x1", "tower": "branch7x7", "tower_1": "branch7x7dbl", "tower_2.conv": "branch_pool"},
    "D": {"tower": "branch3x3", "tower_1": "branch7x7x3"},
    "E": {
        "conv": "branch1x1",
        "tower_conv": "branch3x3_1",
        "tower_mixed_conv": "branch3x3_2a",
        "tower_mixed_conv_1": "branch3x3_2b",
        "tower_1_conv": "branch3x3dbl_1",
        "tower_1_conv_1": "branch3x3dbl_2",
        "tower_1_mixed_conv": "branch3x3dbl_3a",
        "tower_1_mixed_conv_1": "branch3x3dbl_3b",
        "tower_2_conv": "branch_pool",
    },
}
_KINDS = "AAABCCCCDEE"
_PARTS = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}


def torchvision_name(layer: str) -> str:
    """`mixed_4.tower_1.conv_2` -> `Mixed_6b.branch7x7dbl_3`; raises KeyError for names that the network has not."""
    block, _, inner = layer.partition(".")
    if not inner:
        return _STEM[_number(block, "conv")]
    number = _number(block, "mixed")
    branches = _BRANCHES[_KINDS[number]]
    prefix = f"Mixed_{_BLOCKS[number]}."
    if inner in branches:
        return prefix + branches[inner]
    tower, _, convolution = inner.partition(".")
    return f"{prefix}{branches[tower]}_{_number(convolution, 'conv') + 1}"


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """TorchScript's `net.layers.LAYER.weight|beta|mean|var` in the layout of pytorch-fid's network, without its fc."""
    out = {}
    for key, value in state.items():
        layer, _, part = key.removeprefix("net.layers.").rpartition(".")
        name = torchvision_name(layer)
        out[f"{name}.{_PARTS[part]}"] = value
        if part == "beta":
            out[f"{name}.bn.weight"] = value.new_ones(value.shape)
    return out


def _number(name: str, stem: str) -> int:
    """`conv` -> 0, `conv_3` -> 3."""
    head, _, number = name.partition("_")
    if head != stem:
        raise KeyError(name)
    return int(number or 0)
