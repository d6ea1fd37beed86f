"""Methods by name. Each is one file of this folder with a line `METHOD = ...`; a new one needs no entry anywhere.

The files are read as text, and imported when a method is asked for: `fersyn --help` needs no torch.

Example:
    >>> import fersyn.methods as methods
    >>> "landmark-label" in methods.names()
    True
"""

from __future__ import annotations

import ast
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fersyn.errors import FersynError

if TYPE_CHECKING:
    from fersyn.methods.base import Method

_REGISTERED: dict[str, Method] = {}


def names() -> tuple[str, ...]:
    """Names of all methods, in the order of the alphabet; those of `register` last."""
    found = _modules()
    return (*found, *(name for name in _REGISTERED if name not in found))


def module(name: str) -> str:
    """The module that holds a method (`fersyn.methods.landmark_flow`).

    Raises:
        FersynError: no file holds it, or two do.
    """
    found = _modules()
    files = found.get(name, ())
    if len(files) > 1:
        both = " and ".join(f"{file}.py" for file in files)
        raise FersynError(f"fersyn/methods: {both} both name their method '{name}'; give one another name")
    if not files and name in _REGISTERED:
        raise FersynError(f"method '{name}' is known to this process alone; put it into a file of fersyn/methods/")
    if not files:
        others = [other for other, own in found.items() if name.replace("-", "_") in own]
        told = f" (fersyn/methods/{name.replace('-', '_')}.py names its method '{others[0]}')" if others else ""
        raise FersynError(f"there is no method '{name}'{told}; use one of: {', '.join(names())}")
    return f"fersyn.methods.{files[0]}"


def register(method: Method) -> None:
    """Add a method of your own under its name, for this process."""
    _REGISTERED[method.name] = method


def get(name: str) -> Method:
    """Return a method; raises FersynError with the list if there is none of that name."""
    if name in _REGISTERED:
        return _REGISTERED[name]
    method = import_module(module(name)).METHOD
    if method.name != name:
        file = f"{module(name).replace('.', '/')}.py"
        raise FersynError(f"{file}: METHOD calls itself '{method.name}'; write name = \"{method.name}\" in its class")
    return method


def _modules() -> dict[str, list[str]]:
    """By the method's name: the files of this folder that hold it, without suffix; more than one is a mistake."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    # A file that is new or was changed while a notebook is open counts.
    return _read(tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=4)
def _read(files: tuple[tuple[Path, int], ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file, _ in files:
        text = file.read_text(encoding="utf-8")
        if any(line.startswith("METHOD =") for line in text.splitlines()):
            found.setdefault(_name(text) or file.stem.replace("_", "-"), []).append(file.stem)
    return dict(sorted(found.items()))


def _name(text: str) -> str | None:
    """The name that the class of METHOD gives itself, as far as it stands in the text."""
    try:
        body = ast.parse(text).body
    except SyntaxError:  # a file that is being written must not stop the others; importing it tells what is wrong
        return None
    classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
    made = [node.value for node in body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "METHOD"]
    own = classes.get(ast.unparse(made[-1].func)) if made and isinstance(made[-1], ast.Call) else None
    for node in own.body if own else ():
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        target, value = node.targets[0] if isinstance(node, ast.Assign) else node.target, node.value
        several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        pairs = zip(target.elts, value.elts, strict=False) if several else [(target, value)]
        for key, given in pairs:
            if ast.unparse(key) == "name" and isinstance(given, ast.Constant):
                return given.value
    return None
