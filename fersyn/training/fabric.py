"""Lightning Fabric, imported without torchmetrics: Fabric only asks for its version, which takes five seconds a process,
because torchmetrics draws in all of torchvision and of torch's compiler.
"""

import sys
import warnings
from typing import Any

from fersyn.errors import FersynError

# Where SLURM is installed, Lightning advises srun to everybody who trains by hand.
warnings.filterwarnings("ignore", message="The `srun` command is available")

_HIDE = "torchmetrics" not in sys.modules
if _HIDE:
    sys.modules["torchmetrics"] = None  # type: ignore[assignment]  # importing it now fails, as if it were not installed
try:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
finally:
    if _HIDE:
        del sys.modules["torchmetrics"]


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
