"""A small convolutional network that names an expression, its input, its training. Half a minute on two cores.

Made for few people: grey, locally normalised pixels (light and complexion say nothing about an expression), and a
head that
keeps the places on the face (faces are aligned, so a place means something).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS

INPUT = 48  # px that the network sees
MARGIN = 2  # px more on each side, so that shifts and turns bring in no made-up pixels
INNER = 0.875  # part of the crop that is looked at: hair and background stay outside
WINDOW = 13  # px over which contrast is normalised


class Recogniser(nn.Sequential):
    """Three convolutions with pooling and two dense layers, 0.33 M weights at the default width. [ours]

    ``forward``: prepared faces (N, 1, 48, 48) as `prepare` makes them -> logits (N, classes).
    """

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


def prepare(faces: Tensor) -> Tensor:
    """Faces (N, 3, H, W) in [-1, 1] -> grey, inner part, local mean 0 and deviation about 1: (N, 1, 52, 52)."""
    edge = round(faces.shape[-1] * (1 - INNER) / 2)
    inner = faces.mean(1, keepdim=True)[..., edge : faces.shape[-2] - edge, edge : faces.shape[-1] - edge]
    side = INPUT + 2 * MARGIN
    grey = functional.interpolate(inner, (side, side), mode="bilinear", antialias=True, align_corners=False)

    def local_mean(x: Tensor) -> Tensor:
        return functional.avg_pool2d(functional.pad(x, (WINDOW // 2,) * 4, mode="reflect"), WINDOW, 1)

    difference = grey - local_mean(grey)
    return difference / (local_mean(difference**2) + 0.01).sqrt()


def augment(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Prepared faces (N, 1, 52, 52) -> (N, 1, 48, 48), each mirrored or not, turned, scaled, shifted a little, with
    noise.
    """
    count = len(faces)

    def draw(low: float, high: float) -> Tensor:
        return (torch.rand(count, generator=generator) * (high - low) + low).to(faces.device)

    turn, scale = draw(-0.12, 0.12), draw(0.92, 1.08)
    mirror = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = turn.cos() * scale, turn.sin() * scale
    first = torch.stack([cos * mirror, -sin, draw(-0.08, 0.08)], 1)
    second = torch.stack([sin * mirror, cos, draw(-0.08, 0.08)], 1)
    grid = functional.affine_grid(torch.stack([first, second], 1), [count, 1, INPUT, INPUT], align_corners=False)
    out = functional.grid_sample(faces, grid * (INPUT / faces.shape[-1]), padding_mode="border", align_corners=False)
    return out + 0.1 * torch.randn(out.shape, generator=generator).to(out.device)


def train_recogniser(
    faces: Tensor,
    labels: Tensor,
    epochs: int = 60,
    seed: int = 0,
    classes: int = len(EXPRESSIONS),
    batch: int = 32,
    rate: float = 2e-3,
    device: str | torch.device = "cpu",
    report: Callable[[int, float], None] | None = None,
) -> Recogniser:
    """Train a `Recogniser`; it comes back in evaluation mode as it is after the last epoch.

    AdamW, one-cycle learning rate, label smoothing 0.1; every class weighs the same, however many pictures it has.

    Args:
        faces: float (N, 3, H, W) in [-1, 1].
        labels: int (N,) in 0..classes-1.
        epochs: passes over the faces.
        seed: of the weights, of the order and of the augmentation.
        classes: number of classes.
        batch: faces a step.
        rate: highest learning rate.
        device: where to train.
        report: called after each epoch with its number (from 1) and its mean loss.

    Raises:
        FersynError: fewer than two faces, or labels out of range.
    """
    if len(faces) < 2 or len(faces) != len(labels):
        raise FersynError(
            f"{len(faces)} faces and {len(labels)} labels to train on; give a label for each face, and two at least"
        )
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise FersynError(f"labels must lie in 0..{classes - 1}; leave out faces without a label")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Recogniser(classes).to(device)
        generator = torch.Generator().manual_seed(seed)
        prepared, labels = prepare(faces.to(device)), labels.to(device)
        count = torch.bincount(labels, minlength=classes).float()
        weight = torch.where(count > 0, count.sum() / (count > 0).sum() / count.clamp(min=1), 0.0)
        batch = min(batch, len(faces))
        steps = len(faces) // batch
        optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, rate, total_steps=max(2, epochs * steps), pct_start=0.2
        )
        network.train()
        for epoch in range(1, epochs + 1):
            order = torch.randperm(len(faces), generator=generator)
            total = 0.0
            for step in range(steps):
                chosen = order[step * batch : (step + 1) * batch].to(device)
                logits = network(augment(prepared[chosen], generator))
                loss = functional.cross_entropy(logits, labels[chosen], weight, label_smoothing=0.1)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                schedule.step()
                total += loss.item()
            if report:
                report(epoch, total / steps)
    return network.eval()


@torch.inference_mode()
def predict(network: Recogniser, faces: Tensor, batch: int = 256) -> Tensor:
    """Class probabilities (N, classes), on the CPU: mean of each face and its mirror image. Faces (N, 3, H, W) in
    [-1, 1].
    """
    device = next(network.parameters()).device
    found = []
    for part in faces.split(batch):
        middle = prepare(part.to(device))[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
        found.append(((network(middle).softmax(1) + network(middle.flip(3)).softmax(1)) / 2).cpu())
    return torch.cat(found) if found else torch.zeros(0, network[-1].out_features)
