"""The training loop of all methods, on Lightning Fabric: devices, precision and DDP are settings.

A step depends on nothing but the weights, the optimisers' states and (seed, step, rank): batches are a function of them
(`Pairs.batch`), random numbers come from generators seeded anew for each step (`fersyn.training.process`). So a run that is
killed at any moment, in any stage, and resumed ends, on the CPU, with the weights of a run that was never stopped, bit for
bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fersyn.devices import named
from fersyn.errors import FersynError
from fersyn.files import locked
from fersyn.methods.base import Method, MethodConfig
from fersyn.progress import Progress, say
from fersyn.table import FaceTable
from fersyn.training import checkpoint, moving, runs
from fersyn.training.process import Fabric, StopFlag, kept, make_fabric, products
from fersyn.training.state import Training, identity, people_of

SECONDS, SHARE = 60.0, 0.05  # between checkpoints, at least; part of the run that they may take


@dataclass(frozen=True)
class Every:
    """How many steps lie between two rows of the log, checkpoints, and sample grids.

    Checkpoints and grids come after a row only; their intervals are whole multiples of the row's. Checkpoints come by time
    where their interval is None: every `SECONDS`, and less often where writing one takes long (`SHARE`).
    """

    log: int
    checkpoint: int | None
    samples: int

    @classmethod
    def of(cls, steps: int, log: int | None, checkpoint: int | None, samples: int | None) -> Every:
        """Fill in what is None: about 200 rows and 10 grids a run."""
        log = log or max(1, min(50, steps // 200))

        def multiple(asked: int | None, usual: int) -> int:
            return log * max(1, math.ceil((asked or usual) / log))

        return cls(log, checkpoint and multiple(checkpoint, 1), multiple(samples, max(1, steps // 10)))

    def due(self, step: int, since: float, cost: float) -> bool:
        """Whether a checkpoint is, after a row: `since` seconds after the last one, which took `cost` seconds."""
        if self.checkpoint:
            return step % self.checkpoint == 0
        return since >= max(SECONDS, cost / SHARE)


def train(
    method: Method,
    config: MethodConfig,
    table: FaceTable | None,
    out: str | Path,
    seed: int = 0,
    resume: bool = False,
    fabric: Fabric | None = None,
    *,
    photographs: Sequence[FaceTable] = (),
    wait: bool = False,
    compile: bool = False,
    log_every: int | None = None,
    checkpoint_every: int | None = None,
    samples_every: int | None = None,
) -> Path:
    """Train a method, stage after stage.

    Args:
        method, config: what to train, and its settings.
        table: face table; only people of split 'train' are trained on. None: for a method that needs none.
        out: run folder: config.json, checkpoint.pt, log.csv, samples/*.jpg, motion.npz, run.json.
        seed: of initial weights, batches and whatever is drawn, >= 0.
        resume: go on with the run in `out`; begin one if there is none.
        fabric: device, precision and strategy; by default one device, in the precision that suits it (`make_fabric`).
        photographs: face tables that the landmark motion learns from, too, but no network.
        wait: if another process trains in `out`, wait until it is done instead of giving up.
        compile: compile the networks (torch.compile).
        log_every, checkpoint_every, samples_every: steps between two rows, checkpoints, grids; None: see `Every`.

    Returns:
        the run folder.

    Raises:
        FersynError: there is a run in `out` already and `resume` is not given; a loss or weight is not finite (the
            step is named, the last checkpoint stays good).
        CheckpointError: `resume`, but the checkpoint is damaged or of another configuration, table, method or seed.
        KeyboardInterrupt: interrupted; what was done until then is saved.
    """
    out = Path(out)
    if seed < 0:
        raise FersynError(f"--seed is {seed}: use 0 or more")
    if table is None and method.needs_table:
        raise FersynError(f"{method.name} learns from a face table: name one (on the command line: --data TABLE)")
    fabric, stages = fabric or make_fabric(mixes=method.mixes), method.stages(config)
    fabric.launch()
    for size in (config.batch, *(stage.batch for stage in stages)):
        if size % fabric.world_size:
            few = f"a batch of {size} does not divide among {fabric.world_size} devices; use a multiple of it"
            raise FersynError(few)
    every = Every.of(sum(stage.steps for stage in stages), log_every, checkpoint_every, samples_every)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with kept(), products(fabric), named(fabric.device.type), _alone(out, wait, fabric):
            _train(method, config, table, out, seed, resume, fabric, compile, every, photographs)
    except BlockingIOError:
        raise FersynError(f"{out} is being trained by another process; wait for it, or use another --out") from None
    except OSError as error:
        raise FersynError(f"{out} cannot be written: {error}") from None
    return out


@contextmanager
def _alone(out: Path, wait: bool, fabric: Fabric) -> Iterator[None]:
    """Hold the run's lock in the first process; raises BlockingIOError if another has it and `wait` is False."""
    with ExitStack() as held:
        if fabric.is_global_zero:
            try:
                held.enter_context(locked(out / ".lock"))
            except BlockingIOError:
                if not wait:
                    raise
                say(f"{out}: another process is at it; waiting")
                held.enter_context(locked(out / ".lock", wait=True))
        yield


def _train(method, config, table, out, seed, resume, fabric, compile, every, photographs) -> None:
    """Begin or go on, and end with a complete run folder."""
    saved = _on_first(fabric, lambda: _opened(method, config, table, out, seed, resume))
    steps = sum(stage.steps for stage in method.stages(config))
    done = saved is not None and int(saved["step"]) >= steps
    if done and fabric.is_global_zero:
        say(f"{out}: all {int(saved['step'])} steps are done already")
    _on_first(fabric, lambda: moving.learn(method, table, out, photographs, keep=saved is not None))
    if done and runs.is_finished(out):
        return
    training = Training(method, config, table, out, seed, fabric, compile, saved)
    if training.first and saved is None:
        runs.write_config(out, method, config, seed)
        runs.write_people(out, people_of(table))
    saved = None  # the memory is wanted
    if training.networks and not done:
        _loop(training, every)
    if training.first:
        training.record(finished=True)


def _on_first(fabric: Fabric, work):
    """Do something in the first process; all raise what it raises, and get what it returns."""
    found: tuple[Any, Exception | None] = (None, None)
    if fabric.is_global_zero:
        try:
            found = (work(), None)
        except FersynError as error:
            found = (None, error)
    result, error = fabric.broadcast(found) if fabric.world_size > 1 else found
    if error is not None:
        raise error
    return result


def _opened(method, config, table, out, seed, resume) -> dict[str, Any] | None:
    """Return the checkpoint to go on from, or None."""
    there = checkpoint.find(out)
    if there and not resume:
        raise FersynError(
            f"{out} holds a training already; go on with it by --resume, or begin another in another --out"
        )
    checkpoint.clean(out)
    if not there:
        if resume:
            say(f"{out}: no checkpoint there, beginning a new training")
        return None
    state = checkpoint.read(out)
    done = int(state["step"]) >= sum(stage.steps for stage in method.stages(config))
    features = None if done else method.features(config)
    checkpoint.check(state, out, **identity(method, config, table, seed, features))
    return state


def _loop(training: Training, every: Every) -> None:
    """Fetch, step, average, log, draw, save; until all steps are taken, or a signal comes."""
    saved = time.monotonic()
    with StopFlag() as stop, training.writer, _Tally(training) as tally:
        while training.step < training.steps:
            training.enter()
            batch = training.fetch()
            losses = training.take(batch)
            training.average()
            training.step += 1
            boundary = training.step % every.log == 0 or training.step == training.border
            stopping = _stops(training.fabric, stop, boundary)
            tally.add(losses, row=boundary or stopping)
            last = training.step == training.steps or stopping
            if last or training.step % every.samples == 0:
                training.draw()
            if last or (boundary and every.due(training.step, time.monotonic() - saved, training.writer.seconds)):
                training.save()
                saved = time.monotonic()
            if boundary:
                tally.restart()
            if stopping:
                raise KeyboardInterrupt(f"stopped after step {training.step}; --resume goes on")


def _stops(fabric: Fabric, stop: StopFlag, boundary: bool) -> bool:
    """Whether a signal came; several processes ask each other at a boundary only, and stop together."""
    if fabric.world_size == 1:
        return stop.raised
    if not boundary:
        return False
    total = fabric.all_reduce(torch.tensor(float(stop.raised), device=fabric.device), reduce_op="sum")
    return bool(total > 0)


class _Tally:
    """Losses and time since the last row of the log, which tells of the steps since the one before; and the progress.

    Used as a context.
    """

    def __init__(self, training: Training):
        self.training, self.pending, self.stack = training, [], ExitStack()
        self.log = self.bar = None

    def __enter__(self) -> _Tally:
        training = self.training
        if training.first:
            self.log = runs.RunLog(training.out / "log.csv", training.step)
            training.record(finished=False)
            if training.step:
                say(f"{training.out}: going on after step {training.step}")
            title = f"{training.method.name} ({runs.device_name(training.fabric.device)})"
            self.bar = self.stack.enter_context(Progress(training.steps, title, training.step, unit="step"))
        self.clock = time.monotonic()
        return self

    def __exit__(self, *exception) -> None:
        self.stack.__exit__(*exception)

    def add(self, losses: dict[str, Tensor], row: bool) -> None:
        """Count a step; with `row`, close a row of the log."""
        self.pending.append(losses)
        note = self._row() if row else None
        if self.bar:
            self.bar.advance(1, note)

    def restart(self) -> None:
        """Pictures and files count as time, not against the images a second."""
        now = time.monotonic()
        self.training.seconds, self.clock = self.training.seconds + now - self.clock, now

    def _row(self) -> str:
        training, steps = self.training, len(self.pending)
        training.losses = self._means()
        now = time.monotonic()
        training.images_per_s = training.batch * steps / max(now - self.clock, 1e-9)
        self.pending = []
        self.restart()
        if self.log:
            extra = {"lr_factor": training.lr_factor, "images_per_s": training.images_per_s}
            self.log.add(training.step, {**training.losses, **extra, "seconds": training.seconds})
        note = ", ".join(f"{name} {value:.3g}" for name, value in training.losses.items())
        return f"{note}, {training.images_per_s:.3g} images/s"

    def _means(self) -> dict[str, float]:
        """Mean of the losses since the last row, over all processes; raises FersynError at the first that is not
        finite. Asked for now and then only: it waits for the GPU.
        """
        names, fabric = list(self.pending[0]), self.training.fabric
        values = torch.stack([torch.stack([losses[name] for name in names]) for losses in self.pending])
        if fabric.world_size > 1:
            values = fabric.all_reduce(values, reduce_op="mean")
        values = values.double().cpu()
        bad = (~torch.isfinite(values)).nonzero()
        if len(bad):
            row, column = bad[0].tolist()
            step = self.training.step - len(self.pending) + row + 1
            self.training.give_up(step, f"the loss {names[column]} is {values[row, column]}")
        return dict(zip(names, values.mean(0).tolist(), strict=True))
