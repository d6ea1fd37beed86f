"""What a training has of its machine and its process: devices (Lightning Fabric), and, to be given back, the global random
generators and the signals.

Every step has its own seed. Before step s the generators (torch on all devices, numpy, Python) are seeded from (seed, s,
rank). Dropout and whatever else a method draws thus is a function of the step and not of what was drawn before: a checkpoint
holds all random states by holding seed and step, also when it is resumed on another number of devices.
"""

import random
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from fersyn.errors import FersynError

# Where SLURM is installed, Lightning advises srun to everybody who trains by hand.
warnings.filterwarnings("ignore", message="The `srun` command is available")

# Fabric asks for torchmetrics' version only, but that takes five seconds a process: it draws in all of torchvision and of
# torch's compiler.
_HIDE = "torchmetrics" not in sys.modules
if _HIDE:
    sys.modules["torchmetrics"] = None  # type: ignore[assignment]  # importing it now fails, as if it were not installed
try:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
finally:
    if _HIDE:
        del sys.modules["torchmetrics"]

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


class StopFlag:
    """Ctrl-C (SIGINT) and a scheduler's SIGTERM wait for the end of the step, so that it can be saved.

    Used as a context; `raised` turns True at the first signal. The second SIGINT interrupts at once. Outside the main
    thread signals are left alone.
    """

    def __init__(self):
        self.raised = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopFlag":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: Any) -> None:
        if self.raised and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.raised = True


def make_fabric(devices: int = 1, precision: str = "32-true", accelerator: str = "auto") -> Fabric:
    """Return a Fabric as the command line asks for; several devices train by DDP (gloo on the CPU, NCCL on GPUs).

    Raises:
        FersynError: the machine has no such devices, or there is no such precision.
    """
    strategy: Any = "auto"
    if devices > 1:
        # A GAN's step passes a network twice, or not at all.
        strategy = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)
    try:
        return Fabric(accelerator=accelerator, devices=devices, precision=precision, strategy=strategy)  # type: ignore
    except Exception as error:  # Lightning has several kinds
        raise FersynError(f"--devices {devices} --precision {precision}: {error}") from None
