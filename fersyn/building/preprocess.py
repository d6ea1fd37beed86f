"""Build a face table from frames: over all cores, resumable, and the same whatever the number of workers."""

import json
import re
from collections import Counter
from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd

from fersyn import __version__, splits
from fersyn.building.folder import Journal, claimed, file_name, pictures, source_key
from fersyn.building.workers import default_workers, process
from fersyn.datasets.frames import Frame, FrameSet
from fersyn.errors import FersynError
from fersyn.files import write_atomic, write_json
from fersyn.progress import Progress, say
from fersyn.table import COLUMNS, FaceTable, fingerprint, write_metadata

VERSION = 3  # of what is done to a picture: raised when the same picture would give another face
PREVIEWS = 24
FOLDS = 10
KNOWN = [field.name for field in fields(Frame)]  # what a reader says of a frame is a column each


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
        holdout: part of the people that no method is trained on, between 0 and 1; a split of the set's own comes first.

    Raises:
        TableError: `out` holds something else, or another request's table, or is being built by another process.
        FersynError: no usable face at all; a worker was killed; nothing can be written; out of memory; wrong
            arguments.
    """
    out, workers = Path(out), default_workers() if workers is None else workers
    _check_arguments(frame_set, size, workers, holdout)
    with claimed(out, _request(frame_set, size), overwrite), Journal(out / ".fersyn" / "progress.jsonl") as journal:
        pending = _pending(frame_set.frames, journal, out)
        if not pending and _is_current(frame_set, journal, out, holdout):
            table = FaceTable.open(out)
            say(f"{out}: nothing to do, {_summary(table)}")
            return table
        (out / "metadata.parquet").unlink(missing_ok=True)  # until the new one is there the table counts as unfinished
        _run(pending, frame_set, journal, out, size, workers)
        if not _table_rows(frame_set, journal):
            raise FersynError(_no_faces(frame_set, journal))
        table = _finish(frame_set, journal, out, size, holdout)
        say(f"{out}: {_summary(table)}")
        for reason, count in _tally(table.skipped["reason"]):
            say(f"  skipped {count}: {reason}")
        if len(table.skipped):
            say(f"  each with its reason in {out / 'skipped.csv'}")
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
    if kept := len(frames) - len(pending):
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
    people, kinds, chosen = Counter(), Counter(), set()
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
    if twice := [source for source, n in Counter(frame.source for frame in frame_set.frames).items() if n > 1]:
        raise FersynError(f"{frame_set.dataset}: {twice[0]} is listed more than once; list each picture once")


def _request(frame_set: FrameSet, size: int) -> dict[str, Any]:
    ours = {"size": size, "root": frame_set.root, "preprocessing": VERSION}
    return json.loads(json.dumps({"dataset": frame_set.dataset, **frame_set.request, **ours}))


def _summary(table: FaceTable) -> str:
    people, lost = len(set(table.people)), len(table.skipped)
    who = "1 person" if people == 1 else f"{people} people"
    return f"{len(table)} faces of {who}, {lost} skipped, fingerprint {table.fingerprint[:16]}"


def _no_faces(frame_set: FrameSet, journal: Journal) -> str:
    reasons = [journal.entries[frame.source]["reason"] for frame in frame_set.frames]
    told = "; ".join(f"{count} x {reason}" for reason, count in _tally(reasons))
    cure = "check the folder, or give pictures with a frontal face"
    return f"no usable face in the {len(frame_set.frames)} pictures of {frame_set.dataset} ({told}); {cure}"


def _tally(reasons, most: int = 5) -> list[tuple[str, int]]:
    """Count reasons alike but for the file they name and their numbers."""
    alike: dict[str, list[str]] = {}
    for reason in reasons:
        kind = re.sub(r"\d+", "#", re.sub(r"^\S*\.\w+: ", "", re.sub(r"^[^:]*\.\w{2,5}: ", "", reason)))
        alike.setdefault(kind, []).append(reason)
    ranked = sorted(alike.values(), key=len, reverse=True)[:most]
    return [(group[0] if len(group) == 1 else f"{group[0]} (and others alike)", len(group)) for group in ranked]


def _table_rows(frame_set: FrameSet, journal: Journal) -> list[dict[str, Any]]:
    """One row a usable frame, in their order; what the reader knows is taken anew, as labels may have been mended."""
    rows = []
    for number, frame in enumerate(frame_set.frames):
        if face := journal.entries.get(frame.source, {}).get("face"):
            known = {name: getattr(frame, name) for name in KNOWN}
            rows.append({"file_name": file_name(number, frame.source), **known, **face})
    return rows


def _is_current(frame_set: FrameSet, journal: Journal, out: Path, holdout: float) -> bool:
    """Whether the finished table in `out` is what the journal would give."""
    try:
        info = json.loads((out / "table.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    rows = _table_rows(frame_set, journal)
    told = info.get("notes") == frame_set.notes and info.get("licence") == frame_set.licence
    skipped = info.get("counts", {}).get("skipped") == len(frame_set.frames) - len(rows)
    there = (out / "metadata.parquet").is_file() and bool(rows)
    return (
        told and skipped and there and info.get("fingerprint") == fingerprint(_frame(rows, holdout, frame_set.sides)[0])
    )


def _finish(frame_set: FrameSet, journal: Journal, out: Path, size: int, holdout: float) -> FaceTable:
    """Write everything but the pictures, metadata.parquet last, and open the table."""
    rows, sides = _frame(_table_rows(frame_set, journal), holdout, frame_set.sides)
    _settle_pictures(rows, out)
    skipped = _write_skipped(frame_set, journal, out)
    notes = _write_splits(rows, sides, out)
    _write_previews(rows, journal, out)
    labels = rows["expression"].astype(object).where(rows["expression"].notna(), "none")
    counts = {"faces": len(rows), "people": len(sides), "skipped": skipped}
    info = {
        **{
            name: getattr(frame_set, name)
            for name in ("dataset", "request", "licence", "attribution", "notes", "instead", "guides")
        },
        "size": size,
        "split_notes": notes,
        "counts": counts | {"expressions": dict(sorted(Counter(labels).items()))},
        "fersyn": __version__,
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "fingerprint": fingerprint(rows),
    }
    write_json(out / "table.json", info)
    write_metadata(rows, out)
    return FaceTable.open(out)


def _frame(rows: list[dict[str, Any]], holdout: float, own: dict[str, str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the table and the side of each person: the set's `own` where it has a split, else dealt."""
    table = pd.DataFrame(rows)
    sides = splits.holdout(table, holdout)
    if own:
        sides["split"] = sides["subject"].map(own)
    table["split"] = splits.assign(table, sides)
    return table[COLUMNS.names], sides


