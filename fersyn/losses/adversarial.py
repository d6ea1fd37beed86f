"""Adversarial losses on logits, real = 1 and generated = 0 (Li, Qi & Sun, IEEE Access 9, 2021, eq. 4).

`minimax` is eq. (4) as it is printed; `non-saturating` (Goodfellow et al., 2014; PATN and pix2pix use it) has the same
discriminator and another generator; `least-squares` (Mao et al., ICCV 2017) and `hinge` (Lim & Ye, 2017) are options. All
take logits of any shape and return a scalar, the mean over all patches.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Kind = Literal["minimax", "non-saturating", "least-squares", "hinge"]
ENTROPY = ("minimax", "non-saturating")  # a discriminator of probabilities


def discriminator_real(logits: Tensor, kind: Kind = "minimax") -> Tensor:
    """The discriminator's term for real faces."""
    logits = logits.float()
    if kind in ENTROPY:
        return functional.softplus(-logits).mean()  # (4) -log D(x), D = sigmoid(logit)
    if kind == "least-squares":
        return ((logits - 1) ** 2).mean()  # (D(x) - 1)^2
    if kind == "hinge":
        return functional.relu(1 - logits).mean()  # max(0, 1 - D(x))
    raise ValueError(f"adversarial loss must be minimax, non-saturating, least-squares or hinge, got {kind!r}")


def discriminator_fake(logits: Tensor, kind: Kind = "minimax") -> Tensor:
    """The discriminator's term for generated faces (detach them, or the generator gets a gradient)."""
    logits = logits.float()
    if kind in ENTROPY:
        return functional.softplus(logits).mean()  # (4) -log(1 - D(G(z)))
    if kind == "least-squares":
        return (logits**2).mean()  # D(G(z))^2
    if kind == "hinge":
        return functional.relu(1 + logits).mean()  # max(0, 1 + D(G(z)))
    raise ValueError(f"adversarial loss must be minimax, non-saturating, least-squares or hinge, got {kind!r}")


def discriminator(real: Tensor, fake: Tensor, kind: Kind = "minimax") -> Tensor:
    """Both terms, averaged [sec, PATN]."""
    return (discriminator_real(real, kind) + discriminator_fake(fake, kind)) / 2


def generator(logits: Tensor, kind: Kind = "minimax") -> Tensor:
    """The generator's loss on the discriminator's logits for generated faces.

    minimax is log(1 - D(G(z))) of eq. (4), below 0: its gradient vanishes where the discriminator is sure, so that the
    pixel and perceptual losses lead the generator until its faces can deceive at all. non-saturating is -log D(G(z)): the
    same fixed point, but the largest gradient where the discriminator is sure.
    """
    logits = logits.float()
    if kind == "minimax":
        return -functional.softplus(logits).mean()  # (4) log(1 - D(G(z)))
    if kind == "hinge":
        return -logits.mean()  # -D(G(z))
    return discriminator_real(logits, kind)  # (4) generated faces shall count as 1


def accuracy(real: Tensor, fake: Tensor) -> Tensor:
    """Share (0..1) of patches that the discriminator names right, for the log; 0.5 is a draw."""
    with torch.no_grad():
        return ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2
