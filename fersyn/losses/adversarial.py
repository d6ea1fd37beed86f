"""Adversarial losses on logits, real = 1 and generated = 0 (Li, Qi & Sun, IEEE Access 9, 2021, eq. 4).

`minimax` is eq. (4) as it is printed; `non-saturating` (Goodfellow et al., 2014; PATN and pix2pix use it) has the same
discriminator and another generator; `least-squares` (Mao et al., ICCV 2017) and `hinge` (Lim & Ye, 2017) are options. All
take logits of any shape and return a scalar, the mean over all patches.

What a step of a game of two takes, the same for every method that has discriminators: `train_discriminator`, and `judging`
for the generator's loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.optim import Optimizer

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


def channels_last(faces: Tensor) -> Tensor:
    """Faces laid out with the channels last, which convolutions run fastest on (CPU, and GPU in bf16)."""
    return faces.contiguous(memory_format=torch.channels_last)


def train_discriminator(
    network: nn.Module, optimiser: Optimizer, real: Tensor, fake: Tensor, kind: Kind, fabric: Fabric
) -> tuple[Tensor, Tensor]:
    """One step of a discriminator on real and generated pairs (N, C, H, W); the generator gets no gradient.

    Real and generated faces pass in batches of their own (batch norm sees one kind at a time, as in PATN), each with
    its own backward: under DDP, batch norm's buffers are written between two forward passes, which a joint backward
    would not allow.

    Returns:
        Loss and accuracy (0..1), detached scalars.
    """
    optimiser.zero_grad(set_to_none=True)
    of_real = network(real)
    loss_real = discriminator_real(of_real, kind) / 2
    fabric.backward(loss_real)
    of_fake = network(fake.detach())
    loss_fake = discriminator_fake(of_fake, kind) / 2
    fabric.backward(loss_fake)
    optimiser.step()
    return (loss_real + loss_fake).detach(), accuracy(of_real, of_fake)


@contextmanager
def judging(*networks: nn.Module) -> Iterator[list[nn.Module]]:
    """Discriminators for the generator's loss: gradients pass through them, none stay in their weights.

    They come without Fabric's wrapper: DDP would wait for gradients that never come. So the caller opens
    `fabric.autocast()` itself.
    """
    inner = [getattr(network, "module", network) for network in networks]
    weights = [weight for network in inner for weight in network.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield inner
    finally:
        for weight in weights:
            weight.requires_grad_(True)
