"""LPIPS: a distance that agrees with what people call alike (Zhang et al., CVPR 2018). Version 0.1, AlexNet.

The package `lpips` brings the linear layers that were fitted to people's answers; AlexNet's own weights come from the kit's
cache (`fersyn weights fetch lpips-alex`). Nothing stands in for them: without them there is no number under this name.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import torch
from torch import Tensor

from fersyn import weights
from fersyn.errors import FersynError

WEIGHTS = "lpips-alex"
SETTINGS = "LPIPS: version 0.1 of the package lpips, AlexNet, faces in [-1, 1] at their own size."


def available() -> bool:
    """Whether AlexNet's weights are on this machine."""
    return weights.find(WEIGHTS) is not None


@torch.no_grad()
def lpips(made: Tensor, target: Tensor) -> Tensor:
    """Learned perceptual distance (N,), 0 for equal faces (N, 3, H, W) in [-1, 1]; lower is more alike.

    Raises:
        ValueError: shapes differ.
        FersynError: AlexNet's weights are not on this machine.
    """
    if made.shape != target.shape or made.ndim != 4:
        raise ValueError(f"faces must be (N, 3, H, W) and alike, got {tuple(made.shape)} and {tuple(target.shape)}")
    network = _network().to(made.device)
    return network(made.detach().float().clamp(-1, 1), target.detach().float().clamp(-1, 1)).reshape(-1)


@lru_cache(maxsize=1)
def _network() -> torch.nn.Module:
    if not available():
        raise FersynError(f"LPIPS needs AlexNet's weights: fersyn weights fetch {WEIGHTS}")
    from lpips import LPIPS

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package calls torchvision by its old names
        network = LPIPS(net="alex", pnet_rand=True, verbose=False)  # its own file for the linear layers, no download
    # The package's slices keep torchvision's numbers: slice2.3.weight is features.3.weight.
    state = weights.state_dict(WEIGHTS)
    own = dict(network.net.named_parameters())
    taken = {name: state["features." + name.partition(".")[2]] for name in own}
    network.net.load_state_dict(taken)
    return network.eval().requires_grad_(False)
