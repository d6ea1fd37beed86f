"""What a worker process does: frames in, aligned pictures on disk and facts for the table out. Imports no torch by
itself.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from fersyn.building.folder import file_name, source_key
from fersyn.datasets.frames import TRUTH, Frame, Picture
from fersyn.errors import FersynError, NoFace, UnreadablePhoto
from fersyn.faces.align import Alignment
from fersyn.faces.crop import Face, crop_face
from fersyn.files import pixel_hash, write_atomic

PREVIEW_PX = 320


def start_worker() -> None:
    """Prepare a fresh process: one thread, Ctrl-C left to the parent, and an end when the parent is gone (even by
    SIGKILL).
    """
    import multiprocessing

    one_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def one_thread() -> None:
    """One thread a process: the pictures are the parallel thing, and sums come out the same whatever the number of
    workers.
    """
    threadpool_limits(1)  # of the BLAS and OpenMP that are loaded already
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # for libraries that are loaded later on
    cv2.setNumThreads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def work(chunk: list[tuple[int, Frame, bool]], folder: str, size: int) -> list[dict[str, Any]]:
    """Process frames, each (number, frame, whether to keep a preview), one after the other; return their journal
    entries.
    """
    return [_one(number, frame, preview, Path(folder), size) for number, frame, preview in chunk]


def _one(number: int, frame: Frame, preview: bool, folder: Path, size: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"source": frame.source}
    try:
        entry["stamp"] = frame.stamp()  # before reading: a file that changes meanwhile is read again next time
        picture = frame.picture()
        face = crop_face(picture.image, size)
    except (UnreadablePhoto, NoFace) as error:
        entry["reason"] = str(error)
        return entry
    except FersynError:  # a missing model, a rig that cannot be built: no picture would fare better
        raise
    except MemoryError:
        raise FersynError(f"out of memory at {frame.source}; run the same command again with fewer --workers") from None
    except Exception as error:
        if frame.made_here:
            raise RuntimeError(f"{frame.source} could not be drawn") from error
        # One odd picture must not end a run of thousands: it is skipped, named, and tried again next time.
        text = " ".join(str(error).split())
        entry["reason"] = f"unexpected {type(error).__name__}: {text}"
        entry["stamp"] = None
        return entry
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
    truth = picture.truth
    facts: dict[str, Any] = {
        "landmarks": np.round(face.landmarks, 2).tolist(),
        "align": np.round(face.alignment.matrix, 6).ravel().tolist(),
        "width": picture.image.shape[1],
        "height": picture.image.shape[0],
        "sha256": pixel_hash(face.crop),
        "truth_landmarks": _true_landmarks(truth.get("landmarks"), face.alignment),
        "truth_glasses": None if truth.get("glasses") is None else bool(truth["glasses"]),
    }
    for name in TRUTH:
        value = truth.get(name)
        facts[f"truth_{name}"] = None if value is None else round(float(value), 6)
    return facts


def _true_landmarks(points: np.ndarray | None, alignment: Alignment) -> list | None:
    return None if points is None else np.round(alignment.apply(points), 2).tolist()


def _preview(image: np.ndarray, face: Face, source: str, folder: Path) -> dict[str, Any]:
    scale = min(1.0, PREVIEW_PX / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
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
