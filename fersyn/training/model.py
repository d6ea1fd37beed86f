"""A trained run as one file, which is all that editing takes: `fersyn export` writes it, and one comes with the kit.

safetensors: the averaged weights in fp16, the landmark motion as it is, and in the metadata, as JSON, what one has to know of
them: settings, people, tables and their licences, command and commit of the training.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.torch
import torch

from fersyn import methods
from fersyn.errors import FersynError
from fersyn.files import write_atomic
from fersyn.methods.base import Synthesiser
from fersyn.methods.config import PROFILES
from fersyn.methods.motion import Motion
from fersyn.nets import shipped
from fersyn.training import checkpoint, runs

if TYPE_CHECKING:
    from fersyn.table import FaceTable

SUFFIX = ".safetensors"
SHIPPED = shipped.FOLDER / f"landmark-flow{SUFFIX}"
MOTION = "motion."  # how the names of the motion's arrays begin; those of networks, with the network's
_TEXTS = ("person", "tables")  # arrays of the motion that are no numbers: they stand in the metadata


def load(model: str | Path = "", device: str | torch.device | None = None) -> Synthesiser:
    """The synthesiser of a run folder, of an exported file, or, of nothing, of the model that comes with the kit; `device` as of
    `runs.load`.

    Raises:
        FersynError: there is none, or it is of another version; the message says what to do.
    """
    path = Path(model) if str(model) else SHIPPED
    if path.suffix != SUFFIX:
        return runs.load(path, device)
    about, state = facts(path), shipped.read(path.absolute())[0]

    def fill(networks: dict[str, torch.nn.Module]) -> dict[str, torch.nn.Module]:
        saved = {name: _below(state, f"{name}.") for name in about["networks"]}
        held = checkpoint.held(networks)
        checkpoint.load_into({name: held[name] for name in saved if name in held}, saved, path)
        return {name: each for name, each in networks.items() if name in saved or name not in held}

    try:
        return runs.assemble(
            about["method"], about["config"], fill, _motion(state, about), about["guides"], runs.stamp(path), device
        )
    except FersynError as error:
        raise FersynError(
            f"{path.name} does not fit this version of fersyn ({str(error).rstrip('.')}); export a run of this version anew: "
            "fersyn export RUN --out FILE, or name a run: --run RUN"
        ) from None


def facts(model: str | Path = "") -> dict[str, Any]:
    """What an exported file says of itself; without a name, that of the kit."""
    path = Path(model) if str(model) else SHIPPED
    if path == SHIPPED and not path.is_file():
        raise FersynError(
            "no trained model came with this installation; train one: fersyn data generated --out TABLE, fersyn train "
            "landmark-flow --data TABLE --out RUN, and name it: --run RUN"
        )
    about = shipped.about(path.absolute())
    if not {"method", "config", "networks"} <= set(about):
        raise FersynError(f"{path.name} is no exported model; write one: fersyn export RUN --out FILE")
    return about


def people(model: str | Path) -> set[str]:
    """Whom the networks were trained on, 'dataset/subject', of a run folder or an exported file."""
    path = Path(model)
    return set(facts(path)["people"]) if path.suffix == SUFFIX else runs.trained_people(path)


def export(run: Path, out: Path, tables: Sequence[FaceTable], commit: str = "") -> dict[str, Any]:
    """Write a finished run as one file; returns what the file says of itself.

    Args:
        run: its folder.
        out: file to write, .safetensors; its folder is there.
        tables: all that it has learnt from, the training's and those of photographs: the file names their licences.
        commit: at which it was trained; empty: what the run says.

    Raises:
        FersynError: it is not finished, a table is missing, or the file cannot be written.
    """
    run, out = Path(run), Path(out)
    if out.suffix != SUFFIX:
        raise FersynError(f"--out {out.name}: use a name that ends in {SUFFIX}")
    if not out.absolute().parent.is_dir():
        raise FersynError(f"--out {out}: there is no folder {out.parent}; make it first")
    method, config = runs.read_config(run)
    if not runs.is_finished(run):
        raise FersynError(f"{run} is not finished; go on with it first: fersyn train {method} ... --out {run} --resume")
    known, synthesiser = runs.facts(run), runs.load(run, "cpu")
    arrays = {} if synthesiser.motion is None else synthesiser.motion.arrays()
    own = {name: [str(each) for each in arrays.pop(name, ())] for name in _TEXTS}
    learnt = checkpoint.read(run)["networks"] if synthesiser.networks else {}
    kept = {name: synthesiser.networks[name] for name in learnt if _used(name, config)}
    about = {
        "method": method, "config": config, "seed": known["seed"], "networks": list(kept),
        "people": sorted(runs.trained_people(run)), "guides": list(synthesiser.guides),
        "motion": own | {"about": known["motion"]}, "learnt_from": _tables(known, own["tables"], tables),
        "licence": "; ".join(dict.fromkeys(each.info.get("licence", "not said") for each in tables)),
        "command": command(run), "commit": commit or known.get("commit", "not recorded"),
        "training": {name: known.get(name) for name in ("steps", "seconds", "device", "perceptual", "versions")},
    }  # fmt: skip
    state = {f"{MOTION}{name}": torch.from_numpy(np.ascontiguousarray(each)) for name, each in arrays.items()}
    for name, network in kept.items():
        for key, value in network.state_dict().items():
            state[f"{name}.{key}"] = (value.half() if value.is_floating_point() else value).contiguous()
    said = {name: json.dumps(value, ensure_ascii=False) for name, value in about.items()}
    write_atomic(out, lambda draft: safetensors.torch.save_file(state, draft, said))
    return about


def command(run: Path) -> str:
    """The `fersyn train` command that makes such a run, from its settings; TABLE and PHOTOS stand for its tables."""
    name, values = runs.read_config(run)
    method, seed = methods.get(name), runs.read_seed(run)
    changes = {}
    for profile in PROFILES:
        preset = method.preset(profile).model_dump(mode="json")
        changes[profile] = {key: value for key, value in values.items() if preset.get(key) != value}
    profile = min(changes, key=lambda each: len(changes[each]))
    words = ["fersyn", "train", name, "--data", "TABLE", "--out", "RUN", "--profile", profile, "--seed", str(seed or 0)]
    learnt = runs.facts(run)["motion"]
    words += ["--photos", "PHOTOS"] if learnt and learnt["photographs"] else []
    return shlex.join(
        [*words, *(word for key, value in changes[profile].items() for word in ("--set", f"{key}={value}"))]
    )


def _used(name: str, config: dict[str, Any]) -> bool:
    """Whether editing needs a network that learns: the averaged ones, where any are, as a discriminator is not."""
    return not config.get("averaged") or name in config["averaged"]


def _tables(known: dict[str, Any], of_motion: Sequence[str], tables: Sequence[FaceTable]) -> list[dict[str, Any]]:
    """What there is to know of the tables that a run has learnt from; raises FersynError where one is not given."""
    trained = (known["table"] or {}).get("fingerprint")
    given = {each.fingerprint: each for each in tables}
    absent = [name for name in dict.fromkeys([trained, *of_motion]) if name and name not in given]
    if absent:
        which = ", ".join(f"{name[:12]}{' (the training)' if name == trained else ''}" for name in absent)
        raise FersynError(
            f"its licence hangs on what it has learnt from: name the tables with fingerprint {which} by --data"
        )
    parts = []
    for name, table in given.items():
        info = {key: table.info.get(key) for key in ("dataset", "licence", "attribution", "request")}
        used = [*(["networks"] if name == trained else []), *(["motion"] if name in of_motion else [])]
        parts.append(
            {**info, "fingerprint": name, "people": len(set(table.people)), "faces": len(table), "taught": used}
        )
    return parts


def _below(state: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _motion(state: dict[str, torch.Tensor], about: dict[str, Any]) -> Motion | None:
    arrays = {name: value.numpy() for name, value in _below(state, MOTION).items()}
    texts = {name: np.array(about["motion"][name], str) for name in _TEXTS}
    try:
        return Motion(**arrays, **texts) if arrays else None
    except TypeError:
        raise FersynError("its landmark motion is of another kind") from None
