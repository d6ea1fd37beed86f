"""What a training step asks of a device, and how fast that is: milliseconds a step by method and precision, calls a step, on a GPU
the share of the time in which it is busy and the share of its peak; and faces a second of the generator and of an edit.

    python scripts/bench_devices.py [--accelerator cpu] [--profile paper] [--batch N] [--steps N] [--json FILE]

`make bench` prints it, too. On a CPU batches are small and steps few: its numbers stand for themselves alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from bench_training import NoiseTable, flops, ours, seconds
from torch.profiler import ProfilerActivity, profile

from fersyn import methods
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.training.process import TF32, fast_in_bf16, kept

METHODS = ("landmark-label", "c-gan", "landmark-flow")
# TFLOP/s of dense products, as the makers print them: bfloat16, TF32, float32.
PEAKS = {
    "B200": (2250, 1125, 75), "H200": (989, 494, 67), "H100 PCIe": (756, 378, 51), "H100": (989, 494, 67), "A100": (312, 156, 19.5),
    "L40S": (362, 183, 91.6), "L4": (121, 60, 30.3), "A10": (125, 62.5, 31.2), "RTX 4090": (165, 82.6, 82.6), "RTX 3090": (71, 35.6, 35.6),
}  # fmt: skip
# Operators that move no number: views, and memory that is asked for.
IDLE = {
    f"aten::{name}"
    for name in (
        "as_strided", "view", "_unsafe_view", "_reshape_alias", "empty", "empty_strided", "empty_like", "new_empty_strided", "detach",
        "alias", "resize_", "lift_fresh", "result_type", "set_", "unsqueeze", "squeeze", "slice", "select", "t", "transpose", "reshape", "narrow", "split", "chunk", "flatten", "unflatten", "expand_as", "view_as", "expand", "permute", "unbind", "is_nonzero", "item",
    )
}  # fmt: skip
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx", "cudaGraphLaunch")


def peak(card: str, precision: str) -> float | None:
    """TFLOP/s that a card reaches at most; None: not known here."""
    known = next((own for name, own in PEAKS.items() if name in card), None)
    column = 0 if "bf16" in precision else 1 if precision == TF32 else 2
    return known[column] if known else None


def calls(step: Callable[[], None]) -> int:
    """Operators that work in a step, in all its passes, as the profiler counts them on any device: on a GPU each is a launch or more,
    unless they were captured.
    """
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        step()
    own = [event for event in seen.events() if event.name.startswith("aten::") and event.name not in IDLE]
    return sum(
        not any(child.name.startswith("aten::") and child.name not in IDLE for child in e.cpu_children) for e in own
    )


def gpu_use(step: Callable[[], None], steps: int) -> dict[str, float]:
    """Of some steps on a GPU: the share of the time in which it is busy, and launches a step."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        began = time.perf_counter()
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
        wall = time.perf_counter() - began
    found = seen.key_averages()
    busy = sum(event.self_device_time_total for event in found) / 1e6
    launches = sum(event.count for event in found if event.key in LAUNCHES)
    return {"busy": min(1.0, busy / wall), "launches": launches / steps}


def of_method(
    name: str, precision: str, device: torch.device, profile: str, batch: int | None, steps: int
) -> dict[str, Any]:
    """A method's step at the size of a profile: milliseconds, TFLOP/s, and on a GPU how busy it is. The profiler slows a step down:
    it looks at others than those that are timed.
    """
    method = methods.get(name)
    config = method.preset(profile, **({"batch": batch} if batch else {}))
    with kept():
        work = flops(ours(config, device.type, precision, method=method))
        step = ours(config, device.type, precision, method=method)
        for _ in range(10 if device.type == "cuda" else 1):
            step()
        took = seconds(step, steps, device)
        found = {"method": name, "precision": precision, "batch": config.batch, "ms": 1000 * took}
        found |= {"steps_per_s": 1 / took, "TFLOP": work / 1e12, "TFLOP/s": work / took / 1e12}
        if device.type == "cuda":
            most = peak(torch.cuda.get_device_name(device), precision)
            found |= gpu_use(step, min(steps, 10)) | {"of_peak": most and found["TFLOP/s"] / most}
        else:
            found["calls"] = calls(step)
    return found


