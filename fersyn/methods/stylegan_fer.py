"""New identities with an expression: the expression part of inverted codes, the rest from a pre-trained generator.

"Facial Expression Synthesis and Recognition with Pre-Trained StyleGAN"; only its abstract is known here. From it: expression
images are projected into the latent space of a StyleGAN by inversion, and the identity that the generator has learnt is
transferred into them by manipulating the latent codes: new identities, the same expression.

The rest is [ours]. Which part of a code is the expression is a `Split`: some levels, whole or a few directions in them, those in
which training people's expressive faces differ most from their own neutral ones. There the code of a training person's
expressive face stays, all else is that of a new person whom the generator draws. A training measures splits, one a step, on
training people alone: a recogniser learns from the true faces of one half of them, the faces of the other half are mixed with
new identities; it says how many still show their expression, and dlib's network how far they are from the person whose
expression it is. The log keeps that curve. Chosen is the split whose expressions are named best among those that leave nobody to
be known again (`STRANGERS`). "+ move by the mapper" is another method: here all expressions come from inverted faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from fersyn.building import inverted
from fersyn.errors import FersynError, NoFace
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.crop import Face, crop_face
from fersyn.generating import inversion
from fersyn.methods.base import Method, MethodConfig, Stage, Synthesiser, labels_of
from fersyn.nets.dlib_face import describe
from fersyn.nets.recogniser import Recogniser, named, train_recogniser
from fersyn.nets.stylegan import UNSTAMPED
from fersyn.pixels import to_bytes, to_floats, to_images, to_tensor
from fersyn.progress import say

KNOWN = 0.45  # dlib's distance below which a face counts as a known person's here
STRANGERS = 0.95  # least part of the mixed faces that are to lie further from every training person
TRIES = 5  # to draw a picture in which dlib finds a face
EPOCHS = 40  # of the recogniser that helps to choose


@dataclass(frozen=True)
class Split:
    """Which part of a code is the expression.

    Attributes:
        low, high: levels, px, whose styles hold it.
        rank: so many directions in them; 0: all of them, the styles are exchanged as they are.
        gain: how much of it, in parts of what the inverted face shows beyond the mean neutral one.
    """

    low: int
    high: int
    rank: int = 0
    gain: float = 1.0

    @property
    def name(self) -> str:
        """In words."""
        part = f", {self.rank} directions × {self.gain:g}" if self.rank else ""
        return f"{self.low} to {self.high} px{part}"


# The first are tried where steps are few.
SPLITS = (
    Split(8, 64), Split(8, 64, 8, 2.0), Split(16, 64), Split(8, 64, 16, 2.5), Split(4, 64, 8, 2.0), Split(8, 64, 8, 1.5),
    Split(8, 32), Split(8, 64, 16, 1.5), Split(16, 64, 16, 1.5), Split(8, 64, 32, 1.5), Split(8, 64, 16),
)  # fmt: skip


class Config(MethodConfig):
    """Settings of `stylegan-fer`."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "smoke": {"steps": 3, "tried": 1, "people": 4, "size": 64},
        "laptop": {"steps": 4},
        "paper": {"steps": 1 + len(SPLITS), "tried": 20, "people": 400},
    }
    steps: int = Field(6, ge=2, le=1 + len(SPLITS), description="one for inversion and recogniser, then one a split")
    ema: float = Field(0.0, ge=0, le=0, description="nothing is averaged")
    averaged: tuple[str, ...] = ()
    people: int = Field(60, ge=2, le=1000, description="training people whose faces are inverted, at most")
    refinement: int = Field(0, ge=0, description="steps of optimisation after the encoder, of each face")
    tried: int = Field(3, ge=1, description="faces of each expression on which a split is measured")
    truncation: float = Field(0.7, gt=0, le=1, description="of the new people: 0 the mean face, 1 all that there is")


