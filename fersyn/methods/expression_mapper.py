"""Method `expression-mapper`: where in W+ of a generator each expression lies, learnt from guides alone. [ours]

No photograph is learnt from: faces are the generator's own samples. The face table gives numbers, the displacements of its
people's actions and meshes. First neutral (most of FFHQ's people smile), then the rest, each against the person's own neutral
face. `fersyn.nets.expression_mapper` is the network, `fersyn.losses.guided` says what each loss is for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.losses import guided
from fersyn.manners import Manners
from fersyn.methods.base import Method, Stage, Synthesiser, labels_of
from fersyn.methods.config import MethodConfig
from fersyn.nets import mobile_stylegan
from fersyn.nets.expression_mapper import GUIDES, MOVED, NEUTRAL, NONE, ExpressionMapper
from fersyn.nets.expression_mapper import get as kits
from fersyn.nets.instruments import ACTIONS, Judge
from fersyn.nets.studio import Studio, joined
from fersyn.pixels import constant

# Least opening of the eyes, of the own neutral one: `facex` takes closed eyes for sadness.
LEAST_OPEN = (0.75, 0.85, 0.55, 1.0, 0.6, 0.9, 1.0, 0.9, 0.0)
VARIED = 0.5  # strength of the variation of what guides look at
CALM = 0.1  # the same for `dlib`, whose distances are small
LOOKS = {"fer": 2, "facex": 1}  # of a judge at a face; `fer` is small, and so the easier fooled
WARM = 0.1  # part of a stage in which the learning rate rises, at most 20 steps
_ROWS = (*MOVED, "neutral", "none")
_CLASSES = tuple(EXPRESSIONS[label] for label in Judge.classes)
_STRONG = ("brow", "mouthSmile", "mouthFrown", "noseSneer", "eyeWide", "mouthUpperUp", "mouthStretch", "jawOpen")
_STRONG += ("mouthShrugLower",)
_COSTS = {"_neutral": 0.0, "eyeLook": 0.3, "eyeBlink": 8.0, **dict.fromkeys(_STRONG, 2.0)}
COST = [next((cost for start, cost in _COSTS.items() if name.startswith(start)), 1.0) for name in ACTIONS]


class Config(MethodConfig):
    """Settings of `expression-mapper`; `size` is that of the pictures. `laptop` takes 75 minutes of one core: 0.6 s a face."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"steps": 2, "neutral_steps": 1, "batch": 2, "people": 4},
        "laptop": {"steps": 300, "neutral_steps": 30, "batch": 24, "people": 240},
        "paper": {"steps": 1400, "neutral_steps": 100, "batch": 96, "people": 3000, "draft": False},
    }
    size: int = Field(256, ge=256, le=256, description="side of the pictures that the guides look at, px")
    batch: int = Field(24, ge=1, description="faces a step, over all devices")
    lr: float = Field(1.5e-3, gt=0, le=1, description="learning rate; the part that is alike for all people: 20 fold")
    betas: tuple[float, float] = (0.9, 0.99)
    ema: float = Field(0.995, ge=0, lt=1, description="decay of the weights' running average; 0: none")
    averaged: tuple[str, ...] = ("mapper",)
    neutral_steps: int = Field(
        30,
        ge=0,
        description="steps for neutral; the others are for the expressions. 0: neutral is that of the kit's mapper",
    )
    people: int = Field(240, ge=1, description="people of the generator that it learns from")
    draft: bool = Field(True, description="whether pictures are made by the short way")
    gain: float = Field(1.3, gt=0, description="displacements of actions at strength 1, in those of the table's people")
    weight_fer: float = Field(0.9, ge=0)
    weight_facex: float = Field(0.8, ge=0)
    weight_smile: float = Field(0.5, ge=0, description="contempt is not called happy")
    weight_actions: float = Field(2.0, ge=0)
    weight_sliders: float = Field(1.5, ge=0)
    weight_shape: float = Field(1000.0, ge=0)
    weight_corner: float = Field(6700.0, ge=0)
    weight_lids: float = Field(6.0, ge=0)
    weight_identity: float = Field(6.0, ge=0, description="SFace takes it for the same person")
    weight_dlib: float = Field(5.0, ge=0, description="so does dlib")
    weight_rims: float = Field(20.0, ge=0)
    weight_around: float = Field(10.0, ge=0)
    weight_light: float = Field(4.0, ge=0)
    weight_size: float = Field(0.003, ge=0, description="squares of the offsets, in deviations of w")


