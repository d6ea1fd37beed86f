"""A small convolutional network that names an expression, its input, its training. Half a minute on two cores.

Made for few people: grey, locally normalised pixels (light and complexion say nothing about an expression), and a
head that keeps the places on the face (faces are aligned, so a place means something). A stronger network, which takes ten times as
long, is a setting: `NETWORKS`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.losses.intra_class import intra_class
from fersyn.nets.resnet_recogniser import ResNet18
from fersyn.pixels import onto, to_bytes, to_floats

INPUT = 48  # px that the network sees
MARGIN = 2  # px more on each side, so that shifts and turns bring in no made-up pixels
INNER = 0.875  # part of the crop that is looked at: hair and background stay outside
WINDOW = 13  # px over which contrast is normalised

# Classical variation, by torchvision.
PADDING = 1 / 16  # of the side, on each side; the crop is as large as the face was: shifts by up to as much
COLOUR = 0.3  # brightness, contrast and saturation change by factors 0.7 to 1.3
GROUP = (
    4  # faces that share a draw: torchvision draws once a call, and a call a face would take longer than the network
)

SMOOTHING = 0.1  # of the labels
# Name of a network -> highest learning rate, where none is asked for.
NETWORKS = {"cnn": 2e-3, "resnet18": 1e-3, "resnet18-imagenet": 3e-4}

Vary = Callable[[Tensor, torch.Generator], Tensor]


class Recogniser(nn.Sequential):
    """Three convolutions with pooling and two dense layers, 0.33 M weights at the default width. [ours]

    ``forward``: prepared faces (N, 1, 48, 48) as `prepare` makes them -> logits (N, classes).
    """

    side = INPUT

    def __init__(self, classes: int = len(EXPRESSIONS), width: int = 16):
        def block(inside: int, outside: int, kernel: int) -> list[nn.Module]:
            convolution = nn.Conv2d(inside, outside, kernel, padding=kernel // 2, bias=False)
            return [convolution, nn.BatchNorm2d(outside), nn.ReLU(inplace=True), nn.MaxPool2d(2)]

        super().__init__(
            *block(1, width, 5), *block(width, 2 * width, 3), *block(2 * width, 4 * width, 3),
            nn.Dropout2d(0.1), nn.Flatten(),
            nn.Linear(4 * width * (INPUT // 8) ** 2, 128, bias=False),
            nn.BatchNorm1d(128), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.Linear(128, classes),
        )  # fmt: skip
        self.classes = classes

    @staticmethod
    def prepare(inner: Tensor, side: int) -> Tensor:
        """The inner part of faces (N, 3, h, w) -> grey, local mean 0 and deviation about 1: (N, 1, side, side)."""
        inner = inner.mean(1, keepdim=True)
        grey = functional.interpolate(inner, (side, side), mode="bilinear", antialias=True, align_corners=False)

        def local_mean(x: Tensor) -> Tensor:
            return functional.avg_pool2d(functional.pad(x, (WINDOW // 2,) * 4, mode="reflect"), WINDOW, 1)

        difference = grey - local_mean(grey)
        return difference / (local_mean(difference**2) + 0.01).sqrt()

    def features(self, faces: Tensor) -> Tensor:
        """Prepared faces (N, 1, 48, 48) -> what the last layer names them by, (N, 128)."""
        for layer in list(self)[:-2]:
            faces = layer(faces)
        return faces

    def classify(self, features: Tensor) -> Tensor:
        """Features (N, 128) -> logits (N, classes)."""
        return self[-1](self[-2](features))


@dataclass(frozen=True)
class Synthesis:
    """Which of the faces that a recogniser learns from are synthesised, and what it makes of that.

    Attributes:
        made: bool (N,), True for synthesised faces.
        smoothing: of the labels of real and of synthesised faces, 0..1: the part that goes to all classes alike.
        intra_class: weight of `fersyn.losses.intra_class` between the features of both.
        guided: whether there the real faces' features guide alone.
    """

    made: Tensor
    smoothing: tuple[float, float] = (SMOOTHING, SMOOTHING)
    intra_class: float = 0.0
    guided: bool = False

    def loss(self, network: nn.Module, seen: Tensor, labels: Tensor, weight: Tensor, chosen: Tensor) -> Tensor:
        """Of faces as the network sees them, (n, 1, 48, 48), at the positions `chosen` (n,); `weight`: of the classes."""
        features, made = network.features(seen), self.made.to(chosen.device)[chosen]
        logits = network.classify(features)
        both = [
            functional.cross_entropy(logits, labels, weight, reduction="none", label_smoothing=part)
            for part in self.smoothing
        ]
        loss = torch.where(made, both[1], both[0]).sum() / weight[labels].sum()
        if self.intra_class:
            loss = loss + self.intra_class * intra_class(features, labels, made, self.guided)
        return loss


def make(network: str = "cnn", classes: int = len(EXPRESSIONS)) -> nn.Module:
    """A network of `NETWORKS`: it has `side`, `prepare`, `features` and `classify`.

    Raises:
        FersynError: there is none of that name, or ImageNet's weights are missing.
    """
    if network not in NETWORKS:
        raise FersynError(f"recogniser '{network}' is unknown; use one of: {', '.join(NETWORKS)}")
    return Recogniser(classes) if network == "cnn" else ResNet18(classes, network.endswith("imagenet"))


def prepare(faces: Tensor, network: type[nn.Module] | nn.Module = Recogniser) -> Tensor:
    """Faces (N, 3, H, W), bytes or in [-1, 1] -> what a network looks at, with a margin: of the small CNN (N, 1, 52, 52)."""
    faces = to_floats(faces) if faces.dtype == torch.uint8 else faces
    edge = round(faces.shape[-1] * (1 - INNER) / 2)
    inner = faces[..., edge : faces.shape[-2] - edge, edge : faces.shape[-1] - edge]
    return network.prepare(inner, network.side + 2 * MARGIN)


def augment(faces: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Prepared faces (N, C, side + 4, side + 4) -> (N, C, side, side), each mirrored or not, turned, scaled, shifted a little, with
    noise; drawn from `generator`, None: torch's global one. Gradients pass.
    """
    count, side = len(faces), faces.shape[-1] - 2 * MARGIN

    def draw(low: float, high: float) -> Tensor:
        return onto(torch.rand(count, generator=generator) * (high - low) + low, faces.device)

    turn, scale = draw(-0.12, 0.12), draw(0.92, 1.08)
    mirror = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = turn.cos() * scale, turn.sin() * scale
    first = torch.stack([cos * mirror, -sin, draw(-0.08, 0.08)], 1)
    second = torch.stack([sin * mirror, cos, draw(-0.08, 0.08)], 1)
    grid = functional.affine_grid(
        torch.stack([first, second], 1), [count, faces.shape[1], side, side], align_corners=False
    )
    out = functional.grid_sample(faces, grid * (side / faces.shape[-1]), padding_mode="border", align_corners=False)
    return out + 0.1 * onto(torch.randn(out.shape, generator=generator), out.device)


