"""Which faces of a table are offered, in which order and under which names."""

from __future__ import annotations

import numpy as np
from pandas import DataFrame

from fersyn import splits
from fersyn.expressions import EXPRESSIONS
from fersyn.table import FaceTable


def people_of(table: FaceTable) -> list[tuple[str, str]]:
    """(label, 'dataset/subject') of all people: the hold-out first, for no method has seen them."""
    rows = table.rows
    frame = DataFrame(
        {
            "person": splits.people(rows),
            "subject": rows["subject"].astype(str).to_numpy(),
            "test": (rows["split"] == "test").to_numpy(),
            "closed": ~rows["publishable"].to_numpy(bool),
        }
    )
    found = []
    for person, own in frame.groupby("person", sort=True):
        notes = ["hold-out"] if own["test"].any() else []
        notes += ["not to be shown in public"] if own["closed"].any() else []
        found.append((not own["test"].any(), " · ".join([own["subject"].iloc[0], *notes]), person))
    return [(label, person) for _, label, person in sorted(found)]


def pictures_of(table: FaceTable, person: str) -> list[tuple[str, int]]:
    """(label, row) of a person's pictures: neutral ones first, then by expression and rising intensity."""
    rows = table.rows
    index = np.flatnonzero(splits.people(rows) == person)
    keyed = []
    for row in index:
        values = rows.iloc[row]
        name = values["expression"] if isinstance(values["expression"], str) else "no label"
        degree = float(values["intensity"]) if values["intensity"] == values["intensity"] else 1.0
        label = name if name == "neutral" or values["intensity"] != values["intensity"] else f"{name} {degree:.0%}"
        order = EXPRESSIONS.index(name) if name in EXPRESSIONS else len(EXPRESSIONS)
        keyed.append((order, degree, str(values["sequence"]), int(values["frame"]), label, int(row)))
    keyed.sort()
    labels = [each[4] for each in keyed]
    return [
        (label if labels.count(label) == 1 else f"{label} ({sequence or 'picture'}, {frame})", row)
        for _, _, sequence, frame, label, row in keyed
    ]


def first_person(table: FaceTable) -> str | None:
    """Whom the panel opens with: the first of the hold-out who may be shown in public; None: nobody may.

    A notebook that is run in batch keeps what its widgets showed: nobody else is shown before a person asks for it.
    """
    rows = table.rows
    closed = set(splits.people(rows)[~rows["publishable"].to_numpy(bool)])
    return next((person for _, person in people_of(table) if person not in closed), None)
