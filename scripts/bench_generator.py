"""Pictures of 256 px from MobileStyleGAN: how long the ways to them take, and how near the short one comes to the sharp one.

    python scripts/bench_generator.py --people 24 --seed 4711

Half of the people as they are, half moved to an expression by the mapper; one thread; time of the process, so that other work on
the machine does not count.
"""

import json
import time
from itertools import cycle
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn import functional

from fersyn.expressions import EXPRESSIONS
from fersyn.nets import expression_mapper, generators
from fersyn.nets.instruments import grey

INSIDE = slice(90, 230), slice(70, 186)  # rows and columns of the 256 px picture that the face fills


def sharpness(pictures: Tensor) -> Tensor:
    """Variance of the Laplacian inside the face, of grey values in 0..255: (N,)."""
    kernel = pictures.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    return functional.conv2d(grey(pictures)[..., INSIDE[0], INSIDE[1]] * 127.5, kernel).flatten(1).var(1)


def psnr(pictures: Tensor, others: Tensor) -> Tensor:
    """In dB, of pictures in [-1, 1]: (N,)."""
    return 10 * torch.log10(4 / (pictures - others).square().mean((1, 2, 3)))


@torch.inference_mode()
def main(
    people: Annotated[int, typer.Option(help="how many")] = 24,
    seed: Annotated[int, typer.Option(help="of their z")] = 4711,
    truncation: Annotated[float, typer.Option(help="0 the mean face .. 1")] = 0.7,
) -> None:
    """Print seconds a face by way, and PSNR and relative sharpness of the drafts."""
    torch.set_num_threads(1)
    generator = generators.get()
    mapper = expression_mapper.get(generator)
    w = generator.sample(
        torch.randn(people, generator.width, generator=torch.Generator().manual_seed(seed)), truncation
    )
    kinds, ways = cycle(EXPRESSIONS), {"sharp": [], "draft": [], "features of 128 px": []}
    decibels, relative = [], []
    for k, one in enumerate(w.split(1)):
        layers = mapper.edit(one, next(kinds)) if k % 2 else generator.layers(one)
        made = {}
        for way, seconds in ways.items():
            begun = time.process_time()
            known = (
                generator.features(layers, 128) if "128" in way else generator.synthesise(layers, 256, way == "draft")
            )
            seconds.append(time.process_time() - begun)
            made[way] = known.clamp(-1, 1)
        decibels.append(psnr(made["draft"], made["sharp"]))
        relative.append(sharpness(made["draft"]) / sharpness(made["sharp"]))
    decibels, relative = torch.cat(decibels), torch.cat(relative)
    seconds = {way: round(float(torch.tensor(each).median()), 3) for way, each in ways.items()}
    quality = {
        "PSNR, dB": {"mean": decibels.mean(), "least": decibels.min()},
        "sharpness": {"mean": relative.mean(), "median": relative.median(), "least": relative.min()},
    }
    rounded = {name: {key: round(float(value), 2) for key, value in each.items()} for name, each in quality.items()}
    typer.echo(json.dumps({"people": people, "seed": seed, "seconds a face": seconds, "drafts": rounded}, indent=1))


if __name__ == "__main__":
    typer.run(main)
