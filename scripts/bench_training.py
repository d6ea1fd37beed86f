"""Training steps a second of landmark-label at the published size: ours beside a plain eager loop, same run, same
losses.

The plain loop is what one writes first: float32, heatmaps made in numpy in the loader, tensors as they come (no
channels_last), nothing compiled or fused. Ours is what `fersyn train` does in a step; in bf16, too, where the device has units
for it, which is then its way (`--precision auto`); on a GPU also in TF32, and with torch.compile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from fersyn.expressions import EXPRESSIONS
from fersyn.losses import adversarial, perceptual, pixel
from fersyn.methods.base import Method
from fersyn.methods.landmark_label import METHOD
from fersyn.nets.labels import label_code
from fersyn.pairs import Pairs
from fersyn.pixels import to_floats
from fersyn.table import FaceTable
from fersyn.training.process import fast_in_bf16, kept, make_fabric, products
from fersyn.training.state import Training


class NoiseTable(FaceTable):
    """A face table of noise, in memory: the time of a step does not depend on what is seen."""

    def __init__(self, people: int = 8, size: int = 128):
        random = np.random.default_rng(0)
        rows = [
            {"dataset": "noise", "subject": str(person), "sequence": "", "expression": name, "intensity": 1.0}
            for person in range(people)
            for name in EXPRESSIONS
        ]
        landmarks = list(random.uniform(0.2 * size, 0.8 * size, (len(rows), 68, 2)))
        frame = pd.DataFrame(rows).assign(split="train", landmarks=landmarks, publishable=True)
        super().__init__(Path("noise"), frame, {"size": size, "fingerprint": "noise"}, pd.DataFrame())
        self._pixels = random.integers(0, 256, (len(rows), size, size, 3), np.uint8)

    def images(self, index=None) -> np.ndarray:
        """Noise, uint8 (N, size, size, 3)."""
        return self._pixels if index is None else self._pixels[index]


class _PlainDataset(Dataset):
    def __init__(self, pairs: Pairs, sigma: float):
        self.table, self.pairs, self.sigma = pairs.table, pairs.forward, sigma
        self.images, self.landmarks, self.labels = self.table.images(), self.table.landmarks(), self.table.labels()

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int):
        source, target = self.pairs[number]
        grid = np.arange(self.table.size, dtype=np.float32)
        x, y = (np.exp(-((grid - self.landmarks[target, :, i, None]) ** 2) / (2 * self.sigma**2)) for i in (0, 1))
        heat = (y[:, :, None] * x[:, None, :]).max(0)[None]
        faces = [to_floats(self.images[row].transpose(2, 0, 1)) for row in (source, target)]
        return faces[0], faces[1], heat, self.labels[target]


def plain(config, device: torch.device) -> Callable[[], None]:
    """Return a function that takes one step of the plain loop."""
    made = METHOD.networks(config).items()
    nets = {name: net.to(device, memory_format=torch.contiguous_format).train() for name, net in made}
    adam = {name: torch.optim.Adam(net.parameters(), config.lr, config.betas) for name, net in nets.items()}
    compare = perceptual.shared(config.perceptual_network, ("conv1_2",), device)
    data = _PlainDataset(Pairs(NoiseTable(size=config.size)), config.sigma)
    loader = DataLoader(data, config.batch, shuffle=True, drop_last=True)

    def forever() -> Iterator:
        while True:
            yield from loader

    batches = forever()

    def step() -> None:
        source, target, heat, label = (part.to(device) for part in next(batches))
        fake = nets["generator"](source, heat, label_code(label, torch.ones(len(label), device=device)))
        image, geometry = nets["image_discriminator"], nets["geometry_discriminator"]
        for name, net, real, made in (
            ("image_discriminator", image, torch.cat([source, target], 1), torch.cat([source, fake], 1)),
            ("geometry_discriminator", geometry, torch.cat([target, heat], 1), torch.cat([fake, heat], 1)),
        ):
            adam[name].zero_grad()
            adversarial.discriminator(net(real), net(made.detach()), "minimax").backward()
            adam[name].step()
        adam["generator"].zero_grad()
        game = adversarial.generator(image(torch.cat([source, fake], 1)), "minimax")
        game = (game + adversarial.generator(geometry(torch.cat([fake, heat], 1)), "minimax")) / 2
        (5 * game + 10 * pixel(fake, target) + 10 * compare(fake, target)).backward()
        adam["generator"].step()

    return step


def ours(
    config, accelerator: str, precision: str = "32-true", compile: bool = False, method: Method = METHOD
) -> Callable[[], None]:
    """Return a function that takes one step as the training loop does."""
    fabric = make_fabric(1, precision, accelerator, method.mixes)
    training = Training(method, config, NoiseTable(size=config.size), Path("noise"), 0, fabric, compile)

    def step() -> None:
        with products(fabric):
            training.enter()
            training.take(training.fetch())
        training.average()
        training.step += 1

    return step


def flops(step: Callable[[], None]) -> int:
    """Return the floating point operations of one step's convolutions and products, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def seconds(step: Callable[[], None], steps: int, device: torch.device) -> float:
    """Return the seconds of one step, mean of `steps`."""
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    wait()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    wait()
    return (time.perf_counter() - began) / steps


def bench(
    repeats: int = 3, steps: int | None = None, batch: int | None = None, compiled: bool = True
) -> dict[str, float]:
    """Print steps a second of each way, median of `repeats` (all ways in turn), and return them.

    Args:
        repeats: rounds.
        steps: in a round; 1 on the CPU, 50 on a GPU.
        batch: pairs a step; 2 on the CPU (a published step of 16 takes half a minute on two cores), 16 on a GPU.
        compiled: on a GPU also by torch.compile, which takes minutes first.
    """
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    steps, batch = steps or (50 if cuda else 1), batch or (16 if cuda else 2)
    config = METHOD.preset("paper", batch=batch)
    ways: dict[str, Callable[[], Callable[[], None]]] = {
        "plain eager loop, float32": lambda: plain(config, device),
        "fersyn, float32": lambda: ours(config, device.type),
    }
    if cuda:
        ways["fersyn, TF32"] = lambda: ours(config, "cuda", "tf32")
    if fast_in_bf16(device):
        ways["fersyn, bf16"] = lambda: ours(config, device.type, "bf16-mixed")
    if cuda and compiled:
        ways["fersyn, TF32, torch.compile"] = lambda: ours(config, "cuda", "tf32", compile=True)
        ways["fersyn, bf16, torch.compile"] = lambda: ours(config, "cuda", "bf16-mixed", compile=True)
    with kept():
        work = flops(ours(config, device.type))
        running = {name: way() for name, way in ways.items()}
        for step in running.values():
            for _ in range(10 if cuda else 1):
                step()
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, step in running.items():
                rates[name].append(1 / seconds(step, steps, device))
    where = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    print(f"\ntraining landmark-label, {config.size} px, batch {batch}, {work / 1e12:.3f} TFLOP a step, {where}")
    first = median(next(iter(rates.values())))
    for name, own in rates.items():
        rate = median(own)
        each = ", ".join(f"{one:.3g}" for one in own)
        print(
            f"  {name:<38}{rate:8.3g} steps/s  {rate / first:5.2f} x  {rate * batch:7.4g} images/s"
            f"  {rate * work / 1e12:7.3g} TFLOP/s  ({each})",
            flush=True,
        )
    return {name: median(own) for name, own in rates.items()}
