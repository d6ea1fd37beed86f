"""Keys: when a face table or a training is another one, and has to be made anew.

A key names what the *result* depends on, and nothing else: an added line in the register of weights, or in a figure, is no
reason to train for hours again.

- Of a **training**: the method's file and what it imports out of the rooms of ``TRAINING``, so far as it is used while it
  learns (networks, losses, pairs, augmentation, landmarks, the loop); its arguments (preset, settings, seed, fold, people);
  the table's fingerprint, which joins when the job runs; and whether VGG-19 has arrived, where the perceptual loss takes it
  by itself.
- Of a **table**: the reader of the set and what it imports out of the rooms of ``TABLE`` (renderer, alignment, what writes
  rows); its arguments; the versions of the packages that find and draw faces.

What does not count only stores, shows or tells (``files``, ``progress``, ``errors``, the version, sample grids, logs), finds
things (registers of methods and of weights; a file of weights is known by its hash), or comes later (evaluation, figures,
reports). A notebook's hash has it all, see `fersyn.reporting.project.notebook_digest`.
"""

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fersyn import methods, weights
from fersyn.reporting.project import PACKAGE, digest, module_files
from fersyn.system import versions
from fersyn.training.requests import Request

# Whose files can change what comes of it: of both, of a table, of a training.
BOTH = ("expressions.py", "pixels.py", "faces", "table.py", "splits.py")
TABLE = (*BOTH, "rendering", "generating", "nets", "datasets", "building")
TRAINING = (
    *BOTH,
    "pairs.py",
    "manners.py",
    "augment.py",
    "losses",
    "nets",
    "generating",
    "building",
    "methods",
    "training",
)
# Files in these rooms that cannot.
APART = ("methods/__init__.py", "training/samples.py", "training/runs.py")
# Packages whose update may change a face table.
TABLE_PACKAGES = ("dlib-bin", "opencv-python-headless", "anny", "openpeople")


def training_files(method: str, package: Path = PACKAGE) -> list[Path]:
    """The files that the key of a training of ``method`` is made of; raises FersynError if there is no such method."""
    return _files([methods.module(method), "fersyn.training.loop"], TRAINING, package)


def table_files(dataset: str, package: Path = PACKAGE) -> list[Path]:
    """The files that the key of a table of ``dataset`` is made of (``rendered``, ``ckplus`` ...); of an unknown one, all
    readers.
    """
    module = dataset.replace("-", "_")
    own = (package / "datasets" / f"{module}.py").is_file()
    readers = [module] if own else [file.stem for file in sorted((package / "datasets").glob("*.py"))]
    modules = ["fersyn.building.preprocess", *(f"fersyn.datasets.{reader}" for reader in readers)]
    return _files(modules, TABLE, package)


def _files(modules: Iterable[str], rooms: Collection[str], package: Path) -> list[Path]:
    return module_files(modules, package, lambda file: file.split("/")[0] in rooms and file not in APART)


def training_key(request: Request) -> str:
    """The key of a training, but for the table's fingerprint."""
    files = training_files(request.method)
    arrived = ["vgg19"] if _takes_vgg19(request, files) else []
    return _hash([digest(files), request.method, request.arguments, *arrived])


def apart(request: Request, table) -> Request:
    """The same in a folder whose name stands for its key and its table: what a notebook trains for itself, no job of the report,
    is never taken for another.
    """
    return replace(request, name=f"{request.name}.{_hash([training_key(request), table.fingerprint])[:8]}")


def table_key(arguments: Sequence[str]) -> str:
    """The key of a table that ``fersyn data`` makes with these arguments."""
    installed = versions(TABLE_PACKAGES)
    return _hash([digest(table_files(arguments[0])), [installed.get(name) for name in TABLE_PACKAGES], list(arguments)])


def generator_arrived(table: Path) -> list[str]:
    """A reason to look at a table of generated people again: others stand in for them, and the generator's weights have
    come meanwhile.
    """
    from fersyn.nets import mobile_stylegan  # torch: for the plans that generate people alone

    try:
        stands_in = bool(json.loads((table / "table.json").read_text(encoding="utf-8")).get("instead"))
    except (OSError, ValueError):
        return []
    return ["the generator's weights have arrived"] if stands_in and not mobile_stylegan.missing() else []


def _takes_vgg19(request: Request, files: Iterable[Path]) -> bool:
    """Whether the perceptual loss takes VGG-19 because it is there: when it arrives, the training is another one, and
    notebook 04, which takes `full` for its variant `vgg19` then, must not be given a run made with VGG-16.
    """
    given = [setting.partition("=") for setting in request.settings]
    settled = any("perceptual" in name and (value.startswith("vgg") or value == "0") for name, _, value in given)
    uses = any(file.name == "perceptual.py" for file in files)
    return uses and not settled and weights.find("vgg19") is not None


def tree_digest(path: Path) -> str:
    """Hash of names, sizes and times of all files below ``path`` (or of that one file): new photographs are noticed."""
    found = []
    for file in [path] if path.is_file() else sorted(path.rglob("*")):
        with contextlib.suppress(OSError):  # gone meanwhile
            stat = file.stat()
            found += [[file.relative_to(path).as_posix(), stat.st_size, stat.st_mtime_ns]] if file.is_file() else []
    return _hash(found)


def _hash(made_of: list) -> str:
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]
