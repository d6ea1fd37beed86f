"""Weights of other people's networks: which there are, where they lie, how they come onto the machine.

Every file is known by its SHA-256 and is checked before it is read; nothing is ever unpickled. A file may come from
its authors' address or, on a machine that sees only a package index, out of a package that carries it, unpacked as
data. Numbers in a report name the weights behind them by `about`.

Example:
    >>> from fersyn import weights
    >>> weights.fetch("lpips-alex")                                        # doctest: +SKIP
    >>> weights.state_dict("lpips-alex")["features.0.weight"].shape        # doctest: +SKIP
    torch.Size([64, 3, 11, 11])
"""

from fersyn.weights.obtain import add, fetch
from fersyn.weights.places import about, find
from fersyn.weights.readers import graph, state_dict
from fersyn.weights.registry import DEFAULT, ENTRIES, cure, entry

__all__ = ["DEFAULT", "ENTRIES", "about", "add", "cure", "entry", "fetch", "find", "graph", "state_dict"]