class Population(Synthesiser):
    """A trained mapper: it edits no photographs, but draws new people with every expression."""

    @torch.no_grad()
    def sample(self, count, expression, seed=0):
        """See `Synthesiser.sample`: truncation 0.7, strength 1."""
        labels, studio = labels_of(expression, count), self.networks["studio"]
        device, faces = next(studio.parameters()).device, []
        for k, label in enumerate(labels.tolist()):
            rng = np.random.default_rng([seed, k])
            z = torch.from_numpy(rng.standard_normal((1, studio.generator.width), dtype=np.float32)).to(device)
            w = studio.generator.sample(z)
            layers = self.networks["mapper"].edit(w, EXPRESSIONS[label], styles=studio.generator.styles)
            faces.append(studio.picture(layers).clamp(-1, 1))
        return torch.cat(faces), labels


class GuidedMapping(Method):
    """See the module."""

    Config = Config
    edits = needs_landmarks = needs_source = False

    def guides(self, config):
        """Those whose losses count, and those of the kit's mapper where neutral is its."""
        losses = {"fer": config.weight_fer, "facex": config.weight_facex, "sface": config.weight_identity}
        losses["dlib"] = config.weight_dlib
        meshes = ("shape", "corner", "lids")
        losses["actions"] = sum(getattr(config, f"weight_{name}") for name in ("actions", "sliders", *meshes))
        own = (name for name, weight in losses.items() if weight)
        return tuple(dict.fromkeys((*own, *(GUIDES if not config.neutral_steps else ()))))

    def needs_weights(self, config):
        """The generator's, and those of all guides: they look on, whatever their losses weigh."""
        return (*mobile_stylegan.NAMES, *("dlib-face" if name == "dlib" else name for name in GUIDES))

    def synthesiser(self, config, networks, motion=None):
        """It draws people."""
        return Population(self, config, networks)

    def networks(self, config):
        """The mapper, its axes those of the generator's w; the studio, which is frozen."""
        studio = Studio(config.draft)
        generator, mapper = studio.generator, ExpressionMapper(width=studio.generator.width)
        with torch.no_grad():
            z = torch.randn(20_000, generator.width, generator=torch.Generator().manual_seed(1))
            w = torch.cat([generator.mapping(part) for part in z.split(1000)])
            values, axes = torch.linalg.eigh(torch.cov((w - generator.mean).t()).double())
            mapper.mean.copy_(generator.mean)
            mapper.axes.copy_(axes.flip(1).t())
            mapper.sd.copy_(values.flip(0).clamp_min(1e-12).sqrt())
            mapper.sd.clamp_min_(1e-3 * float(mapper.sd[0]))
        if not config.neutral_steps:
            mapper.take_neutral(kits(generator))
        mapper.gain = config.gain
        return {"mapper": mapper, "studio": studio}

    def optimisers(self, config, networks):
        """Adam, one a stage: what the neutral face has learnt must not drift on while the rest learns."""
        faster = {"base": 20.0, "curve": 20 / 3, "action": 20 / 3}
        named = networks["mapper"].named_parameters()
        groups = [{"params": [weight], "lr": config.lr * faster.get(name, 1.0)} for name, weight in named]
        adam = partial(torch.optim.Adam, betas=config.betas, fused=True)
        return {stage: adam([dict(group) for group in groups]) for stage in ("neutral", "moved")}

    def stages(self, config):
        """Neutral, then the expressions."""
        if config.neutral_steps >= config.steps:
            raise FersynError(f"neutral_steps is {config.neutral_steps}: it must be less than steps ({config.steps})")

        def stage(name: str, steps: int, step: Any) -> Stage:
            def rate(place: int) -> float:
                fall = max(0.0, (place / steps - 0.3) / 0.7)
                return min(1.0, (place + 1) / min(20, max(1, WARM * steps))) * (
                    0.05 + 0.475 * (1 + math.cos(math.pi * fall))
                )

            return Stage(name, steps, step, Manners, ("mapper",), rate=rate)

        rest = stage("expressions", config.steps - config.neutral_steps, self.move)
        return (stage("neutral", config.neutral_steps, self.step), rest) if config.neutral_steps else (rest,)

    def step(self, config, networks, optimisers, batch, fabric, step):
        """The way to the own neutral face, against the sample."""
        mapper, studio = networks["mapper"], networks["studio"]
        before = joined(studio.people(batch.seed, batch.people))
        row, full = torch.full_like(batch.row, NEUTRAL), torch.ones_like(batch.strength)
        offsets = mapper(mapper.white(before["w"]), row, full, torch.zeros_like(batch.shift))
        picture = studio.picture(mapper.add(studio.generator.layers(before["w"]), offsets))
        wanted = batch.neutral.expand(len(row), -1).clone()
        for k, name in enumerate(ACTIONS):  # gaze, lids and brows stay the person's own, where they are calm
            own = before["actions"][:, k]
            if name.startswith("eyeLook"):
                wanted[:, k] = own
            elif name.startswith("eyeBlink"):
                wanted[:, k] = own.clamp_max(0.25)
            elif name.startswith(("eyeSquint", "brow")):
                wanted[:, k] = torch.minimum(own, batch.neutral[k] + 0.1)
        losses, _ = _look(config, studio, picture, before, row, full, wanted, torch.zeros_like(wanted))
        return _learn(config, losses, offsets, mapper, optimisers["neutral"], fabric)

    def move(self, config, networks, optimisers, batch, fabric, step):
        """The ways to the expressions, and to single actions, against the own neutral face."""
        mapper, studio, row = networks["mapper"], networks["studio"], batch.row
        before = joined(studio.neutral(getattr(mapper, "module", mapper), batch.seed, batch.people))
        mapper.manner_mean.copy_(batch.mean)
        known, asked = (row != NONE).float()[:, None], (batch.slider != 0).float()
        amount = config.gain * batch.strength[:, None] * known
        manner = amount * (batch.shift - batch.mean[row])
        offsets = mapper(mapper.white(before["w"]), row, batch.strength, manner + batch.slider)
        picture = studio.picture(mapper.add(before["layers"], offsets))
        wanted = (before["actions"] + amount * batch.shift + batch.slider).clamp(0, 1)
        losses, mesh = _look(config, studio, picture, before, row, batch.strength, wanted, asked)
        scorn = (row == MOVED.index("contempt")).float()
        moved, way = (mesh - before["mesh"])[..., :2], 1.15 * batch.strength[:, None, None] * batch.mesh
        shown = known[:, 0] * (asked.sum(1) == 0)
        losses["shape"] = shown * guided.shape(moved, way, 1 - scorn)
        losses["corner"] = scorn * guided.one_corner(moved, batch.strength, batch.left)
        return _learn(config, losses, offsets, mapper, optimisers["moved"], fabric)


