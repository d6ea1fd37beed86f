"""Pickles of plain numpy arrays, read by an unpickler that can build arrays and nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fersyn.errors import FersynError

if TYPE_CHECKING:
    from torch import Tensor

_ADMITTED = {("numpy", "ndarray"), ("numpy", "dtype")} | {
    (module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")
}


class ArrayUnpickler(pickle.Unpickler):
    """Admits dicts, lists, numbers, strings and numpy arrays; any other name in the pickle is an error, not called."""

    def find_class(self, module: str, name: str):
        """The four names that an array needs."""
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only arrays are admitted")
        if name == "_reconstruct":
            return _reconstruct
        return getattr(np, name)


def _reconstruct(kind, shape, code):
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("it builds something else than arrays")
    return np.ndarray.__new__(kind, shape, code)


def convolutions(path: Path, places: tuple[int, ...]) -> dict[str, Tensor]:
    """Convolutions `{network: {Conv_0: {kernel (H, W, in, out), bias (out)}}}` as `features.N.weight` (out, in, H, W)
    and `features.N.bias`; N are the `places`, one a convolution.

    Raises:
        FersynError: the file has other contents.
    """
    import torch

    try:
        with path.open("rb") as file:
            found = ArrayUnpickler(file).load()
        networks = [value for value in found.values() if "Conv_0" in value]
        layers = [networks[0][f"Conv_{i}"] for i in range(len(places))]
        state = {}
        for place, layer in zip(places, layers, strict=True):
            kernel = np.asarray(layer["kernel"], dtype=np.float32).transpose(3, 2, 0, 1)
            state[f"features.{place}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel))
            state[f"features.{place}.bias"] = torch.from_numpy(np.array(layer["bias"], dtype=np.float32))
    except Exception as error:  # a pickle of something else raises whatever it likes
        raise FersynError(f"{path} cannot be read ({error}); delete it and fetch it again") from error
    return state
