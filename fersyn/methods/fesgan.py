"""FESGAN and joint learning: "Joint Deep Learning of Facial Expression Synthesis and Recognition", arXiv 2002.02194.

Only its abstract is known here. From it: first a GAN is trained to give a face another expression, and to draw faces of *new
identities* from a prior; then a recogniser is learnt jointly with it, whose classification loss updates recogniser *and*
generator, and an intra-class loss with real-data-guided back-propagation (RDBP) against the bias between real and synthetic
faces. Networks, prior, discriminators, identity term, optimiser and batch are [sec] (`fersyn.nets.fesgan`), as far as said there.

[ours] Pairs of one person give the true picture, from which the generated one differs by L1. Codes of the prior are decoded with
the batch's expressions, dealt anew. With `transfer` (`fersyn.methods.joint`) an edit is the source with the change between what is
decoded with the expression that it wears and with the one asked for. RDBP: `fersyn.losses.intra_class`. Real and synthetic faces pass the recogniser one after
the other, so that batch norm does not carry a gradient from the ones to the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.losses import pixel
from fersyn.losses.adversarial import (
    Kind,
    channels_last,
    critic,
    discriminator,
    generator,
    gradient_penalty,
    judging,
    train_discriminator,
)  # fmt: skip
from fersyn.losses.intra_class import intra_class
from fersyn.methods.base import Method, MethodConfig, Stage, labels_of
from fersyn.methods.config import power_of_two
from fersyn.methods.joint import Recognising, added
from fersyn.nets import identity
from fersyn.nets.fesgan import FESGAN, CodeDiscriminator
from fersyn.nets.labels import label_code
from fersyn.nets.multitask_patchgan import MultiTaskPatchGAN
from fersyn.nets.recogniser import Recogniser, augment, middle, prepare
from fersyn.pixels import onto, resize

if TYPE_CHECKING:
    from fersyn.pairs import Batch

CODES: Kind = "non-saturating"  # of the discriminator of codes; its fake term is -log(1 - D)


class Config(MethodConfig):
    """Settings; the defaults are [sec] where papers.md of the project has a number, otherwise [ours]."""

    lr: float = Field(1e-4, gt=0, le=1, description="learning rate of all but the recogniser; falls in stage 2")
    neutral_share: float = Field(
        0.125, ge=0, le=1, description="part of the pairs that lead back to neutral: as each expression"
    )
    joint_steps: int = Field(6_000, ge=1, description="the last of the steps: stage 2, in which the recogniser learns")
    width: int = Field(64, ge=1, le=256, description="channels of the generator's outermost layers")
    code: int = Field(64, ge=1, le=1024, description="numbers of an identity code")
    pooled: bool = Field(True, description="whether the encoder's last maps are averaged")
    discriminator_width: int = Field(64, ge=1, le=256, description="channels of the image discriminator's first layer")
    adversarial: Literal["wgan-gp", "minimax", "non-saturating", "least-squares", "hinge"] = "wgan-gp"
    weight_penalty: float = Field(10.0, ge=0, description="of the gradient penalty")
    weight_adversarial: float = Field(1.0, ge=0, description="of the image discriminator's patches")
    weight_expression: float = Field(1.0, ge=0, description="of its expression head")
    weight_code: float = Field(0.1, ge=0, description="of the code discriminator")
    weight_identity: float = Field(1.0, ge=0, description="of the verifier's 1 - cosine")
    weight_pixel: float = Field(30.0, ge=0, description="of the L1 loss")
    identity_network: identity.Network = Field("auto", description="verifier of the identity term")
    identity_faces: int = Field(16, ge=1, description="faces of a batch that it looks at, at most")
    identity_every: int = Field(
        1, ge=1, description="steps from one of its looks to the next: it takes most of the time"
    )
    learns_from: Literal["joint", "stage 1", "real"] = Field(
        "joint",
        description="recogniser: jointly; from synthetic faces of stage 1, the generator standing still; from real faces alone",
    )
    recogniser_lr: float = Field(2e-3, gt=0, le=1, description="learning rate of the recogniser")
    weight_recognition: float = Field(1.0, ge=0, description="of the recogniser's loss on synthetic faces")
    weight_intra_class: float = Field(0.01, ge=0, description="of the intra-class loss")
    guided: bool = Field(True, description="RDBP: real faces guide, the gradient runs through synthetic ones alone")
    transfer: bool = Field(False, description="give a face the change between two generated ones [ours]")

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": dict(
            size=32, steps=4, joint_steps=2, batch=4, width=4, code=8, discriminator_width=4, ema=0.5, identity_faces=1
        ),
        "laptop": dict(
            size=64, steps=900, joint_steps=300, batch=8, lr=1e-3, width=24, pooled=False, discriminator_width=16, ema=0.99,
            adversarial="hinge", identity_faces=1, identity_every=4, weight_expression=0.3, weight_adversarial=0.3, weight_code=1.0, transfer=True,
        ),
        # 200 epochs, the joint stage from the 80th on: of 25 600 pairs, in batches of 16. [sec; the number of pairs: ours]
        "paper": dict(size=128, steps=320_000, joint_steps=192_000, batch=16, lr=1e-4, betas=(0.5, 0.999), ema=0.0),
    }  # fmt: skip

    _fits = field_validator("size")(power_of_two)


class JointFESGAN(Method):
    """generator (encoder and decoder), image_discriminator, code_discriminator, recogniser."""

    Config = Config
    needs_landmarks = False

    def networks(self, config: Config) -> dict[str, nn.Module]:
        """See the class."""
        made = {
            "generator": FESGAN(config.size, config.width, config.code, config.pooled),
            "image_discriminator": MultiTaskPatchGAN(config.size, config.discriminator_width, {"expression": 8}),
            "code_discriminator": CodeDiscriminator(config.code),
            "recogniser": Recogniser(),
        }
        return {name: network.to(memory_format=torch.channels_last) for name, network in made.items()}

    def optimisers(self, config: Config, networks):
        """Adam; AdamW for the recogniser, as the kit's others are trained."""
        found = super().optimisers(config, networks)
        weights = networks["recogniser"].parameters()
        return found | {"recogniser": torch.optim.AdamW(weights, config.recogniser_lr, weight_decay=0.05, fused=True)}

    def features(self, config: Config) -> str | None:
        """Which verifier the identity term asks, in words."""
        return identity.describe(config.identity_network) if config.weight_identity else None

    def guides(self, config: Config) -> tuple[str, ...]:
        """The verifier of the identity term."""
        return (identity.resolve(config.identity_network),) if config.weight_identity else ()

    def stages(self, config: Config) -> tuple[Stage, ...]:
        """Pre-training, at the full rate; then the joint stage, over which the rate falls."""
        first, synthesis = config.steps - config.joint_steps, ("generator", "image_discriminator", "code_discriminator")
        if first < 1:
            raise FersynError(f"joint_steps is {config.joint_steps}: it must be less than steps ({config.steps})")
        learning = (*synthesis, "recogniser") if config.learns_from == "joint" else ("recogniser",)
        return (
            Stage("synthesis", first, self.step, networks=synthesis, rate=lambda step: 1.0),
            Stage("recognition", config.joint_steps, self.join, networks=learning),
        )

    def step(self, config: Config, networks, optimisers, batch: Batch, fabric, step: int) -> dict[str, Tensor]:
        """Stage 1: both discriminators, then the generator."""
        made = _made(config, networks["generator"], batch)
        losses = _discriminate(config, networks, optimisers, batch, made, fabric)
        with judging(networks["image_discriminator"], networks["code_discriminator"]) as judges, fabric.autocast():
            parts = _terms(config, judges, batch, made, step)
        optimisers["generator"].zero_grad(set_to_none=True)
        fabric.backward(sum(weight * value for weight, value in parts.values()))
        optimisers["generator"].step()
        return losses | {name: value.detach() for name, (_, value) in parts.items()}

    def join(self, config: Config, networks, optimisers, batch: Batch, fabric, step: int) -> dict[str, Tensor]:
        """Stage 2: as stage 1, and the recogniser, whose losses on synthetic faces update the generator as well."""
        losses, parts, learning = {}, {}, ["recogniser"]
        faces, labels = [batch.target], [batch.label]
        if config.learns_from != "real":
            with torch.set_grad_enabled(config.learns_from == "joint"):
                made = _made(config, networks["generator"], batch)
            faces, labels = [*faces, made.faces], [*labels, made.labels]
        if config.learns_from == "joint":
            learning = ["generator", "recogniser"]
            losses = _discriminate(config, networks, optimisers, batch, made, fabric)
            with judging(networks["image_discriminator"], networks["code_discriminator"]) as judges, fabric.autocast():
                parts = _terms(config, judges, batch, made, step)
        named, accuracies = _recognition(config, networks["recogniser"], faces, labels)
        parts |= named
        for name in learning:
            optimisers[name].zero_grad(set_to_none=True)
        fabric.backward(sum(weight * value for weight, value in parts.values()))
        for name in learning:
            optimisers[name].step()
        return losses | {name: value.detach() for name, (_, value) in parts.items()} | accuracies

    def forward(self, config: Config, networks, faces, source, target, label, intensity) -> Tensor:
        """What the generator makes of faces and label codes."""
        return networks["generator"](channels_last(faces), label_code(label, intensity))[0]

    def recognised(self, config: Config, networks, faces: Tensor) -> Tensor:
        """Logits (N, 8) of the recogniser for faces (N, 3, H, H) in [-1, 1]."""
        return networks["recogniser"](middle(prepare(resize(faces, config.size))))

    def synthesiser(self, config: Config, networks, motion=None):
        """See `Joint`."""
        return Joint(self, config, networks)


