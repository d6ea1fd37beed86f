"""Adversarial losses on logits, real = 1 and generated = 0 (Li, Qi & Sun, IEEE Access 9, 2021, eq. 4).

`minimax` is eq. (4) as it is printed; `non-saturating` (Goodfellow et al., 2014; PATN and pix2pix use it) has the same
discriminator and another generator; `least-squares` (Mao et al., ICCV 2017) and `hinge` (Lim & Ye, 2017) are options. All
take logits of any shape and return a scalar, the mean over all patches.

`critic` and `gradient_penalty` are those of Wasserstein GANs with a gradient penalty (Gulrajani et al., NeurIPS 2017), which have
no probabilities.

`play` is a step of the game, the same for every method that has discriminators; `train_discriminator` and `judging` are its
halves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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


def verdict(logits: Tensor, real: bool, kind: Kind = "minimax") -> Tensor:
    """The discriminator's term for real or for generated faces (detach these, or the generator gets a gradient)."""
    logits = logits.float()
    if kind == "least-squares":
        return ((logits - float(real)) ** 2).mean()  # (D(x) - 1)^2, D(G(z))^2
    signed = logits if real else -logits
    if kind in ENTROPY:
        return functional.softplus(-signed).mean()  # (4) -log D(x), -log(1 - D(G(z))), D = sigmoid(logit)
    if kind == "hinge":
        return functional.relu(1 - signed).mean()  # max(0, 1 - D(x)), max(0, 1 + D(G(z)))
    raise ValueError(f"adversarial loss must be minimax, non-saturating, least-squares or hinge, got {kind!r}")


def discriminator(real: Tensor, fake: Tensor, kind: Kind = "minimax") -> Tensor:
    """Both terms, averaged [sec, PATN]."""
    return (verdict(real, True, kind) + verdict(fake, False, kind)) / 2


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
    return verdict(logits, True, kind)  # (4) generated faces shall count as 1


def critic(real: Tensor, fake: Tensor) -> Tensor:
    """The critic's loss, E[D(fake)] - E[D(real)]: to this comes the penalty. The generator's is -E[D(fake)], as of hinge."""
    return fake.float().mean() - real.float().mean()


def gradient_penalty(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|grad D(x)| - 1)^2 at places x drawn between real and generated faces (N, C, H, W), with torch's generator.

    Args:
        score: faces -> logits of any shape; of a face their mean counts.
    """
    part = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (real + part * (fake - real)).detach().float().requires_grad_()
    found = score(between).float().flatten(1).mean(1).sum()
    (slope,) = torch.autograd.grad(found, between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def accuracy(real: Tensor, fake: Tensor, kind: Kind = "minimax") -> Tensor:
    """Share (0..1) of patches that the discriminator names right, for the log; 0.5 is a draw."""
    middle = 0.5 if kind == "least-squares" else 0.0  # that one's logits are drawn to 1 and 0
    with torch.no_grad():
        return ((real > middle).float().mean() + (fake <= middle).float().mean()) / 2


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
    loss_real = verdict(of_real, True, kind) / 2
    fabric.backward(loss_real)
    of_fake = network(fake.detach())
    loss_fake = verdict(of_fake, False, kind) / 2
    fabric.backward(loss_fake)
    optimiser.step()
    return (loss_real + loss_fake).detach(), accuracy(of_real, of_fake, kind)


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


def play(
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
    fabric: Fabric,
    kind: Kind,
    fake: Tensor,
    real: Tensor,
    pairs: Callable[[Tensor], dict[str, Tensor]],
    terms: Callable[[Callable[[], Tensor]], dict[str, tuple[float, Tensor]]],
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """A step of every discriminator, then one of the network `generator`.

    Args:
        networks, optimisers, fabric: as `Method.step` has them.
        kind: of the adversarial loss.
        fake, real: what the generator has made (N, C, H, W), and what it should have.
        pairs: faces -> what each discriminator looks at, (N, C, H, W) by its name.
        terms: the generator's losses by name, weight and value each. It is given L_GAN to be asked for: the mean over the
            discriminators [sec, PATN].

    Returns:
        the generator's loss; loss and accuracy of each discriminator; and the terms; all detached scalars.
    """
    losses: dict[str, Tensor] = {}
    made = pairs(fake.detach())
    for name, true in pairs(real).items():
        loss, right = train_discriminator(networks[name], optimisers[name], true, made[name], kind, fabric)
        losses[name], losses[name.replace("discriminator", "accuracy")] = loss, right
    optimisers["generator"].zero_grad(set_to_none=True)
    with judging(*(networks[name] for name in made)) as judges, fabric.autocast():

        def score() -> Tensor:
            each = zip(judges, pairs(fake).values(), strict=True)
            return torch.stack([generator(judge(pair), kind) for judge, pair in each]).mean()

        parts = terms(score)
        total = sum(weight * value for weight, value in parts.values())
        fabric.backward(total)
    optimisers["generator"].step()
    return total.detach(), losses, {name: value.detach() for name, (_, value) in parts.items()}
