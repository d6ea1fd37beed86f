"""Running averages of a network's weights: steadier results than the last step's. [ours: the paper has none]"""

import copy

import torch
from torch import Tensor, nn


def average_of(network: nn.Module) -> nn.Module:
    """Return a copy of a network to hold its average: eval mode, no gradients."""
    return copy.deepcopy(network).eval().requires_grad_(False)


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move `average` a little towards `network` after step 0..: average += (1 - d) (network - average).

    d rises to `decay` as (1 + step) / (10 + step), so that the first, random weights are soon forgotten. Buffers (the
    statistics of batch normalisation are averages already) are copied.
    """
    d = min(decay, (1 + step) / (10 + step))
    mine, theirs = list(average.parameters()), list(network.parameters())
    torch._foreach_lerp_(mine, theirs, 1 - d)
    for own, other in zip(average.buffers(), network.buffers(), strict=True):
        own.copy_(other)


def finite(tensors: dict[str, Tensor]) -> str | None:
    """Return the name of the first tensor that holds NaN or infinity, or None."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            return name
    return None
