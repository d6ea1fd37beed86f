"""What training with discriminators needs, the same for every method that has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fersyn.losses import adversarial

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.optim import Optimizer

    from fersyn.methods.base import MethodConfig


def channels_last(faces: Tensor) -> Tensor:
    """Faces laid out with the channels last, which convolutions run fastest on (CPU, and GPU in bf16)."""
    return faces.contiguous(memory_format=torch.channels_last)


def train_discriminator(
    network: nn.Module, optimiser: Optimizer, real: Tensor, fake: Tensor, kind: adversarial.Kind, fabric: Fabric
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
    loss_real = adversarial.discriminator_real(of_real, kind) / 2
    fabric.backward(loss_real)
    of_fake = network(fake.detach())
    loss_fake = adversarial.discriminator_fake(of_fake, kind) / 2
    fabric.backward(loss_fake)
    optimiser.step()
    return (loss_real + loss_fake).detach(), adversarial.accuracy(of_real, of_fake)


def adam(config: MethodConfig, networks: Mapping[str, nn.Module]) -> dict[str, Optimizer]:
    """Adam for each network, at the rate and betas of `config`; all weights of a network in one pass (fused)."""
    return {
        name: torch.optim.Adam(network.parameters(), config.lr, config.betas, fused=True)
        for name, network in networks.items()
    }


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
