"""``make bench``: faces a second and peak memory of a worker, ours beside a plain dlib loop over the same files; training
steps a second, ours beside a plain eager loop; what a step asks of a device, by method and precision; and the delay of notebook 07. Every repeat of the loops over faces starts in a
fresh process: imports, models and the start of workers count.

``python scripts/bench.py [--photos DIR] [--subjects 4] [--workers N] [--repeats 3] [--batch N]
[--only preprocessing|rendering|training|devices|explore]``
"""

import argparse
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psutil

from fersyn.system import cores, processor, versions


def plain_loop(files: list[str], out: str) -> tuple[int, float]:
    """What a user of dlib writes: load, detect, 68 landmarks, aligned chip of 128 px, save. One picture after the
    other.

    It detects at full size and, only where nothing is found, upsampled once; the quicker of the two usual settings.

    Returns:
        Number of faces, and seconds, in which dlib is imported and its models are loaded.
    """
    began = time.perf_counter()
    import dlib
    import numpy as np
    from PIL import Image

    from fersyn.faces.landmarks import model_path

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(model_path("shape_predictor_68_face_landmarks.dat"))
    faces = 0
    for number, file in enumerate(files):
        image = np.array(Image.open(file).convert("RGB"))
        boxes = detector(image, 0) or detector(image, 1)
        if not boxes:
            continue
        box = max(boxes, key=lambda box: box.area())
        chip = dlib.get_face_chip(image, predictor(image, box), size=128, padding=0.4)
        Image.fromarray(chip).save(Path(out) / f"{number:06d}.png")
        faces += 1
    return faces, time.perf_counter() - began


def plain_rendering(subjects: int, seed: int, out: str) -> tuple[int, float]:
    """Renders one frame after the other in one process, and then runs :func:`plain_loop` over the files."""
    from PIL import Image

    from fersyn.datasets.rendered import read_rendered

    began = time.perf_counter()
    files = []
    for number, frame in enumerate(read_rendered(subjects=subjects, seed=seed).frames):
        files.append(str(Path(out) / f"raw{number:06d}.png"))
        Image.fromarray(frame.picture().image).save(files[-1])
    rendered = time.perf_counter() - began
    faces, seconds = plain_loop(files, out)
    return faces, rendered + seconds


@contextmanager
def peak_memory_of_children(every: float = 0.05):
    """Yields a list that in the end holds one number: the largest resident set of any one new child process, in
    bytes.
    """
    found, stop, me = [0], threading.Event(), psutil.Process()
    before = set(me.children(recursive=True))

    def watch() -> None:
        while not stop.wait(every):
            for child in set(me.children(recursive=True)) - before:
                try:
                    found[0] = max(found[0], child.memory_info().rss)
                except psutil.Error:  # it ended between the two calls
                    continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def in_one_process(function: Callable, *arguments) -> tuple[int, float, int]:
    """Runs ``function`` in a fresh process: faces, seconds, bytes."""
    with peak_memory_of_children() as peak, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        faces, seconds = pool.submit(function, *arguments).result()
    return faces, seconds, peak[0]


