"""The landmark motion of a run (RUN/motion.npz): learnt beside the networks, which it does not depend on, nor they on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fersyn import weights
from fersyn.errors import FersynError, SubjectLeak
from fersyn.methods import motion
from fersyn.methods.base import Method
from fersyn.nets import instruments
from fersyn.progress import say
from fersyn.table import FaceTable


def learn(
    method: Method, table: FaceTable | None, out: Path, photographs: Sequence[FaceTable] = (), keep: bool = False
) -> None:
    """Learn the motion of a method that edits by landmarks, and say what of.

    With `keep` one stays that is of these tables, or where no photographs are named, of the training table and any: what a
    report has trained is opened by notebooks that know nothing of photographs.

    Raises:
        SubjectLeak: the photographs show people who are held out of the training.
    """
    if table is None or not (method.edits and method.needs_landmarks):
        return
    if keep and _there(out / "motion.npz", table, photographs):
        return
    try:
        learnt = motion.fit(table, photographs=photographs, meter=_meter())
    except SubjectLeak:
        raise
    except FersynError as error:
        say(f"no landmark motion: {error}")
        return
    learnt.save(out / "motion.npz")
    about = learnt.about()
    beside = f", {about['photographs']} of photographs" if photographs else "; no photographs are named (--photos)"
    say(f"{out}: landmark motion learnt from {about['training']} people of the training table{beside}")


def _there(path: Path, table: FaceTable, photographs: Sequence[FaceTable]) -> bool:
    """Whether a file holds the motion that would be learnt."""
    if not path.is_file():
        return False
    try:
        found = motion.load(path)
    except FersynError:
        say(f"{path} is damaged or of another version of fersyn: it is learnt anew")
        return False
    tables = found.tables.tolist()
    if not photographs:
        return tables[:1] == [table.fingerprint]
    same = tables == [each.fingerprint for each in (table, *photographs)]
    return same and (found.metered or not _metering())


def _metering() -> bool:
    return instruments.available("actions")


def _meter() -> instruments.ActionMeter | None:
    try:
        weights.fetch("actions")
        return instruments.get("actions")
    except FersynError as error:
        say(f"{error}\nThe landmark motion goes as far as landmarks went, which shows less than the faces did")
        return None
