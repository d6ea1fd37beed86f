"""Draw one person of a generator's population, with an expression and single actions, and write the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from fersyn import weights
from fersyn.editing import check_out, titled
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS, STRONGEST, parse
from fersyn.generating.actions import both_sides
from fersyn.generating.portrait import SIZE, TRUNCATION, portrait
from fersyn.marks import GENERATED, Mark, Marked, marked, words
from fersyn.nets import mobile_stylegan
from fersyn.nets.expression_mapper import FILE, sliders
from fersyn.nets.shipped import FOLDER
from fersyn.training.runs import stamp

METHOD = "generator and mapper"


def draw(
    expression: str = "neutral",
    strength: float = 1.0,
    actions: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    person: int = 0,
    truncation: float = TRUNCATION,
    size: int = SIZE,
) -> Marked:
    """One person, sharp, in FFHQ's frame, as a PIL image (RGB) that says what it is wherever it is saved (`fersyn.marks`).

    Args:
        expression: name.
        strength: 0 the person's own neutral face .. 1 .. 1.5; the mapper has learnt up to 1.3.
        actions: wanted displacements of single actions beside it, -1 .. 1, by name; one without Left or Right: of both sides.
        seed, person: who it is: G1-00007 of a table of `fersyn data generated` is person 7 of seed 1.
        truncation: 0 the mean face .. 1 all that the generator knows.
        size: of the picture, px: 1024, 512, 256 ...

    Raises:
        FersynError: a value is out of range, or no such name; weights are missing: the message says how to get them.
    """
    for name, value, least, most in (
        ("strength", strength, 0, STRONGEST), ("truncation", truncation, 0, 1),
        ("seed", seed, 0, np.inf), ("person", person, 0, np.inf),
    ):  # fmt: skip
        if not least <= value <= most:
            cure = "use 0 or more" if most == np.inf else f"it must lie between {least} and {most}"
            raise FersynError(f"--{name} {value:g}: {cure}")
    expression, wanted = parse(expression), both_sides(actions or {})
    sliders(wanted)  # says which names there are, before anything is fetched
    for name in mobile_stylegan.missing():
        weights.fetch(name)
    made = portrait(seed, person, truncation, expression, strength, tuple(wanted.items()), size, draft=False)
    return marked(made, Mark(words(expression, strength, beside=actions), METHOD, mapper(), GENERATED))


def mapper() -> str:
    """Name and hash of the mapper's weights."""
    return stamp(FOLDER / FILE)


def draw_file(out: str | Path, sheet: bool = False, overwrite: bool = False, **asked) -> str:
    """`fersyn draw`: write the picture; returns a sentence for the user.

    Args:
        out: file to write, format by its suffix.
        sheet: all eight expressions side by side instead of one.
        overwrite: take the place of a file that is there.
        **asked: as of `draw`.

    Raises:
        FersynError: see `draw`; the file is there, or cannot be written.
    """
    out = Path(out)
    check_out(out)
    if out.exists() and not overwrite:
        raise FersynError(f"--out {out} is there already; give another name, or --overwrite")
    if sheet:
        row = [draw(**{**asked, "expression": name}) for name in EXPRESSIONS]
        mark = replace(row[-1].mark, asked=words("every expression", asked["strength"], beside=asked["actions"]))
        made = marked(titled([list(map(np.asarray, row))], EXPRESSIONS), mark)
    else:
        made = draw(**asked)
    made.save(out, quality=95)
    return f"{out}: person {asked['person']} of seed {asked['seed']}, {made.mark.asked}"