def ours(frame_set, out: Path, workers: int) -> tuple[int, float, int]:
    """Builds a face table of ``frame_set`` in a fresh process, where no fork server is warm: faces, seconds (imports and
    the start of the workers included), bytes of the largest worker.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_build, frame_set, out, workers).result()


def _build(frame_set, out: Path, workers: int) -> tuple[int, float, int]:
    with peak_memory_of_children() as peak:
        began = time.perf_counter()
        from fersyn.building.workers import start_server

        start_server()  # as the command does
        from fersyn.building.preprocess import build_table

        table = build_table(frame_set, out, workers=workers)
        seconds = time.perf_counter() - began
    return len(table), seconds, peak[0]


def photographs(folder: Path) -> None:
    """Writes openpeople's photo-like faces as files: each tile, its mirror image, and both at two thirds the size."""
    from PIL import Image, ImageOps

    from fersyn.datasets.openpeople import read_openpeople

    for frame in read_openpeople().frames:
        tile = Image.fromarray(frame.picture().image)
        small = tile.resize((tile.width * 2 // 3, tile.height * 2 // 3), Image.Resampling.LANCZOS)
        target = folder / frame.subject / frame.expression
        target.mkdir(parents=True, exist_ok=True)
        for name, image in {"a": tile, "b": ImageOps.mirror(tile), "c": small, "d": ImageOps.mirror(small)}.items():
            image.save(target / f"{name}.jpg", quality=92)


def machine() -> str:
    """One line: what was measured on, with which versions."""
    found = versions(("dlib-bin", "opencv-python-headless", "torch"))
    kit = f"fersyn {found.pop('fersyn')}, Python {found.pop('python')}"
    packages = ", ".join(f"{name} {version}" for name, version in found.items())
    return f"{kit}, {packages}\n{processor()}, {cores()} cores in use, {platform.system()}"


def compare(title: str, runs: dict[str, Callable[[Path], tuple[int, float, int]]], repeats: int) -> dict[str, float]:
    """Runs all in turn, ``repeats`` times, and prints the median of each; the first is what the others are compared
    with.

    Returns:
        Median faces a second of each.
    """
    rates: dict[str, list[float]] = {name: [] for name in runs}
    memory = dict.fromkeys(runs, 0)
    count = dict.fromkeys(runs, 0)
    for _ in range(repeats):
        for name, run in runs.items():
            folder = Path(tempfile.mkdtemp(prefix="fersyn-bench-"))
            try:
                faces, seconds, peak = run(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            rates[name].append(faces / seconds)
            memory[name], count[name] = max(memory[name], peak), faces
    print(f"\n{title}, median of {repeats}, each in a fresh process")
    first = median(next(iter(rates.values())))
    for name, own in rates.items():
        ratio = f"{median(own) / first:5.2f} x"
        each = ", ".join(f"{rate:.1f}" for rate in own)
        print(
            f"  {name:<38}{median(own):7.1f} faces/s  {ratio}"
            f"  {memory[name] / 1e6:6.0f} MB a worker  {count[name]} faces  ({each})",
            flush=True,
        )
    return {name: median(own) for name, own in rates.items()}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python scripts/bench.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--photos", type=Path, help="a folder as `fersyn data folder` reads it (default: openpeople's faces)"
    )
    parser.add_argument("--subjects", type=int, default=4, help="rendered people (42 frames each)")
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch", type=int, help="pairs a training step (default: 2 on the CPU, 16 on a GPU)")
    parser.add_argument("--only", choices=["preprocessing", "rendering", "training", "devices", "explore"])
    options = parser.parse_args(arguments)
    os.environ.setdefault("FERSYN_PROGRESS", "off")
    print(machine(), flush=True)
    if options.only in (None, "preprocessing"):
        _bench_preprocessing(options)
    if options.only in (None, "rendering"):
        _bench_rendering(options)
    if options.only in (None, "training"):
        from bench_training import bench

        bench(options.repeats, batch=options.batch)
    if options.only in (None, "devices"):
        import bench_devices

        bench_devices.bench(batch=options.batch)
    if options.only in (None, "explore"):
        import bench_explore

        print(bench_explore.table(bench_explore.measure()), flush=True)
    return 0


def _bench_preprocessing(options: argparse.Namespace) -> None:
    from fersyn.datasets.folder import read_folder

    with tempfile.TemporaryDirectory() as made:
        if not options.photos:
            photographs(Path(made))
        frame_set = read_folder(options.photos or Path(made))
        files = [str(frame.path) for frame in frame_set.frames]
        compare(
            f"preprocessing {len(files)} photographs (load, detect, 68 landmarks, align, write)",
            {
                "plain dlib loop, 1 process": lambda out: in_one_process(plain_loop, files, str(out)),
                "fersyn, 1 worker": lambda out: ours(frame_set, out, 1),
                f"fersyn, {options.workers} workers": lambda out: ours(frame_set, out, options.workers),
            },
            options.repeats,
        )


def _bench_rendering(options: argparse.Namespace) -> None:
    from fersyn.datasets.rendered import read_rendered

    frame_set = read_rendered(subjects=options.subjects, seed=0)
    frame_set.prepare()  # the rig is built once on a machine, and not measured
    compare(
        f"rendering and preprocessing {len(frame_set.frames)} frames of {options.subjects} people",
        {
            "render, then plain loop, 1 process": lambda out: in_one_process(
                plain_rendering, options.subjects, 0, str(out)
            ),
            f"fersyn, {options.workers} workers": lambda out: ours(frame_set, out, options.workers),
        },
        options.repeats,
    )


if __name__ == "__main__":
    sys.exit(main())
