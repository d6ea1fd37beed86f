"""Frames in, aligned pictures on disk and facts for the table out: by worker processes, chunk by chunk, a bounded number of
them waiting. Imports no torch.
"""

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from fersyn.building.folder import file_name, source_key
from fersyn.datasets.frames import TRUTH, Frame, Picture
from fersyn.errors import FersynError, NoFace, UnreadablePhoto
from fersyn.faces.crop import Face, crop_face
from fersyn.faces.landmarks import resize
from fersyn.files import pixel_hash, write_atomic
from fersyn.system import environment

PREVIEW_PX = 320
# For libraries that are loaded later on.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Job = tuple[int, Frame, bool]
_MOST = 48  # frames a chunk, what a killed run loses at most, a worker: a rendered person in one go


def default_workers() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process(jobs: list[Job], folder: str, size: int, workers: int) -> Iterator[list[dict]]:
    """Yield the journal entries of finished chunks, in whatever order they finish.

    Args:
        jobs: (number, frame, whether to keep a preview).
        folder: the table.
        size: side of the faces, px.
        workers: as of `run`.

    Raises:
        FersynError: a worker died.
    """
    return run(work, [(chunk, folder, size) for chunk in _chunks(jobs, max(workers, 1))], workers)


def run(function: Callable[..., Any], jobs: Sequence[tuple], workers: int) -> Iterator[Any]:
    """Yield `function(*job)` of all jobs, in whatever order they finish, a bounded number of them waiting.

    Args:
        function: of a module, as processes import it.
        jobs: its arguments.
        workers: processes; 0 works in this one (for debugging: no start-up, plain tracebacks).

    Raises:
        FersynError: a worker died; with its exit code and the last line that it printed.
    """
    if workers == 0:
        with _one_thread_here():
            for job in jobs:
                yield function(*job)
        return
    start_server()
    with ProcessPoolExecutor(min(workers, len(jobs)), _context(), start_worker) as pool:
        waiting, before = iter(jobs), set(multiprocessing.active_children())
        try:
            running = {pool.submit(function, *job) for job in islice(waiting, 2 * workers)}
            begun = set(multiprocessing.active_children()) - before
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    running |= {pool.submit(function, *job) for job in islice(waiting, 1)}
                    yield result
        except BrokenProcessPool:
            cure = "nothing finished is lost: run the same command again, if need be with fewer --workers"
            raise FersynError(f"a worker process died{_how(begun)}; {cure}") from None
        except BaseException:  # Ctrl-C, or the caller stopped: what runs may finish, what waits is dropped
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def start_server() -> None:
    """Start the fork server already, to let it load while the caller does other things. Harmless if it runs."""
    if _context().get_start_method() == "forkserver":
        from multiprocessing.forkserver import ensure_running

        # The server is a `python -c`, for which the current folder comes first: a folder `fersyn` there (the checkout, seen
        # from above it) would be taken for this package. Python 3.10 cannot leave it out: there each worker loads by itself.
        if sys.version_info >= (3, 11):
            multiprocessing.set_forkserver_preload(["fersyn.building.warm"])
        path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
        with environment(**_ONE_THREAD, PYTHONSAFEPATH="1", PYTHONPATH=path), _words_kept():
            ensure_running()


@lru_cache(maxsize=1)
def _words():
    """What the workers print on stderr, tracebacks say, for the message when one dies."""
    return tempfile.TemporaryFile()


