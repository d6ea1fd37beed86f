"""Lightning Fabric, imported without torchmetrics: Fabric only asks for its version, which takes five seconds a process,
because torchmetrics draws in all of torchvision and of torch's compiler.
"""

import sys
import warnings

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

__all__ = ["DDPStrategy", "Fabric"]