class Mixer(nn.Module):
    """What a training learns: nothing by descent, so that all of it is buffers.

    Attributes:
        white: float16 (N, styles, width), the training people's inverted faces, in units of w's deviations.
        labels, people: int64 (N,), what each shows and whose it is; -1 where no face is.
        known: float32 (P, 128), dlib's descriptors of their neutral faces, 0 where nobody is.
        curve: float32 (S, 3): of each split the part named rightly, dlib's mean distance to the person whose expression it
            is, and the part that lies further than `KNOWN` from every training person; -1 where it was not measured.
        taken: int64, which split is the best.
        generator: `Generator.stamp` of the one whose W+ this is.
    """

    def __init__(self, people: int, styles: int, width: int):
        super().__init__()
        faces = people * len(EXPRESSIONS)
        self.register_buffer("white", torch.zeros(faces, styles, width, dtype=torch.float16))
        for name in ("labels", "people"):
            self.register_buffer(name, torch.full((faces,), -1))
        self.register_buffer("known", torch.zeros(people, 128))
        self.register_buffer("curve", torch.full((len(SPLITS), 3), -1.0))
        self.register_buffer("taken", torch.tensor(-1))
        self.register_buffer("generator", UNSTAMPED.clone())
        self._bases: dict[Split, Tensor] = {}

    def keep(self, white: Tensor, labels: np.ndarray, people: np.ndarray) -> None:
        """Hold faces (N, styles, width): their labels, and whose they are, (N,)."""
        count = len(labels)
        self.white[:count], self.labels[:count] = white.half(), torch.from_numpy(labels)
        self.people[:count] = torch.from_numpy(np.unique(people.astype(str), return_inverse=True)[1])

    def split(self) -> Split:
        """The one that was chosen."""
        return SPLITS[int(self.taken)]

    def calm(self) -> Tensor:
        """Mean of the neutral faces, (styles, width)."""
        return self.white[self.labels == 0].float().mean(0)

    def basis(self, split: Split, styles: Tensor) -> Tensor:
        """Directions (rank, k * width) in the split's k styles, at right angles and of length 1: those in which expressive
        faces lie furthest from the same people's neutral ones.
        """
        if split not in self._bases:
            calm = {int(self.people[at]): at for at in (self.labels == 0).nonzero()[:, 0].tolist()}
            loud = [at for at in (self.labels > 0).nonzero()[:, 0].tolist() if int(self.people[at]) in calm]
            own = [calm[int(self.people[at])] for at in loud]
            gaps = (self.white[loud].float() - self.white[own].float())[:, styles].flatten(1)
            self._bases[split] = torch.linalg.svd(gaps, full_matrices=False)[2][: split.rank]
        return self._bases[split]

    def mixed(self, new: Tensor, faces: Tensor, split: Split, levels: Tensor) -> Tensor:
        """New people's codes (N, styles, width) with the expressions of faces (N,), positions here; `levels`: (styles,) px."""
        styles, made = ((levels >= split.low) & (levels <= split.high)).nonzero()[:, 0], new.clone()
        shown = self.white[faces].float()[:, styles]
        if split.rank:
            calm, basis = self.calm()[styles], self.basis(split, styles)
            gap = calm + split.gain * (shown - calm) - new[:, styles]
            made[:, styles] += (gap.flatten(1) @ basis.t() @ basis).unflatten(1, gap.shape[1:])
        else:
            made[:, styles] = shown
        return made


class Codes:
    """What all steps look at: training people's faces, true and as codes.

    Attributes:
        found: `inverted.Inverted` of them.
        labels, people: (N,).
        first, second: bool (N,), whether they are of the half whose true faces the recogniser learns from, or of the one whose
            faces are mixed.
        seed: of the training.
    """

    def __init__(self, config: Config, table, device: Any):
        self.found = inverted.of_training(table, config.people, config.refinement)
        self.labels, self.people = self.found.labels, self.found.people
        both = [who for who in dict.fromkeys(self.people) if {0} < set(self.labels[self.people == who].tolist())]
        if len(both) < 2:
            raise FersynError(
                f"{table.path}: {len(both)} of its training people are there with a neutral and an expressive face; "
                f"{METHOD.name} takes its expressions from them, and needs two"
            )
        self.first, self.second = (
            np.isin(self.people.astype(str), np.array(half, str)) for half in (both[::2], both[1::2])
        )
        self.seed = 0

    def batch(self, step: int, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1) -> Codes:
        """All of them, whichever step or process."""
        self.seed = seed
        return self

    def tried(self, each: int) -> np.ndarray:
        """Positions of faces of the second half, `each` of every expression, as far as there are any."""
        random = np.random.default_rng([self.seed, 5])
        there = [np.flatnonzero(self.second & (self.labels == label)) for label in range(len(EXPRESSIONS))]
        return np.concatenate([random.permutation(own)[:each] for own in there])


