"""Weight files as plain dicts of tensors. The files were checked by `find`; still nothing is unpickled.

torch is imported where it is used: `fersyn weights` lists what is there without it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fersyn.errors import FersynError
from fersyn.weights import inception
from fersyn.weights.places import Found, locate
from fersyn.weights.registry import entry

if TYPE_CHECKING:
    from torch import Tensor

# Where torchvision's `features` has its convolutions.
_PLACES = {"lpips-alex": (0, 3, 6, 8, 10), "lpips-vgg": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)}


def state_dict(name: str) -> dict[str, Tensor]:
    """The weights as tensors on the CPU, in one layout whichever file they come from.

    `fid-inception`: as of `pytorch_fid.inception.fid_inception_v3()`, without `fc` and `num_batches_tracked`;
    `lpips-alex`, `lpips-vgg`: torchvision's `features.N.weight` and `features.N.bias`, no classifier; others: as the
    file has them, a leading `module.` (DataParallel) left in place.

    Raises:
        FersynError: the weights are missing, damaged, or of a kind that another library reads.
    """
    item, found = entry(name), locate(name)
    if found is None:
        cure = (
            item.by_hand + f"; then: fersyn weights add {name} FILE" if item.by_hand else f"fersyn weights fetch {name}"
        )
        raise FersynError(f"the weights {name} are not on this machine; {cure}")
    state = _read(name, found)
    if name == "fid-inception":
        return {key: value for key, value in state.items() if not key.startswith("fc.") and "batches" not in key}
    if name in _PLACES:
        return {key: value for key, value in state.items() if key.startswith("features.")}
    return state


def read_torch(path: Path) -> dict[str, Tensor]:
    """A torch file (weights_only) or a .safetensors file; a checkpoint's `state_dict` is taken out of it.

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
    state = state.get("state_dict", state) if isinstance(state, Mapping) else state
    if (
        not isinstance(state, Mapping)
        or not state
        or not all(isinstance(value, torch.Tensor) for value in state.values())
    ):
        raise FersynError(f"{path} holds no weights by name (a state_dict); get the authors' checkpoint")
    return dict(state)


def _read(name: str, found: Found) -> dict[str, Tensor]:
    if found.layout == "torch":
        return read_torch(found.path)
    if found.layout == "numpy-kernels":
        from fersyn.weights import arrays  # it imports numpy

        return arrays.convolutions(found.path, _PLACES[name])
    if found.layout == "torchscript-inception":
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch 2.9 and later deprecate TorchScript
            script = torch.jit.load(str(found.path), map_location="cpu")
        return inception.renamed(dict(script.state_dict()))
    raise FersynError(f"{name} is an {found.layout} file, not tensors by name; open fersyn.weights.find({name!r})")
