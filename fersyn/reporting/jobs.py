"""The Snakefile's jobs besides the notebooks: a face table, a training, other people's weights.

``python -m fersyn.reporting.jobs table FOLDER STAMP KEY WORKERS ARGUMENT...`` runs ``fersyn data ARGUMENT...``,
``... training FOLDER STAMP KEY METHOD TABLE ARGUMENT...`` runs ``fersyn train METHOD ...``, and both write the file STAMP when
they are through. Snakemake watches STAMP, never the folder: it deletes the outputs of a job that failed, and what was begun
goes on where it stopped. ``... weights FILE [NEWS...]`` fetches weights.

What another key made is never deleted before there is something in its place: it is set aside as ``FOLDER.old`` until the new
one is done, and comes back if its key does. `fersyn.reporting.keys` says what a key is.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fersyn import weights
from fersyn.building.folder import discard
from fersyn.errors import FersynError
from fersyn.files import locked, write_atomic, write_json
from fersyn.progress import say
from fersyn.reporting import keys, measured


def table(folder: Path, stamp: Path, key: str, workers: int, arguments: Sequence[str]) -> int:
    """Builds a face table by ``fersyn data`` with so many ``workers``; returns its exit code."""
    busy = f"table {folder.name} FAILED: {folder} is being built by another process; wait for it, or stop it"
    if not _give(folder, key, folder / ".fersyn" / "lock", busy):
        return 2
    words, begun, fresh = ["data", *arguments], time.monotonic(), not folder.exists()
    print(f"table {folder.name}: fersyn {' '.join(words)}", flush=True)
    anew = ["--overwrite"] if keys.generator_arrived(folder) else []  # others stand in there
    code = _run([*words, "--out", str(folder), "--workers", str(workers), *anew])
    if code:
        return _failed(f"table {folder.name} FAILED (fersyn {' '.join(words)})", code)
    _forget(folder, _delete_table)
    write_json(stamp, {"fingerprint": _fingerprint(folder)})
    if fresh:  # nobody knows what the rest of one that was stopped took
        measured.keep(folder, arguments[0], time.monotonic() - begun)
    return 0


def training(folder: Path, stamp: Path, key: str, method: str, table: Path, arguments: Sequence[str] = ()) -> int:
    """Trains ``method`` on the face table ``table`` by ``fersyn train``; returns its exit code.

    The table's fingerprint joins the ``key``.
    """
    whole = hashlib.sha256(f"{key} {_fingerprint(table)}".encode()).hexdigest()[:16]
    if not _give(folder, whole, folder / ".lock", f"{folder} is being trained by another process; wait for it"):
        return 2
    print(f"training {folder.name}: {method} {' '.join(arguments)}".rstrip(), flush=True)
    begun, before = time.monotonic(), _trained(folder)
    # Threads that wait by spinning slow each other down many times over where another process wants the cores too.
    words = ["train", method, "--data", str(table), "--out", str(folder), "--resume", *arguments]
    code = _run(words, OMP_WAIT_POLICY="PASSIVE")
    if code:
        return _failed(f"training {folder.name} FAILED; see the messages above", code)
    _forget(folder, _delete_run)
    motion = folder / "motion.npz"  # learnt anew where photographs have changed: what reads it has to know
    moved = hashlib.sha256(motion.read_bytes()).hexdigest()[:16] if motion.is_file() else ""
    write_json(stamp, {"method": method, "arguments": list(arguments), "made_of": whole, "motion": moved})
    if before is not None:
        measured.keep(folder, method, before + time.monotonic() - begun)
    return 0


def _trained(folder: Path) -> float | None:
    """Seconds that a run was trained for before it was stopped, 0 if it was not begun; None: it is finished."""
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return None if about["finished"] else float(about["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _fingerprint(table: Path) -> str:
    return json.loads((table / "table.json").read_text(encoding="utf-8"))["fingerprint"]


def _run(words: list[str], **environment: str) -> int:
    return subprocess.run([sys.executable, "-m", "fersyn.cli", *words], env={**environment, **os.environ}).returncode


def _failed(text: str, code: int) -> int:
    print(f"\nfersyn: {text}\n", file=sys.stderr, flush=True)
    return code


def _give(folder: Path, key: str, lock: Path, busy: str) -> bool:
    """Gives the folder to a key: what another one made goes aside, and what this one made before comes back.

    The folder's key stands beside it, in ``.FOLDER.key``; one without (made by hand) is taken over. The order of the steps
    makes key and folder fit each other whenever this is stopped: each key is written before the folder that it names.

    Returns:
        False, after printing why: another process holds the ``lock`` in the folder (``busy``), or it cannot be moved. Then it
        is left alone.
    """
    before = _key_of(folder)
    if before not in (None, key) and lock.parent.is_dir():
        try:
            with locked(lock):
                numbers = ("", *range(2, 1000))
                names = (folder.with_name(f"{folder.name}.old{number}") for number in numbers)
                kept = next(name for name in names if not name.exists())
                _write_key(kept, before)
                os.replace(folder, kept)
        except OSError as error:
            moved = f"{folder} cannot be moved ({error.strerror}); move it out of the way by hand"
            _failed(busy if isinstance(error, BlockingIOError) else moved, 2)
            return False
        kept = f"that is kept as {kept} until the new one is done"
        print(f"{folder.name}: made of something else before; {kept}", flush=True)
    _write_key(folder, key)
    own = next((kept for kept in _set_aside(folder) if _key_of(kept) == key), None)
    if own is not None and not folder.exists():
        os.replace(own, folder)
    return True


def _key_file(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.key")


def _key_of(folder: Path) -> str | None:
    file = _key_file(folder)
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None


def _write_key(folder: Path, key: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(_key_file(folder), lambda path: path.write_text(key + "\n", encoding="utf-8"))


def _set_aside(folder: Path) -> list[Path]:
    """What other keys made: ``FOLDER.old``, and ``FOLDER.old2`` ... where the one after it was not done either."""
    if not folder.parent.is_dir():
        return []
    name = re.compile(re.escape(folder.name) + r"\.old\d*")
    return sorted(path for path in folder.parent.iterdir() if name.fullmatch(path.name) and path.is_dir())


def _forget(folder: Path, delete: Callable[[Path], object]) -> None:
    """The folder is done: deletes what was set aside, where that can be deleted and nobody works in it."""
    for kept in _set_aside(folder):
        with contextlib.suppress(OSError, FersynError):
            delete(kept)
            _key_file(kept).unlink(missing_ok=True)


def _delete_run(folder: Path) -> None:
    with locked(folder / ".lock"):
        shutil.rmtree(folder)


def _delete_table(folder: Path) -> None:
    """Deletes a face table, but nothing that somebody else put into its folder."""
    discard(folder)
    shutil.rmtree(folder / ".fersyn", ignore_errors=True)
    for each in (folder / "images", folder):
        each.rmdir()


# Weights


def news(file: Path) -> str:
    """Names of the weights that came by themselves since the first report; no network.

    They are those that ``file`` knows as news, and those that are there now and were missing when it was written. So
    the answer changes when weights arrive, and not once more when ``file`` has been written again: for Snakemake that
    would be another change.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        before = {entry["name"] for entry in content["weights"] if entry.get("file")}
        known = {str(name) for name in content["news"]}
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    known |= {name for name in weights.ENTRIES if name not in before and weights.find(name) is not None}
    return " ".join(name for name in weights.ENTRIES if name in known)