class StyleGANFER(Method):
    """See the module."""

    Config = Config
    edits = needs_landmarks = needs_source = False

    def networks(self, config):
        """mixer, which is filled; recogniser, which helps to choose."""
        generator = inversion.get(config.refinement).generator
        return {"mixer": Mixer(config.people, generator.styles, generator.width), "recogniser": Recogniser()}

    def optimisers(self, config, networks):
        """None: the recogniser learns in one step, by an optimiser of its own."""
        return {}

    def stages(self, config):
        """Faces and recogniser; the splits."""
        rest = config.steps - 1
        return (
            Stage("faces", 1, self.step, Codes, ("mixer",)),
            Stage("splits", rest, self.try_split, Codes, ("mixer",)),
        )

    def needs_weights(self, config):
        """The generator's, and those of a refinement."""
        return inversion.weights(config.refinement)

    def step(self, config, networks, optimisers, batch, fabric, step):
        """Keep the codes, and train the recogniser. Of the second half's true faces, the part that it names rightly."""
        mixer, found, table = networks["mixer"].cpu(), batch.found, batch.found.table
        mixer.keep(found.inverter.encoder.whitened(found.codes).cpu(), batch.labels, batch.people)
        mixer.generator.copy_(found.inverter.generator.stamp)
        calm = found.rows[batch.labels == 0]
        whose = mixer.people[: len(batch.labels)][torch.from_numpy(batch.labels == 0)]
        known = describe(list(table.images(calm)), list(table.landmarks(calm)))
        mixer.known[whose] = torch.from_numpy(known).float()
        own, others = found.rows[batch.first], found.rows[batch.second]
        taught = torch.from_numpy(batch.labels[batch.first])
        learnt = train_recogniser(table.tensor(own), taught, EPOCHS, batch.seed, len(EXPRESSIONS))
        networks["recogniser"].load_state_dict(learnt.state_dict())
        right = named(learnt, table.tensor(others)) == batch.labels[batch.second]
        return {"true faces named": float(right.mean())}

    def try_split(self, config, networks, optimisers, batch, fabric, step):
        """Measure a split; after the last choose."""
        mixer, number = networks["mixer"].cpu(), step - 1
        faces = torch.from_numpy(batch.tried(config.tried))
        maker, random = batch.found.inverter, torch.Generator().manual_seed(batch.seed)
        z = torch.randn(len(faces), maker.generator.width, generator=random)
        new = maker.encoder.whitened(maker.generator.layers(maker.generator.sample(z, config.truncation))).cpu()
        made = mixer.mixed(new, faces, SPLITS[number], torch.tensor(maker.generator.levels))
        shown = seen(maker, made, batch.found.table.size)
        if not shown:
            raise FersynError(
                f"dlib finds no face in what {self.name} makes of {batch.found.table.path}: no split can be chosen"
            )
        faces, crops = faces[list(shown)], [face.crop for face in shown.values()]
        descriptors = torch.from_numpy(describe(crops, [face.landmarks for face in shown.values()])).float()
        right = named(networks["recogniser"], to_tensor(np.array(crops))) == mixer.labels[faces].numpy()
        own, apart = mixer.known[mixer.people[faces]], torch.cdist(descriptors, mixer.known[mixer.known.any(1)])
        values = [
            float(right.mean()),
            float((descriptors - own).norm(dim=1).mean()),
            float((apart.amin(1) > KNOWN).float().mean()),
        ]
        mixer.curve[number] = torch.tensor(values)
        if step == config.steps - 1:
            mixer.taken.fill_(best(mixer.curve))
            say(f"{self.name}: the expression is in {mixer.split().name}")
        return dict(zip(("named", "distance", "strangers"), values, strict=True))

    def synthesiser(self, config, networks, motion=None):
        """See `NewPeople`."""
        return NewPeople(config, networks)