@contextmanager
def _words_kept():
    """What is started meanwhile, and its children, print on stderr into `_words`."""
    before = os.dup(2)
    try:
        os.dup2(_words().fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _how(workers: set[multiprocessing.Process]) -> str:
    """Exit code and last line of the worker that died first: the pool ends the others by SIGTERM."""
    codes = sorted((each.exitcode or 0 for each in workers), key=lambda code: code in (0, -signal.SIGTERM))
    _words().seek(0)
    lines = _words().read().decode(errors="replace").split("\n")
    if codes and codes[0] < 0:
        memory = ", often for lack of memory" if codes[0] == -signal.SIGKILL else ""
        return f" (ended by {signal.Signals(-codes[0]).name}{memory})"
    last = next((line for line in reversed(lines) if line.strip()), "it printed nothing")
    return f" (exit code {codes[0] if codes else 'unknown'}: {last.strip()})"


def _context():
    # Not fork: a notebook has torch and its threads loaded, and a forked copy of those can hang. The fork server is a
    # clean process that holds numpy, cv2 and dlib's models once; where there is none (Windows), workers start from
    # scratch.
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def _chunks(jobs: list[Job], workers: int) -> list[list[Job]]:
    """Neighbours together, people not torn apart where it can be helped: a renderer draws each person once."""
    most = max(1, min(_MOST, -(-len(jobs) // (4 * workers))))
    chunks: list[list[Job]] = []
    for job in jobs:
        last = chunks[-1] if chunks else None
        another = last is not None and last[-1][1].subject != job[1].subject
        if last is None or len(last) >= most or (another and 2 * len(last) >= most):
            chunks.append([job])
        else:
            last.append(job)
    return chunks


def start_worker() -> None:
    """Prepare a fresh process: one thread, no GPU, Ctrl-C left to the parent, an end when the parent is gone (even by SIGKILL)."""
    _one_thread()
    os.environ["FERSYN_ACCELERATOR"] = (
        "cpu"  # a face at a time gains nothing by a GPU, and each process would hold its memory
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _one_thread() -> None:
    """One thread a process: the pictures are the parallel thing, and sums are the same for any number of workers."""
    threadpool_limits(1)  # of the BLAS and OpenMP that are loaded already
    os.environ.update(_ONE_THREAD)
    cv2.setNumThreads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@contextmanager
def _one_thread_here():
    torch = sys.modules.get("torch")
    before = cv2.getNumThreads(), torch.get_num_threads() if torch else None
    with environment(**_ONE_THREAD), threadpool_limits(1):
        _one_thread()
        try:
            yield
        finally:
            cv2.setNumThreads(before[0])
            if torch:
                torch.set_num_threads(before[1])


def work(chunk: list[Job], folder: str, size: int) -> list[dict[str, Any]]:
    """Process frames one after the other; returns their journal entries."""
    return [_one(number, frame, preview, Path(folder), size) for number, frame, preview in chunk]


def _one(number: int, frame: Frame, preview: bool, folder: Path, size: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"source": frame.source}
    try:
        entry["stamp"] = frame.stamp()  # before reading: a file that changes meanwhile is read again next time
        picture = frame.picture()
        face = crop_face(picture.image, size, picture.whole)
        frame.check(face)
    except (UnreadablePhoto, NoFace) as error:
        return entry | {"reason": str(error)}
    except FersynError:  # a missing model, a rig that cannot be built: no picture would fare better
        raise
    except MemoryError:
        raise FersynError(f"out of memory at {frame.source}; run the same command again with fewer --workers") from None
    except Exception as error:
        if frame.made_here:
            raise RuntimeError(f"{frame.source} could not be drawn") from error
        # One odd picture must not end a run of thousands: it is skipped, named, and tried again next time.
        return entry | {"reason": f"unexpected {type(error).__name__}: {' '.join(str(error).split())}", "stamp": None}
    data = _encode(".png", face.crop, cv2.IMWRITE_PNG_COMPRESSION, 3)
    _write(folder / file_name(number, frame.source), data)
    entry["face"] = {"bytes": len(data), **_facts(picture, face)}
    if preview:
        entry["preview"] = _preview(picture.image, face, frame.source, folder)
    return entry


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, lambda temporary: temporary.write_bytes(data))
    except OSError as error:  # a full disk, no permission: the next picture would fare no better
        reason = error.strerror or type(error).__name__
        raise FersynError(f"{path}: cannot be written ({reason}); mend that and run the same command again") from None


def _facts(picture: Picture, face: Face) -> dict[str, Any]:
    truth, points = picture.truth, picture.truth.get("landmarks")
    known = {name: truth.get(name) for name in TRUTH}
    return {
        "landmarks": np.round(face.landmarks, 2).tolist(),
        "align": np.round(face.alignment.matrix, 6).ravel().tolist(),
        "width": picture.image.shape[1],
        "height": picture.image.shape[0],
        "sha256": pixel_hash(face.crop),
        "truth_landmarks": None if points is None else np.round(face.alignment.apply(points), 2).tolist(),
        "truth_glasses": None if truth.get("glasses") is None else bool(truth["glasses"]),
        **{f"truth_{name}": None if value is None else round(float(value), 6) for name, value in known.items()},
    }


def _preview(image: np.ndarray, face: Face, source: str, folder: Path) -> dict[str, Any]:
    scale = min(1.0, PREVIEW_PX / max(image.shape[:2]))
    small, _ = resize(image, scale)
    name = f"{source_key(source)}.jpg"
    data = _encode(".jpg", small, cv2.IMWRITE_JPEG_QUALITY, 90)
    _write(folder / ".fersyn" / "previews" / name, data)
    points = (face.alignment.apply_inverse(face.landmarks) + 0.5) * scale - 0.5
    box = (np.array(face.box[:4]) + 0.5) * scale - 0.5
    return {"preview": name, "box": np.round(box, 2).tolist(), "landmarks": np.round(points, 2).tolist()}


def _encode(kind: str, image: np.ndarray, option: int, value: int) -> bytes:
    ok, data = cv2.imencode(kind, np.ascontiguousarray(image[..., ::-1]), [option, value])
    if not ok:
        raise OSError(f"the picture cannot be written as {kind}")
    return data.tobytes()
