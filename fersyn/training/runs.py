"""A run folder: RUN/config.json (what was asked), people.json (on whom), log.csv (the losses), run.json (what came of it, with
which versions on which device), and the trained method to be used (`load`).
"""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fersyn import methods
from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.files import write_atomic, write_json
from fersyn.methods.base import Method, MethodConfig, Synthesiser
from fersyn.training import checkpoint, contest
from fersyn.weights.places import sha256_of

PACKAGES = ("torch", "lightning-fabric", "numpy", "opencv-python-headless", "scikit-learn", "stlpips-pytorch")
_DAMAGED = (OSError, ValueError, KeyError, TypeError)  # what reading a record that is missing or damaged raises


def device_name(device: torch.device) -> str:
    """The device in words: the GPU's name, or the processor's kind and the threads in use."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} (CUDA {torch.version.cuda})"
    threads = torch.get_num_threads()
    return f"{device.type.upper()}, {threads} thread{'s' if threads > 1 else ''} ({platform.machine()})"


def _record(run: Path, name: str) -> Any:
    return json.loads((Path(run) / name).read_text(encoding="utf-8"))


def write_config(run: Path, method: Method, config: MethodConfig, seed: int) -> None:
    """Write RUN/config.json."""
    write_json(run / "config.json", {"method": method.name, "seed": seed, "config": config.model_dump(mode="json")})


def read_seed(run: Path) -> int | None:
    """Return the seed that a run was begun with; None: it is not recorded."""
    try:
        return int(_record(run, "config.json")["seed"])
    except _DAMAGED:
        return None


def read_precision(run: Path) -> str | None:
    """Return the precision in which a run has been trained so far; None: it is not recorded."""
    try:
        return str(_record(run, "run.json")["precision"])
    except _DAMAGED:
        return None


def read_config(run: Path) -> tuple[str, dict[str, Any]]:
    """Return the method's name and the settings of a run; raises FersynError if there are none to read."""
    try:
        record = _record(run, "config.json")
        return str(record["method"]), dict(record["config"])
    except FileNotFoundError:
        raise FersynError(f"{run} holds no run (no config.json); train one: fersyn train METHOD --out {run}") from None
    except _DAMAGED as error:
        path = Path(run) / "config.json"
        raise FersynError(f"{path} cannot be read ({error}); train again into another folder") from None


def is_finished(run: Path) -> bool:
    """Whether RUN/run.json says that all steps are done."""
    try:
        return bool(_record(run, "run.json")["finished"])
    except _DAMAGED:
        return False


def write_people(run: Path, people: Iterable[str]) -> None:
    """Write RUN/people.json: whom the run is trained on, as 'dataset/subject'."""
    write_json(run / "people.json", sorted(set(people)))


def trained_people(run: Path) -> set[str]:
    """Return whom a run was trained on, as 'dataset/subject'; raises FersynError if that is not recorded."""
    try:
        return set(_record(run, "people.json"))
    except _DAMAGED:
        path = Path(run) / "people.json"
        raise FersynError(
            f"{path} is missing or damaged: nobody can tell whom {run} was trained on; train again"
        ) from None


def _guides(run: Path) -> list[str]:
    """The instruments that had a hand in the faces that a run learnt from."""
    try:
        return list(_record(run, "run.json")["table"]["guides"])
    except _DAMAGED:  # it is not finished, or learnt from no table
        return []


def facts(run: Path) -> dict[str, Any]:
    """What a run folder says about itself: run.json, the settings under ``config``, under ``motion`` whom the landmark motion has
    learnt from (None: there is none), and under ``discriminators`` how each of them fares (`contest.verdicts`).
    """
    from fersyn.methods import motion

    path = Path(run) / "motion.npz"
    learnt = motion.load(path).about() if path.is_file() else None
    fared = contest.verdicts(Path(run) / "log.csv")
    return {**_record(run, "run.json"), "config": read_config(run)[1], "motion": learnt, "discriminators": fared}


def speed(run: Path) -> float:
    """Images a second over the whole training (NaN where nothing was trained)."""
    about = facts(run)
    return about["step"] * about["config"]["batch"] / about["seconds"] if about["seconds"] else float("nan")


class RunLog:
    """RUN/log.csv: a row every so many steps; a resumed run goes on with it as if nothing had been.

    Rows hold step, losses, learning-rate factor, images a second and seconds since the beginning. A stage with further
    losses adds columns; cells are empty where there is nothing.

    Args:
        path: the file.
        step: steps already taken; rows after it (of a run that was killed after its last checkpoint) are left out.
    """

    def __init__(self, path: Path, step: int = 0):
        self.path, self.rows = path, []
        if step and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                self.rows = [row for row in csv.DictReader(file) if row["step"].isdigit() and int(row["step"]) <= step]
        else:
            path.unlink(missing_ok=True)

    def add(self, step: int, values: dict[str, float]) -> None:
        """Append a row: `step` counts finished steps."""
        self.rows.append({"step": step, **{name: f"{value:.6g}" for name, value in values.items()}})
        columns = dict.fromkeys(name for row in self.rows for name in row)

        def write(path: Path) -> None:
            with path.open("w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, columns, lineterminator="\n")
                table.writeheader()
                table.writerows(self.rows)

        write_atomic(self.path, write)


def load(run: str | Path, device: str | torch.device | None = None) -> Synthesiser:
    """Return the synthesiser of a run folder (`fersyn train ... --out RUN`), with the averaged weights; `device`: where it computes,
    None: by the kit's rule.

    Raises:
        FersynError: the folder holds no run, or a damaged one.
    """
    from fersyn.methods import motion

    run = Path(run)
    name, values = read_config(run)

    def fill(networks: dict[str, nn.Module]) -> dict[str, nn.Module]:
        if networks:
            checkpoint.load_weights(run, networks)
        return networks

    learnt = motion.load(run / "motion.npz") if (run / "motion.npz").is_file() else None
    file = checkpoint.find(run)
    return assemble(name, values, fill, learnt, _guides(run), stamp(file, run.name) if file else "", device)


def assemble(
    name: str,
    values: dict[str, Any],
    fill: Callable[[dict[str, nn.Module]], dict[str, nn.Module]],
    motion: Any,
    guides: Iterable[str],
    weights: str,
    device: str | torch.device | None,
) -> Synthesiser:
    """The synthesiser of a method with settings `values`: its networks, as `fill` returns them with their weights, on the
    device; `motion`, `guides` and `weights` as a synthesiser has them.
    """
    method = methods.get(name)
    config = method.Config(**values)
    with torch.random.fork_rng(devices=[]):
        networks = fill(method.networks(config))
    for network in networks.values():
        network.eval().requires_grad_(False).to(device or default_device())
    synthesiser = method.synthesiser(config, networks, motion)
    synthesiser.guides = tuple(dict.fromkeys((*synthesiser.guides, *guides)))
    synthesiser.weights = weights
    return synthesiser


def stamp(file: Path, name: str = "") -> str:
    """A file of weights by its name (or another) and the beginning of its SHA-256: `landmark-flow.safetensors 0123456789ab`."""
    return f"{name or file.name} {sha256_of(file)[:12]}"
