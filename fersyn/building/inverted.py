"""The faces of a table as codes of a generator, worked out once and kept beside the table: T/.fersyn/inverted-<key>.safetensors.

The key stands for table, generator, encoder and settings: whoever asks for the same, in a notebook or on the command line, finds
what is there; what is missing is added, and a killed run loses at most a few faces. A file of another table or generator is
refused.

Example:
    >>> found = inverted.of(table, Settings(steps=15))                     # doctest: +SKIP
    >>> again = found.faces()                                              # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fersyn.errors import FersynError, TableError
from fersyn.files import locked, write_atomic
from fersyn.generating.inversion import Inverter, Settings, get, refusals
from fersyn.progress import Progress, say
from fersyn.table import FaceTable

KEPT_EVERY = 20  # seconds between two writings, of a megabyte for each 20 faces


@dataclass(frozen=True)
class Inverted:
    """Faces of a table, inverted.

    Attributes:
        table: whose faces.
        rows: int64 (N,), positions in the table, as asked for, without the skipped ones.
        codes: W+, float32 (N, styles, width).
        inverter: what leads back.
        skipped: position -> why it has no code.
    """

    table: FaceTable
    rows: np.ndarray
    codes: Tensor
    inverter: Inverter
    skipped: dict[int, str]

    @property
    def labels(self) -> np.ndarray:
        """What the faces show, (N,)."""
        return self.table.labels(self.rows)

    @property
    def people(self) -> np.ndarray:
        """Whose they are, (N,)."""
        return self.table.people[self.rows]

    def pictures(self, codes: Tensor | None = None, draft: bool = True) -> Tensor:
        """Pictures (N, 3, 256, 256) in FFHQ's frame, of the codes or of others in their places (moved ones)."""
        return self.inverter.pictures(self.codes if codes is None else codes, draft)

    def faces(self, codes: Tensor | None = None, draft: bool = True) -> Tensor:
        """The same in the kit's crop, where the table's faces stand: (N, 3, size, size) in [-1, 1]."""
        landmarks = self.table.landmarks(self.rows)
        return self.inverter.faces(self.codes if codes is None else codes, landmarks, self.table.size, draft)


def of(
    table: FaceTable, settings: Settings | None = None, index: Any = None, inverter: Inverter | None = None
) -> Inverted:
    """Invert the faces of a table, all or those of `index` (positions, slice or boolean mask).

    Args:
        table: its landmarks lay FFHQ's frame around the crops. Faces in profile, or whose landmarks form none, are skipped and
            counted.
        settings: of the refinement; None: those of the inverter.
        index: as of `FaceTable.images`.
        inverter: None: the kit's generator and encoder.

    Raises:
        FersynError: weights are missing.
        TableError: what is kept beside the table is damaged, or another table's or generator's.
    """
    inverter = inverter or Inverter(settings=settings)
    if settings not in (None, inverter.settings):
        raise FersynError("the inverter has other settings than those asked for: give one of the two")
    rows = np.arange(len(table))[slice(None) if index is None else index]
    path = kept_at(table, inverter)
    try:
        path.parent.mkdir(exist_ok=True)
        with locked(path.with_suffix(".lock"), wait=True):
            codes = read(path, table, inverter) if path.is_file() else {}
            skipped = _work(table, inverter, [row for row in rows.tolist() if row not in codes], codes, path)
    except OSError as error:
        raise TableError(f"{path.parent} cannot be written ({error.strerror}): codes are kept there") from None
    if skipped:
        say(f"{table.path}: {len(skipped)} of {len(rows)} faces cannot be inverted: {next(iter(skipped.values()))}")
    there = [row for row in rows.tolist() if row in codes]
    return Inverted(table, np.array(there, np.int64), _stacked(inverter, codes, there), inverter, skipped)


def of_training(table: FaceTable, people: int = 0, refinement: int = 0) -> Inverted:
    """What a method learns expressions from: the `strongest` faces of training people, inverted by the kit's generator with so
    many steps of refinement. Raises what `of` raises.
    """
    return of(table, index=strongest(table, people), inverter=get(refinement))


def kept_at(table: FaceTable, inverter: Inverter) -> Path:
    """Where the codes of a table are kept."""
    key = hashlib.sha256(f"{table.fingerprint} {inverter.fingerprint}".encode()).hexdigest()[:16]
    return table.path / ".fersyn" / f"inverted-{key}.safetensors"


def _work(
    table: FaceTable, inverter: Inverter, missing: list[int], codes: dict[int, Tensor], path: Path
) -> dict[int, str]:
    """Add to `codes` and to the file what is missing; returns what cannot be had, and why."""
    if not missing:
        return {}
    refused = {missing[at]: why for at, why in refusals(table.landmarks(missing)).items()}
    skipped = {row: f"{table.rows['file_name'].iloc[row]}: {why}" for row, why in refused.items()}
    able, written = [row for row in missing if row not in skipped], time.monotonic()
    with Progress(len(able), f"inversion, {inverter.settings.steps} steps") as progress:
        for at in range(0, len(able), inverter.batch):
            some = able[at : at + inverter.batch]
            codes.update(zip(some, inverter(table.tensor(some), table.landmarks(some)), strict=True))
            progress.advance(len(some))
            if time.monotonic() - written > KEPT_EVERY:
                _write(path, table, inverter, codes)
                written = time.monotonic()
    _write(path, table, inverter, codes)
    return skipped


def _stacked(inverter: Inverter, codes: dict[int, Tensor], rows: list[int]) -> Tensor:
    shape = inverter.generator.styles, inverter.generator.width
    return torch.stack([codes[row] for row in rows]) if rows else torch.zeros(0, *shape)


def _about(table: FaceTable, inverter: Inverter) -> dict[str, str]:
    return {"table": table.fingerprint, "generator": inverter.generator.fingerprint, "inverter": inverter.fingerprint}


def _write(path: Path, table: FaceTable, inverter: Inverter, codes: dict[int, Tensor]) -> None:
    rows = sorted(codes)
    content = {"rows": torch.tensor(rows, dtype=torch.int64), "codes": _stacked(inverter, codes, rows)}
    write_atomic(path, lambda file: save_file(content, str(file), _about(table, inverter)))


def read(path: str | Path, table: FaceTable, inverter: Inverter) -> dict[int, Tensor]:
    """Codes that were written for a table by an inverter: position -> (styles, width).

    Raises:
        TableError: damaged, or codes of another table, another generator, or other settings.
    """
    try:
        with safe_open(str(path), "pt") as content:
            about, rows, codes = content.metadata() or {}, content.get_tensor("rows"), content.get_tensor("codes")
    except (OSError, SafetensorError, ValueError) as error:
        raise TableError(f"{path} cannot be read ({error}); delete it, and it is made again") from None
    whose = {"table": "of another face table", "generator": "of another generator", "inverter": "made otherwise"}
    for key, value in _about(table, inverter).items():
        if about.get(key) != value:
            raise TableError(f"{path} holds codes {whose[key]}; delete it, and they are made again")
    return dict(zip(rows.tolist(), codes, strict=True))


def strongest(table: FaceTable, people: int = 0) -> np.ndarray:
    """Positions of the training people's (the first so many; 0: all) first neutral face and strongest of each expression."""
    rows = pd.DataFrame({"label": table.labels(), "strength": -table.intensities(), "who": table.people})
    rows = rows[(table.rows["split"] == "train").to_numpy() & (rows["label"] >= 0)]
    rows = rows[rows["who"].isin(rows["who"].unique()[: people or None])].sort_values("strength", kind="stable")
    return np.sort(rows.drop_duplicates(["who", "label"]).index.to_numpy())
