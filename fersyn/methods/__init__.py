"""Methods by name. Each is one file with `METHOD`, imported when it is asked for: `fersyn --help` needs no torch.

Example:
    >>> import fersyn.methods as methods
    >>> "landmark-label" in methods.names()
    True
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fersyn.errors import FersynError

if TYPE_CHECKING:
    import torch

    from fersyn.methods.base import Method, Synthesiser

_MODULES: dict[str, str] = {
    "landmark-label": "fersyn.methods.landmark_label",
    "c-gan": "fersyn.methods.c_gan",
    "landmark-flow": "fersyn.methods.landmark_flow",
    "copy": "fersyn.methods.copy_source",
    "warp": "fersyn.methods.warp",
}
_REGISTERED: dict[str, Method] = {}


def names() -> tuple[str, ...]:
    """Names of all methods."""
    return (*_MODULES, *(name for name in _REGISTERED if name not in _MODULES))


def register(method: Method) -> None:
    """Add a method of your own under its name, for this process."""
    _REGISTERED[method.name] = method


def get(name: str) -> Method:
    """Return a method; raises FersynError with the list if there is none of that name."""
    if name in _REGISTERED:
        return _REGISTERED[name]
    if name not in _MODULES:
        raise FersynError(f"there is no method '{name}'; use one of: {', '.join(names())}")
    return import_module(_MODULES[name]).METHOD


def load(run: str | Path, device: str | torch.device = "cpu") -> Synthesiser:
    """Return the synthesiser of a run folder (`fersyn train ... --out RUN`), with the averaged weights.

    Raises:
        FersynError: the folder holds no run, or a damaged one.
    """
    import torch

    from fersyn.training import checkpoint, record

    run = Path(run)
    name, values = record.read_config(run)
    method = get(name)
    config = method.Config(**values)
    with torch.random.fork_rng(devices=[]):
        networks = method.networks(config)
    if networks:
        checkpoint.load_weights(run, networks)
    for network in networks.values():
        network.eval().requires_grad_(False).to(device)
    motion = None
    if (run / "motion.npz").is_file():
        motion = import_module("fersyn.methods.motion").load(run / "motion.npz")
    return method.synthesiser(config, networks, motion)