@dataclass(frozen=True)
class Made:
    """What the generator has made of N pairs.

    Attributes:
        faces: (2 N, 3, size, size), edits of the sources and then new identities.
        labels: (2 N,), with which they are decoded, and by which they are to be called.
        codes: (N, code), of the sources.
        decoded: (N, 3, size, size), the edits as they are decoded: with `transfer` their change alone is in `faces`.
    """

    faces: Tensor
    labels: Tensor
    codes: Tensor
    decoded: Tensor


def _made(config: Config, network: nn.Module, batch: Batch) -> Made:
    """Edits, and codes of the prior decoded with the same expressions, dealt anew."""
    count, device = len(batch.label), batch.label.device
    dealt = onto(torch.randperm(count), device)
    prior = onto(torch.rand(count, config.code) * 2 - 1, device)  # U(-1, 1)
    code = label_code(batch.label, batch.intensity)
    asked = torch.cat([code, label_code(batch.source_label)]) if config.transfer else code
    made, codes = network(channels_last(batch.source), asked, prior, code[dealt])
    edits, new = made[:count], made[len(asked) :]
    shown = added(batch.source, (edits - made[count : len(asked)]).float()) if config.transfer else edits.float()
    return Made(torch.cat([shown, new.float()]), torch.cat([batch.label, batch.label[dealt]]), codes, edits)


