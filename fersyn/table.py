"""The face table: a folder of aligned faces with a row of facts for each; all else in the kit reads it.

T/images/000000_s005-001-...png   aligned faces, RGB 8 bit, all of one size
T/metadata.parquet                a row a face (`COLUMNS`); column `file_name` makes it a Hugging Face imagefolder
T/skipped.csv                     what is not in it, and why
T/splits/holdout.csv, kfold*.csv  people by side or fold
T/table.json                      request, licence, attribution, notes, counts, version, fingerprint
T/.fersyn/                        journal, lock and "before" pictures (hidden: not part of the data)
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fersyn import splits
from fersyn.datasets.frames import TRUTH
from fersyn.errors import TableError
from fersyn.expressions import EXPRESSIONS, NEUTRAL
from fersyn.files import pixel_hash, write_atomic

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


class FaceTable:
    """A face table on disk, opened with `FaceTable.open(path)`.

    Attributes:
        path: the folder.
        rows: DataFrame, a row a face, columns as in `COLUMNS`.
        info: what table.json holds.
        skipped: DataFrame (source, subject, expression, reason) of what could not be used.

    Example:
        >>> table = FaceTable.open("data/laptop/rendered")      # doctest: +SKIP
        >>> faces, labels = table.tensor(), table.labels()      # doctest: +SKIP
    """

    def __init__(self, path: Path, rows: pd.DataFrame, info: dict[str, Any], skipped: pd.DataFrame):
        self.path, self.rows, self.info, self.skipped = path, rows, info, skipped

    @classmethod
    def open(cls, path: str | Path) -> "FaceTable":
        """Open a table and check its shape (not its pixels: see `verify`); raises TableError naming what is wrong."""
        path = Path(path)
        if not path.is_dir():
            raise TableError(f"{path}: there is no such face table; build one with: fersyn data ... --out {path}")
        if not (path / "metadata.parquet").is_file() or not (path / "table.json").is_file():
            if (path / ".fersyn").is_dir():
                again = "run the command that builds it again, it goes on where it stopped"
                raise TableError(f"{path}: this face table is unfinished; {again}")
            made = "build one with: fersyn data ... --out DIR"
            raise TableError(f"{path} is no face table (no metadata.parquet and table.json); {made}")
        try:
            info = json.loads((path / "table.json").read_text(encoding="utf-8"))
            rows = pq.ParquetFile(path / "metadata.parquet").read().to_pandas()
        except (ValueError, OSError, pa.ArrowException) as error:
            raise _damaged(f"{path}: metadata.parquet or table.json cannot be read ({error})") from None
        rows = _canonical(rows, path)
        _check(rows, path)
        skipped = pd.DataFrame(columns=["source", "subject", "expression", "reason"])
        if (path / "skipped.csv").is_file():
            skipped = pd.read_csv(path / "skipped.csv", dtype=str, keep_default_na=False)
        return cls(path, rows, info, skipped)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        who = f"{len(self)} faces of {len(set(self.people))} people"
        return f"FaceTable({str(self.path)!r}, {who}, {self.fingerprint[:12]})"

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) over all rows and pixels: equal fingerprints mean equal tables."""
        return self.info["fingerprint"]

    @property
    def size(self) -> int:
        """Side of the faces, px."""
        return int(self.info["size"])

    @property
    def people(self) -> np.ndarray:
        """'dataset/subject' for each row, str (N,)."""
        return splits.people(self.rows)

    @property
    def guides(self) -> tuple[str, ...]:
        """Instruments (names of `fersyn.weights`) that had a hand in making its faces; () for photographs and rendered ones."""
        return tuple(self.info.get("guides", ()))

    def view(self, fold: str = "", people: int = 0, seed: int = 0) -> "FaceTable":
        """The same table with other sides in column `split` (see `splits.sides`). Nothing is written, the fingerprint stays."""
        rows = self.rows.assign(split=splits.sides(self.rows, fold, people, seed))
        return FaceTable(self.path, rows, self.info, self.skipped)

    def people_of(self, side: str) -> set[str]:
        """Return the people ('dataset/subject') on a side of column `split`: 'train' or 'test'."""
        return set(self.people[(self.rows["split"] == side).to_numpy()])

    def images(self, index: Any = None) -> np.ndarray:
        """Faces as uint8 RGB (N, size, size, 3), of all rows or of `index` (positions, slice or boolean mask)."""
        names = self._pick(self.rows["file_name"], index)
        out = np.empty((len(names), self.size, self.size, 3), np.uint8)
        for image, name in zip(out, names, strict=True):
            image[...] = self._read(name)
        return out

    def tensor(self, index: Any = None):
        """Return faces as a torch tensor, float32 (N, 3, size, size) in [-1, 1]."""
        from fersyn.pixels import to_floats, to_tensor  # torch: workers that write tables do without

        return to_floats(to_tensor(self.images(index)))

    def landmarks(self, index: Any = None) -> np.ndarray:
        """Return landmarks, float32 (N, 68, 2), (x, y) px of the crop."""
        points = self._pick(self.rows["landmarks"], index)
        return np.array([np.stack(p) for p in points], np.float32).reshape(-1, 68, 2)

    def labels(self, index: Any = None) -> np.ndarray:
        """Return labels, int64 (N,): an index into EXPRESSIONS, -1 where there is none."""
        number = {name: i for i, name in enumerate(EXPRESSIONS)}
        return np.array([number.get(name, -1) for name in self._pick(self.rows["expression"], index)], np.int64)

    def intensities(self, index: Any = None, unknown: float | None = None) -> np.ndarray:
        """Return how strong each expression is, float64 (N,): 0 neutral .. 1 peak.

        Args:
            index: positions, slice or boolean mask; None: all rows.
            unknown: what stands where the table does not know (NaN to tell them apart); None: 1, of neutral faces 0.
        """
        known = self.rows["intensity"].to_numpy(np.float64, na_value=np.nan)
        if unknown is None:
            unknown = self.labels() != NEUTRAL
        return np.array(self._pick(np.where(np.isnan(known), unknown, known), index), np.float64)

    def sequences(self, index: Any = None) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
        """Say which neutral faces belong to which expressive ones: those of one sequence, in which pose and light are
        alike. A person's pictures without a sequence count as one.

        Args:
            index: positions (or mask) of the rows to look at; None: all. Rows without a label are passed over.

        Returns:
            (person, name of the sequence or '') -> positions in the table of its neutral and of its expressive faces,
            int64 each and maybe empty; groups by first appearance, positions in the order of `index`.
        """
        labels, people = self.labels(), self.people
        names = self.rows["sequence"].fillna("").astype(str).to_numpy(dtype=object)
        found: dict[tuple[str, str], tuple[list[int], list[int]]] = {}
        for row in self._pick(np.arange(len(self)), index):
            if labels[row] >= 0:
                found.setdefault((people[row], names[row]), ([], []))[int(labels[row] > 0)].append(row)
        return {name: tuple(np.array(rows, np.int64) for rows in both) for name, both in found.items()}

    def previews(self) -> list[dict[str, Any]]:
        """Return some pictures as they were before preprocessing.

        Each is a dict: `image` (uint8 RGB (h, w, 3), at most 320 px), `box` (4,) and `landmarks` (68, 2) in px of
        that image, `file_name` of its row, and `row`, the position of its row.
        """
        from fersyn.datasets.photo import read_photo

        folder = self.path / ".fersyn" / "previews"
        try:
            entries = json.loads((folder.parent / "previews.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        position = {name: i for i, name in enumerate(self.rows["file_name"])}
        found = []
        for entry in entries:
            row, picture = position.get(entry["file_name"]), folder / entry["preview"]
            if row is not None and picture.is_file():
                arrays = {name: np.array(entry[name]) for name in ("box", "landmarks")}
                found.append({"image": read_photo(picture), **arrays, "file_name": entry["file_name"], "row": row})
        return found

    def verify(self) -> None:
        """Hash rows and pixels again; raises TableError naming the files that were changed."""
        hashes = zip(self.rows["file_name"], self.rows["sha256"], strict=True)
        changed = [name for name, wanted in hashes if pixel_hash(self._read(name)) != wanted]
        if changed:
            raise _damaged(f"{self.path}: {len(changed)} pictures were changed ({', '.join(changed[:5])})")
        if fingerprint(self.rows) != self.fingerprint:
            raise _damaged(f"{self.path}: metadata.parquet does not fit table.json's fingerprint")

    def _pick(self, column: Any, index: Any) -> list:
        values = np.asarray(column, dtype=object)
        if index is None:
            return list(values)
        if not isinstance(index, slice):
            index = np.atleast_1d(np.asarray(index))
            index = index if index.size else index.astype(int)
        return list(values[index])

    def _read(self, name: str) -> np.ndarray:
        import cv2

        image = cv2.imread(str(self.path / name), cv2.IMREAD_COLOR)
        if image is None or image.shape != (self.size, self.size, 3):
            found = "cannot be read" if image is None else f"is {image.shape[1]}x{image.shape[0]} px, not {self.size}"
            raise _damaged(f"{self.path / name} {found}")
        return image[..., ::-1]


def _damaged(what: str) -> TableError:
    return TableError(f"{what}; build the table anew with --overwrite")


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with the columns of `COLUMNS`, in JSON's types, whatever those in which pandas happens to hold them."""
    records = rows[COLUMNS.names].to_dict("records")
    return [{key: _plain(value) for key, value in record.items()} for record in records]


def fingerprint(rows: pd.DataFrame) -> str:
    """The sha256 (hex) over all rows in their order; the pixels come in through column `sha256`."""
    digest = hashlib.sha256()
    for record in _records(rows):
        digest.update(json.dumps(record, sort_keys=True, allow_nan=False).encode() + b"\n")
    return digest.hexdigest()


def write_metadata(rows: pd.DataFrame, path: Path) -> None:
    """Write metadata.parquet atomically, with the types of `COLUMNS`."""
    table = pa.Table.from_pylist(_records(rows), schema=COLUMNS)
    write_atomic(path / "metadata.parquet", lambda file: pq.write_table(table, file))


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


def _canonical(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return rows with None for what is missing in columns of objects; raises TableError if a column is missing."""
    if missing := [name for name in COLUMNS.names if name not in rows.columns]:
        raise _damaged(f"{path}: metadata.parquet lacks the column(s) {', '.join(missing)}")
    for name in ("expression", "truth_landmarks", "truth_glasses"):
        rows[name] = rows[name].astype(object).where(rows[name].notna(), None)
    return rows


def _check(rows: pd.DataFrame, path: Path) -> None:
    """Raise TableError, naming rows and files, if the rows of the table in `path` cannot be right."""

    def refuse(what: str, names) -> None:
        names = list(names)
        if names:
            listed = ", ".join(map(str, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise _damaged(f"{path}: {what}: {listed}")

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
