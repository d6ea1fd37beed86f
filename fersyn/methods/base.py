"""What every method is: how it is trained and what its networks make of a face (`Method`), in which stages (`Stage`), and
how it is used (`Synthesiser`).

The training loop knows `Method` and no method's insides; evaluation, notebooks and the command line know `Synthesiser`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from fersyn import expressions, marks
from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS, STRONGEST
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.methods.config import MethodConfig
from fersyn.pixels import rescale, resize

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.optim import Optimizer

    from fersyn.pairs import Pairs
    from fersyn.table import FaceTable


class Batches(Protocol):
    """What a stage learns from: a function of (seed, step) alone, so that a stopped training goes on exactly."""

    def batch(self, step: int, batch_size: int, seed: int = 0, rank: int = 0, world: int = 1) -> Any:
        """Return what process `rank` of `world` sees at a step: its part of the `batch_size` examples of all.

        Nothing is drawn from torch's global generator: the step draws from that.
        """
        ...


def pairs_of(config: MethodConfig, table: FaceTable, device: Any) -> Pairs:
    """The pairs of a table's training people, as the configuration has them."""
    from fersyn.pairs import Pairs  # and with it pandas, which an edit does without

    shares = {"neutral_share": config.neutral_share, "cross_share": config.cross_share}
    return Pairs(table, size=config.size, augment=config.augment, device=device, **shares)


@dataclass(frozen=True)
class Stage:
    """A part of a training with a step, batches and networks of its own.

    Attributes:
        name: in words, for messages.
        steps: how many.
        step: takes one step, as `Method.step` does. Steps are counted through all stages.
        batches: (config, table, device) -> what gives the batches; pairs of faces, if nothing else is said.
        networks: those that learn in it; None: all that can. The others stand still meanwhile: in eval mode, without
            gradients in their weights, and their averages as they are.
        batch: examples a step over all devices; 0: the configuration's.
        rate: step 0.. of the stage -> part of the learning rate; None: it falls as the configuration says.
        lr: learning rate of all optimisers; None: as they were made.
        ema: decay of the running averages, which begin to forget anew with each stage; None: the configuration's.
    """

    name: str
    steps: int
    step: Callable[..., dict[str, float | Tensor]]
    batches: Callable[[Any, Any, Any], Batches] = pairs_of
    networks: tuple[str, ...] | None = None
    batch: int = 0
    rate: Callable[[int], float] | None = None
    lr: float | None = None
    ema: float | None = None