def best(curve: Tensor) -> int:
    """The split of a curve (see `Mixer`) whose expressions are named best, of those that leave at least `STRANGERS`; if none
    does, the one that leaves most.
    """
    right, _, strange = curve.double().t()
    able = strange >= STRANGERS - 1e-6
    return int(torch.where(able, right, -1).argmax() if able.any() else strange.argmax())


def seen(maker: inversion.Inverter, white: Tensor, size: int) -> dict[int, Face]:
    """The faces of codes in units of w's deviations, (N, styles, width), as the kit aligns them to `size` px, by position;
    dlib finds none in the others.
    """
    found = {}
    for at, picture in enumerate(to_images(to_bytes(maker.pictures(maker.encoder.layers(white))))):
        with suppress(NoFace):
            found[at] = crop_face(picture, size)
    return found


class NewPeople(Synthesiser):
    """Synthesiser of `stylegan-fer`: it draws new people, who are on the CPU, and edits nobody.

    Args:
        config, networks: of the training.

    Raises:
        FersynError: weights are missing, or the codes are those of another generator.
    """

    def __init__(self, config: Config, networks):
        super().__init__(METHOD, config, networks)
        self.maker, self.mixer = inversion.get(config.refinement), networks["mixer"].cpu()
        self.maker.generator.check(self.mixer.generator)

    @property
    def draws_people(self):
        """Whether it does: from the end of the training on."""
        return int(self.mixer.taken) >= 0

    @property
    def expressions(self):
        """Those that a training person showed, neutral not counted."""
        return tuple(EXPRESSIONS[k] for k in sorted(set(self.mixer.labels.tolist()) - {-1, 0}))

    def curve(self) -> list[dict[str, Any]]:
        """The splits that were measured: name, low, high, rank, gain, named, distance, strangers, taken."""
        lines = zip(SPLITS, self.mixer.curve.tolist(), strict=True)
        return [
            {"name": split.name, **vars(split), "named": right, "distance": apart, "strangers": strange,
             "taken": split is SPLITS[int(self.mixer.taken)]}
            for split, (right, apart, strange) in lines if right >= 0
        ]  # fmt: skip

    @torch.no_grad()
    def sample(self, count, expression, seed=0):
        """See `Synthesiser.sample`. A picture in which dlib finds no face is drawn anew."""
        labels = labels_of(expression, count)
        if not self.draws_people:
            raise FersynError(f"this training of {self.name} is not done: go on with it by --resume")
        if missing := set(labels.tolist()) - set(self.mixer.labels.tolist()):
            names = ", ".join(EXPRESSIONS[k] for k in sorted(missing))
            raise FersynError(f"{self.name} has seen nobody with {names}: its table has no such faces")
        faces = [self._drawn(label, np.random.default_rng([seed, k])) for k, label in enumerate(labels.tolist())]
        return to_floats(to_tensor(np.array(faces, np.uint8).reshape(-1, self.size, self.size, 3))), labels

    def _drawn(self, label: int, random: np.random.Generator) -> np.ndarray:
        generator, there = self.maker.generator, (self.mixer.labels == label).nonzero()[:, 0]
        for _ in range(TRIES):
            z = torch.from_numpy(random.standard_normal((1, generator.width), dtype=np.float32))
            face = there[int(random.random() * len(there))][None]
            new = self.maker.encoder.whitened(generator.layers(generator.sample(z, self.config.truncation))).cpu()
            made = self.mixer.mixed(new, face, self.mixer.split(), torch.tensor(generator.levels))
            if found := seen(self.maker, made, self.size):
                return found[0].crop
        raise FersynError(
            f"dlib finds no face in {TRIES} pictures of {self.name}; train it on another table, or lower truncation"
        )


METHOD = StyleGANFER()
