"""All that a training is between two steps, made in one place: networks, averages, optimisers, and how far it is."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fersyn.errors import FersynError
from fersyn.files import write_json
from fersyn.methods.base import Method, MethodConfig
from fersyn.progress import say
from fersyn.system import commit, versions
from fersyn.table import FaceTable
from fersyn.training import checkpoint, runs, samples
from fersyn.training.capture import Captured
from fersyn.training.process import INITIAL, Fabric, kept, precision_of, reseed


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move `average` a little towards `network` after step 0..: average += (1 - d) (network - average).

    d rises to `decay` as (1 + step) / (10 + step), so that the first, random weights are soon forgotten. Buffers (the
    statistics of batch normalisation are averages already) are copied. [ours: the paper has none]
    """
    d = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - d)
    pairs: dict[torch.dtype, list[tuple[Tensor, Tensor]]] = {}
    for own, other in zip(average.buffers(), network.buffers(), strict=True):
        pairs.setdefault(own.dtype, []).append((own, other))
    for same in pairs.values():  # one call a kind
        torch._foreach_copy_(*map(list, zip(*same, strict=True)))


class Training:
    """One training in one process.

    Args:
        method, config, table, out, seed, fabric, compile: as `loop.train` has them.
        saved: the checkpoint to go on from; None: from the beginning.

    Attributes:
        stages, steps: its stages, and how many steps they are together.
        step: steps taken; `begin` and `border`: where the stage of the next one begins and ends.
        networks, optimisers, averages: by name, as the method made them.
        losses: the last row of the log.
        writer: of the checkpoints; a context, which has to end before they are looked at.
    """

    def __init__(
        self,
        method: Method,
        config: MethodConfig,
        table: FaceTable | None,
        out: Path,
        seed: int,
        fabric: Fabric,
        compile: bool = False,
        saved: dict[str, Any] | None = None,
    ):
        self.method, self.config, self.table, self.out, self.seed = method, config, table, out, seed
        self.fabric, self.compile, self.first = fabric, compile, fabric.is_global_zero
        self.commit = commit()
        self.stages, self.stage = method.stages(config), None
        self.steps = sum(stage.steps for stage in self.stages)
        self.step, self.seconds, self.images_per_s = 0, 0.0, 0.0
        self.losses: dict[str, float] = {}
        reseed(seed, INITIAL)  # all processes begin with the same weights
        self.networks = method.networks(config)
        unknown = [name for name in config.averaged if self.networks and name not in self.networks]
        if unknown:
            own = ", ".join(self.networks)
            raise FersynError(f"averaged: {method.name} has no network {', '.join(unknown)}; it has: {own}")
        if table is not None and not saved:
            method.prepare(config, self.networks, table)
        self.held = checkpoint.held(self.networks)
        self.weights = {name: [w for w in net.parameters() if w.requires_grad] for name, net in self.networks.items()}
        for network in self.networks.values():
            fabric.to_device(network)
            if compile:
                network.compile()
        self.optimisers = method.optimisers(config, self.networks)
        self.rates = {name: [group["lr"] for group in each.param_groups] for name, each in self.optimisers.items()}
        averaging = any(config.ema if stage.ema is None else stage.ema for stage in self.stages)
        names = config.averaged if self.networks and averaging else ()
        self.averages = {name: copy.deepcopy(self.networks[name]).eval().requires_grad_(False) for name in names}
        self.writer = checkpoint.Writer(out)
        self.used, self.prepared = {}, {}  # networks and optimisers as Fabric wraps them for the stage
        self.grid, self.grid_side = None, ""
        if self.networks and self.first and method.edits and table is not None:
            grid, self.grid_side = samples.held_out(table, config.size)
            self.grid = grid.to(fabric.device)
        if saved:
            self._go_on(saved)
        self.captures = method.steady and fabric.device.type == "cuda" and fabric.world_size == 1
        for group in (group for optimiser in self.optimisers.values() for group in optimiser.param_groups):
            if "capturable" in group:
                group["capturable"] = self.captures
            if self.captures:  # on the device, where a graph reads it anew at each step
                group["lr"] = torch.tensor(float(group["lr"]), device=fabric.device)
        self.taker = None

    def _go_on(self, saved: dict[str, Any]) -> None:
        self.step, self.seconds = int(saved["step"]), float(saved["seconds"])
        self.losses = saved.get("losses", {})
        checkpoint.load_into(self.held, saved["networks"], self.out)
        checkpoint.load_into(self.averages, saved["averages"], self.out)
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(saved["optimisers"][name])
        before, now = saved.get("machine"), self.machine()
        changed = [
            f"{name} {before[name]} before, {now[name]} now" for name in now if before and before[name] != now[name]
        ]
        if changed and self.first and self.step < self.steps:
            say(f"{self.out}: {'; '.join(changed)}: the training goes on, but not bit for bit as it would have")

    def enter(self) -> None:
        """Make the stage of the next step ready, where it is another than that of the step before."""
        begin = 0
        for stage in self.stages:
            if self.step < begin + stage.steps:
                break
            begin += stage.steps
        if stage is self.stage:
            return
        self.stage, self.begin, self.border = stage, begin, begin + stage.steps
        learning = [name for name, own in self.weights.items() if own and name in (stage.networks or self.networks)]
        for name, network in self.networks.items():
            for weight in self.weights[name]:
                weight.requires_grad_(name in learning)
            network.train(name in learning)
            self.used[name] = self.fabric.setup_module(network) if name in learning else network
        if not self.prepared:
            self.prepared = {name: self.fabric.setup_optimizers(each) for name, each in self.optimisers.items()}
        self.learning, self.batch = learning, stage.batch or self.config.batch
        self.batches = stage.batches(self.config, self.table, self.fabric.device)
        self.taker = Captured(self._step, self._state, self._reseed) if self.captures else self._step

    def fetch(self) -> Any:
        """What the next step looks at; the global generators are seeded for it."""
        fabric = self.fabric
        self._reseed()
        return self.batches.batch(self.step, self.batch, self.seed, fabric.global_rank, fabric.world_size)

    def take(self, batch: Any) -> dict[str, Tensor]:
        """Take a step; returns its losses, detached float32 scalars."""
        stage, place = self.stage, self.step - self.begin
        factor = stage.rate(place) if stage.rate else self.config.lr_factor(place, stage.steps)
        for name, optimiser in self.optimisers.items():
            for group, rate in zip(optimiser.param_groups, self.rates[name], strict=True):
                now = (rate if stage.lr is None else stage.lr) * factor
                group["lr"] = group["lr"].fill_(now) if self.captures else now
        self.lr_factor = factor
        return self.taker(batch)

    def _step(self, batch: Any) -> dict[str, Tensor]:
        losses = self.stage.step(self.config, self.used, self.prepared, batch, self.fabric, self.step)
        device = self.fabric.device
        return {name: torch.as_tensor(value, device=device).detach().float() for name, value in losses.items()}

    def _state(self) -> list[Tensor]:
        """What a step changes: weights, buffers, and what optimisers remember."""
        own = [each for network in self.networks.values() for each in (*network.parameters(), *network.buffers())]
        kept = [each for optimiser in self.optimisers.values() for each in optimiser.state.values()]
        return own + [value for each in kept for value in each.values() if isinstance(value, Tensor)]

    def _reseed(self) -> None:
        reseed(self.seed, self.step, self.fabric.global_rank)

    def average(self) -> None:
        """Let the averages of the networks that learn follow."""
        decay = self.config.ema if self.stage.ema is None else self.stage.ema
        for name, average in self.averages.items():
            if name in self.learning:
                update(average, self.networks[name], decay, self.step - self.begin)

    def draw(self) -> None:
        """Write a sample grid, RUN/samples/<step>.jpg."""
        if not self.first:
            return
        used = {**self.networks, **self.averages}
        modes = {name: network.training for name, network in used.items()}
        for network in used.values():
            network.eval()
        with kept():
            synthesiser = self.method.synthesiser(self.config, used)
            with self.fabric.autocast():
                image = samples.draw(synthesiser, self.grid)
        for name, network in used.items():
            network.train(modes[name])
        if image is not None:
            samples.write(image, self.out / "samples" / f"{self.step:07d}.jpg")

    def save(self) -> None:
        """Write the checkpoint in the background; raises FersynError where a weight is not finite."""
        if not self.first:
            return
        for name, network in self.held.items():
            for key, weights in network.state_dict().items():
                if weights.is_floating_point() and not torch.isfinite(weights).all():
                    self.give_up(self.step, f"{key} of {name} is not finite")
        state = {
            **identity(self.method, self.config, self.table, self.seed, self.method.features(self.config)),
            "step": self.step,
            "seconds": self.seconds,
            "losses": self.losses,
            "machine": self.machine(),
            "networks": {name: network.state_dict() for name, network in self.held.items()},
            "averages": {name: network.state_dict() for name, network in self.averages.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
        }
        self.writer.save(state, self.about(finished=self.step == self.steps))

    def give_up(self, step: int, what: str) -> None:
        """Raise FersynError: at a step something is wrong; with what is left of the training."""
        self.writer.wait()
        there = checkpoint.find(self.out)
        good = "there is no checkpoint yet" if not there else f"{there} is still good"
        raise FersynError(f"at step {step} {what}; {good}. Try a lower lr, or --precision 32-true")

    def machine(self) -> dict[str, Any]:
        """What, beside the settings, the last bit of a weight depends on."""
        fabric = self.fabric
        threads = torch.get_num_threads() if fabric.device.type == "cpu" else 0
        about = {"device": fabric.device.type, "devices": fabric.world_size, "threads": threads}
        return {**about, "precision": precision_of(fabric)}

    def record(self, finished: bool) -> None:
        """Write RUN/run.json."""
        write_json(self.out / "run.json", self.about(finished))

    def about(self, finished: bool) -> dict[str, Any]:
        """What RUN/run.json says."""
        about, table = None, self.table
        if table is not None:
            about = {"fingerprint": table.fingerprint, "dataset": table.info.get("dataset")}
            about |= {"faces": len(table), "people": len(set(table.people)), "guides": list(table.guides)}
        return {
            "method": self.method.name,
            "table": about,
            "seed": self.seed,
            "step": self.step,
            "steps": self.steps,
            "finished": finished,
            "seconds": round(self.seconds, 3),
            "images_per_s": round(self.images_per_s, 2),
            "losses": self.losses,
            "parameters": {name: sum(p.numel() for p in net.parameters()) for name, net in self.networks.items()},
            "perceptual": self.method.features(self.config),
            "samples_of": self.grid_side or None,
            "device": runs.device_name(self.fabric.device),
            "devices": self.fabric.world_size,
            "precision": precision_of(self.fabric),
            "tf32": self.fabric.tf32,
            "compiled": self.compile,
            "graph": isinstance(self.taker, Captured) and not self.taker.refused,
            "versions": versions(runs.PACKAGES),
            "commit": self.commit,
        }


def identity(
    method: Method, config: MethodConfig, table: FaceTable | None, seed: int, features: str | None
) -> dict[str, Any]:
    """What makes a training this one and no other: a checkpoint of another is refused."""
    return {
        "method": method.name,
        "config": config.model_dump(mode="json"),
        "table": "none" if table is None else table.fingerprint,
        "people": people_of(table),
        "seed": seed,
        "features": features,
    }


def people_of(table: FaceTable | None) -> list[str]:
    """Whom a training on the table learns from, as 'dataset/subject'."""
    return [] if table is None else sorted(table.people_of("train"))
