"""The last step of preprocessing: from the journal to metadata, splits and table.json."""

import json
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd

from fersyn import __version__, splits
from fersyn.building.folder import Journal, file_name, pictures, source_key
from fersyn.datasets.frames import FrameSet
from fersyn.files import write_atomic, write_json
from fersyn.table import COLUMNS, FaceTable, fingerprint, write_metadata

FOLDS = 10


def table_rows(frame_set: FrameSet, journal: Journal) -> list[dict[str, Any]]:
    """One row a usable frame, in the order of the frames; what the reader knows is taken from the reader anew, as
    labels may have been mended.
    """
    rows = []
    for number, frame in enumerate(frame_set.frames):
        face = journal.entries.get(frame.source, {}).get("face")
        if face is None:
            continue
        known = {
            name: getattr(frame, name)
            for name in ("dataset", "source", "subject", "sequence", "frame", "expression", "publishable")
        }
        intensity = None if frame.intensity != frame.intensity else frame.intensity
        rows.append({"file_name": file_name(number, frame.source), **known, "intensity": intensity, **face})
    return rows


def is_current(frame_set: FrameSet, journal: Journal, out: Path, holdout: float) -> bool:
    """Whether the finished table in `out` is what the journal would give."""
    try:
        info = json.loads((out / "table.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    rows = table_rows(frame_set, journal)
    told = info.get("notes") == frame_set.notes and info.get("licence") == frame_set.licence
    skipped = info.get("counts", {}).get("skipped") == len(frame_set.frames) - len(rows)
    return (
        told
        and skipped
        and (out / "metadata.parquet").is_file()
        and bool(rows)
        and info.get("fingerprint") == fingerprint(_frame(rows, holdout)[0])
    )


def finish(frame_set: FrameSet, journal: Journal, out: Path, size: int, holdout: float) -> FaceTable:
    """Write everything but the pictures, metadata.parquet last, and open the table."""
    rows, sides = _frame(table_rows(frame_set, journal), holdout)
    _settle_pictures(rows, out)
    skipped = _write_skipped(frame_set, journal, out)
    notes = _write_splits(rows, sides, out)
    _write_previews(rows, journal, out)
    labels = rows["expression"].astype(object).where(rows["expression"].notna(), "none")
    info = {
        "dataset": frame_set.dataset,
        "request": frame_set.request,
        "size": size,
        "licence": frame_set.licence,
        "attribution": frame_set.attribution,
        "notes": frame_set.notes,
        "split_notes": notes,
        "counts": {
            "faces": len(rows),
            "people": len(sides),
            "skipped": skipped,
            "expressions": dict(sorted(Counter(labels).items())),
        },
        "fersyn": __version__,
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "fingerprint": fingerprint(rows),
    }
    write_json(out / "table.json", info)
    write_metadata(rows, out)
    return FaceTable.open(out)


def _frame(rows: list[dict[str, Any]], holdout: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pd.DataFrame(rows)
    sides = splits.holdout(table, holdout)
    table["split"] = splits.assign(table, sides)
    return table[COLUMNS.names], sides


def _settle_pictures(rows: pd.DataFrame, out: Path) -> None:
    """Give every picture the number of its row (frames may have been added in between) and delete those whose frame
    is gone.
    """
    present = dict(pictures(out))
    for name, source in zip(rows["file_name"], rows["source"], strict=True):
        found = present.pop(source_key(source))
        if found != out / name:
            found.replace(out / name)
    for left in present.values():
        left.unlink()


def _write_skipped(frame_set: FrameSet, journal: Journal, out: Path) -> int:
    lost = [
        (frame.source, frame.subject, frame.expression or "", journal.entries[frame.source]["reason"])
        for frame in frame_set.frames
        if "face" not in journal.entries[frame.source]
    ]
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
    previews = [
        {"file_name": name, **journal.entries[source]["preview"]}
        for name, source in zip(rows["file_name"], rows["source"], strict=True)
        if "preview" in journal.entries[source]
    ]
    write_json(out / ".fersyn" / "previews.json", previews)
