"""What can be chosen in the panel: a face of a table, or one of the faces of a photograph; and a trained run."""

from __future__ import annotations

import io
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fersyn import editing, methods, splits
from fersyn.datasets.openpeople import read_openpeople
from fersyn.datasets.photo import read_photo
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.base import Synthesiser
from fersyn.reporting.project import locate
from fersyn.table import FaceTable
from fersyn.training import checkpoint, model, runs

FIRST = "landmark-flow"  # what the panel opens with, where it is trained
INTERNAL = {"ablations", "augmentation"}  # folders of the variants of notebook 04 and the folds of 06
KIT = "comes with the kit"  # the shipped model's name in the panel


@dataclass(frozen=True)
class Face:
    """One face, ready to be edited.

    Attributes:
        crop: uint8 RGB (S, S, 3), aligned.
        landmarks: (68, 2) px of the crop.
        title: who it is, for people.
        origin: the path that names it in a line of code: of the table, or of the photograph.
        row: position in the table; None: a photograph.
        number: which face of the photograph, from the left, 1...
        photo: the whole photograph, uint8 RGB (H, W, 3); None: a table's face.
        found: how the crop was cut from the photograph.
        data: the photograph's file, whose EXIF data a saved picture keeps.
        person: 'dataset/subject' of a table's face: no motion moves him that has learnt from him.
    """

    crop: np.ndarray
    landmarks: np.ndarray
    title: str
    origin: str
    row: int | None = None
    number: int = 1
    photo: np.ndarray | None = None
    found: editing.FoundFace | None = None
    data: bytes = b""
    person: str = ""

    def finished(self, synthesiser: Synthesiser, expression: str, intensity: float) -> np.ndarray:
        """What is saved of it edited: the whole photograph, or the crop of a table's face, uint8 RGB."""
        if self.found is None:
            return editing.edit_face(self, synthesiser, expression, intensity)
        return editing.edit_photo(self.photo, self.found, synthesiser, expression, intensity)


def of_table(table: FaceTable, row: int, origin: str = "") -> Face:
    """A row of a face table; raises FersynError where there is no such row."""
    if not 0 <= row < len(table):
        raise FersynError(f"row {row}: {table.path} has the rows 0 to {len(table) - 1}")
    values = table.rows.iloc[row]
    title = f"{values['dataset']}/{values['subject']}, {values['expression'] or 'no label'}"
    crop, points = table.images([row])[0], table.landmarks([row])[0]
    return Face(crop, points, title, origin or str(table.path), row=row, person=table.people[row])


def of_photo(photo: np.ndarray, name: str, size: int, data: bytes = b"", origin: str = "") -> list[Face]:
    """The faces of a photograph uint8 RGB (H, W, 3), from left to right; crops of at least `size` px.

    Raises:
        NoFace: there is none; the message says what may help.
    """
    found = editing.find(photo, name, size)
    return [
        Face(each.crop, each.landmarks, name if len(found) == 1 else f"{name}, face {number} of {len(found)}",
             origin or name, number=number, photo=photo, found=each, data=data)
        for number, each in enumerate(found, 1)
    ]  # fmt: skip


