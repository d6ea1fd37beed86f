"""Sample grids as a training goes: source, target and result of the same held-out people, RUN/samples/<step>.jpg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.files import write_atomic
from fersyn.methods.base import Synthesiser
from fersyn.pairs import Batch, Pairs
from fersyn.pixels import to_bytes, to_images
from fersyn.table import FaceTable

DRAWN = 4  # new people in a row


def held_out(table: FaceTable, size: int, count: int = 8) -> tuple[Batch, str]:
    """Return the pairs of the grid and whose they are, 'test' or 'train' (if nobody is held out).

    People who agreed to be shown come first; the others only where there is none of those.
    """
    sides = table.rows["split"].to_numpy(dtype=object)
    shown = table.rows["publishable"].to_numpy(bool)
    for side in ("test", "train"):
        for rows in ((sides == side) & shown, sides == side):
            try:
                pairs = Pairs(table, rows, size, training=False)
            except FersynError:
                continue
            return pairs.gather(pairs.examples(count)), side
    raise FersynError(f"{table.path}: there is nobody with two expressions")


def _picture(rows: list[Tensor]) -> np.ndarray:
    rows = [torch.cat(list(faces.float().cpu()), -1) for faces in rows]
    return to_images(to_bytes(torch.cat(rows, -2)[None]))[0]


@torch.no_grad()
def draw(synthesiser: Synthesiser, batch: Batch | None) -> np.ndarray | None:
    """Edit the sources of `batch` to what their targets show, by the targets' landmarks, and return the grid, uint8 RGB
    (3 * size, N * size, 3): sources above, then targets, then results. Without a batch: new people with every expression, a row each; None, where the method draws none.
    """
    if batch is None:
        if not synthesiser.draws_people:
            return None
        return _picture([synthesiser.sample(DRAWN, name)[0] for name in ("neutral", *synthesiser.expressions)])
    result = synthesiser.edit(
        batch.source,
        [EXPRESSIONS[label] for label in batch.label.tolist()],
        batch.intensity,
        landmarks=batch.target_landmarks,
        source_landmarks=batch.source_landmarks,
    )
    return _picture([batch.source, batch.target, result])


def write(image: np.ndarray, path: Path) -> None:
    """Write a grid as JPEG, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, lambda temporary: Image.fromarray(image).save(temporary, "JPEG", quality=90))
