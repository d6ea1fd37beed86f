"""dlib's face ResNet, in the package face_recognition_models and so always there; here, or in other processes meanwhile.

dlib's networks hold Python's lock and use one core: where torch is busy on the others, their time is won. A plain command and
two files, not `multiprocessing`, which runs a user's script a second time. The result is the same either way.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from fersyn.errors import FersynError
from fersyn.evaluation.verifiers.base import Verifier
from fersyn.faces.descriptors import FILE, describe
from fersyn.faces.landmarks import model_path

WORTH = 48  # pictures for which starting a process pays
_HOME = str(Path(__file__).resolve().parents[3])


class DlibFace(Verifier):
    """`fersyn.faces.descriptors`; trained on some 3 million photographs of 7485 people."""

    name, title, score, weights, width, batch = "dlib", "dlib ResNet", "euclidean", "dlib-face", 128, 64
    how = "pip install face_recognition_models"

    def available(self) -> bool:
        """Whether the model file is installed."""
        try:
            return bool(model_path(FILE))
        except FersynError:
            return False

    def describe(self, images, landmarks):
        """See `Verifier.describe`."""
        return describe(images, landmarks)


class Descriptors:
    """`DlibFace.embed` of faces, worked out in other processes: one, or as many as torch has threads but one, where each gets
    `worth` pictures. `result()` waits for them.

    Args:
        images: uint8 RGB (N, H, W, 3).
        landmarks: (N, 68, 2) px of the images.
        worth: fewest pictures for which a process is started.
    """

    def __init__(self, images: np.ndarray, landmarks: np.ndarray, worth: int = WORTH):
        self._faces, self._folder, self._processes = (images, landmarks), None, []
        if len(images) >= worth and sys.executable:
            self._begin(min(max(1, torch.get_num_threads() - 1), len(images) // worth))

    def _begin(self, count: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fersyn-")
        for name, array in zip(("images", "landmarks"), self._faces, strict=True):
            np.save(Path(self._folder.name) / f"{name}.npy", array)
        path = os.pathsep.join(part for part in (_HOME, os.environ.get("PYTHONPATH")) if part)
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        for part in range(count):
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", __name__, self._folder.name, str(part), str(count)],
                    env={**os.environ, **one, "PYTHONPATH": path},
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
            except OSError:  # no process may be had: what is missing is worked out here
                break
            self._processes.append(process)

    def result(self) -> np.ndarray:
        """float32 (N, 128); worked out here where another process was ended or not begun."""
        if self._folder is None:
            return DlibFace().embed(*self._faces)
        try:
            done = [process.wait() == 0 for process in self._processes]
            files = [_found(self._folder.name, part) for part in range(len(done))]
            whole = all(done) and all(file.is_file() for file in files)
            found = [np.load(file, allow_pickle=False) for file in files] if whole else []
        finally:
            for process in self._processes:
                if process.poll() is None:  # interrupted while waiting
                    process.kill()
                    process.wait()
            self._folder.cleanup()
            self._folder, self._processes = None, []
        # Fewer than all: a process could not be begun.
        there = np.concatenate(found) if found else np.zeros((0, DlibFace.width), np.float32)
        return there if len(there) == len(self._faces[0]) else DlibFace().embed(*self._faces)


def _found(folder: str | Path, part: int) -> Path:
    return Path(folder) / f"found{part}.npy"


def main(folder: str, part: int, count: int) -> None:
    """Another process: describe its part of `count` of FOLDER/images.npy with landmarks.npy, and write it down."""
    faces = [np.load(Path(folder) / f"{name}.npy", allow_pickle=False) for name in ("images", "landmarks")]
    own = np.array_split(np.arange(len(faces[0])), count)[part]
    np.save(_found(folder, part), DlibFace().embed(*(array[own] for array in faces)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