def fetch(file: Path, news: Sequence[str] = (), names: Sequence[str] = weights.DEFAULT) -> int:
    """Fetches what is missing of ``names`` where it can be had, and writes what is there, and the ``news``, into ``file``, so
    that a number is made anew when the weights behind it arrive. Never fails (0): what cannot be had is said, and the pages
    say it again.
    """
    for name in names:
        try:
            weights.fetch(name)
        except FersynError as error:
            say(f"{error}\nThe report goes on without {name} and says so; fetch it later, and the next one has it")
    write_json(file, {"news": list(news), "weights": weights.about(weights.ENTRIES)})
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m fersyn.reporting.jobs", description="One job of the report.")
    jobs = parser.add_subparsers(required=True)

    for name, work, positional in (
        ("table", table, {"folder": Path, "stamp": Path, "key": str, "workers": int}),
        ("training", training, {"folder": Path, "stamp": Path, "key": str, "method": str, "table": Path}),
        ("weights", fetch, {"file": Path}),
    ):
        own = jobs.add_parser(name)
        own.set_defaults(work=work)
        for argument, kind in positional.items():
            own.add_argument(argument, type=kind)
        own.add_argument("news" if work is fetch else "arguments", nargs=argparse.REMAINDER)
    options = vars(parser.parse_args(arguments))
    return options.pop("work")(**options)


if __name__ == "__main__":
    sys.exit(main())