def middle(faces: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Prepared faces (N, C, side + 4, side + 4) -> their middle (N, C, side, side): `augment` without any variation."""
    return faces[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def classical(faces: Tensor, generator: torch.Generator) -> Tensor:
    """The variation that needs no synthesis, of faces (N, 3, H, W), bytes or floats in [-1, 1]; bytes of the same shape.

    Mirrored or not, shifted (RandomCrop over repeated edges), with other brightness, contrast and saturation. Each
    group of `GROUP` faces has a draw of its own.
    """
    from torchvision.transforms import v2

    side = faces.shape[-1]
    change = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomCrop(side, padding=max(1, round(side * PADDING)), padding_mode="edge"),
            v2.ColorJitter(COLOUR, COLOUR, COLOUR),
        ]
    )
    if faces.dtype != torch.uint8:
        faces = to_bytes(faces)
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return torch.cat([change(part) for part in faces.split(GROUP)])


def train_recogniser(
    faces: Tensor,
    labels: Tensor,
    epochs: int = 60,
    seed: int = 0,
    classes: int = len(EXPRESSIONS),
    batch: int = 32,
    rate: float | None = None,
    report: Callable[[int, float], None] | None = None,
    steps: int | None = None,
    vary: Vary = augment,
    before: Vary | None = None,
    pool: Tensor | None = None,
    synthesis: Synthesis | None = None,
    network: str = "cnn",
) -> nn.Module:
    """Train a recogniser, by the kit's rule of devices; it comes back in evaluation mode as it is after the last epoch.

    AdamW, one-cycle learning rate, labels smoothed by `SMOOTHING`; every class weighs the same, however many pictures it has.

    Args:
        faces, labels: (N, 3, H, W), float in [-1, 1] or bytes; int (N,) in 0..classes-1.
        epochs: passes over the faces; what does not fill a batch is left out of a pass.
        seed: of the weights, of the order and of the augmentation.
        classes, batch, rate: their number, faces a step, highest learning rate (None: of `NETWORKS`).
        report: called after each epoch with its number (from 1) and its mean loss.
        steps: so many steps instead of `epochs`, however many faces there are.
        vary: prepared faces and a generator -> what the network sees of them: `augment`, or `middle` for no variation.
        before: faces (n, 3, H, W) and a generator -> varied faces, before they are prepared, in each step; None: nothing.
        pool: int64, positions dealt in a pass, with repetitions; None: each face once.
        synthesis: which faces are synthesised, where that makes a difference.
        network: one of `NETWORKS`.

    Raises:
        FersynError: fewer than two faces, labels out of range, no step, a `synthesis` of other faces, or what `make` raises.
    """
    _check(faces, labels, classes, epochs, steps, synthesis)
    device, pool = default_device(), torch.arange(len(faces)) if pool is None else pool
    batch = min(batch, len(pool))
    total = epochs * (len(pool) // batch) if steps is None else steps
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # Channels last: the convolutions take two thirds of the time on a CPU.
        taught = make(network, classes).to(device, memory_format=torch.channels_last)
        generator = torch.Generator().manual_seed(seed)
        weight = onto(_class_weights(labels.cpu()[pool], classes), device)
        faces, labels = faces.to(device), labels.to(device)
        prepared = None if before else torch.cat([prepare(part, taught) for part in faces.split(1024)])

        def loss_of(chosen: Tensor) -> Tensor:
            seen = prepare(before(faces[chosen], generator), taught) if before else prepared[chosen]
            seen = vary(seen, generator).contiguous(memory_format=torch.channels_last)
            if synthesis is not None:
                return synthesis.loss(taught, seen, labels[chosen], weight, chosen)
            return functional.cross_entropy(taught(seen), labels[chosen], weight, label_smoothing=SMOOTHING)

        rate = rate or NETWORKS[network]
        _descend(taught, loss_of, _dealt(pool, batch, total, generator), total, len(pool) // batch, rate, report)
    return taught.eval()


def _check(
    faces: Tensor, labels: Tensor, classes: int, epochs: int, steps: int | None, synthesis: Synthesis | None
) -> None:
    if len(faces) < 2 or len(faces) != len(labels):
        raise FersynError(
            f"{len(faces)} faces and {len(labels)} labels to train on; give a label for each face, and two at least"
        )
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise FersynError(f"labels must lie in 0..{classes - 1}; leave out faces without a label")
    if (epochs if steps is None else steps) < 1:
        raise FersynError(f"epochs = {epochs}, steps = {steps}: at least one is needed")
    if synthesis is not None and len(synthesis.made) != len(faces):
        raise FersynError(
            f"synthesis says of {len(synthesis.made)} faces whether they are synthesised; {len(faces)} are given"
        )
    if synthesis is not None and not all(0 <= part <= 1 for part in synthesis.smoothing):
        raise FersynError(f"smoothing is {synthesis.smoothing}: each part must lie in 0..1")


def _class_weights(labels: Tensor, classes: int) -> Tensor:
    """Weights (classes,) with which all classes that occur weigh the same."""
    count = torch.bincount(labels, minlength=classes).float()
    return torch.where(count > 0, count.sum() / (count > 0).sum() / count.clamp(min=1), 0.0)


def _dealt(pool: Tensor, batch: int, total: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions of `total` batches, in a new order each pass."""
    pass_ = len(pool) // batch  # steps
    for step in range(total):
        if step % pass_ == 0:
            order = pool[torch.randperm(len(pool), generator=generator)]
        yield order[step % pass_ * batch :][:batch]


def _descend(network, loss_of, batches: Iterable[Tensor], total: int, pass_: int, rate: float, report) -> None:
    """Take the steps; `report` after every `pass_` of them."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05)
    # Six steps at least: its first fifth must not be empty.
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(6, total), pct_start=0.2)
    device = next(network.parameters()).device
    network.train()
    losses: list[Tensor] = []
    for step, chosen in enumerate(batches, 1):
        loss = loss_of(onto(chosen, device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(loss.detach())
        if step % pass_ == 0:
            if report:
                report(
                    step // pass_, sum(torch.stack(losses).tolist()) / pass_
                )  # asked for once a pass: a GPU would wait
            losses.clear()


@torch.inference_mode()
def predict(network: nn.Module, faces: Tensor, batch: int = 256) -> Tensor:
    """Class probabilities (N, classes), on the CPU: mean of each face and its mirror image. Faces (N, 3, H, W), float
    in [-1, 1] or bytes.
    """
    device = next(network.parameters()).device
    found = []
    for part in faces.split(batch):
        seen = middle(prepare(part.to(device), network))
        found.append(((network(seen).softmax(1) + network(seen.flip(3)).softmax(1)) / 2).cpu())
    return torch.cat(found) if found else torch.zeros(0, network.classes)


def named(network: nn.Module, faces: Tensor) -> np.ndarray:
    """The class (N,) that it finds likeliest for each of the faces, as given to `predict`."""
    return predict(network, faces).argmax(1).numpy()
