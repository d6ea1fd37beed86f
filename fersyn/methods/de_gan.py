"""DE-GAN: "Facial Expression Representation Learning by Synthesizing Expression Images", arXiv 1912.01456.

Its abstract is known here, and a summary. [doc] A generator of encoder and decoder reconstructs an expression image; the
encoder's code is the expression, apart from identity, which [sec] is given to the decoder. The discriminator is a CNN that also
classifies expression and identity. The recogniser takes the code together with what the encoder has recorded on the way, its
intermediate maps (residue learning).

The rest is [ours]. The identity is another face of the person (`fersyn.nets.de_gan`). Each code is decoded on its own person,
whose true picture is there, and on the next one in the batch: there the heads ask for the expression of the code and the
identity of the face, so that a code that holds its person is found out. What the encoder sees is varied in light and colour,
codes get noise, and a linear layer names their expression. Then the encoder stands still, and the recogniser learns from the training people's faces. By name an expression
is the mean code of training people who show it; a guide's face gives its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.losses import pixel
from fersyn.losses.adversarial import Kind, channels_last, discriminator, generator, judging
from fersyn.methods.base import Method, MethodConfig, Stage, intensities_of, pairs_of
from fersyn.methods.config import power_of_two
from fersyn.methods.joint import Recognising, added
from fersyn.nets.de_gan import Decoder, ExpressionEncoder, ResidueRecogniser
from fersyn.nets.guides import vary
from fersyn.nets.labels import NEUTRAL
from fersyn.nets.multitask_patchgan import MultiTaskPatchGAN
from fersyn.pixels import onto, resize

CLEAR = 0.7  # intensity from which on a face counts for the mean code of its expression


class Config(MethodConfig):
    """Settings, all [ours] but for what is trained by what: no number is in the abstract."""

    averaged: tuple[str, ...] = Field(("decoder",), description="networks that are averaged")
    neutral_share: float = Field(
        0.125, ge=0, le=1, description="part of the pairs that lead back to neutral: as each expression"
    )
    recognition_steps: int = Field(
        5_000, ge=1, description="the last of the steps: stage 2, in which the recogniser learns"
    )
    people: int = Field(
        1000, ge=1, description="identities that the discriminator can tell apart, at least the table's"
    )
    width: int = Field(64, ge=1, le=256, description="channels of the encoder's and the decoder's outermost layers")
    code: int = Field(64, ge=1, le=1024, description="numbers of an expression code")
    noise: float = Field(0.1, ge=0, le=1, description="deviation of the noise that codes get in training")
    variation: float = Field(0.3, ge=0, le=1, description="of light and colour of what the encoder sees in training")
    discriminator_width: int = Field(64, ge=1, le=256, description="channels of the discriminator's first layer")
    adversarial: Kind = Field("non-saturating", description="adversarial loss")
    weight_adversarial: float = Field(0.3, ge=0, description="of the discriminator's patches")
    weight_expression: float = Field(0.3, ge=0, description="of its expression head")
    weight_identity: float = Field(0.3, ge=0, description="of its identity head; 0: without it")
    weight_code: float = Field(1.0, ge=0, description="of what a linear layer reads in the code: its expression")
    weight_pixel: float = Field(30.0, ge=0, description="of the L1 loss")
    parts: Literal["both", "code", "maps"] = Field("both", description="what the recogniser looks at")
    recogniser_lr: float = Field(2e-3, gt=0, le=1, description="learning rate of the recogniser")

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": dict(
            size=32, steps=4, recognition_steps=2, batch=4, width=4, code=8, discriminator_width=4, people=8, ema=0.5
        ),
        "laptop": dict(
            size=64, steps=900, recognition_steps=200, batch=8, lr=1e-3, width=24, code=24, discriminator_width=16, people=200,
            ema=0.99,
        ),
        "paper": dict(size=128, steps=60_000, batch=16, lr=2e-4, ema=0.0),
    }  # fmt: skip

    _fits = field_validator("size")(power_of_two)


class Known:
    """Pairs of faces, and the number of each training person; raises FersynError where there are more than `people`."""

    def __init__(self, config: Config, table, device: Any):
        self.pairs = pairs_of(config, table, device)
        names = sorted(table.people_of("train"))
        if len(names) > config.people:
            raise FersynError(
                f"{table.path}: {len(names)} training people, de-gan tells {config.people} apart; --set people={len(names)}"
            )
        number = {name: k for k, name in enumerate(names)}
        self.numbers = torch.tensor([number.get(str(name), -1) for name in table.people], device=device)

    def batch(self, step: int, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1):
        """The pairs of a step, and whose they are, int64 (N,)."""
        batch = self.pairs.batch(step, batch_size, seed, rank, world)
        return batch, self.numbers[batch.index_source]


class DEGAN(Method):
    """encoder, decoder, discriminator, recogniser."""

    Config = Config
    mixes = True
    needs_landmarks = False

    def networks(self, config: Config) -> dict[str, nn.Module]:
        """See the class."""
        encoder = ExpressionEncoder(config.size, config.width, config.code)
        heads = {"expression": 8} | ({"identity": config.people} if config.weight_identity else {})
        made = {
            "encoder": encoder,
            "decoder": Decoder(config.size, config.width, config.code),
            "discriminator": MultiTaskPatchGAN(config.size, config.discriminator_width, heads),
            "recogniser": ResidueRecogniser(config.code, encoder.recorded, config.parts),
        }
        return {name: network.to(memory_format=torch.channels_last) for name, network in made.items()}

    def optimisers(self, config: Config, networks):
        """Adam; AdamW for the recogniser."""
        weights = networks["recogniser"].parameters()
        own = torch.optim.AdamW(weights, config.recogniser_lr, weight_decay=0.05, fused=True)
        return super().optimisers(config, networks) | {"recogniser": own}

    def stages(self, config: Config) -> tuple[Stage, ...]:
        """Synthesis; then recognition, the encoder standing still."""
        first = config.steps - config.recognition_steps
        if first < 1:
            raise FersynError(
                f"recognition_steps is {config.recognition_steps}: it must be less than steps ({config.steps})"
            )
        synthesis = ("encoder", "decoder", "discriminator")
        return (
            Stage("synthesis", first, self.step, Known, synthesis),
            Stage("recognition", config.recognition_steps, self.learn, Known, ("recogniser",)),
        )

    def step(self, config: Config, networks, optimisers, batch, fabric, step: int) -> dict[str, Tensor]:
        """Stage 1: the discriminator, then encoder and decoder."""
        pairs, person = batch
        codes, _, said = networks["encoder"](channels_last(vary(pairs.target, config.variation, still=True)))
        codes = codes.float() + config.noise * onto(torch.randn(codes.shape), codes.device)
        given = torch.cat([codes, codes.roll(1, 0)])  # the own person's, and the one before in the batch
        wanted = torch.cat([pairs.label, pairs.label.roll(1, 0)])
        change = networks["decoder"](channels_last(pairs.source), given)
        made, whose = added(pairs.source.repeat(2, 1, 1, 1), change), person.repeat(2)
        losses = _discriminate(config, networks, optimisers, pairs, person, made, fabric)
        with judging(networks["discriminator"]) as (judge,), fabric.autocast():
            parts = _terms(config, judge(channels_last(made)), pairs, made, wanted, whose)
        parts["code"] = config.weight_code, functional.cross_entropy(said.float(), pairs.label)
        for name in ("encoder", "decoder"):
            optimisers[name].zero_grad(set_to_none=True)
        fabric.backward(sum(weight * value for weight, value in parts.values()))
        for name in ("encoder", "decoder"):
            optimisers[name].step()
        return losses | {name: value.detach() for name, (_, value) in parts.items()}

    def learn(self, config: Config, networks, optimisers, batch, fabric, step: int) -> dict[str, Tensor]:
        """Stage 2: the recogniser, from real faces; the encoder gets no gradient. The mean codes are gathered."""
        pairs, _ = batch
        with torch.no_grad():
            codes, maps, _ = networks["encoder"](channels_last(vary(pairs.target, config.variation)))
        network = networks["recogniser"]
        logits = network(codes.float(), maps.float()).float()
        loss = functional.cross_entropy(logits, pairs.label, label_smoothing=0.1)
        optimisers["recogniser"].zero_grad(set_to_none=True)
        fabric.backward(loss)
        optimisers["recogniser"].step()
        clear = ((pairs.intensity >= CLEAR) | (pairs.label == NEUTRAL)).float()
        with torch.no_grad():
            plain, *_ = networks["encoder"](channels_last(pairs.target))
            getattr(network, "module", network).count(plain, pairs.label, clear)
        return {"recognition": loss.detach(), "accuracy_real": (logits.argmax(1) == pairs.label).float().mean()}

    def recognised(self, config: Config, networks, faces: Tensor) -> Tensor:
        """Logits (N, 8) of the recogniser for faces (N, 3, H, H) in [-1, 1]."""
        codes, maps, _ = networks["encoder"](channels_last(resize(faces, config.size)))
        return networks["recogniser"](codes.float(), maps.float())

    def synthesiser(self, config: Config, networks, motion=None):
        """See `Guided`."""
        return Guided(self, config, networks)


def _discriminate(config: Config, networks, optimisers, pairs, person, made, fabric) -> dict[str, Tensor]:
    """A step of the discriminator; encoder and decoder get no gradient. Its losses, detached."""
    network = networks["discriminator"]
    optimisers["discriminator"].zero_grad(set_to_none=True)
    real, fake = network(channels_last(pairs.target)), network(channels_last(made.detach()))
    found = {
        "discriminator": discriminator(real["patches"], fake["patches"], config.adversarial),
        "head_real": functional.cross_entropy(real["expression"].float(), pairs.label),
    }
    if config.weight_identity:
        found["identity_real"] = functional.cross_entropy(real["identity"].float(), person)
    fabric.backward(sum(found.values()))
    optimisers["discriminator"].step()
    return {name: value.detach() for name, value in found.items()}


def _terms(config: Config, seen, pairs, made: Tensor, wanted: Tensor, whose: Tensor) -> dict[str, tuple[float, Tensor]]:
    """The losses of encoder and decoder by name, with their weights.

    Args:
        seen: what the discriminator says of `made` (2 N, 3, size, size), each code on its own person, then on another.
        wanted, whose: int64 (2 N,), expression of the code, person of the face.
    """
    found = {
        "adversarial": (config.weight_adversarial, generator(seen["patches"], config.adversarial)),
        "head_synthetic": (config.weight_expression, functional.cross_entropy(seen["expression"].float(), wanted)),
        "pixel": (config.weight_pixel, pixel(made[: len(pairs.target)], pairs.target)),
    }
    if config.weight_identity:
        named = functional.cross_entropy(seen["identity"].float(), whose)
        found["identity_synthetic"] = config.weight_identity, named
    return found


class Guided(Recognising):
    """Synthesiser of `de-gan`: an expression by its name, or that of a guide's face; and it names expressions."""

    takes_guide = True

    @torch.no_grad()
    def codes(self, faces: Tensor) -> Tensor:
        """Expression codes (N, code) of faces (N, 3, H, H) in [-1, 1], on the CPU."""
        network = self.networks["encoder"]
        device = next(network.parameters()).device
        parts = [
            network(channels_last(resize(part, self.size).to(device)))[0].float().cpu() for part in faces.split(64)
        ]
        return torch.cat(parts) if parts else torch.zeros(0, self.config.code)

    @torch.no_grad()
    def edit(self, faces, expression="neutral", intensity=1.0, landmarks=None, source_landmarks=None, guide=None):
        """See `Synthesiser.edit`; `guide`: faces (N, 3, H, H) or (1, 3, H, H) of anybody, whose expression is taken, whatever
        `expression` says.

        Raises:
            FersynError: another number of guides.
        """
        if guide is None:
            return super().edit(faces, expression, intensity, landmarks, source_landmarks)
        if len(guide) not in (1, len(faces)):
            raise FersynError(f"{len(guide)} guides for {len(faces)} faces; give one for all or one a face")
        strength = intensities_of(intensity, len(faces))[:, None]
        own = self.codes(faces)
        return self._decoded(faces, own + strength * (self.codes(guide) - own))

    def make(self, faces, source, target, label, intensity):
        """See `Synthesiser.make`."""
        known = self.networks["recogniser"]
        device = known.centres.device
        calm, full = (known.centre(each.to(device)) for each in (torch.full_like(label, NEUTRAL), label))
        return self._decoded(faces, (calm + intensity.to(device)[:, None] * (full - calm)).cpu())

    def _decoded(self, faces: Tensor, codes: Tensor) -> Tensor:
        """Faces with the expressions of codes (N, code)."""
        network, found = self.networks["decoder"], []
        device = next(network.parameters()).device
        for part, own in zip(faces.split(64), codes.split(64), strict=True) if len(faces) else ():
            change = network(channels_last(resize(part, self.size).to(device)), own.to(device))
            found.append(added(part, change.to(part.device, torch.float32)))
        return torch.cat(found) if found else faces.clone()


METHOD = DEGAN()
