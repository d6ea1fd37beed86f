"""What else moves a generator's people than the name of an expression: manners and single actions; and what a face costs. [ours]"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from fersyn.evaluation.intensity import along
from fersyn.evaluation.judging import marked
from fersyn.evaluation.population import SHIPPED, TABLE, Population, aligned, metered, moved
from fersyn.evaluation.scores import Metric, Scores, register, rows_of
from fersyn.generating.portrait import SIZE, makers, picture
from fersyn.manners import MIRRORED, Manners
from fersyn.nets import expression_mapper, instruments
from fersyn.nets.dlib_face import describe
from fersyn.nets.expression_mapper import MOVED
from fersyn.nets.instruments import ACTIONS
from fersyn.pixels import to_floats, to_tensor

if TYPE_CHECKING:
    from fersyn.table import FaceTable

ASKED = 0.5  # of a single action
WORKS, DEAD = 0.15, 0.07  # an action that moves so far, of 1, can be used; one that moves less than the second cannot

register(Metric("of_manner", "arrives of what tells the manner from the mean", "higher", "%", 0, 100.0, "actions"))
register(Metric("slider", f"moved, asked for {ASKED}", "higher", weights="actions"))
register(Metric("slider_other", "the other side, not asked for", "lower", weights="actions"))


@dataclass(frozen=True)
class Tried:
    """What was tried on people of a population.

    Attributes:
        who: the person who is pictured; "": nobody could be moved.
        pictures: uint8 (256, 256, 3) by what was asked of them: (expression, person whose manner), or the name of an action.
        models: positions in the face table of those whose manners these are, by the same keys.
        scores: how far it arrived.
    """

    who: str
    pictures: Mapping[Any, np.ndarray]
    models: Mapping[Any, int]
    scores: Scores


def in_manners(
    found: Population, photographs: FaceTable | None, expressions: Sequence[str], people: int, seed: int = 0
) -> Tried:
    """One person's expressions as other people wear them, at full strength.

    Args:
        found: the population; its first person is taken.
        photographs: people with manners of their own; None: there are none.
        expressions: which.
        people: of how many of them.
        seed: for the rows.
    """
    pictures, models, parts, who = {}, {}, [], found.first
    if photographs is None or not who or not instruments.available("actions"):
        return Tried("", {}, {}, Scores(pd.DataFrame()))
    manners, mapper, w = Manners(None, photographs, "cpu"), found.mappers[SHIPPED], found.w(who)
    for expression in expressions:
        kind, mean = MOVED.index(expression), found.only(who, expression)
        for row, shift in list(zip(manners.rows[kind], manners.shift[kind], strict=False))[:people]:
            key = expression, str(photographs.people[row])
            manner = torch.from_numpy(shift)
            pictures[key], models[key] = moved(mapper, w, expression, manner=manner), row
            if mean is not None and (face := aligned(pictures[key])) is not None:
                way = found.gain * (manner - mapper.manner_mean[kind])[None].numpy()
                arrived = along(metered(face.crop[None])[1] - found.actions[[mean]], way)
                about = [key[1]], [f"{who}, {key[1]}"], [expression]
                marks = marked("of_manner", mapper.guides)
                parts.append(rows_of("of_manner", arrived, *about, method=SHIPPED, seed=seed, table=TABLE, **marks))
    return Tried(who, pictures, models, Scores(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()))


def sliders(found: Population, names: Sequence[str] = (), people: int = 1, seed: int = 0) -> Tried:
    """Single actions, each asked for alone by `ASKED` on neutral faces: how far it moved, and the other side with it.

    Args:
        found: the population.
        names: of the actions; none: all.
        people: how many, the first one of the population among them.
        seed: for the rows.

    Raises:
        FersynError: there is no such action.
    """
    pictures, lines = {}, []
    names = list(names) or list(ACTIONS[1:])
    expression_mapper.sliders(dict.fromkeys(names, 0.0))
    others = [who for who in dict.fromkeys(found.people) if who != found.first]
    for who in [found.first, *others][:people] if found.first else ():
        calm = found.only(who, "neutral", 0.0)
        for name in names if calm is not None else ():
            seen = moved(found.mappers[SHIPPED], found.w(who), "neutral", actions={name: ASKED})
            if who == found.first:
                pictures[name] = seen
            if (face := aligned(seen)) is not None:
                gone, own = metered(face.crop[None])[1][0] - found.actions[calm], ACTIONS.index(name)
                other = gone[MIRRORED[own]] if MIRRORED[own] != own else np.nan
                lines.append((who, name, float(gone[own]), float(other)))
    frame = pd.DataFrame(lines, columns=["person", "action", "slider", "slider_other"])
    about = {"method": SHIPPED, "seed": seed, "table": TABLE, "action": frame["action"]}
    if found.first:
        about |= marked("slider", found.mappers[SHIPPED].guides)
    both = [
        rows_of(metric, frame[metric], frame["person"], frame["action"], "neutral", **about)
        for metric in ("slider", "slider_other")
    ]
    return Tried(found.first, pictures, {}, Scores(pd.concat(both, ignore_index=True).dropna(subset="value")))


def costs(found: Population, times: int = 3) -> dict[str, float]:
    """Seconds of one core for a face, by what they go into; medians of a few. {}: there is nothing to measure.

    Time of the process, so that others' work on the machine does not count.
    """
    if not found.first:
        return {}
    (generator, mapper), w, at = makers(), found.w(found.first), found.at()[0][:1]
    layers = mapper.edit(w, "happiness", styles=generator.styles)
    face = to_floats(to_tensor(found.faces[at]))
    work = {
        "the mapper moves it": partial(mapper.edit, w, "happiness", styles=generator.styles),
        "the generator draws it, the short way": partial(picture, layers),
        "the generator draws it, sharp": partial(generator.synthesise, layers, SIZE),
        "dlib finds it and its landmarks": partial(aligned, found.pictures[at[0]]),
        "dlib describes whose it is": partial(describe, found.faces[at], found.landmarks[at]),
    }
    there = [name for name in instruments.NAMES if instruments.available(name)]
    work |= {f"{name} looks at it": partial(instruments.get(name), face) for name in there}
    spent = {}
    with torch.inference_mode():
        for name, function in work.items():
            spent[name] = []
            for _ in range(times + 1):
                begun = time.process_time()
                function()
                spent[name].append(time.process_time() - begun)
    return {name: float(np.median(each[1:])) for name, each in spent.items()}  # the first one loads
