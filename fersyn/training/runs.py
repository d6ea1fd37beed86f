"""A run folder: RUN/config.json (what was asked), RUN/run.json (what came of it, with which versions on which device),
RUN/people.json, and the trained method to be used (`load`).
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from fersyn import methods
from fersyn.errors import FersynError
from fersyn.files import write_json
from fersyn.methods.base import Method, MethodConfig, Synthesiser
from fersyn.training import checkpoint

PACKAGES = ("torch", "lightning-fabric", "numpy", "opencv-python-headless", "scikit-learn", "stlpips-pytorch")


def device_name(device: torch.device) -> str:
    """The device in words: the GPU's name, or the processor's kind and the threads in use."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (CUDA {torch.version.cuda})"
    return f"{device.type.upper()}, {torch.get_num_threads()} threads ({platform.machine()})"


def write_config(run: Path, method: Method, config: MethodConfig, seed: int) -> None:
    """Write RUN/config.json."""
    write_json(run / "config.json", {"method": method.name, "seed": seed, "config": config.model_dump(mode="json")})


def read_seed(run: Path) -> int | None:
    """Return the seed that a run was begun with; None: it is not recorded."""
    try:
        return int(json.loads((Path(run) / "config.json").read_text(encoding="utf-8"))["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_config(run: Path) -> tuple[str, dict[str, Any]]:
    """Return the method's name and the settings of a run; raises FersynError if there are none to read."""
    path = Path(run) / "config.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return str(record["method"]), dict(record["config"])
    except FileNotFoundError:
        raise FersynError(f"{run} holds no run (no config.json); train one: fersyn train METHOD --out {run}") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise FersynError(f"{path} cannot be read ({error}); train again into another folder") from None


def write_people(run: Path, people: Iterable[str]) -> None:
    """Write RUN/people.json: whom the run is trained on, as 'dataset/subject'."""
    write_json(run / "people.json", sorted(set(people)))


def trained_people(run: Path) -> set[str]:
    """Return whom a run was trained on, as 'dataset/subject'; raises FersynError if that is not recorded."""
    path = Path(run) / "people.json"
    try:
        return set(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise FersynError(
            f"{path} is missing or damaged: nobody can tell whom {run} was trained on; train again"
        ) from None


def facts(run: Path) -> dict[str, Any]:
    """What a run folder says about itself: run.json, and the settings under ``config``."""
    return {**json.loads((run / "run.json").read_text(encoding="utf-8")), "config": read_config(run)[1]}


def speed(run: Path) -> float:
    """Images a second over the whole training (NaN where nothing was trained)."""
    about = facts(run)
    return about["step"] * about["config"]["batch"] / about["seconds"] if about["seconds"] else float("nan")


def load(run: str | Path, device: str | torch.device = "cpu") -> Synthesiser:
    """Return the synthesiser of a run folder (`fersyn train ... --out RUN`), with the averaged weights.

    Raises:
        FersynError: the folder holds no run, or a damaged one.
    """
    from fersyn.methods import motion

    run = Path(run)
    name, values = read_config(run)
    method = methods.get(name)
    config = method.Config(**values)
    with torch.random.fork_rng(devices=[]):
        networks = method.networks(config)
    if networks:
        checkpoint.load_weights(run, networks)
    for network in networks.values():
        network.eval().requires_grad_(False).to(device)
    learnt = motion.load(run / "motion.npz") if (run / "motion.npz").is_file() else None
    return method.synthesiser(config, networks, learnt)