class Method:
    """How a method is trained, and what its networks make of a face: all that stands in its file, which ends with
    `METHOD = TheClass()` and gives the method its name (`landmark_flow.py`: landmark-flow).

    Attributes:
        name: as on the command line.
        Config: its settings.
        needs_landmarks: whether the target's landmarks are looked at.
        needs_source: whether the source's are, for more than to predict the target's.
        needs_table: whether it learns from a face table.
        mixes: whether mixed precision (bfloat16) makes its training faster where the device has units for it, as measured.
        steady: whether all its steps are the same operations: nothing in them hangs on the number of the step or on what the host
            draws. Then a GPU takes each as one graph (`fersyn.training.capture`).
        edits: whether it edits faces: then the loop shows it on people held out and learns a landmark motion for it.
    """

    name: str = ""
    Config: type[MethodConfig] = MethodConfig
    needs_landmarks = needs_source = needs_table = edits = True
    mixes = steady = False

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        cls.name = cls.name or cls.__module__.rpartition(".")[2].replace("_", "-")

    def preset(self, profile: str, **changes: Any) -> MethodConfig:
        """Return the settings of a profile (smoke, laptop or paper) with `changes`."""
        return self.Config.preset(profile, **changes)

    def networks(self, config: MethodConfig) -> dict[str, nn.Module]:
        """Make the networks, initialised from torch's global generator (seeded by the loop); {}: nothing to train.

        One whose weights have `requires_grad` False is frozen: nobody trains it, and no checkpoint holds it.
        """
        return {}

    def prepare(self, config: MethodConfig, networks: dict[str, nn.Module], table: Any) -> None:
        """Fill buffers of new networks with what is worked out of the training people, before the first step."""

    def optimisers(self, config: MethodConfig, networks: dict[str, nn.Module]) -> dict[str, Optimizer]:
        """Make the optimisers, at learning rate `config.lr` (the loop lets it fall): Adam for each network that learns,
        all weights of a network in one pass (fused).
        """
        weights = {name: [w for w in network.parameters() if w.requires_grad] for name, network in networks.items()}
        return {
            name: torch.optim.Adam(own, config.lr, config.betas, fused=True) for name, own in weights.items() if own
        }

    def stages(self, config: MethodConfig) -> tuple[Stage, ...]:
        """The stages of a training, in their order: one of `step` alone, on pairs of faces."""
        return (Stage("training", config.steps, self.step),)

    def step(
        self,
        config: MethodConfig,
        networks: dict[str, nn.Module],
        optimisers: dict[str, Optimizer],
        batch: Any,
        fabric: Fabric,
        step: int,
    ) -> dict[str, float | Tensor]:
        """Take one training step (losses, `fabric.backward`, optimisers) and return the losses by name, detached.

        Whatever it draws must come from torch's global generator: the loop seeds that from (seed, step, rank), so
        that a step depends on nothing before it but weights and optimisers. State beside those belongs in buffers of
        a network.
        """
        raise NotImplementedError(f"{self.name} has no training step")

    def forward(
        self,
        config: MethodConfig,
        networks: dict[str, nn.Module],
        faces: Tensor,
        source: Tensor | None,
        target: Tensor | None,
        label: Tensor,
        intensity: Tensor,
    ) -> Tensor:
        """Faces (N, 3, size, size) in [-1, 1] -> the same people with another expression, alike.

        Args:
            source, target: landmarks (N, 68, 2) px at that size; None, where the method needs none.
            label: int64 (N,), index into EXPRESSIONS.
            intensity: float32 (N,), 0..STRONGEST; trained on 0..1.
        """
        if not self.edits:
            raise FersynError(
                f"{self.name} edits no faces that it is given: it draws people with an expression (`sample`)"
            )
        raise NotImplementedError(f"{self.name} edits no faces")

    def features(self, config: MethodConfig) -> str | None:
        """Which network a perceptual loss compares features of on this machine, in words; None: there is none."""
        return None

    def guides(self, config: MethodConfig) -> tuple[str, ...]:
        """Which instruments (names of `fersyn.weights`: "fer", "facex" ...) its training was to please. A guide is no judge:
        where it measures what the method makes, its numbers are marked.
        """
        return ()

    def needs_weights(self, config: MethodConfig) -> tuple[str, ...]:
        """Networks of others (names of `fersyn.weights`) that its synthesiser cannot do without."""
        return ()

    def synthesiser(self, config: MethodConfig, networks: dict[str, nn.Module], motion: Any = None) -> Synthesiser:
        """Wrap trained networks (by name, as `networks` gave them) for use."""
        return Synthesiser(self, config, networks, motion)


