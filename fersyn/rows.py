"""The rows of a face table: their columns, checks and fingerprint."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fersyn.datasets.frames import TRUTH
from fersyn.errors import TableError
from fersyn.expressions import EXPRESSIONS
from fersyn.files import write_atomic

_POINTS = pa.list_(pa.list_(pa.float64()))

COLUMNS = pa.schema(
    [
        ("file_name", pa.string()),  # relative to the table, '/'-separated
        ("dataset", pa.string()),
        ("subject", pa.string()),
        ("sequence", pa.string()),
        ("frame", pa.int64()),
        ("expression", pa.string()),  # null without a label
        ("intensity", pa.float64()),  # 0 neutral .. 1 peak, null unknown
        ("landmarks", _POINTS),  # 68 (x, y), px of the crop
        ("source", pa.string()),
        ("split", pa.string()),  # train or test: hold-out of seed 0
        ("publishable", pa.bool_()),
        ("align", pa.list_(pa.float64())),  # 2x3 row by row, px of the source -> px of the crop
        ("width", pa.int64()),  # of the source, px
        ("height", pa.int64()),
        ("sha256", pa.string()),  # of the decoded pixels
        ("truth_landmarks", _POINTS),  # px of the crop, null unknown
        *[(f"truth_{name}", pa.float64()) for name in TRUTH],
        ("truth_glasses", pa.bool_()),
    ]
)


def fingerprint(rows: pd.DataFrame) -> str:
    """Return the sha256 (hex) over all rows in their order; the pixels come in through column `sha256`. It depends on
    them alone, not on the types in which pandas happens to hold them.
    """
    digest = hashlib.sha256()
    for record in rows[COLUMNS.names].to_dict("records"):
        line = json.dumps(
            {key: _plain(value) for key, value in record.items()}, sort_keys=True, ensure_ascii=True, allow_nan=False
        )
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def write_metadata(rows: pd.DataFrame, path: Path) -> None:
    """Write metadata.parquet atomically, with the types of `COLUMNS`."""
    columns = {}
    for name in COLUMNS.names:
        columns[name] = pa.array([_plain(value) for value in rows[name]], type=COLUMNS.field(name).type)
    write_atomic(path / "metadata.parquet", lambda file: pq.write_table(pa.table(columns, schema=COLUMNS), file))


def _plain(value: Any) -> Any:
    """Turn what pandas and numpy hold into JSON's types; missing of any kind is None, floats have six decimals."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return None if np.isnan(value) else round(float(value), 6) + 0.0
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    return str(value)


def canonical(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return rows with None for what is missing in columns of objects; raises TableError if a column is missing."""
    missing = [name for name in COLUMNS.names if name not in rows.columns]
    if missing:
        raise TableError(
            f"{path}: metadata.parquet lacks the column(s) {', '.join(missing)}; build the table anew with --overwrite"
        )
    for name in ("expression", "truth_landmarks", "truth_glasses"):
        rows[name] = rows[name].astype(object).where(rows[name].notna(), None)
    return rows


def check(rows: pd.DataFrame, path: Path) -> None:
    """Raise TableError, naming rows and files, if the rows of the table in `path` cannot be right."""

    def refuse(what: str, names) -> None:
        names = list(names)
        if names:
            listed = ", ".join(map(str, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise TableError(f"{path}: {what}: {listed}; build the table anew with --overwrite")

    if len(rows) == 0:
        raise TableError(f"{path}: the table has no rows; build it anew with --overwrite")
    refuse("rows of the same file_name", rows["file_name"][rows["file_name"].duplicated()])
    refuse("unknown expressions", sorted(set(rows["expression"].dropna()) - set(EXPRESSIONS)))
    refuse("a split that is neither train nor test", sorted(set(rows["split"]) - {"train", "test"}))
    refuse("intensities outside 0..1", rows["file_name"][(rows["intensity"] < 0) | (rows["intensity"] > 1)])
    broken = [len(points) != 68 or any(len(point) != 2 for point in points) for points in rows["landmarks"]]
    refuse("not 68 landmarks", rows["file_name"][broken])
    try:
        present = {f"images/{name}" for name in os.listdir(path / "images")}
    except OSError:
        present = set()
    refuse("pictures that are missing", [name for name in rows["file_name"] if name not in present])
