"""A method of two tiny networks with all that makes resuming hard: dropout, batch norm, two optimisers, an average.

As a program it trains it, or a method of the kit: toy.py TABLE OUT [--method NAME] [--resume] [--die STEP |
--die-saving N] [...], dying by SIGKILL on the way.
"""

import argparse
import os
import signal
import sys
import threading

import torch
import torch.nn.functional as F
from torch import nn

from fersyn.methods.base import Method, MethodConfig, Stage


class Config(MethodConfig):
    size: int = 16
    steps: int = 12
    batch: int = 4
    lr: float = 0.01
    ema: float = 0.9
    augment: float = 0.5


class Toy(Method):
    name = "toy"
    Config = Config
    needs_landmarks = False
    hook = staticmethod(lambda step: 1.0)  # called in the middle of a step; a factor of the generator's loss

    def networks(self, config):
        conv = nn.Conv2d(3, 8, 3, padding=1)
        generator = nn.Sequential(conv, nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Conv2d(8, 3, 3, padding=1))
        return {"generator": generator, "discriminator": nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 1, 4))}

    def step(self, config, networks, optimisers, batch, fabric, step):
        fake = networks["generator"](batch.source)
        judge = networks["discriminator"]
        optimisers["discriminator"].zero_grad()
        wrong = F.softplus(-judge(batch.target)).mean() + F.softplus(judge(fake.detach())).mean()
        fabric.backward(wrong)
        optimisers["discriminator"].step()
        factor = self.hook(step)
        optimisers["generator"].zero_grad()
        loss = F.softplus(-judge.module(fake)).mean() + F.l1_loss(fake, batch.target) * factor
        fabric.backward(loss)
        optimisers["generator"].step()
        return {"generator": loss, "discriminator": wrong}

    def forward(self, config, networks, faces, source, target, label, intensity):
        return networks["generator"](faces).clamp(-1, 1)


class Codes:
    """Latent codes and labels, drawn by (seed, step): no face table is behind them."""

    def __init__(self, config, table, device):
        self.device = device

    def batch(self, step, batch_size, seed=0, rank=0, world=1):
        make = torch.Generator().manual_seed(1000 * seed + step)
        codes, labels = torch.randn(batch_size, 4, generator=make), torch.randint(8, (batch_size,), generator=make)
        part = slice(rank * batch_size // world, (rank + 1) * batch_size // world)
        return codes[part].to(self.device), labels[part].to(self.device)


class TwoStages(Toy):
    """First a recogniser learns from single faces; then a mapper learns codes from it, while it and a generator that
    nobody trains stand still.
    """

    name = "two-stages"
    edits = False

    def networks(self, config):
        painter = nn.Sequential(nn.Linear(4, 3 * 16 * 16), nn.Tanh(), nn.Unflatten(1, (3, 16, 16))).requires_grad_(
            False
        )
        with torch.no_grad():  # as if it came from a file
            for number, weight in enumerate(painter.parameters()):
                weight.copy_(torch.linspace(-1, 1, weight.numel()).reshape(weight.shape) * (number + 1))
        judge = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 8))
        return {"judge": judge, "generator": nn.Linear(4 + 8, 4), "painter": painter}

    def stages(self, config):
        first = config.steps // 2
        return (
            Stage("recogniser", first, self.recognise, networks=("judge",)),
            Stage(
                "mapper", config.steps - first, self.map, Codes, ("generator",), batch=2, lr=0.05, ema=0.5,
                rate=lambda step: 1 / (step + 1),
            ),
        )  # fmt: skip

    def recognise(self, config, networks, optimisers, batch, fabric, step):
        assert not networks["generator"].training and networks["judge"].training
        loss = F.cross_entropy(networks["judge"](batch.target), batch.label) * self.hook(step)
        optimisers["judge"].zero_grad()
        fabric.backward(loss)
        optimisers["judge"].step()
        return {"named": loss}

    def map(self, config, networks, optimisers, batch, fabric, step):
        codes, labels = batch
        assert (
            len(codes) == 2 // fabric.world_size and not networks["judge"].training and not networks["painter"].training
        )
        assert not any(weight.requires_grad for weight in networks["judge"].parameters())
        moved = codes + networks["generator"](torch.cat([codes, F.one_hot(labels, 8)], 1)) + torch.randn(len(codes), 4)
        loss = F.cross_entropy(networks["judge"](networks["painter"](moved)), labels) * self.hook(step)
        optimisers["generator"].zero_grad()
        fabric.backward(loss)
        optimisers["generator"].step()
        return {"guided": loss, "moved": moved.detach().abs().mean()}


METHODS = {"toy": Toy, "two-stages": TwoStages}


def real_method(name, hook=lambda step: 1.0):
    """A method of the kit at its smallest; the hook is called where its generator's losses are to come."""
    import fersyn.methods as methods
    from fersyn.losses import perceptual

    method, shared = methods.get(name), perceptual.shared
    real = type(method).step

    def step(self, config, networks, optimisers, batch, fabric, step):
        def dying(*arguments):
            hook(step)
            return shared(*arguments)

        perceptual.shared = dying
        try:
            return real(self, config, networks, optimisers, batch, fabric, step)
        finally:
            perceptual.shared = shared

    wrapped = type(method.name, (type(method),), {"step": step})()
    return wrapped, method.preset("smoke", steps=6, augment=0.5)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    sys.modules["torchmetrics"] = None  # Lightning Fabric would import it to ask for its version: seconds a process
    from fersyn.table import FaceTable
    from fersyn.training import checkpoint, loop

    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("out")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--die", type=int, default=-1)
    parser.add_argument("--die-saving", type=int, default=-1)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--method")
    options = parser.parse_args()
    torch.set_num_threads(1)
    toy = METHODS.get(options.method, Toy)()

    moved = threading.Event()

    def hook(step):
        moved.set()
        if step == options.die:
            kill()
        return 1.0

    toy.hook = hook
    if options.die_saving >= 0:
        real, count = torch.save, [0]

        def save(state, file):
            if count[0] == options.die_saving:
                file.write(b"half a file")
                file.flush()
                moved.clear()
                moved.wait(20)  # training goes on meanwhile
                kill()
            count[0] += 1
            real(state, file)

        checkpoint.torch.save = save
    fabric = loop.make_fabric(options.devices, accelerator="cpu")
    method, config = (toy, Config()) if options.method in (None, *METHODS) else real_method(options.method, hook)
    table = FaceTable.open(options.table)
    loop.train(method, config, table, options.out, 3, options.resume, fabric, checkpoint_every=2)


if __name__ == "__main__":
    main()