def _discriminate(config: Config, networks, optimisers, batch: Batch, made: Made, fabric) -> dict[str, Tensor]:
    """A step of both discriminators; the generator gets no gradient. Their losses, detached."""
    network, fake, real = (
        networks["image_discriminator"],
        channels_last(made.faces.detach()),
        channels_last(batch.target),
    )
    optimisers["image_discriminator"].zero_grad(set_to_none=True)
    of_real, of_fake = network(real), network(fake)
    if config.adversarial == "wgan-gp":
        inner, some = getattr(network, "module", network), onto(torch.randperm(len(fake))[: len(real)], fake.device)
        penalty = gradient_penalty(lambda faces: inner(faces)["patches"], real, fake[some])
        loss = critic(of_real["patches"], of_fake["patches"]) + config.weight_penalty * penalty
    else:
        loss = discriminator(of_real["patches"], of_fake["patches"], config.adversarial)
    named = functional.cross_entropy(of_real["expression"].float(), batch.label)
    fabric.backward(loss + config.weight_expression * named)
    optimisers["image_discriminator"].step()
    codes = made.codes.float()
    prior = onto(torch.rand(codes.shape) * 2 - 1, codes.device)
    of_codes = networks["code_discriminator"], optimisers["code_discriminator"]
    coded, right = train_discriminator(*of_codes, prior, codes, CODES, fabric)
    found = {"image_discriminator": loss.detach(), "head_real": named.detach()}
    return found | {"code_discriminator": coded, "code_accuracy": right}


