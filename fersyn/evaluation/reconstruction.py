"""How near a generator comes to photographs: what an inversion gives back, beside the faces themselves. [ours]"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from fersyn.evaluation.measure import Measured, Pictures, Truth, measure
from fersyn.evaluation.scores import Metric, Scores, register
from fersyn.generating.inversion import PROJECTOR, Inverter, get, refusals
from fersyn.pairs import Pairs
from fersyn.pixels import to_bytes, to_tensor
from fersyn.progress import say
from fersyn.table import FaceTable

METRICS = ("psnr", "ssim", "lpips", "landmark_error", "identity")
SECONDS = register(Metric("inversion_seconds", "time a face, one core", "lower", "s", 2)).name


def inverters(steps: int) -> dict[str, Inverter]:
    """The ways to invert that are compared, by name: the encoder alone, refined in so many steps, and the projector in as many;
    raises FersynError where weights are missing.
    """
    ways, told = {"encoder": get()}, f"{steps} step{'s' * (steps != 1)}"
    if steps:
        ways[f"encoder, {told}"] = get(steps)
        ways[f"projector, {told}"] = Inverter(get().generator, replace(PROJECTOR, steps=steps))
    return ways


def reconstructed(table: FaceTable, inverters: Mapping[str, Inverter], index: Any = None) -> Measured:
    """Invert faces of a table in several ways and compare what comes back with them, in the kit's crop.

    Args:
        table: nothing is kept beside it: every code is worked out anew, and its time taken.
        inverters: by the name that they have in the rows.
        index: positions, slice or boolean mask; None: all faces that have a label. Those in profile are skipped and counted.

    Returns:
        rows of `METRICS` and, of the processor's time, of `SECONDS`; the pictures as bytes.
    """
    rows = np.arange(len(table))[slice(None) if index is None else index]
    rows = _frontal(table, rows[table.labels(rows) >= 0])
    faces, landmarks = to_tensor(table.images(rows)), table.landmarks(rows)
    pairs, chosen = Pairs(table, np.arange(len(table)), training=False), np.stack([rows, rows], 1)
    own = faces, faces, landmarks
    true = Truth(pairs, chosen, table.people[rows], table.labels(rows), *own, judge=None, sets=False)
    found = Measured(Scores(pd.DataFrame()))
    for name, inverter in inverters.items():
        codes, seconds = [], []
        for face, points in zip(true.read.faces.split(1), landmarks, strict=True):
            begun = time.process_time()
            codes.append(inverter(face, points[None])[0])
            seconds.append(time.process_time() - begun)
        made = Pictures(to_bytes(inverter.faces(torch.stack(codes), landmarks, table.size)))
        timed = Scores(true.rows(SECONDS, np.array(seconds), name))
        scores = measure(made, true, name, metrics=METRICS, guides=inverter.guides) + timed
        found = found + Measured(scores, {name: [made.pixels]})
    return found


def _frontal(table: FaceTable, rows: np.ndarray) -> np.ndarray:
    """Those of the rows whose landmarks FFHQ's frame can be laid by."""
    refused = refusals(table.landmarks(rows))
    if refused:
        why = next(reversed(refused.values()))
        say(f"{table.path}: {len(refused)} of {len(rows)} faces cannot be inverted: {why}")
    return np.delete(rows, list(refused)).astype(np.int64)
