"""What a training has of its machine and its process: devices (Lightning Fabric), and, to be given back, the global random
generators and the signals.

Every step has its own seed. Before step s the generators (torch on all devices, numpy, Python) are seeded from (seed, s,
rank). Dropout and whatever else a method draws thus is a function of the step and not of what was drawn before: a checkpoint
holds all random states by holding seed and step, also when it is resumed on another number of devices.
"""

import logging
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

from fersyn.devices import default_device
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

AUTO, TF32 = "auto", "tf32"
logging.getLogger("lightning_fabric").setLevel(
    logging.WARNING
)  # the precision stands in run.json, not in a report's page
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


def make_fabric(devices: int = 1, precision: str = AUTO, accelerator: str = "auto", mixes: bool = False) -> Fabric:
    """Return a Fabric as the command line asks for; several devices train by DDP (gloo on the CPU, NCCL on GPUs).

    Args:
        devices: how many.
        precision: Fabric's names, and tf32: 32-true, but that products of matrices and convolutions are in TF32 on GPUs from Ampere
            on. auto: bf16-mixed if `mixes` and the device multiplies faster in bfloat16, tf32 otherwise.
        accelerator: cpu, cuda, mps, or auto: by the kit's rule (`fersyn.devices`).
        mixes: whether the method is faster in mixed precision (`Method.mixes`).

    Raises:
        FersynError: the machine has no such devices, or there is no such precision.
    """
    strategy: Any = "auto"
    if devices > 1:
        # A GAN's step passes a network twice, or not at all.
        strategy = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)

    def made(kind: str) -> Fabric:
        real = "32-true" if kind == TF32 else kind
        fabric = Fabric(accelerator=accelerator, devices=devices, precision=real, strategy=strategy)  # type: ignore
        # What is in float32 where others are not may as well be in TF32; --precision 32-true means it.
        fabric.tf32 = real != kind or "mixed" in kind
        fabric.tf32 = fabric.tf32 and fabric.device.type == "cuda" and fast_in_bf16(fabric.device)
        return fabric

    accelerator = default_device().type if accelerator == AUTO else accelerator
    try:
        if precision != AUTO:
            return made(precision)
        single = made(TF32)
        return made("bf16-mixed") if mixes and fast_in_bf16(single.device) else single
    except Exception as error:  # Lightning has several kinds
        raise FersynError(f"--devices {devices} --precision {precision}: {error}") from None


def precision_of(fabric: Fabric) -> str:
    """The precision of a Fabric of `make_fabric`, as it is asked for."""
    kind = str(fabric._precision.precision)
    return TF32 if fabric.tf32 and kind == "32-true" else kind


@contextmanager
def products(fabric: Fabric) -> Iterator[None]:
    """Products and convolutions on GPUs in TF32 or not, as the precision says; what torch did before comes back."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    if fabric.device.type == "cuda":
        torch.set_float32_matmul_precision("high" if fabric.tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = fabric.tf32
    try:
        yield
    finally:
        if fabric.device.type == "cuda":
            torch.set_float32_matmul_precision(before[0])
            torch.backends.cudnn.allow_tf32 = before[1]


def fast_in_bf16(device: torch.device) -> bool:
    """Whether a device has units for products in bfloat16, and GPUs with these also in TF32: GPUs from Ampere on; CPUs with AMX or AVX512-BF16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # Older releases of torch do not ask for all of them.
    units = (getattr(torch.cpu, f"_is_{name}_supported", bool) for name in ("amx_tile", "avx512_bf16"))
    return device.type == "cpu" and any(each() for each in units)
