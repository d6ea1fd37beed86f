"""Weight files as plain dicts of tensors. The files were checked by `find`; still nothing is unpickled, but for plain
arrays, by an unpickler that can build nothing else.

torch and numpy are imported where they are used: `fersyn weights` lists what is there without them.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fersyn.errors import FersynError
from fersyn.files import data_of
from fersyn.weights.places import Found, locate
from fersyn.weights.registry import cure

if TYPE_CHECKING:
    from torch import Tensor

    from fersyn.weights.tflite_file import Graph

# Pickles of arrays may ask for these and for nothing else.
_ADMITTED = {("numpy", "ndarray"), ("numpy", "dtype")}
_ADMITTED |= {(module, "_reconstruct") for module in ("numpy.core.multiarray", "numpy._core.multiarray")}
# TensorFlow's names of a layer's numbers, and torchvision's.
_PARTS = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}

# Where torchvision's `features` has its convolutions.
_PLACES = {"lpips-alex": (0, 3, 6, 8, 10), "lpips-vgg": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)}


def state_dict(name: str) -> dict[str, Tensor]:
    """The weights as tensors on the CPU, in one layout whichever file they come from.

    `fid-inception`: as of `pytorch_fid.inception.fid_inception_v3()`, without `fc` and `num_batches_tracked`;
    `lpips-alex`, `lpips-vgg`: torchvision's `features.N.weight` and `features.N.bias`, no classifier; `fer`: Keras'
    names and axes, `conv2d_1.kernel` (H, W, in, out); others: as the file has them, a leading `module.` (DataParallel)
    left in place. Of a network for OpenVINO or ONNX: its constants; where they are used its graph says.

    Raises:
        FersynError: the weights are missing, damaged, or of a kind that another library reads.
    """
    found = _located(name)
    state = _read(name, found)
    if name == "fid-inception":
        return {key: value for key, value in state.items() if not key.startswith("fc.") and "batches" not in key}
    if name in _PLACES:
        return {key: value for key, value in state.items() if key.startswith("features.")}
    return state


def graph(name: str, member: str = "") -> Graph:
    """A TFLite network: its constants and operations, as plain numbers.

    Args:
        name: of the weights.
        member: which one, where the file is a bundle of several.

    Raises:
        FersynError: the weights are missing, damaged, or no TFLite file.
    """
    from fersyn.weights.tflite_file import read_graph  # it imports numpy

    found = _located(name)
    if found.layout not in ("tflite", "tflite-bundle"):
        raise FersynError(f"{name} is an {found.layout} file, no graph of TFLite")
    return read_graph(found.path, member)


def read_torch(path: Path, inside: str = "state_dict") -> dict[str, Tensor]:
    """A torch file (weights_only) or a .safetensors file; what a checkpoint has under the name `inside` is taken out of it.

    Raises:
        FersynError: it holds something else than tensors by name.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged and foreign files raise half a dozen kinds
        reason = str(error).split("\n")[0]
        raise FersynError(f"{path} holds no weights that can be read safely ({reason}); get it again") from error
    state = state.get(inside, state) if isinstance(state, Mapping) else state
    named = isinstance(state, Mapping) and all(isinstance(name, str) for name in state)
    if not state or not named or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise FersynError(f"{path} holds no weights by name (a state_dict); get the authors' checkpoint")
    return dict(state)


def _located(name: str) -> Found:
    found = locate(name)
    if found is None:
        raise FersynError(f"the weights {name} are not on this machine; {cure(name)}")
    return found


def _read(name: str, found: Found) -> dict[str, Tensor]:
    if found.layout == "torch":
        return read_torch(found.path)
    if found.layout == "numpy-kernels":
        return convolutions(found.path, _PLACES[name])
    if found.layout == "keras-hdf5":
        return keras_layers(found.path)
    if found.layout in ("openvino", "onnx"):
        import torch

        from fersyn.weights import runtimes  # it imports numpy

        if found.layout == "onnx":
            constants = runtimes.onnx(found.path)
        else:
            constants = runtimes.openvino(_located(f"{name}-graph").path, found.path)
        return {key: torch.from_numpy(value) for key, value in constants.items()}
    if found.layout == "torchscript-inception":
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch 2.9 and later deprecate TorchScript
            script = torch.jit.load(str(found.path), map_location="cpu")
        return renamed(dict(script.state_dict()))
    raise FersynError(f"{name} is an {found.layout} file, not tensors by name; open fersyn.weights.find({name!r})")


class ArrayUnpickler(pickle.Unpickler):
    """Admits dicts, lists, numbers, strings and numpy arrays; any other name in the pickle is an error, not called."""

    def find_class(self, module: str, name: str):
        """The four names that an array needs."""
        import numpy as np

        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only arrays are admitted")
        if name == "_reconstruct":
            return _reconstruct
        return getattr(np, name)


def _reconstruct(kind, shape, code):
    import numpy as np

    if kind is not np.ndarray:
        raise pickle.UnpicklingError("it builds something else than arrays")
    return np.ndarray.__new__(kind, shape, code)


def convolutions(path: Path, places: tuple[int, ...]) -> dict[str, Tensor]:
    """Convolutions `{network: {Conv_0: {kernel (H, W, in, out), bias (out)}}}` as `features.N.weight` (out, in, H, W)
    and `features.N.bias`; N are the `places`, one a convolution.

    Raises:
        FersynError: the file has other contents.
    """
    import numpy as np
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


def keras_layers(path: Path) -> dict[str, Tensor]:
    """Weights of a Keras model saved as HDF5, by layer and part: `conv2d_1.kernel`, `batch_normalization_1.gamma` ...;
    axes are Keras' (a convolution's kernel: H, W, in, out). The model's own description and its optimiser are left out.

    Raises:
        FersynError: the file has other contents.
    """
    import h5py
    import numpy as np
    import torch

    state = {}
    try:
        with h5py.File(path) as file:
            for layer, group in file["model_weights"].items():
                for name in group.attrs["weight_names"]:
                    part = name.decode().rpartition("/")[2].removesuffix(":0")
                    state[f"{layer}.{part}"] = torch.from_numpy(np.asarray(group[name], np.float32))
    except Exception as error:  # the library raises OSError, KeyError, RuntimeError and others
        raise FersynError(f"{path} cannot be read ({error}); delete it and fetch it again") from error
    return state


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """TorchScript's `net.layers.LAYER.weight|beta|mean|var` as pytorch-fid has them, without fc; `bn.weight` is 1.

    Which of its layers each is stands in readers.yaml; raises KeyError for names that the network has not.
    """
    layers, out = data_of(__file__), {}
    for key, value in state.items():
        layer, _, part = key.removeprefix("net.layers.").rpartition(".")
        name = layers[layer]
        out[f"{name}.{_PARTS[part]}"] = value
        if part == "beta":
            out[f"{name}.bn.weight"] = value.new_ones(value.shape)
    return out