class Synthesiser:
    """A trained method: all that evaluation, notebooks and the command line know of it.

    Args:
        method, config: what was trained, and its settings.
        networks: by name; they are put into eval mode.
        motion: a `fersyn.methods.motion.Motion` that predicts landmarks where an edit is given none, or None.

    Attributes:
        name: of the method.
        needs_landmarks: whether the target's landmarks are looked at.
        edits: whether it edits faces that it is given.
        size: side at which its networks work, px.
        guides: instruments that had a hand in what it makes: those of the method, and those of the faces that it learnt from.
        weights: name and hash of the file that they were read from; empty: of none.
        recognises: whether it has learnt to name expressions, too (`recognise`).
    """

    guides: tuple[str, ...] = ()
    weights: str = ""
    recognises = False

    def __init__(self, method: Method, config: MethodConfig, networks: dict[str, nn.Module], motion: Any = None):
        self.method, self.config, self.networks = method, config, networks
        self.motion = motion if method.needs_landmarks else None
        self.name, self.needs_landmarks, self.size = method.name, method.needs_landmarks, config.size
        self.edits = method.edits
        self.guides = method.guides(config)
        for network in networks.values():
            network.eval()

    @property
    def expressions(self) -> tuple[str, ...]:
        """What it can make without being given landmarks, neutral not counted; empty where nobody predicts them."""
        known = EXPRESSIONS if not self.needs_landmarks else () if self.motion is None else self.motion.expressions
        return tuple(name for name in known if name != "neutral")

    @property
    def device(self) -> torch.device:
        """Where it computes: where its networks are; without any, by the kit's rule."""
        return next(
            (weight.device for each in self.networks.values() for weight in each.parameters()), default_device()
        )

    def without(self, people: Iterable[str]) -> Synthesiser:
        """The same with a landmark motion that knows nothing of some people ('dataset/subject'): for edits of their own faces
        without landmarks. Itself, where the motion has not learnt from any of them; what its networks have learnt stays.

        Raises:
            FersynError: the motion knows nobody else.
        """
        motion = None if self.motion is None else self.motion.without(people)
        if motion is self.motion:
            return self
        other = copy.copy(self)
        other.motion = motion
        return other

    @property
    def lacks(self) -> str:
        """A sentence about what there was nobody to learn from, for log and report; empty: nothing."""
        return ""

    @property
    def draws_people(self) -> bool:
        """Whether it makes faces of new people (`sample`)."""
        return type(self).sample is not Synthesiser.sample

    @torch.no_grad()
    def edit(
        self,
        faces: Tensor,
        expression: str | Sequence[str],
        intensity: float | Tensor = 1.0,
        landmarks: Tensor | None = None,
        source_landmarks: Tensor | None = None,
    ) -> Tensor:
        """Return the same people with another expression.

        Args:
            faces: (N, 3, H, H) in [-1, 1], of any side H.
            expression: one name for all, or N names.
            intensity: 0..STRONGEST (1.5), one for all or (N,); 1 is a clear, posed expression.
            landmarks: (N, 68, 2) px of pictures of side H, of the TARGET; None: the landmark motion predicts them from
                `source_landmarks`.
            source_landmarks: (N, 68, 2) px; None: found by dlib where they are needed.

        Returns:
            (N, 3, H, H) in [-1, 1], on the device of `faces`.

        Raises:
            FersynError: an unknown expression, an intensity out of range, landmarks of a wrong shape, or neither
                landmarks nor a motion.
            ValueError: the faces are no square colour pictures.
        """
        return self.make(faces, *self.asked(faces, expression, intensity, landmarks, source_landmarks))

    def explain(
        self,
        faces: Tensor,
        expression: str | Sequence[str],
        intensity: float | Tensor = 1.0,
        landmarks: Tensor | None = None,
        source_landmarks: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """As `edit`, with what it is made of: image (N, 3, H, H); of a method that bends also bent (N, 3, H, H), and the flow
        (N, 2, H, H) px by which it is: bent(p) = faces(p + flow(p)).
        """
        return {"image": self.edit(faces, expression, intensity, landmarks, source_landmarks)}

    def words(self, expression: str, intensity: float) -> str:
        """What a picture shows that was asked for with these."""
        return marks.words(expression, intensity)

    def make(
        self, faces: Tensor, source: Tensor | None, target: Tensor | None, label: Tensor, intensity: Tensor
    ) -> Tensor:
        """What `edit` does with what it was asked for: `forward` at the network's size and on its device, and back. A
        method that works at any size does it otherwise.
        """
        side, size, device = faces.shape[-1], self.size, self.device
        points = (None if each is None else rescale(each, side, size).to(device) for each in (source, target))
        asked = (resize(faces.to(device), size), *points, label.to(device), intensity.to(device))
        made = self.method.forward(self.config, self.networks, *asked)
        return resize(made.float(), side).to(faces.device)

    def asked(
        self,
        faces: Tensor,
        expression: str | Sequence[str],
        intensity: float | Tensor,
        landmarks: Tensor | None,
        source_landmarks: Tensor | None,
    ) -> tuple[Tensor | None, Tensor | None, Tensor, Tensor]:
        """What `edit` was asked for as tensors: landmarks of source and target (N, 68, 2) px of the faces (None where
        the method needs none), labels (N,) and intensities (N,). Raises what `edit` does.
        """
        count, device = len(faces), faces.device
        label, strength = labels_of(expression, count, device), intensities_of(intensity, count, device)
        if not self.needs_landmarks:
            return None, None, label, strength
        for title, points in (("landmarks", landmarks), ("source_landmarks", source_landmarks)):
            if points is not None and tuple(points.shape) != (count, 68, 2):
                raise FersynError(f"{title} have the shape {tuple(points.shape)}; give ({count}, 68, 2), px")
        if landmarks is None and self.motion is None:
            raise FersynError(
                f"{self.name} needs the target's landmarks, or a landmark motion to predict them: load it from a run "
                "folder (fersyn.training.runs.load), or train it: fersyn train ... --out RUN"
            )
        if source_landmarks is None and landmarks is not None and not self.method.needs_source:
            source_landmarks = landmarks
        source = find_source_landmarks(faces) if source_landmarks is None else source_landmarks
        source = source.to(device, torch.float32)
        if landmarks is None:
            landmarks = self.motion.predict(source, label, strength, size=faces.shape[-1])
        return source, landmarks.to(device, torch.float32), label, strength

    def sample(self, count: int, expression: str | Sequence[str], seed: int = 0) -> tuple[Tensor, Tensor]:
        """Draw faces of people who do not exist.

        Args:
            count: how many.
            expression: one name for all, or `count` names.
            seed: the same people with the same seed, whatever the expression.

        Returns:
            faces (count, 3, size, size) in [-1, 1], and their labels, int64 (count,), indices into EXPRESSIONS.

        Raises:
            FersynError: the method edits faces that are there, and draws none.
        """
        raise FersynError(f"{self.name} draws no new people: it edits faces that it is given")

    def recognise(self, faces: Tensor) -> Tensor:
        """Name expressions: faces (N, 3, H, H) in [-1, 1] -> probabilities (N, 8), on the CPU.

        Raises:
            FersynError: the method has learnt no recogniser.
        """
        raise FersynError(f"{self.name} names no expressions: it has learnt no recogniser beside its generator")


def labels_of(expression: str | Sequence[str], count: int, device: torch.device | str = "cpu") -> Tensor:
    """Names of expressions, one for all or `count`, as int64 (count,); raises FersynError for others."""
    names = [expression] * count if isinstance(expression, str) else list(expression)
    if len(names) != count:
        raise FersynError(f"{len(names)} expressions for {count} faces; give one for all or one a face")
    return torch.tensor([expressions.index(name) for name in names], device=device, dtype=torch.int64)


def intensities_of(intensity: float | Tensor, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Intensity, one for all or `count`, as float32 (count,); raises FersynError outside 0..STRONGEST."""
    values = torch.as_tensor(intensity, dtype=torch.float32, device=device)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != count):
        raise FersynError(f"intensity has the shape {tuple(values.shape)} for {count} faces; give one for all or each")
    values = values.expand(count)
    if not bool(((values >= 0) & (values <= STRONGEST)).all()):
        raise FersynError(f"intensity must lie between 0 and {STRONGEST}, got {values.tolist()[:5]}")
    return values
