"""Where networks compute that nobody has told otherwise: the one rule for training, synthesis, instruments and generator.

On a GPU where torch finds one, otherwise on the CPU; `FERSYN_ACCELERATOR` (cpu, cuda, mps) names another kind, as `--accelerator`
of `fersyn train` does. Whoever holds a network takes what it is given there and gives results back to where they came from:
callers, tables and files stay on the CPU. Worker processes compute on the CPU: there are as many as cores, and dlib takes most
of their time.
"""

import os
from contextlib import AbstractContextManager

import torch

from fersyn.errors import FersynError
from fersyn.system import environment

VARIABLE = "FERSYN_ACCELERATOR"
KINDS = ("cpu", "cuda", "mps")


def default_device() -> torch.device:
    """The device of this process.

    Raises:
        FersynError: `FERSYN_ACCELERATOR` names no kind of device, or one that is not there.
    """
    asked = os.environ.get(VARIABLE, "").strip().lower()
    if asked in ("", "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if asked not in KINDS:
        raise FersynError(f"{VARIABLE} is {asked!r}; use one of: auto, {', '.join(KINDS)}")
    if (asked == "cuda" and not torch.cuda.is_available()) or (
        asked == "mps" and not torch.backends.mps.is_available()
    ):
        raise FersynError(f"{VARIABLE} is {asked}, but torch finds no such device here; leave it out, or say cpu")
    return torch.device(asked)


def named(kind: str) -> AbstractContextManager:
    """A while in which `default_device` is of a kind: cpu, cuda or mps."""
    return environment(**{VARIABLE: kind})
