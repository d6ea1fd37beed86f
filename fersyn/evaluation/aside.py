"""dlib's descriptors, worked out in another process while this one goes on.

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

from fersyn.evaluation.verifiers.dlib_face import DlibFace

WORTH = 48  # pictures for which starting a process pays
_HOME = str(Path(__file__).resolve().parents[2])


class Descriptors:
    """Descriptors of faces that are being worked out; `result()` waits for them.

    Args:
        images: uint8 RGB (N, H, W, 3).
        landmarks: (N, 68, 2) px of the images.
        worth: fewest pictures for which a process is started; None: `WORTH`.
    """

    def __init__(self, images: np.ndarray, landmarks: np.ndarray, worth: int | None = None):
        self._images, self._landmarks = images, landmarks
        self._folder = self._process = None
        if len(images) >= (WORTH if worth is None else worth) and sys.executable:
            self._begin()

    def _begin(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fersyn-")
        np.save(Path(self._folder.name) / "images.npy", self._images)
        np.save(Path(self._folder.name) / "landmarks.npy", self._landmarks)
        path = os.pathsep.join(part for part in (_HOME, os.environ.get("PYTHONPATH")) if part)
        one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fersyn.evaluation.aside", self._folder.name], env={**os.environ, **one, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:  # no process may be had: it is worked out here
            self._folder.cleanup()

    def result(self) -> np.ndarray:
        """float32 (N, 128) as of `DlibFace.embed`; worked out here where the other process was ended or not begun."""
        if self._process is not None:
            try:
                done = self._process.wait() == 0
                file = Path(self._folder.name) / "found.npy"
                found = np.load(file, allow_pickle=False) if done and file.is_file() else None
            finally:
                if self._process.poll() is None:  # interrupted while waiting
                    self._process.kill()
                    self._process.wait()
                self._process = None
                self._folder.cleanup()
            if found is not None:
                return found
        return DlibFace().embed(self._images, self._landmarks)


def main(folder: str) -> None:
    """The other process: describe FOLDER/images.npy with landmarks.npy, and write found.npy."""
    images, landmarks = (np.load(Path(folder) / f"{name}.npy", allow_pickle=False) for name in ("images", "landmarks"))
    np.save(Path(folder) / "found.npy", DlibFace().embed(images, landmarks))


if __name__ == "__main__":
    main(sys.argv[1])