def read_bytes(name: str, data: bytes) -> np.ndarray:
    """Decode a file that came from the browser: uint8 RGB (H, W, 3), upright.

    Raises:
        UnreadablePhoto: no picture, damaged, or too large.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(name).name or "photo")
        path.write_bytes(data)
        return read_photo(path)


def open_tables(tables: Sequence[str | Path], profile: str) -> tuple[dict[str, FaceTable], list[str]]:
    """The tables that are there, by folder name, and a sentence for each that is not."""
    found, notes = {}, []
    for path in tables:
        if not str(path):
            continue
        try:
            table = FaceTable.open(locate(path))
        except FersynError as error:
            whole = f"make report PROFILE={profile}"
            notes.append(f"{error}; or all of them, in a shell, in the project's folder: {whole}.")
        else:
            found[table.path.name if table.path.name not in found else str(path)] = table
    return found, notes


def people_of(table: FaceTable) -> list[tuple[str, str]]:
    """(label, 'dataset/subject') of all people: the hold-out first, for no method has seen them."""
    rows = table.rows
    found = []
    for person, own in rows.groupby(splits.people(rows)):
        unseen = (own["split"] == "test").any()
        notes = ["hold-out"] if unseen else []
        notes += [] if own["publishable"].all() else ["not to be shown in public"]
        found.append((not unseen, " · ".join([str(own["subject"].iloc[0]), *notes]), person))
    return [(label, person) for _, label, person in sorted(found)]


def pictures_of(table: FaceTable, person: str) -> list[tuple[str, int]]:
    """(label, row) of a person's pictures: neutral ones first, then by expression and rising intensity."""
    rows = table.rows
    keyed = []
    for row in np.flatnonzero(splits.people(rows) == person).tolist():
        values = rows.iloc[row]
        name, degree = values["expression"], float(values["intensity"])
        name = name if isinstance(name, str) else "no label"
        label = name if name == "neutral" or np.isnan(degree) else f"{name} {degree:.0%}"
        order = EXPRESSIONS.index(name) if name in EXPRESSIONS else len(EXPRESSIONS)
        degree = 1.0 if np.isnan(degree) else degree
        keyed.append((order, degree, str(values["sequence"]), int(values["frame"]), label, row))
    often = Counter(label for *_, label, _ in keyed)
    return [
        (label if often[label] == 1 else f"{label} ({sequence or 'picture'}, {frame})", row)
        for _, _, sequence, frame, label, row in sorted(keyed)
    ]


def first_person(table: FaceTable) -> str | None:
    """Whom the panel opens with: the first of the hold-out who may be shown in public; None: nobody may.

    A notebook that is run in batch keeps what its widgets showed: nobody else is shown before a person asks for it.
    """
    return next(iter(_shown(table)), None)


def first_faces(table: FaceTable, number: int = 3) -> list[int]:
    """Rows of the first pictures of some people of whom the panel may open with one (`first_person`): that one first."""
    return [pictures_of(table, person)[0][1] for person in _shown(table)[:number]]


def _shown(table: FaceTable) -> list[str]:
    """People who may be shown in public, the hold-out first."""
    rows = table.rows
    closed = set(splits.people(rows)[~rows["publishable"].to_numpy(bool)])
    return [person for _, person in people_of(table) if person not in closed]


def shipped() -> dict[str, Path]:
    """The model that comes with the kit, by its name in the panel; nothing, where an installation lacks it."""
    return {KIT: model.SHIPPED} if model.SHIPPED.is_file() else {}


def portrait() -> tuple[str, bytes]:
    """Name and file of a portrait that the installation has, of nobody who lives: the panel opens with it without a table."""
    frame = next(frame for frame in read_openpeople().frames if frame.expression == "neutral")
    file = io.BytesIO()
    Image.fromarray(frame.picture().image).save(file, "PNG")
    return f"openpeople-{frame.subject}.png", file.getvalue()


def find_runs(folder: str | Path) -> dict[str, Path]:
    """Run folders below `folder` that can edit a face, by name (`landmark-flow`, `mine/c-gan`).

    Those directly in it come first, `landmark-flow` before its neighbours; folders that are no run of a method, or have no
    checkpoint yet, are left out, and so are those that a report has set aside (`landmark-flow.old`), and those that notebooks train
    for themselves (`INTERNAL`), unless `folder` is theirs.
    """
    folder, found = Path(folder), {}
    for config in folder.rglob("config.json") if folder.is_dir() else ():
        run = config.parent
        parts = run.relative_to(folder).parts
        if any(re.search(r"\.old\d*$", part) for part in parts) or INTERNAL & set(parts):
            continue
        try:
            method, _ = runs.read_config(run)
        except FersynError:
            continue
        if method in methods.names() and methods.get(method).edits and checkpoint.find(run) is not None:
            found[run.relative_to(folder).as_posix() if run != folder else run.name] = run
    return dict(sorted(found.items(), key=lambda item: (item[0].count("/"), item[0].split("/")[-1] != FIRST, item[0])))