def _settle_pictures(rows: pd.DataFrame, out: Path) -> None:
    """Give every picture the number of its row (frames may have been added) and delete those whose frame is gone."""
    present = dict(pictures(out))
    for name, source in zip(rows["file_name"], rows["source"], strict=True):
        found = present.pop(source_key(source))
        if found != out / name:
            found.replace(out / name)
    for left in present.values():
        left.unlink()


def _write_skipped(frame_set: FrameSet, journal: Journal, out: Path) -> int:
    lost = []
    for frame in frame_set.frames:
        if "face" not in (entry := journal.entries[frame.source]):
            lost.append((frame.source, frame.subject, frame.expression or "", entry["reason"]))
    table = pd.DataFrame(lost, columns=["source", "subject", "expression", "reason"])
    write_atomic(out / "skipped.csv", lambda path: table.to_csv(path, index=False, lineterminator="\n"))
    return len(lost)


def _write_splits(rows: pd.DataFrame, holdout: pd.DataFrame, out: Path) -> list[str]:
    for old in (out / "splits").glob("*.csv"):
        old.unlink()
    splits.write(holdout, out / "splits" / "holdout.csv")
    folds = min(FOLDS, len(holdout))
    if folds < 2:
        return ["one person only: nobody is held out, and there are no folds"]
    splits.write(splits.kfold(rows, folds), out / "splits" / f"kfold{folds}.csv")
    return [f"{folds} folds, as there are {folds} people"] if folds < FOLDS else []


def _write_previews(rows: pd.DataFrame, journal: Journal, out: Path) -> None:
    previews = []
    for name, source in zip(rows["file_name"], rows["source"], strict=True):
        if preview := journal.entries[source].get("preview"):
            previews.append({"file_name": name, **preview})
    write_json(out / ".fersyn" / "previews.json", previews)
