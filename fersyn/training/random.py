"""Random numbers of a training: every step has its own seed.

Before step s the global generators (torch on all devices, numpy, Python) are seeded from (seed, s, rank). Dropout and
whatever else a method draws thus is a function of the step and not of what was drawn before: a checkpoint holds all
random states by holding seed and step, also when it is resumed on another number of devices.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

INITIAL = -1  # the "step" from which networks are initialised


def reseed(seed: int, step: int, rank: int = 0) -> None:
    """Seed the global generators for a step of a process."""
    words = np.random.SeedSequence([seed, step - INITIAL, rank]).generate_state(2)
    torch.manual_seed((int(words[0]) << 31) ^ int(words[1]))
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))


@contextmanager
def kept() -> Iterator[None]:
    """Give the global generators back as they were: training in a notebook changes nothing around it."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
