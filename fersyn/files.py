"""Two small things about files that worker processes need too (and so stand apart from pandas)."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write(temporary path)` and put the result in place in one step: a kill leaves the old file or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def pixel_hash(image: np.ndarray) -> str:
    """Return the sha256 (hex) of a uint8 picture's shape and pixels."""
    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
