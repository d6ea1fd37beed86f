"""Build a face table from frames: over all cores, resumable, and the same whatever the number of workers."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from fersyn.building.finish import finish, is_current, table_rows
from fersyn.building.folder import Journal, claimed, pictures, source_key
from fersyn.building.pool import default_workers, process
from fersyn.datasets.frames import Frame, FrameSet
from fersyn.errors import FersynError
from fersyn.progress import Progress, say
from fersyn.table import FaceTable

VERSION = 2  # of what is done to a picture: raised when the same picture would give another face
PREVIEWS = 24


def build_table(
    frame_set: FrameSet,
    out: str | Path,
    size: int = 128,
    workers: int | None = None,
    overwrite: bool = False,
    holdout: float = 0.1,
) -> FaceTable:
    """Detect, align and write all faces of a set, and return the table.

    Called again after a kill it goes on where it stopped; after sources were added or changed it processes those; with
    nothing new it says so. Frames without a usable face are skipped, with the reason in skipped.csv and a count on
    stderr.

    Args:
        frame_set: what a reader returned.
        out: folder of the table; new, empty, or begun by the same request.
        size: side of the faces, px, at least 16.
        workers: processes (by default one a core), 0 for none besides this one. A script that calls this must guard
            its main part by `if __name__ == "__main__":`, as workers import the script.
        overwrite: delete a table that stands there first.
        holdout: part of the people that no method is trained on, between 0 and 1.

    Raises:
        TableError: `out` holds something else, or another request's table, or is being built by another process.
        FersynError: no usable face at all; a worker was killed; nothing can be written; out of memory; wrong
            arguments.
    """
    out, workers = Path(out), default_workers() if workers is None else workers
    _check_arguments(frame_set, size, workers, holdout)
    with claimed(out, _request(frame_set, size), overwrite), Journal(out / ".fersyn" / "progress.jsonl") as journal:
        pending = _pending(frame_set.frames, journal, out)
        if not pending and is_current(frame_set, journal, out, holdout):
            table = FaceTable.open(out)
            say(f"{out}: nothing to do, {_summary(table)}")
            return table
        (out / "metadata.parquet").unlink(missing_ok=True)  # until the new one is there the table counts as unfinished
        _run(pending, frame_set, journal, out, size, workers)
        if not table_rows(frame_set, journal):
            raise FersynError(_no_faces(frame_set, journal))
        table = finish(frame_set, journal, out, size, holdout)
        say(f"{out}: {_summary(table)}")
        _say_skipped(table)
        return table


def _run(pending: list[int], frame_set: FrameSet, journal: Journal, out: Path, size: int, workers: int) -> None:
    if not pending:
        return
    if frame_set.prepare is not None:
        frame_set.prepare()
    frames = frame_set.frames
    anew = {source_key(frames[i].source) for i in pending}
    for key, picture in pictures(out):
        if key in anew:  # lest two pictures of one source (under old and new number) lie there
            picture.unlink()
    kept = len(frames) - len(pending)
    if kept:
        say(f"{out}: {kept} of {len(frames)} frames are done already, {len(pending)} to go")
    have = sum("preview" in entry for entry in journal.entries.values())
    previews = _spread([frames[i] for i in pending], max(0, PREVIEWS - have))
    jobs = [(number, frames[number], position in previews) for position, number in enumerate(pending)]
    with Progress(len(frames), frame_set.dataset, done=kept) as progress:
        for entries in process(jobs, str(out), size, workers):
            journal.add(entries)
            progress.advance(len(entries))


def _pending(frames: list[Frame], journal: Journal, out: Path) -> list[int]:
    """Positions of the frames that are new or changed, or whose picture is gone."""
    sizes = {key: file.stat().st_size for key, file in pictures(out)}
    pending = []
    for i, frame in enumerate(frames):
        entry = journal.entries.get(frame.source)
        done = entry is not None and entry["stamp"] is not None and entry["stamp"] == frame.stamp()
        if not done or ("face" in entry and sizes.get(source_key(frame.source)) != entry["face"]["bytes"]):
            pending.append(i)
    return pending


def _spread(frames: list[Frame], count: int) -> set[int]:
    """Choose positions so that people and expressions take turns."""
    people: Counter = Counter()
    kinds: Counter = Counter()
    chosen: set[int] = set()
    for _ in range(min(count, len(frames))):
        rest = (i for i in range(len(frames)) if i not in chosen)
        best = min(rest, key=lambda i: (people[frames[i].subject] + kinds[frames[i].expression], i))
        people[frames[best].subject] += 1
        kinds[frames[best].expression] += 1
        chosen.add(best)
    return chosen


def _check_arguments(frame_set: FrameSet, size: int, workers: int, holdout: float) -> None:
    if size < 16:
        raise FersynError(f"--size {size} is too small: a face needs at least 16 px")
    if workers < 0:
        raise FersynError(f"--workers {workers}: must be 0 or more")
    if not 0 < holdout < 1:
        raise FersynError(f"--holdout {holdout}: the part of the people held out must lie between 0 and 1")
    if not frame_set.frames:
        raise FersynError(f"{frame_set.dataset}: there are no pictures to read")
    twice = [source for source, n in Counter(frame.source for frame in frame_set.frames).items() if n > 1]
    if twice:
        raise FersynError(f"{frame_set.dataset}: {twice[0]} is listed more than once; list each picture once")


def _request(frame_set: FrameSet, size: int) -> dict[str, Any]:
    request = {
        "dataset": frame_set.dataset,
        **frame_set.request,
        "size": size,
        "root": frame_set.root,
        "preprocessing": VERSION,
    }
    return json.loads(json.dumps(request))


def _summary(table: FaceTable) -> str:
    people, lost = len(set(table.people)), len(table.skipped)
    return f"{len(table)} faces of {people} people, {lost} skipped, fingerprint {table.fingerprint[:16]}"


def _say_skipped(table: FaceTable) -> None:
    for reason, count in _tally(table.skipped["reason"]):
        say(f"  skipped {count}: {reason}")
    if len(table.skipped):
        say(f"  each with its reason in {table.path / 'skipped.csv'}")


def _no_faces(frame_set: FrameSet, journal: Journal) -> str:
    reasons = [journal.entries[frame.source]["reason"] for frame in frame_set.frames]
    told = "; ".join(f"{count} x {reason}" for reason, count in _tally(reasons))
    return (
        f"no usable face in the {len(frame_set.frames)} pictures of {frame_set.dataset} ({told}); "
        "check the folder, or give pictures with a frontal face"
    )


def _tally(reasons, most: int = 5) -> list[tuple[str, int]]:
    """Count reasons alike but for the file they name and their numbers."""
    alike: dict[str, list[str]] = {}
    for reason in reasons:
        kind = re.sub(r"\d+", "#", re.sub(r"^\S*\.\w+: ", "", re.sub(r"^[^:]*\.\w{2,5}: ", "", reason)))
        alike.setdefault(kind, []).append(reason)
    ranked = sorted(alike.values(), key=len, reverse=True)[:most]
    return [(group[0] if len(group) == 1 else f"{group[0]} (and others alike)", len(group)) for group in ranked]
