"""Small things about files that worker processes need too (and so stand apart from pandas)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def write_atomic(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write(temporary path)` and put the result in place in one step: a kill leaves the old file or the new."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any, nan: bool = True, rows: str = "") -> None:
    """Write a JSON file in one step, its folder made; raises ValueError at a NaN or an infinity unless `nan`.

    `rows`: name of an entry with `columns` and `data`, whose data stand a row a line.
    """
    table = content.get(rows) if rows else None
    text = json.dumps({**content, rows: None} if table else content, indent=1, ensure_ascii=False, allow_nan=nan) + "\n"
    if table:
        lines = ",\n  ".join(json.dumps(row, ensure_ascii=False, allow_nan=nan) for row in table["data"])
        own = f'{{"columns": {json.dumps(table["columns"])}, "data": [\n  {lines}\n ]}}'
        text = text.replace(f'\n "{rows}": null', f'\n "{rows}": {own}', 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write numpy arrays by name as an .npz file in one step."""
    import numpy as np

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # given a name, numpy would add a suffix to it
            np.savez(file, **arrays)

    write_atomic(path, write)


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[None]:
    """Hold a lock on the file `path`, which the system drops when the process ends, however it ends.

    Where a file system has no locks the work goes on without one.

    Raises:
        BlockingIOError: another process holds it, and `wait` is False.
        OSError: the file cannot be written.
    """
    from filelock import FileLock, Timeout

    path.open("a").close()
    with ExitStack() as held:
        try:
            held.enter_context(FileLock(path, fallback_to_soft=False).acquire(blocking=wait))
        except Timeout:
            raise BlockingIOError(f"{path} is held by another process") from None
        except OSError:  # not the file's, as it can be opened: no locks here
            pass
        yield


def data_of(module: str | Path) -> Any:
    """What the YAML file beside a module, of the same name, holds; `module` is its `__file__`."""
    import yaml

    return yaml.safe_load(Path(module).with_suffix(".yaml").read_text(encoding="utf-8"))


def pixel_hash(image: np.ndarray) -> str:
    """Return the sha256 (hex) of a uint8 picture's shape and pixels."""
    import numpy as np  # the command line reads this module before it knows what it is to do

    return hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
