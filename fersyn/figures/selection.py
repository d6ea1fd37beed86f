"""Which rows of a face table are shown: only people who may be pictured in public, spread over people and
expressions.
"""

import numpy as np
import pandas as pd

from fersyn.expressions import EXPRESSIONS
from fersyn.figures.note import Note


def pictured(rows: pd.DataFrame, private: bool = False) -> np.ndarray:
    """Which rows (N,) bool may be shown: those marked publishable, or all of them if the page stays ``private``."""
    return np.ones(len(rows), bool) if private else rows["publishable"].to_numpy(bool)


def privacy_note(rows: pd.DataFrame, shown: np.ndarray, private: bool = False) -> str:
    """One sentence about faces that are left out, or about a page that must not be passed on; otherwise empty."""
    closed = int((~rows["publishable"].to_numpy(bool)).sum())
    which = f"pictures of {', '.join(map(str, dict.fromkeys(rows['dataset'])))}"
    if private and closed:
        return f"Not to be passed on: {closed} of {len(rows)} {which} show people who did not agree to be shown."
    if not shown.all():
        return (
            f"{closed} of {len(rows)} {which} are counted and measured but not shown: "
            "the people in them did not agree to be pictured in public."
        )
    return ""


def nothing() -> Note:
    """In place of a figure that has no face to show."""
    return Note(
        "*Nothing is shown here: nobody in this set agreed to be pictured in public. "
        "`fersyn report --private` (or the parameter `private = True`) shows the faces, on pages that must not be "
        "passed on.*"
    )


def strength(rows: pd.DataFrame) -> np.ndarray:
    """Intensity (N,) with 1 where nobody said: what is unknown counts as a full expression."""
    return rows["intensity"].astype(float).fillna(1.0).to_numpy()


def peaks(rows: pd.DataFrame, shown: np.ndarray) -> dict[str, dict[str, int]]:
    """For each person (``dataset/subject``) the position of the strongest picture of each expression, neutral the
    weakest.
    """
    frame = pd.DataFrame(
        {
            "person": rows["dataset"].astype(str) + "/" + rows["subject"].astype(str),
            "expression": rows["expression"].to_numpy(object),
            "strength": strength(rows),
            "position": np.arange(len(rows)),
        }
    )[np.asarray(shown, bool) & rows["expression"].notna().to_numpy()]
    frame["strength"] = np.where(frame["expression"] == "neutral", -frame["strength"], frame["strength"])
    found: dict[str, dict[str, int]] = {}
    for (person, expression), own in frame.groupby(["person", "expression"], sort=True):
        found.setdefault(person, {})[expression] = int(own["position"].iloc[int(own["strength"].to_numpy().argmax())])
    return found


def people(rows: pd.DataFrame, shown: np.ndarray, number: int, seed: int = 0) -> dict[str, dict[str, int]]:
    """:func:`peaks` of ``number`` people at random, of those who have the most expressions."""
    found = peaks(rows, shown)
    most = max((len(own) for own in found.values()), default=0)
    complete = sorted(person for person, own in found.items() if len(own) == most)
    others = sorted(
        (person for person in found if len(found[person]) < most), key=lambda person: (-len(found[person]), person)
    )
    chosen = np.random.default_rng(seed).permutation(complete)[:number].tolist()
    return {person: found[person] for person in sorted(chosen) + others[: max(0, number - len(chosen))]}


def mixed(rows: pd.DataFrame, shown: np.ndarray, number: int, seed: int = 0) -> np.ndarray:
    """Positions of up to ``number`` faces, of other people and other expressions as far as there are; unlabelled rows
    at the end.
    """
    found = peaks(rows, shown)
    random = np.random.default_rng(seed)
    order = random.permutation(sorted(found))
    chosen: list[int] = []
    for turn in range(len(EXPRESSIONS)):
        for place, person in enumerate(order):
            own = [found[person][name] for name in EXPRESSIONS if name in found[person]]
            own = [own[(i + place) % len(own)] for i in range(len(own))]
            if turn < len(own) and len(chosen) < number:
                chosen.append(own[turn])
    rest = np.setdiff1d(np.flatnonzero(shown), chosen)
    return np.array([*chosen, *random.permutation(rest)[: max(0, number - len(chosen))]], int)


def previews(table, shown: np.ndarray, number: int, seed: int = 0) -> list[dict]:
    """Up to ``number`` of the table's "before" pictures that may be shown, one a person as long as there are people."""
    found = [preview for preview in table.previews() if shown[preview["row"]]]
    people_ = table.rows["dataset"].astype(str) + "/" + table.rows["subject"].astype(str)
    expressions = table.rows["expression"]
    seen: dict[str, int] = {}
    drawn: dict[str, int] = {}
    chosen = []
    waiting = [found[i] for i in np.random.default_rng(seed).permutation(len(found))]
    while waiting and len(chosen) < number:
        # The person and the expression seen least so far come next.
        best = min(
            waiting, key=lambda p: (seen.get(people_.iloc[p["row"]], 0), drawn.get(str(expressions.iloc[p["row"]]), 0))
        )
        # Not `remove`: dicts that hold arrays cannot be compared.
        waiting = [preview for preview in waiting if preview is not best]
        chosen.append(best)
        seen[people_.iloc[best["row"]]] = seen.get(people_.iloc[best["row"]], 0) + 1
        drawn[str(expressions.iloc[best["row"]])] = drawn.get(str(expressions.iloc[best["row"]]), 0) + 1
    return chosen
