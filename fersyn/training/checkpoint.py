"""One file with everything that a training needs to go on: RUN/checkpoint.pt, and the one before it.

Networks, averages, optimisers, step, seed, configuration, method, fingerprint of the table, seconds. Random states and
the sampler's position need no place of their own: by design both follow from seed and step (see `fersyn.training.loop`).
It is a torch file that loads with `weights_only=True`: opening a stranger's checkpoint runs no code of his.
"""

from __future__ import annotations

import copy
import os
import time
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fersyn.errors import FersynError
from fersyn.files import write_atomic, write_json

NAME, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
FORMAT = 2  # 2: `minimax` means eq. (4) as it is printed


class CheckpointError(FersynError):
    """A checkpoint that is damaged, or that belongs to another training; the message names the difference."""


def save(run: Path, state: dict[str, Any]) -> None:
    """Write RUN/checkpoint.pt in one step: a kill at any moment leaves the old file or the new one, whole.

    What stood there stays as checkpoint.previous.pt.
    """
    path = run / NAME

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            (run / PREVIOUS).unlink(missing_ok=True)
            try:
                os.link(path, run / PREVIOUS)  # a second name: `path` never goes away
            except OSError:  # a file system without hard links
                os.replace(path, run / PREVIOUS)

    write_atomic(path, write)
    try:
        folder = os.open(run, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Writer:
    """Writes checkpoints of a run, and after each its run.json, in a thread of its own while the training goes on.

    One at a time: `save` waits for the one before. Used as a context; at its end the last one lies on the disk.

    Attributes:
        seconds: what the last one took, copy and file.
    """

    def __init__(self, run: Path):
        self.run, self.seconds = run, 0.0
        self.pool, self.pending = ThreadPoolExecutor(1, "checkpoint"), Future()
        self.pending.set_result(None)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exception) -> None:
        self.pool.shutdown()  # waits
        if exception[0] is None:
            self.wait()

    def wait(self) -> None:
        """Until what was asked for is written; raises what writing it raised (OSError where the disk is full)."""
        self.pending.result()

    def save(self, state: dict[str, Any], record: dict[str, Any]) -> None:
        """Copy the state as it is now and write it in the background; raises as `wait`."""
        self.wait()
        began, state = time.monotonic(), copy.deepcopy(state)  # on its device; the thread fetches it from there

        def write() -> None:
            save(self.run, state)
            write_json(self.run / "run.json", record)
            self.seconds = time.monotonic() - began

        self.pending = self.pool.submit(write)


def clean(run: Path) -> None:
    """Remove what a killed process left half written."""
    for file in run.glob(f".{NAME}.*.tmp"):
        file.unlink(missing_ok=True)


def find(run: Path) -> Path | None:
    """Return the newest checkpoint of a run, or None."""
    return next((run / name for name in (NAME, PREVIOUS) if (run / name).is_file()), None)


def read(run: Path) -> dict[str, Any]:
    """Read the newest checkpoint of a run, on the CPU.

    Raises:
        CheckpointError: there is none, or it is damaged; the message says how to go on.
    """
    path = find(run)
    if path is None:
        raise CheckpointError(f"{run} holds no {NAME}; train first: fersyn train METHOD --data TABLE --out {run}")
    try:
        state = _read(path)
    except Exception as error:  # zipfile, pickle and torch each have their own
        cure = "train again into another folder"
        if path.name == NAME and (run / PREVIOUS).is_file():
            cure = f"delete it, and --resume goes on from {PREVIOUS}"
        reason = str(error).strip().splitlines()
        raise CheckpointError(f"{path} is damaged ({reason[0] if reason else type(error).__name__}); {cure}") from None
    if state["format"] != FORMAT:
        raise CheckpointError(
            f"{path} has format {state['format']}, this version of fersyn reads {FORMAT}; "
            "use the version that wrote it, or train again into another folder"
        )
    return state


def _read(path: Path) -> dict[str, Any]:
    # torch itself skips the checksums that the file carries.
    with zipfile.ZipFile(path) as archive:
        bad = archive.testzip()
    if bad:
        raise ValueError(f"checksum of {bad} is wrong")
    state = torch.load(path, map_location="cpu", weights_only=True)
    missing = {"format", "method", "config", "table", "seed", "step", "networks", "averages", "optimisers"} - set(state)
    if missing:
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    return state


def check(
    state: dict[str, Any],
    run: Path,
    *,
    method: str,
    config: dict[str, Any],
    table: str,
    seed: int,
    people: list[str],
    features: str | None = None,
) -> None:
    """Raise CheckpointError, naming each difference, unless the checkpoint belongs to this training."""
    wrong = []
    if state["method"] != method:
        wrong.append(f"method {state['method']} in the checkpoint, {method} now")
    else:
        old = state["config"]
        names = [name for name in sorted({*old, *config}) if old.get(name) != config.get(name)]
        wrong += [f"{name} {old.get(name)!r} in the checkpoint, {config.get(name)!r} now" for name in names]
    if state["table"] != table:
        wrong.append(f"face table {state['table'][:12]} in the checkpoint, {table[:12]} now")
    elif state.get("people", people) != people:
        old, new = set(state["people"]), set(people)
        wrong.append(f"{len(old)} training people in the checkpoint, {len(new)} now, {len(old & new)} of them the same")
    if state["seed"] != seed:
        wrong.append(f"seed {state['seed']} in the checkpoint, {seed} now")
    if features and (old := state.get("features", features)) != features:  # "auto" takes what this machine has
        wrong.append(f"perceptual network {old} in the checkpoint, {features} now")
    if wrong:
        raise CheckpointError(
            f"{run} is the training of something else: {'; '.join(wrong)}. Take the old settings, or another "
            "--out (in a notebook: another folder `runs`)"
        )


def held(networks: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """Those networks, as their method has just made them, that a checkpoint holds: all but the frozen ones."""
    weights = {name: list(network.parameters()) for name, network in networks.items()}
    return {name: networks[name] for name, own in weights.items() if not own or any(each.requires_grad for each in own)}


def load_into(networks: dict[str, nn.Module], states: dict[str, dict], run: Path) -> None:
    """Load weights by network name; raises CheckpointError naming what does not fit."""
    if set(networks) != set(states):
        raise CheckpointError(
            f"{run} has the networks {sorted(states)}, this version of the method {sorted(networks)}; delete the folder and "
            "train again, or take another --out"
        )
    for name, network in networks.items():
        try:
            network.load_state_dict(states[name])
        except RuntimeError as error:
            first = [line.strip() for line in str(error).splitlines()[1:2]] or [str(error)]
            raise CheckpointError(
                f"{run}: the weights of {name} do not fit this version of it ({first[0].rstrip('.')}); "
                "another version of the kit trained them: delete the folder and train again, or take another --out"
            ) from None


def load_weights(run: Path, networks: dict[str, nn.Module]) -> dict[str, Any]:
    """Load a run's weights for use, the averaged ones where there are averages; return the checkpoint's state."""
    state = read(run)
    load_into(held(networks), {**state["networks"], **state["averages"]}, run)
    return state
