"""What a number depends on besides the code: versions, device, commit, data. Shown first in every notebook."""

import importlib.metadata
import os
import platform
from typing import Any

from fersyn import __version__
from fersyn.reporting import project

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


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Installed versions of fersyn, Python and ``packages``; packages that are not installed are left out."""
    found = {"fersyn": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


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
        "versions": versions(),
        "device": device(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
