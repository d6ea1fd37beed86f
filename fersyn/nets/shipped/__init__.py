"""Networks that the kit has trained itself and brings along; README.md, beside the files, is their card."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from fersyn.errors import FersynError

FOLDER = Path(__file__).parent


def about(file: str | Path) -> dict[str, Any]:
    """What a file of weights says of itself; raises FersynError if it is missing or damaged."""
    return _opened(file, weights=False)[1]


def read(file: str | Path, generator: str = "") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A file of weights by name, halves as float32, and what it says of itself.

    Args:
        file: name of one that comes with the kit, or a path.
        generator: `fingerprint` of the generator that it is to work with; empty: it needs none.

    Raises:
        FersynError: it is missing or damaged, or has learnt on another generator.
    """
    state, said = _opened(file, weights=True)
    if generator and said.get("generator") != generator:
        raise FersynError(
            f"{FOLDER / file} has learnt on another generator than this one: take the one that its card names"
        )
    return state, said


def _opened(file: str | Path, weights: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    path = FOLDER / file
    try:
        with safe_open(str(path), "pt") as content:
            said = {key: json.loads(value) for key, value in (content.metadata() or {}).items()}
            return {name: _whole(content.get_tensor(name)) for name in content.keys() if weights}, said
    except (OSError, SafetensorError, ValueError) as error:
        cure = "install fersyn again" if path.parent == FOLDER else "make it again"
        raise FersynError(f"{path} cannot be read ({error}); {cure}") from error


def _whole(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