@torch.inference_mode()
def of_edit(device: torch.device, profile: str, faces: int = 32) -> float:
    """Faces a second that an untrained landmark-flow edits, landmarks given; the time does not depend on the weights."""
    method = methods.get("landmark-flow")
    config = method.preset(profile)
    networks = {name: each.to(device).eval() for name, each in method.networks(config).items()}
    table = NoiseTable(size=config.size)
    pictures = torch.rand(faces, 3, config.size, config.size, device=device) * 2 - 1
    source, target = (
        torch.from_numpy(table.landmarks()[rows]).float().to(device) for rows in (slice(faces), slice(-faces, None))
    )
    synthesiser = method.synthesiser(config, networks)

    def step() -> None:
        synthesiser.edit(pictures, "happiness", 1.0, landmarks=target, source_landmarks=source)

    step()
    return faces / seconds(step, 10 if device.type == "cuda" else 1, device)


@torch.inference_mode()
def of_generator(device: torch.device, faces: int = 32) -> float | None:
    """Faces of 256 px a second that the generator of people draws and the mapper moves; None: its weights are not here."""
    from fersyn.nets import expression_mapper, generators

    try:
        generator = generators.get()
    except FersynError as error:
        print(f"  {error}")
        return None
    mapper = expression_mapper.get(generator).to(device)
    generator, count = generator.to(device), faces if device.type == "cuda" else 1
    z = torch.randn(count, generator.width, generator=torch.Generator().manual_seed(0)).to(device)

    def step() -> None:
        generator.synthesise(mapper.edit(generator.sample(z, 0.7), EXPRESSIONS[5], styles=generator.styles), 256)

    step()
    return count / seconds(step, 5 if device.type == "cuda" else 1, device)


def bench(
    accelerator: str = "", profile: str = "paper", batch: int | None = None, steps: int | None = None
) -> dict[str, Any]:
    """Print a line a method and precision, and faces a second; returns all of it.

    Args:
        accelerator: cpu or cuda; empty: a GPU where there is one.
        profile: whose sizes the methods have.
        batch: pairs a step; None: 2 on a CPU, the profile's on a GPU.
        steps: timed; None: 1 on a CPU, 50 on a GPU.
    """
    device = torch.device(accelerator or ("cuda" if torch.cuda.is_available() else "cpu"))
    gpu = device.type == "cuda"
    where = torch.cuda.get_device_name() if gpu else f"CPU, {torch.get_num_threads()} threads"
    steps, batch = steps or (50 if gpu else 1), batch or (None if gpu else 2)
    precisions = ["32-true", *([TF32] if gpu else []), *(["bf16-mixed"] if fast_in_bf16(device) else [])]
    print(f"\ntraining steps at the sizes of the profile {profile}, {where}")
    rows = []
    for name in METHODS:
        for precision in precisions:
            row = of_method(name, precision, device, profile, batch, steps)
            rows.append(row)
            speed = f"{row['ms']:8.1f} ms {row['steps_per_s']:8.3g} steps/s {row['TFLOP/s']:8.3g} TFLOP/s"
            share = "" if not row.get("of_peak") else f" ({row['of_peak']:.0%} of the card's peak)"
            use = f"busy {row['busy']:.0%}, {row['launches']:.0f} launches" if gpu else f"{row['calls']} operators"
            print(f"  {name:<15} batch {row['batch']:>2}, {precision:<10} {speed}{share}, {use}", flush=True)
    edits, drawn = of_edit(device, profile), of_generator(device)
    print(
        f"  landmark-flow edits {edits:.3g} faces/s" + (f"; the generator draws {drawn:.3g} faces/s" if drawn else ""),
        flush=True,
    )
    return {"device": where, "profile": profile, "steps": rows, "edit, faces/s": edits, "generator, faces/s": drawn}


def main(
    accelerator: Annotated[str, typer.Option(help="cpu or cuda; empty: a GPU where there is one.")] = "",
    profile: Annotated[str, typer.Option(help="Whose sizes: smoke, laptop or paper.")] = "paper",
    batch: Annotated[int | None, typer.Option(help="Pairs a step.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps that are timed.")] = None,
    out: Annotated[Path | None, typer.Option("--json", help="File for the numbers.")] = None,
) -> None:
    """Print what a step asks of the device."""
    found = bench(accelerator, profile, batch, steps)
    if out:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
