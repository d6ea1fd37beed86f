"""Which of the kit's own files a notebook or a table depends on, as one hash: an update of fersyn reruns what it
touches.
"""

import ast
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def imports_of(code: str, package: str = "") -> set[str]:
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
    return {name for name in names if name.split(".")[0] == "fersyn"}


def module_files(modules: Iterable[str], package: Path = PACKAGE) -> list[Path]:
    """The files of ``modules`` and of all they import from fersyn, sorted; a package counts with its ``__init__``."""
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
            if file.is_file() and file not in files:
                files.add(file)
                waiting.extend(imports_of(file.read_text(encoding="utf-8"), inside))
                # Data files of a package (templates) count like its code.
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
    names: set[str] = set()
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines()
            names |= imports_of("\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines))
    return names


def notebook_digest(notebook: Path) -> str:
    """Hash of the modules that a notebook uses, and of those that turn it into HTML. Not of the notebook itself."""
    return digest(module_files(notebook_imports(notebook) | {"fersyn.reporting.execute"}))


def table_digest(dataset: str) -> str:
    """Hash of the modules that read, align and write the face table of ``dataset`` (``rendered``, ``ckplus`` ...)."""
    module = dataset.replace("-", "_")
    own = (PACKAGE / "datasets" / f"{module}.py").is_file()
    readers = [module] if own else [file.stem for file in sorted((PACKAGE / "datasets").glob("*.py"))]
    return digest(module_files(["fersyn.building.preprocess", *(f"fersyn.datasets.{reader}" for reader in readers)]))


def training_digest(method: str) -> str:
    """Hash of the modules that train ``method`` (``landmark-flow`` ...): its own, the pairs and the loop."""
    return digest(training_files(method))


def training_files(method: str) -> list[Path]:
    """The files of the modules that train ``method``; raises FersynError if there is no such method."""
    from fersyn import methods

    return module_files([methods.module(method), "fersyn.training.loop"])


def tree_digest(path: Path) -> str:
    """Hash of names, sizes and times of all files below ``path`` (or of that one file): new photographs are noticed."""
    total = hashlib.sha256()
    if path.is_file():
        stat = path.stat()
        return hashlib.sha256(f"{stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:16]
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            try:
                stat = os.stat(os.path.join(folder, name))
            except OSError:
                continue
            total.update(f"{os.path.relpath(folder, path)}/{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return total.hexdigest()[:16]
