"""dlib's face ResNet, in the package face_recognition_models and so always there; here, or in another process meanwhile.

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
    """`DlibFace.embed` of faces, worked out in another process; `result()` waits for them.

    Args:
        images: uint8 RGB (N, H, W, 3).
        landmarks: (N, 68, 2) px of the images.
        worth: fewest pictures for which a process is started.
    """

    def __init__(self, images: np.ndarray, landmarks: np.ndarray, worth: int = WORTH):
        self._faces, self._folder, self._process = (images, landmarks), None, None
        if len(images) >= worth and sys.executable:
            self._begin()

    def _begin(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fersyn-")
        for name, array in zip(("images", "landmarks"), self._faces, strict=True):
            np.save(Path(self._folder.name) / f"{name}.npy", array)
        path = os.pathsep.join(part for part in (_HOME, os.environ.get("PYTHONPATH")) if part)
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, self._folder.name], env={**os.environ, **one, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:  # no process may be had: it is worked out here
            self._folder.cleanup()

    def result(self) -> np.ndarray:
        """float32 (N, 128); worked out here where the other process was ended or not begun."""
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
        return DlibFace().embed(*self._faces)


def main(folder: Path) -> None:
    """The other process: describe FOLDER/images.npy with landmarks.npy, and write found.npy."""
    faces = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("images", "landmarks"))
    np.save(folder / "found.npy", DlibFace().embed(*faces))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
