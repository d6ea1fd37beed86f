"""What a number depends on besides the code: versions, device, commit, data. Shown first in every notebook."""

import os
import platform
from typing import Any

from fersyn.reporting import project
from fersyn.system import versions

PACKAGES = (
    "torch",
    "torchvision",
    "dlib-bin",
    "opencv-python-headless",
    "scikit-learn",
    "pandas",
    "anny",
    "openpeople",
)


def device() -> str:
    """The device that torch computes on, in words a reader can compare: the GPU's name, or the CPU and its cores."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})"
    if torch.backends.mps.is_available():
        return f"Apple GPU ({platform.machine()})"
    return f"CPU, {cores()} cores ({platform.machine()})"


def cores() -> int:
    """Cores that this process may use (fewer than the machine has under a scheduler or in a container)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity
        return os.cpu_count() or 1


def collect(parameters: dict[str, Any], seed: int | None = None, fingerprints: dict[str, str] | None = None) -> dict:
    """One JSON-able record of everything a reader needs to make the numbers again."""
    return {
        "parameters": parameters,
        "seed": seed,
        "commit": project.commit(),
        "fingerprints": fingerprints or {},
        "versions": versions(PACKAGES),
        "device": device(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
