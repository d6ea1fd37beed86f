"""The project's own files: where they lie, at which commit, and which of the kit's modules something uses, as one hash:
an update of fersyn reruns what it touches.
"""

import ast
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from fersyn import system

MARKS = ("Snakefile", "notebooks", "profiles")
PACKAGE = Path(__file__).resolve().parents[1]


def root(start: Path | None = None) -> Path:
    """The project's folder: the nearest one at or above ``start`` (default: the working folder) that holds the
    Snakefile.

    Falls back to the folder above the package, then to the working folder, so that fersyn works without the project
    too.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents, PACKAGE.parent):
        if all((folder / mark).exists() for mark in MARKS):
            return folder
    return start


def locate(path: str | Path) -> Path:
    """A path as the user means it: as it stands if it exists, otherwise below the project's root.

    A notebook that JupyterLab runs works in ``notebooks/``, one that papermill runs in the root: both find
    ``data/...``.
    """
    path = Path(path).expanduser()
    return path if path.is_absolute() or path.exists() else root() / path


def commit(folder: Path | None = None) -> str:
    """The commit of the project, see `system.commit`."""
    return system.commit(folder or root())


def notebooks(folder: Path) -> list[Path]:
    """The numbered notebooks of the project, in order."""
    return sorted((folder / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def is_driven(notebook: Path) -> bool:
    """Whether a person drives it (widgets; tag ``interactive``): no report holds it."""
    return "interactive" in json.loads(notebook.read_text(encoding="utf-8"))["metadata"].get("tags", [])


@lru_cache(maxsize=512)  # a plan asks for the same files once a training
def imports_of(code: str, package: str = "") -> frozenset[str]:
    """Names of fersyn's modules that ``code`` imports anywhere, inside functions too.

    ``package`` resolves relative imports. ``from fersyn import table`` names both ``fersyn`` and ``fersyn.table``.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return frozenset(name for name in names if name.split(".")[0] == "fersyn")


def module_files(
    modules: Iterable[str], package: Path = PACKAGE, counts: Callable[[str], bool] = lambda file: True
) -> list[Path]:
    """The files of ``modules`` and of all they import from fersyn, sorted; a package counts with its ``__init__``.

    A file that does not count (``counts`` is given its path inside the package, ``nets/unet.py``) is left out, and what
    it alone imports too.
    """
    waiting, seen = list(modules), set()
    files: set[Path] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        below = package.joinpath(*name.split(".")[1:])
        for file, inside in ((below / "__init__.py", name), (below.with_suffix(".py"), name.rpartition(".")[0])):
            if file.is_file() and file not in files and counts(file.relative_to(package).as_posix()):
                files.add(file)
                waiting.extend(imports_of(file.read_text(encoding="utf-8"), inside))
                # Data files of a module (of its name) and of a package (templates) count like its code.
                files.update(path for path in (file.with_suffix(".yaml"),) if path.is_file())
                if file.name == "__init__.py" and (below / "templates").is_dir():
                    files.update(path for path in (below / "templates").rglob("*") if path.is_file())
    return sorted(files)


def digest(files: Iterable[Path], package: Path = PACKAGE) -> str:
    """Hash (16 hex digits) of the files' names and contents."""
    total = hashlib.sha256()
    for file in files:
        name = file.relative_to(package) if file.is_relative_to(package) else file.name
        total.update(f"{name}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def notebook_imports(notebook: Path) -> set[str]:
    """fersyn's modules that a notebook's code cells import."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    codes = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return {name for code in codes for name in imports_of(re.sub(r"(?m)^\s*[%!].*$", "", code))}


def notebook_digest(notebook: Path) -> str:
    """Hash of the modules that a notebook uses, and of those that turn it into HTML. Not of the notebook itself.

    All of them count, also what only draws or tells: it stands on the page, and a page is made anew in a minute.
    """
    return digest(module_files(notebook_imports(notebook) | {"fersyn.reporting.execute"}))