def _look(
    config: Config,
    studio: Studio,
    picture: Tensor,
    before: dict[str, Tensor],
    row: Tensor,
    strength: Tensor,
    wanted: Tensor,
    asked: Tensor,
) -> tuple[dict[str, Tensor], Tensor]:
    """The losses (N,) that all stages have, and the mesh. A judge or an identity net of no weight does not look at all."""
    guides, nothing = studio.guides, torch.zeros_like(strength)
    mesh = guides.mesh(picture)
    actions = guides.meter.of_mesh(mesh)
    judged = constant(tuple(_CLASSES.index(name) if name in _CLASSES else -1 for name in _ROWS), row.device)[row]
    scorn = (row == MOVED.index("contempt")).float()
    sure = ((strength - 0.4) / 0.5).clamp(0, 1)  # a weak expression need not convince anybody
    drift = 0.05 + 0.15 * (0.3 + 0.7 * strength.clamp(0, 1))  # the less moves, the more it is the same person
    heard = {
        name: [guides.logits(name, picture, VARIED) for _ in range(looks if getattr(config, f"weight_{name}") else 0)]
        for name, looks in LOOKS.items()
    }
    happy = _CLASSES.index("happiness")
    least = constant(LEAST_OPEN, row.device)[row]
    least = torch.where(least > 0, least + (1 - least) * (1 - strength.clamp(0, 1)), 0)
    open_before = guided.opening(before["mesh"]).clamp_min(0.05)
    cost = constant(tuple(COST), row.device)
    alike = (guides.identity(picture, VARIED) * before["identity"]).sum(1) if config.weight_identity else 1 - nothing
    far = (guides.descriptor(picture, CALM) - before["descriptor"]).norm(dim=1) if config.weight_dlib else nothing
    losses = {
        **{
            name: sure * sum((guided.margin(each, judged) for each in seen), nothing) / LOOKS[name]
            for name, seen in heard.items()
        },
        "smile": scorn * sum((guided.called(seen[0], happy) for seen in heard.values() if seen), nothing),
        "actions": ((cost + 5 * asked) * (actions - wanted).square()).sum(1),
        "sliders": guided.slider(actions, wanted, asked),
        "lids": functional.relu(least - guided.opening(mesh) / open_before),
        "identity": functional.relu(1 - alike - drift),
        "dlib": guided.another(far, strength),
        "rims": guided.rims(picture, before["picture"]),
        "around": guided.around(picture, before["picture"]),
        "light": guided.light(picture, before["picture"]),
    }
    return losses, mesh


def _learn(config, losses, offsets, mapper, optimiser, fabric) -> dict[str, Tensor]:
    """Weigh, go back, take the step; returns the means."""
    losses = {**losses, "size": offsets.square().sum((1, 2))}
    means = {name: values.mean() for name, values in losses.items()}
    optimiser.zero_grad(set_to_none=True)
    fabric.backward(sum(getattr(config, f"weight_{name}") * mean for name, mean in means.items()))
    torch.nn.utils.clip_grad_norm_(mapper.parameters(), 5.0)
    optimiser.step()
    return {name: mean.detach() for name, mean in means.items()}


METHOD = GuidedMapping()