def _terms(config: Config, judges, batch: Batch, made: Made, step: int) -> dict[str, tuple[float, Tensor]]:
    """The generator's losses of stage 1 by name, with their weights."""
    seen, edits = judges[0](channels_last(made.faces)), made.faces[: len(batch.label)]
    kind = "hinge" if config.adversarial == "wgan-gp" else config.adversarial  # -E[D(fake)]
    found = {
        "adversarial": (config.weight_adversarial, generator(seen["patches"], kind)),
        "head_synthetic": (config.weight_expression, functional.cross_entropy(seen["expression"].float(), made.labels)),
        "code": (config.weight_code, generator(judges[1](made.codes), CODES)),
        "pixel": (config.weight_pixel, pixel(edits, batch.target)),
    }
    if config.transfer:
        found["decoded"] = config.weight_pixel, pixel(made.decoded, batch.target)
    if config.weight_identity:
        looks = config.identity_faces * (step % config.identity_every == 0)
        some = onto(torch.randperm(len(edits))[:looks], edits.device)
        verifier = identity.shared(config.identity_network, edits.device)
        apart = verifier.differ(edits[some], batch.source[some]) if len(some) else edits.new_zeros(())
        found["identity"] = config.weight_identity, apart
    return found


def _recognition(config: Config, network: nn.Module, faces: list[Tensor], labels: list[Tensor]):
    """The recogniser's losses by name, with their weights, on real faces and on synthetic ones, if there are any; and its
    accuracy on the ones and on the others.
    """
    found, accuracies, features = {}, {}, []
    for name, own, true in zip(("real", "synthetic"), faces, labels, strict=False):
        features.append(network.features(channels_last(augment(prepare(own.float())))))
        logits = network.classify(features[-1]).float()
        weight = 1.0 if name == "real" else config.weight_recognition
        found[f"recognition_{name}"] = weight, functional.cross_entropy(logits, true, label_smoothing=0.1)
        accuracies[f"accuracy_{name}"] = (logits.detach().argmax(1) == true).float().mean()
    if len(features) == 2 and config.weight_intra_class:
        told = torch.arange(sum(map(len, faces)), device=labels[0].device) >= len(faces[0])
        both = torch.cat(features).float(), torch.cat(labels), told
        found["intra_class"] = config.weight_intra_class, intra_class(*both, config.guided)
    return found, accuracies


class Joint(Recognising):
    """Synthesiser of `fesgan`: it edits faces, draws people and names expressions."""

    def make(self, faces, source, target, label, intensity):
        """See `Synthesiser.make`; with `transfer` the change alone is given to the faces, from what the recogniser finds in
        them.
        """
        if not self.config.transfer or not len(faces):
            return super().make(faces, source, target, label, intensity)
        network = self.networks["generator"]
        device = next(network.parameters()).device
        codes = network.encoder(channels_last(resize(faces, self.size).to(device)))
        worn = 2 * self.recognise(faces).to(device) - 1
        before, after = (
            network.decode(codes, code) for code in (worn, label_code(label.to(device), intensity.to(device)))
        )
        return added(faces, (after - before).to(faces.device, torch.float32))

    @torch.no_grad()
    def sample(self, count, expression, seed=0):
        """See `Synthesiser.sample`: identities of the prior."""
        labels, network = labels_of(expression, count), self.networks["generator"]
        device, faces = next(network.parameters()).device, []
        for k, label in enumerate(labels):
            drawn = np.random.default_rng([seed, k]).uniform(-1, 1, (1, self.config.code)).astype(np.float32)
            faces.append(network.decode(torch.from_numpy(drawn).to(device), label_code(label[None].to(device))).cpu())
        return (torch.cat(faces).float() if faces else torch.zeros(0, 3, self.size, self.size)), labels


METHOD = JointFESGAN()
