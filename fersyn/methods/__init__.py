"""Methods by name: each is one file of this folder (`landmark_flow.py`: landmark-flow); a new one needs no entry anywhere.

A file is imported when its method is asked for: `fersyn --help` needs no torch.

Example:
    >>> import fersyn.methods as methods
    >>> "landmark-label" in methods.names()
    True
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fersyn.errors import FersynError

if TYPE_CHECKING:
    from fersyn.methods.base import Method

_OTHERS = (
    "__init__",
    "base",
    "config",
    "joint",
    "motion",
    "photo_transfer",
    "strength",
    "worn",
)  # files that hold no method
_REGISTERED: dict[str, Method] = {}


def names() -> tuple[str, ...]:
    """Names of all methods, in the order of the alphabet; those of `register` last."""
    files = (file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in _OTHERS)
    found = sorted(stem.replace("_", "-") for stem in files)
    return (*found, *(name for name in _REGISTERED if name not in found))


def module(name: str) -> str:
    """The module that holds a method (`fersyn.methods.landmark_flow`); raises FersynError if no file does."""
    stem = name.replace("-", "_")
    if name in names() and (Path(__file__).parent / f"{stem}.py").is_file():
        return f"fersyn.methods.{stem}"
    if name in _REGISTERED:
        raise FersynError(f"method '{name}' is known to this process alone; put it into a file of fersyn/methods/")
    raise FersynError(f"there is no method '{name}'; use one of: {', '.join(names())}")


def register(method: Method) -> None:
    """Add a method of your own under its name, for this process."""
    _REGISTERED[method.name] = method


def get(name: str) -> Method:
    """Return a method; raises FersynError with the list if there is none of that name."""
    if name in _REGISTERED:
        return _REGISTERED[name]
    path = module(name)
    method = getattr(import_module(path), "METHOD", None)
    file = f"{path.replace('.', '/')}.py"
    if method is None:
        raise FersynError(f"{file} ends without the line METHOD = ...(), by which a method is known")
    if method.name != name:
        raise FersynError(f"{file}: METHOD calls itself '{method.name}'; leave its name away: it is the file's")
    return method
