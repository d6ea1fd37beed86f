"""FID and KID: how far two sets of pictures lie apart, as a network sees them that was trained on ImageNet.

FID (Heusel et al., NeurIPS 2017; eq. 10 of Li, Qi & Sun, IEEE Access 9, 2021) with the network, the weights and the
preprocessing of the package pytorch-fid: pictures as bytes, bilinear to 299 px, 2048 features of the last pooling. KID
(Binkowski et al., ICLR 2018) on the same features: unbiased, so that it does not grow where pictures are few.

Nothing stands in for that network: where its weights are not on the machine, `available` is false and there is no number.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fersyn import weights
from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.pixels import to_bytes

WEIGHTS = "fid-inception"
FEATURES = 2048
ENOUGH = 10_000  # pictures that Heusel et al. recommend at least
SETTINGS = (
    "FID and KID: Inception of pytorch-fid (2015-12-05), faces as bytes, bilinear to 299 px, 2048 features of the last "
    "pooling. KID: polynomial kernel (x·y / 2048 + 1)³, unbiased, all pictures at once, shown × 1000."
)


def available() -> bool:
    """Whether the official network's weights are on this machine (`fersyn weights fetch fid-inception`)."""
    return weights.find(WEIGHTS) is not None


def caveat(images: int) -> str:
    """What so many pictures mean for FID, a sentence or two."""
    few = (
        f"FID is biased upwards where pictures are few, and {images} are few (2048 features; its authors ask for "
        f"{ENOUGH:,} or more): compare rows of this table, never with FIDs of other numbers of pictures. KID has no such "
        "bias, and can come out below 0 for sets that do not differ."
    ).replace(",000", " 000")
    return few if images < ENOUGH else ""


@lru_cache(maxsize=1)
def _network() -> torch.nn.Module:
    from pytorch_fid import inception
    from torch.nn.utils.fusion import fuse_conv_bn_eval
    from torchvision.models.inception import BasicConv2d

    state = dict(weights.state_dict(WEIGHTS))
    # The official file also holds a last layer, which the features come before.
    state.setdefault("fc.weight", torch.zeros(1008, FEATURES))
    state.setdefault("fc.bias", torch.zeros(1008))
    loader = inception.load_state_dict_from_url
    # The package would download at this place, without a check; it gets the file that was checked instead.
    inception.load_state_dict_from_url = lambda *args, **kwargs: state
    try:
        with torch.random.fork_rng(devices=[]):
            network = inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[FEATURES]])
    finally:
        inception.load_state_dict_from_url = loader
    network.eval().requires_grad_(False)
    for part in network.modules():
        if isinstance(part, BasicConv2d):
            part.conv, part.bn = fuse_conv_bn_eval(part.conv, part.bn), torch.nn.Identity()
    # Both together make it 2.4 times as fast on a CPU.
    return network.to(memory_format=torch.channels_last)


@torch.inference_mode()
def features(faces: Tensor, batch: int = 16) -> np.ndarray:
    """Features float64 (N, 2048) of faces (N, 3, H, W) in [-1, 1], rounded to bytes first as a PNG would be.

    Raises:
        FersynError: the network's weights are not on this machine.
    """
    if not available():
        raise FersynError(f"FID needs its network: fersyn weights fetch {WEIGHTS}")
    device = default_device()
    network = _network().to(device)
    found = []
    for part in faces.detach().split(batch):
        pixels = to_bytes(part).to(device) / 255
        found.append(network(pixels.contiguous(memory_format=torch.channels_last))[0].flatten(1).cpu())
    return torch.cat(found).numpy().astype(np.float64) if found else np.zeros((0, FEATURES))


class Distances:
    """FID and KID of two sets of features and of parts of them.

    Both follow from inner products of the features alone, so that a resample of people costs an index and no more.

    Args:
        made: (N, D) features of one set.
        real: (M, D) features of the other; for `positions` and intervals M = N, picture by picture of the same people.

    Raises:
        ValueError: shapes do not fit, or fewer than two pictures.
    """

    def __init__(self, made: np.ndarray, real: np.ndarray):
        if made.ndim != 2 or real.ndim != 2 or made.shape[1] != real.shape[1] or min(len(made), len(real)) < 2:
            raise ValueError(f"two sets of two features or more are needed, got {made.shape} and {real.shape}")
        self.made, self.real = np.asarray(made, np.float64), np.asarray(real, np.float64)
        self._products = self.made @ self.made.T, self.made @ self.real.T, self.real @ self.real.T

    def _parts(self, positions: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if positions is None:
            return self._products
        return tuple(product[np.ix_(positions, positions)] for product in self._products)

    def fid(self, positions: np.ndarray | None = None) -> float:
        """Fréchet distance |m1 - m2|² + Tr(C1 + C2 - 2 (C1 C2)^1/2), >= 0, of all pictures or of those at `positions`.

        With centred features A (n, D) and B the trace of the root is the sum of the singular values of A Bᵀ / (n - 1):
        exact, where fewer pictures than features make C1 C2 singular and the root of the D x D matrix of pytorch-fid
        takes ten seconds. More pictures than features go to pytorch-fid's function.
        """
        count = len(self.made) if positions is None else len(positions)
        if max(count, len(self.real) if positions is None else count) > self.made.shape[1]:
            own = [part if positions is None else part[positions] for part in (self.made, self.real)]
            return _frechet(*own)
        own, cross, other = self._parts(positions)
        mean = own.mean() - 2 * cross.mean() + other.mean()  # |m1 - m2|²
        traces = sum(np.trace(_centred(part)) / (len(part) - 1) for part in (own, other))
        scale = np.sqrt((len(own) - 1) * (len(other) - 1))
        return float(mean + traces - 2 * np.linalg.svd(_centred(cross), compute_uv=False).sum() / scale)

    def kid(self, positions: np.ndarray | None = None) -> float:
        """Unbiased squared maximum mean discrepancy with the kernel (x·y / D + 1)³."""
        own, cross, other = ((part / self.made.shape[1] + 1) ** 3 for part in self._parts(positions))
        inside = ((part.sum() - np.trace(part)) / (len(part) * (len(part) - 1)) for part in (own, other))
        return float(sum(inside) - 2 * cross.mean())


def _centred(products: np.ndarray) -> np.ndarray:
    """Inner products of features after the mean of each set was taken off."""
    return products - products.mean(0) - products.mean(1)[:, None] + products.mean()


def _frechet(made: np.ndarray, real: np.ndarray) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance

    statistics: list[Any] = []
    for part in (made, real):
        statistics += [part.mean(0), np.cov(part, rowvar=False)]
    return float(calculate_frechet_distance(*statistics))
