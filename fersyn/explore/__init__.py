"""Editing one face by hand, in a notebook: `Explorer` is the panel of notebook 07, `make` what its line of code calls.

Example:
    >>> from fersyn.explore import Explorer, make
    >>> Explorer(tables=["data/laptop/rendered"], runs="runs/laptop")                 # doctest: +SKIP
    >>> make("runs/laptop/landmark-flow", "photo.jpg", "happiness", 0.6).save("happy.png")  # doctest: +SKIP
"""

from fersyn.explore.explorer import Explorer
from fersyn.explore.keep import make
from fersyn.explore.shaped import Shaped

__all__ = ["Explorer", "Shaped", "make"]
