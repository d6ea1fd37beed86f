"""Sets whose file names say who and what: one table of name patterns (named.yaml), one reader."""

import re
from collections.abc import Sequence
from pathlib import Path

from fersyn.datasets.frames import FrameSet
from fersyn.datasets.layout import existing_folder, is_picture, match_of, named, natural
from fersyn.errors import FersynError, LayoutError
from fersyn.files import data_of

SETS = data_of(__file__)
ALONE = "name no person: each counts as its own, so one person may stand in training and test."


def read_named(name: str, root: str | Path, views: str | None = None, publishable: bool = False) -> FrameSet:
    """Read the set `name` of named.yaml. How strong an expression is nobody says (NaN, 0 for neutral).

    Args:
        name: of the set.
        root: its folder; what lies above and between does not matter.
        views: of the camera, by commas, where the names tell it; by default those from the front.
        publishable: whether the pictures may be shown in public.

    Raises:
        LayoutError: no picture is named as in the set.
        FersynError: a line of the list of labels cannot be read.
    """
    about = SETS[name]
    base, layout = existing_folder(root, name, about["layout"]), about["layout"]
    wanted = str(views or about.get("views", "")).split(",")
    files = [file for file in sorted(base.rglob("*"), key=natural) if is_picture(file)]
    told = {file: match_of(about["name"], file, base) for file in files}
    view = {file: match.groupdict().get("view") for file, match in told.items() if match}
    aside = [file for file, own in view.items() if own not in (None, *wanted)]
    if len(aside) == len(view):
        found = f"views {', '.join(sorted(set(view.values())))}" if aside else "no picture that is named as in the set"
        raise LayoutError(f"{base}: {found}; {name} is read from a folder that holds {layout}")
    codes = _listed(base, about) if "labels" in about else about["codes"]
    chosen = [file for file in files if file not in set(aside)]
    frames, strange = named(chosen, base, name, about["name"], codes, publishable)
    notes = [f"{len(aside)} pictures of other views were left out (option --views)."] if aside else []
    if strange:
        notes.append(f"{len(strange)} pictures are not named as in the set and were left out: {', '.join(strange[:3])}")
    if "subject" not in re.compile(about["name"]).groupindex:
        notes.append(f"the pictures {ALONE}")
    sides = {frame.subject: told[frame.path].groupdict().get("side") for frame in frames}
    return FrameSet(
        dataset=name,
        frames=frames,
        licence=about["licence"],
        attribution=about["attribution"],
        notes=notes,
        request={"reader": name, "views": wanted, "publishable": publishable},
        root=str(base.resolve()),
        sides={person: "train" if side == "train" else "test" for person, side in sides.items() if side},
    )


def _listed(base: Path, about: dict) -> dict[str, str]:
    """Codes of pictures by the name that a list gives them: lines 'train_00001.jpg 5'."""
    file = next(base.rglob(about["labels"]), None)
    if file is None:
        raise LayoutError(f"{base}: there is no {about['labels']} in it; expected is {about['layout']}")
    found = {}
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), 1):
        words = line.split()
        if words and (len(words) != 2 or words[1] not in about["codes"]):
            raise FersynError(f"{file}, line {number}: '{line[:40]}' is no picture with its label; mend or delete it")
        found |= {Path(words[0]).stem: about["codes"][words[1]]} if words else {}
    return found


def people_by_name(sources: Sequence[str]) -> tuple[str, list[str]] | None:
    """What the set of named.yaml is as whose all these pictures are named, and the person on each; None: there is none."""
    for about in SETS.values():
        found = [match_of(about["name"], source) for source in sources]
        if found and all(match and match.groupdict().get("subject") for match in found):
            return about["about"].split(":")[0], [match["subject"] for match in found]
    return None
