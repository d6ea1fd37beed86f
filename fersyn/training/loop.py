"""The training loop of all methods, on Lightning Fabric: devices, precision and DDP are settings.

A step depends on nothing but the weights, the optimisers' states and (seed, step, rank): the pairs come from
`Pairs.batch`, random numbers from generators seeded anew for each step (`fersyn.training.random`). So a run that is
killed at any moment and resumed ends, on the CPU, with the weights of a run that was never stopped, bit for bit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fersyn.errors import FersynError
from fersyn.files import locked
from fersyn.methods.base import Method, MethodConfig
from fersyn.pairs import Pairs
from fersyn.progress import Progress, say
from fersyn.system import versions
from fersyn.table import FaceTable
from fersyn.training import checkpoint, ema, runs, samples
from fersyn.training.fabric import DDPStrategy, Fabric
from fersyn.training.random import INITIAL, kept, reseed
from fersyn.training.runlog import RunLog
from fersyn.training.stop import StopFlag


@dataclass(frozen=True)
class Every:
    """How many steps lie between two rows of the log, checkpoints, and sample grids.

    Checkpoints and grids come after a row only; their intervals are whole multiples of the row's.
    """

    log: int
    checkpoint: int
    samples: int

    @classmethod
    def of(cls, steps: int, log: int | None, checkpoint: int | None, samples: int | None) -> Every:
        """Fill in what is None: about 200 rows, 20 checkpoints and 10 grids a run."""
        log = log or max(1, min(50, steps // 200))

        def multiple(asked: int | None, usual: int) -> int:
            return log * max(1, math.ceil((asked or usual) / log))

        saves = multiple(checkpoint, min(1000, max(1, steps // 20)))
        return cls(log, saves, multiple(samples, max(1, steps // 10)))


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


def train(
    method: Method,
    config: MethodConfig,
    table: FaceTable,
    out: str | Path,
    seed: int = 0,
    resume: bool = False,
    fabric: Fabric | None = None,
    *,
    wait: bool = False,
    compile: bool = False,
    log_every: int | None = None,
    checkpoint_every: int | None = None,
    samples_every: int | None = None,
) -> Path:
    """Train a method on the training people of a table.

    Args:
        method: what to train.
        config: its settings.
        table: face table; only people of split 'train' are trained on.
        out: run folder: config.json, checkpoint.pt, log.csv, samples/*.jpg, motion.npz, run.json.
        seed: of initial weights, pairs and whatever is drawn, >= 0.
        resume: go on with the run in `out`; begin one if there is none.
        fabric: device, precision and strategy; one device, float32 by default.
        wait: if another process trains in `out`, wait until it is done instead of giving up.
        compile: compile the networks (torch.compile).
        log_every, checkpoint_every, samples_every: steps between two rows, checkpoints, grids (see `Every`).

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
    every = Every.of(config.steps, log_every, checkpoint_every, samples_every)
    fabric = fabric or make_fabric()
    fabric.launch()
    if config.batch % fabric.world_size:
        raise FersynError(
            f"a batch of {config.batch} does not divide among {fabric.world_size} devices; use a multiple of it"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        with kept():
            if not fabric.is_global_zero:
                return _Run(method, config, table, out, seed, resume, fabric, compile, every).go()
            with _alone(out, wait):
                return _Run(method, config, table, out, seed, resume, fabric, compile, every).go()
    except BlockingIOError:
        raise FersynError(f"{out} is being trained by another process; wait for it, or use another --out") from None
    except OSError as error:
        raise FersynError(f"{out} cannot be written: {error}") from None


@contextmanager
def _alone(out: Path, wait: bool) -> Iterator[None]:
    """Hold the run's lock; raises BlockingIOError if another process has it and `wait` is False."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(out / ".lock"))
        except BlockingIOError:
            if not wait:
                raise
            say(f"{out}: another process is at it; waiting")
            stack.enter_context(locked(out / ".lock", wait=True))
        yield


class _Run:
    """One call of `train`, in one process."""

    def __init__(self, method, config, table, out, seed, resume, fabric, compile, every):
        self.method, self.config, self.table, self.out, self.seed = method, config, table, out, seed
        self.fabric, self.compile, self.every = fabric, compile, every
        self.first, self.seconds = fabric.is_global_zero, 0.0
        self.state = self._on_first(lambda: self._opened(resume))

    def _on_first(self, work):
        """Do something in the first process; all raise what it raises, and get what it returns."""
        found: tuple[Any, Exception | None] = (None, None)
        if self.first:
            try:
                found = (work(), None)
            except FersynError as error:
                found = (None, error)
        result, error = self.fabric.broadcast(found) if self.fabric.world_size > 1 else found
        if error is not None:
            raise error
        return result

    def _opened(self, resume: bool) -> dict[str, Any] | None:
        """Return the checkpoint to go on from, or None."""
        there = checkpoint.find(self.out)
        if there and not resume:
            raise FersynError(
                f"{self.out} holds a training already; go on with it by --resume, or begin another in another --out"
            )
        checkpoint.clean(self.out)
        if not there:
            if resume:
                say(f"{self.out}: no checkpoint there, beginning a new training")
            return None
        state = checkpoint.read(self.out)
        settings = self.config.model_dump(mode="json")
        checkpoint.check(
            state,
            self.out,
            method=self.method.name,
            config=settings,
            table=self.table.fingerprint,
            seed=self.seed,
            people=self._people(),
            features=None if int(state["step"]) >= self.config.steps else self._features(),
        )
        return state

    def go(self) -> Path:
        self.step = int(self.state["step"]) if self.state else 0
        self.seconds = float(self.state["seconds"]) if self.state else 0.0
        if self.state and self.step >= self.config.steps:
            if self.first:
                say(f"{self.out}: all {self.step} steps are done already")
            return self.out
        reseed(self.seed, INITIAL)  # all processes begin with the same weights
        networks = self.method.networks(self.config)
        if self.first and not self.state:
            runs.write_config(self.out, self.method, self.config, self.seed)
            runs.write_people(self.out, self._people())
            self._learn_motion()
        self._shape = {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()}
        if not networks:
            if self.first:
                self._write_record(finished=True)
            return self.out
        self._set_up(networks)
        self._loop()
        return self.out

    def _learn_motion(self) -> None:
        from fersyn.methods import motion

        try:
            motion.fit(self.table).save(self.out / "motion.npz")
        except FersynError as error:
            say(f"no landmark motion: {error}")

    def _set_up(self, networks: dict[str, torch.nn.Module]) -> None:
        config, fabric, state = self.config, self.fabric, self.state
        self.pairs = Pairs(
            self.table,
            size=config.size,
            neutral_share=config.neutral_share,
            augment=config.augment,
            device=fabric.device,
        )
        unknown = [name for name in config.averaged if name not in networks]
        if unknown:
            raise FersynError(
                f"averaged: {self.method.name} has no network {', '.join(unknown)}; it has: {', '.join(networks)}"
            )
        if state:
            checkpoint.load_into(networks, state["networks"], self.out)
        self.plain = networks
        optimisers = self.method.optimisers(config, networks)
        self.bare = optimisers
        self.networks = {}
        for name, network in networks.items():
            if self.compile:
                network.compile()
            trained = any(weight.requires_grad for weight in network.parameters())
            self.networks[name] = fabric.setup_module(network) if trained else fabric.to_device(network)
            network.train()
        self.optimisers = {name: fabric.setup_optimizers(optimiser) for name, optimiser in optimisers.items()}
        names = config.averaged if config.ema > 0 else ()
        self.averages = {name: ema.average_of(networks[name]) for name in names}
        self.rates = {name: [group["lr"] for group in optimiser.param_groups] for name, optimiser in optimisers.items()}
        if state:
            checkpoint.load_into(self.averages, state["averages"], self.out)
            for name, optimiser in optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            self._tell_machine(state.get("machine"))
        self.state = None  # the memory is wanted
        self.grid, self.grid_side = samples.held_out(self.table, config.size) if self.first else (None, "")
        self.grid = self.grid and self.grid.to(fabric.device)

    def _people(self) -> list[str]:
        return sorted(self.table.people_of("train"))

    def _features(self) -> str | None:
        """The network of the perceptual loss, where the method has one."""
        features = getattr(self.method, "features", None)
        return features(self.config) if features else None

    def _machine(self) -> dict[str, Any]:
        """What, beside the settings, the last bit of a weight depends on."""
        fabric = self.fabric
        threads = torch.get_num_threads() if fabric.device.type == "cpu" else 0
        precision = str(fabric._precision.precision)
        return {"device": fabric.device.type, "devices": fabric.world_size, "threads": threads, "precision": precision}

    def _tell_machine(self, before: dict[str, Any] | None) -> None:
        now = self._machine()
        changed = [
            f"{name} {before[name]} before, {now[name]} now" for name in now if before and before[name] != now[name]
        ]
        if changed and self.first:
            say(f"{self.out}: {'; '.join(changed)}: the training goes on, but not bit for bit as it would have")

    def _loop(self) -> None:
        config, every = self.config, self.every
        log = RunLog(self.out / "log.csv", self.step) if self.first else None
        # A row tells of the steps since the one before: after an interruption in between, of fewer.
        pending: list[dict[str, torch.Tensor]] = []
        clock, self._images = time.monotonic(), 0.0
        title = f"{self.method.name} ({runs.device_name(self.fabric.device)})"
        if self.first:
            self._write_record(finished=False)
            if self.step:
                say(f"{self.out}: going on after step {self.step}")
        bar = Progress(config.steps, title, self.step, unit="step") if self.first else None
        with StopFlag() as stop, bar or _Silent() as progress:
            while self.step < config.steps:
                pending.append(self._one())
                self.step += 1
                boundary = self.step % every.log == 0 or self.step == config.steps
                stopping = stop.raised if self.fabric.world_size == 1 else boundary and self._any(stop.raised)
                note = None
                if boundary or stopping:
                    row = self._losses(pending)
                    now = time.monotonic()
                    self._images = config.batch * len(pending) / max(now - clock, 1e-9)
                    self.seconds += now - clock
                    clock, pending = now, []
                    if log:
                        factor = config.lr_factor(self.step - 1)
                        extra = {"lr_factor": factor, "images_per_s": self._images, "seconds": self.seconds}
                        log.add(self.step, {**row, **extra})
                    note = ", ".join(f"{name} {value:.3g}" for name, value in row.items())
                    note += f", {self._images:.3g} images/s"
                progress.advance(1, note)
                last = self.step == config.steps or stopping
                if boundary and self.step % every.samples == 0 or last:
                    self._draw()
                if boundary and self.step % every.checkpoint == 0 or last:
                    self._save()
                if boundary:  # pictures and files count as time, not against the images a second
                    self.seconds, clock = self.seconds + time.monotonic() - clock, time.monotonic()
                if stopping:
                    raise KeyboardInterrupt(f"stopped after step {self.step}; --resume goes on")
        if self.first:
            self._write_record(finished=True)

    def _one(self) -> dict[str, torch.Tensor]:
        config, fabric, step = self.config, self.fabric, self.step
        reseed(self.seed, step, fabric.global_rank)
        factor = config.lr_factor(step)
        for name, optimiser in self.bare.items():
            for group, rate in zip(optimiser.param_groups, self.rates[name], strict=True):
                group["lr"] = rate * factor
        batch = self.pairs.batch(step, config.batch, self.seed, fabric.global_rank, fabric.world_size)
        losses = self.method.step(config, self.networks, self.optimisers, batch, fabric, step)
        for name, average in self.averages.items():
            ema.update(average, self.plain[name], config.ema, step)
        return {name: torch.as_tensor(value, device=fabric.device).detach().float() for name, value in losses.items()}

    def _losses(self, pending: list[dict[str, torch.Tensor]]) -> dict[str, float]:
        """Mean of the losses since the last row, over all processes; raises FersynError at the first that is not
        finite. Asked for now and then only: it waits for the GPU.
        """
        names = list(pending[0])
        values = torch.stack([torch.stack([losses[name] for name in names]) for losses in pending])
        if self.fabric.world_size > 1:
            values = self.fabric.all_reduce(values, reduce_op="mean")
        values = values.double().cpu()
        bad = (~torch.isfinite(values)).nonzero()
        if len(bad):
            row, column = bad[0].tolist()
            self._give_up(self.step - len(pending) + row + 1, f"the loss {names[column]} is {values[row, column]}")
        return dict(zip(names, values.mean(0).tolist(), strict=True))

    def _give_up(self, step: int, what: str) -> None:
        there = checkpoint.find(self.out)
        good = "there is no checkpoint yet" if not there else f"{there} is still good"
        raise FersynError(f"at step {step} {what}; {good}. Try a lower lr, or --precision 32-true")

    def _any(self, flag: bool) -> bool:
        total = self.fabric.all_reduce(torch.tensor(float(flag), device=self.fabric.device), reduce_op="sum")
        return bool(total > 0)

    def _draw(self) -> None:
        if not self.first:
            return
        used = {**self.plain, **self.averages}
        modes = {name: network.training for name, network in used.items()}
        for network in used.values():
            network.eval()
        with kept():
            synthesiser = self.method.synthesiser(self.config, used)
            with self.fabric.autocast():
                image = samples.draw(synthesiser, self.grid)
        for name, network in used.items():
            network.train(modes[name])
        samples.write(image, self.out / "samples" / f"{self.step:07d}.jpg")

    def _save(self) -> None:
        if not self.first:
            return
        state = {
            "method": self.method.name,
            "config": self.config.model_dump(mode="json"),
            "table": self.table.fingerprint,
            "people": self._people(),
            "seed": self.seed,
            "features": self._features(),
            "step": self.step,
            "seconds": self.seconds,
            "machine": self._machine(),
            "networks": {name: network.state_dict() for name, network in self.plain.items()},
            "averages": {name: network.state_dict() for name, network in self.averages.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.bare.items()},
        }
        for name, weights in state["networks"].items():
            bad = ema.finite(weights)
            if bad:
                self._give_up(self.step, f"{bad} of {name} is not finite")
        checkpoint.save(self.out, state)
        self._write_record(finished=self.step == self.config.steps)

    def _write_record(self, finished: bool) -> None:
        runs.write_json(
            self.out / "run.json",
            {
                "method": self.method.name,
                "table": {
                    "fingerprint": self.table.fingerprint,
                    "dataset": self.table.info.get("dataset"),
                    "faces": len(self.table),
                    "people": len(set(self.table.people)),
                },
                "seed": self.seed,
                "step": self.step,
                "steps": self.config.steps,
                "finished": finished,
                "seconds": round(self.seconds, 3),
                "images_per_s": round(getattr(self, "_images", 0.0), 2),
                "parameters": self._shape,
                "perceptual": self._features(),
                "samples_of": getattr(self, "grid_side", None) or None,
                "device": runs.device_name(self.fabric.device),
                "devices": self.fabric.world_size,
                "precision": str(self.fabric._precision.precision),
                "compiled": self.compile,
                "versions": versions(runs.PACKAGES),
            },
        )


class _Silent:
    """Progress of the processes that say nothing."""

    def __enter__(self) -> _Silent:
        return self

    def __exit__(self, *exception) -> None: ...

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Say nothing."""
