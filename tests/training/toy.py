"""A method of two tiny networks with all that makes resuming hard: dropout, batch norm, two optimisers, an average.

As a program it trains it, or a method of the kit: toy.py TABLE OUT [--method NAME] [--resume] [--die STEP |
--die-saving N] [...], dying by SIGKILL on the way.
"""

import argparse
import os
import signal
import sys

import torch
import torch.nn.functional as F
from torch import nn

from fersyn.methods.base import Method, MethodConfig


class Config(MethodConfig):
    size: int = 16
    steps: int = 12
    batch: int = 4
    lr: float = 0.01
    ema: float = 0.9
    augment: float = 0.5


class ToySynthesiser:
    name, needs_landmarks = "toy", False

    def __init__(self, config, network):
        self.network, self.size = network.eval(), config.size

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        return self.network(faces).clamp(-1, 1)


class Toy(Method):
    name = "toy"
    Config = Config
    hook = staticmethod(lambda step: 1.0)  # called in the middle of a step; a factor of the generator's loss

    def networks(self, config):
        conv = nn.Conv2d(3, 8, 3, padding=1)
        generator = nn.Sequential(conv, nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Conv2d(8, 3, 3, padding=1))
        return {"generator": generator, "discriminator": nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 1, 4))}

    def optimisers(self, config, networks):
        return {
            name: torch.optim.Adam(network.parameters(), config.lr, config.betas) for name, network in networks.items()
        }

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

    def synthesiser(self, config, networks, motion=None):
        return ToySynthesiser(config, networks["generator"])


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
        return real(self, config, networks, optimisers, batch, fabric, step)

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
    toy = Toy()

    def hook(step):
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
                kill()
            count[0] += 1
            real(state, file)

        checkpoint.torch.save = save
    fabric = loop.make_fabric(options.devices, accelerator="cpu")
    method, config = real_method(options.method, hook) if options.method else (toy, Config())
    table = FaceTable.open(options.table)
    loop.train(method, config, table, options.out, 3, options.resume, fabric, checkpoint_every=2)


if __name__ == "__main__":
    main()
