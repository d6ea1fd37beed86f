"""Small things about the process and its machine: environment for a while, packages it runs on, cache folder."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_dir

from fersyn import __version__


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for a while: what runs after this in the same process finds its own again."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def cache_dir() -> Path:
    """Folder for what is built or fetched once a machine; FERSYN_CACHE overrides it."""
    return Path(os.environ.get("FERSYN_CACHE") or user_cache_dir("fersyn", appauthor=False))


def commit(folder: Path | None = None) -> str:
    """The short commit of a folder (None: of the kit's code that runs), with ``+changes`` where the working tree differs;
    ``unknown`` without git.
    """

    def git(*arguments: str) -> str:
        options = {"stderr": subprocess.DEVNULL, "text": True, "timeout": 30}
        return subprocess.check_output(["git", *arguments], cwd=folder or Path(__file__).parent, **options).strip()

    head = "unknown"
    try:
        head = git("rev-parse", "--short=10", "HEAD")
        return head + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return head


def cores() -> int:
    """Cores that this process may use (fewer than the machine has under a scheduler or in a container)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity
        return os.cpu_count() or 1


def processor() -> str:
    """The CPU by its maker's name, or its kind."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


@lru_cache(maxsize=1)
def machine() -> str:
    """What a job's time depends on: the CPU, its cores in use, and NVIDIA's GPUs. torch is not asked, for it takes seconds."""
    found = [f"{processor()}, {cores()} cores"]
    if shutil.which("nvidia-smi"):
        with suppress(OSError, subprocess.SubprocessError):
            query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
            found += subprocess.check_output(query, text=True, timeout=30, stderr=subprocess.DEVNULL).splitlines()
    return ", ".join(found)


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of fersyn, Python and `packages`; packages that are not installed are left out."""
    found = {"fersyn": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
