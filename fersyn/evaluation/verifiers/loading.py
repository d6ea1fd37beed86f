"""Published weights into our networks: other prefixes and the last layer of a classifier do no harm, all else does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from fersyn.errors import FersynError


def load(network: nn.Module, state: Mapping[str, Any], name: str, classifier: str) -> nn.Module:
    """Put weights into a network without a classifier; return it ready for use.

    Args:
        network: made without classes.
        state: weights by name, or a checkpoint that holds them under `state_dict`; the prefix `module.` of
            DataParallel is taken off.
        name: of the weights, for messages.
        classifier: the last layer, which a descriptor does not need: its weights are left out.

    Raises:
        FersynError: what is missing, too much or of another shape.
    """
    weights = state["state_dict"] if "state_dict" in state else state
    weights = {key.removeprefix("module."): value for key, value in weights.items()}
    weights = {key: value for key, value in weights.items() if not key.startswith(f"{classifier}.")}
    wanted = network.state_dict()
    wrong = [f"{key} is missing" for key in wanted if key not in weights]
    wrong += [f"{key} is not known" for key in weights if key not in wanted]
    wrong += [
        f"{key} is {tuple(weights[key].shape)}, not {tuple(wanted[key].shape)}"
        for key in wanted
        if key in weights and tuple(weights[key].shape) != tuple(wanted[key].shape)
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise FersynError(
            f"the file of {name} does not hold the weights of that network: {'; '.join(wrong[:3])}{more}. "
            f"Put the authors' own there: fersyn weights add {name} FILE"
        )
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
