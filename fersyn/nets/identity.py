"""Whose face it is, as a loss sees it: a frozen verifier on faces in the kit's crop, with gradients to the pixels.

Light CNN, as FESGAN takes it [sec], where its authors' weights are on the machine; otherwise SFace or dlib's ResNet. [ours]
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.faces.align import Alignment, similarity
from fersyn.faces.crop import FFHQ_FIVE, ffhq_alignment, ffhq_to_arcface, ffhq_to_dlib
from fersyn.nets import dlib_face, light_cnn, sface
from fersyn.nets.guides import resample
from fersyn.pixels import constant

Network = Literal["auto", "light-cnn-29v2", "light-cnn-29", "light-cnn-9", "sface", "dlib"]
NAMES = ("light-cnn-29v2", "light-cnn-29", "light-cnn-9", "sface", "dlib")  # the first that is there is "auto"
GREY = (0.299, 0.587, 0.114)  # as OpenCV weighs red, green, blue
TITLES = {"sface": "SFace", "dlib": "dlib's face ResNet"}


def resolve(network: Network = "auto") -> str:
    """Which one "auto" means on this machine; raises FersynError where the weights of the one asked for are missing."""
    if network == "auto":
        return next(name for name in NAMES if name == "dlib" or weights.find(name))
    if network not in NAMES:
        raise FersynError(f"identity network {network!r} is unknown; use auto or one of: {', '.join(NAMES)}")
    if network != "dlib" and not weights.find(network):
        raise FersynError(f"the weights of {network} for the identity loss are missing; {weights.cure(network)}")
    return network


def describe(network: Network = "auto") -> str:
    """In words, for logs and reports; loads no weights."""
    name = resolve(network)
    if name.startswith("light-cnn"):
        return f"identity by {name.replace('light-cnn', 'LightCNN')}"
    return f"identity by {TITLES[name]}" + (", for want of Light CNN's weights" if network == "auto" else "")


def crop_of(name: str, size: int) -> Alignment:
    """From the kit's crop of `size` px to the one that a network was trained on, one and the same for all faces."""
    frame = 4 * size  # FFHQ's, of any side: the way leads through it
    if name.startswith("light-cnn"):  # eyes level at (64, 40), the middle of the mouth 48 px below
        left, right, _, *corners = FFHQ_FIVE * frame - 0.5
        eyes, mouth = (left + right) / 2, np.mean(corners, 0)
        there = Alignment(similarity(np.stack([eyes, mouth]), np.array([(64.0, 40.0), (64.0, 88.0)])), light_cnn.SIZE)
    else:
        there = ffhq_to_dlib(frame) if name == "dlib" else ffhq_to_arcface(frame)
    back = ffhq_alignment(frame, size).inverse
    whole = there.matrix @ np.vstack([back, (0, 0, 1)])
    return Alignment(whole, there.size)


class Identity(nn.Module):
    """``forward``: faces (N, 3, H, H) in [-1, 1] -> descriptors at length 1, (N, D): a product of two is the cosine.

    Its weights are frozen; none stand in a checkpoint.
    """

    def __init__(self, network: Network = "auto"):
        super().__init__()
        self.name = resolve(network)
        if self.name.startswith("light-cnn"):
            with torch.random.fork_rng(devices=[]):
                self.network = light_cnn.network(self.name)
            found = weights.state_dict(self.name)
            self.network.load_state_dict({key: value for key, value in found.items() if not key.startswith("fc2")})
        else:
            self.network = sface.load() if self.name == "sface" else dlib_face.load()
        self.eval().requires_grad_(False)

    def forward(self, faces: Tensor) -> Tensor:
        """See the class."""
        crop = crop_of(self.name, faces.shape[-1])
        cut = resample(faces.float(), crop.matrix, crop.size)
        if self.name.startswith("light-cnn"):
            cut = (cut * constant(GREY, cut.device)[:, None, None]).sum(1, keepdim=True) / 2 + 0.5
        return functional.normalize(self.network(cut).float())

    def differ(self, made: Tensor, own: Tensor) -> Tensor:
        """1 - cosine of generated faces and their people's own, the mean; the gradient reaches `made` alone."""
        with torch.no_grad():
            known = self(own)
        return 1 - (self(made) * known).sum(1).mean()


@lru_cache(maxsize=2)
def shared(network: Network, device: str | torch.device) -> Identity:
    """One a network and device, loaded once in a process."""
    return Identity(network).to(device)
