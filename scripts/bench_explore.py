"""`python scripts/bench_explore.py`: how long a change of a slider takes on this machine, from the change to the picture: median and
95th percentile. `make bench` measures it too.

An untrained `landmark-flow` at the size of the profile `laptop`: the time of a network does not depend on its weights.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from fersyn import methods
from fersyn.datasets.openpeople import read_openpeople
from fersyn.evaluation.fidelity import OwnJudge
from fersyn.explore import view
from fersyn.explore.choices import Face, of_photo
from fersyn.explore.measures import Measures
from fersyn.explore.painter import changed, drawn
from fersyn.explore.shaped import Wish
from fersyn.methods.motion import Motion
from fersyn.nets.recogniser import Recogniser

BUDGET = 150  # ms


def still_motion() -> Motion:
    """A landmark motion in which every expression moves every point a little: it costs what a learnt one costs."""
    generator, label = np.random.default_rng(0), np.arange(1, 8).repeat(48)
    shape, shift = (generator.normal(scale=scale, size=(len(label), 136)) for scale in (0.1, 0.005))
    person, unknown = np.tile(np.arange(48), 7).astype(str), np.full((len(label), 3, 52), np.nan)
    return Motion(shape, shift, label, person, np.zeros(len(label), bool), unknown[:, 0], unknown, np.array(["none"]))


def measure(repeats: int = 40, threads: int | None = None) -> dict[str, tuple[float, float]]:
    """Milliseconds a change, (median, 95th percentile), by what is done in it.

    Args:
        repeats: changes that are timed, after five that are not.
        threads: of torch; None: as they are.
    """
    if threads:
        torch.set_num_threads(threads)
    method = methods.get("landmark-flow")
    config = method.preset("laptop")
    networks = {name: each.eval().requires_grad_(False) for name, each in method.networks(config).items()}
    synthesiser = method.synthesiser(config, networks, still_motion())
    photo = read_openpeople().frames[0].picture().image
    found = of_photo(photo, "openpeople", config.size)[0]
    crop = view.enlarged(found.crop, config.size)
    own = Face(crop, (found.landmarks + 0.5) * (config.size / len(found.crop)) - 0.5, "openpeople", "openpeople", row=0)
    measures = Measures(OwnJudge(Recogniser(8).eval(), tuple(range(8)), 0, 0))

    def edit(wish: Wish) -> tuple[np.ndarray, np.ndarray]:
        return changed(own, wish, synthesiser)

    def picture(wish: Wish) -> tuple[np.ndarray, np.ndarray]:
        made, target = edit(wish)
        drawn(own, made, target)
        return made, target

    def everything(wish: Wish) -> None:
        measures.of(crop, own.landmarks, *picture(wish))

    def blend(wish: Wish) -> None:
        everything(Wish(wish.expression, wish.intensity, "surprise", 0.5, {"mouth_open": 0.1}))

    return {
        "edit alone": _time(edit, repeats),
        "with the pictures": _time(picture, repeats),
        "with all that is measured": _time(everything, repeats),
        "the same, blend of two": _time(blend, repeats),
    }


def _time(work: Callable[[Wish], object], repeats: int) -> tuple[float, float]:
    seconds = []
    for number in range(repeats + 5):
        began = time.perf_counter()
        work(Wish("happiness", (number % 20) / 20))
        seconds.append(time.perf_counter() - began)
    times = 1000 * np.array(seconds[5:])
    return float(np.median(times)), float(np.percentile(times, 95))


def table(found: dict[str, tuple[float, float]]) -> str:
    """The result as lines of text."""
    lines = [f"{name:32} {median:7.1f} ms {late:9.1f} ms" for name, (median, late) in found.items()]
    head = f"{'a change of a slider, 128 px':32} {'median':>10} {'95 % below':>12}"
    return "\n".join([head, *lines, f"{'budget':32} {BUDGET:7.1f} ms"])


def main() -> None:
    """Measure and print how long a change of a slider takes on this machine."""
    parser = argparse.ArgumentParser(prog="python scripts/bench_explore.py", description=main.__doc__)
    parser.add_argument("--repeats", type=int, default=40, help="changes that are timed")
    parser.add_argument("--threads", type=int, default=None, help="threads of torch (default: as they are)")
    given = parser.parse_args()
    print(table(measure(given.repeats, given.threads)))


if __name__ == "__main__":
    main()
