"""What `edit` was asked for, as tensors: labels, intensities, and landmarks found or predicted where none are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fersyn import expressions
from fersyn.errors import FersynError
from fersyn.faces.landmarks import find_source_landmarks


def labels_of(expression: str | Sequence[str], count: int, device: torch.device | str = "cpu") -> Tensor:
    """Names of expressions, one for all or `count`, as int64 (count,); raises FersynError for others."""
    names = [expression] * count if isinstance(expression, str) else list(expression)
    if len(names) != count:
        raise FersynError(f"{len(names)} expressions for {count} faces; give one for all or one a face")
    return torch.tensor([expressions.index(name) for name in names], device=device, dtype=torch.int64)


def intensities_of(intensity: float | Tensor, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Intensity, one for all or `count`, as float32 (count,); raises FersynError outside 0..1."""
    values = torch.as_tensor(intensity, dtype=torch.float32, device=device)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != count):
        raise FersynError(f"intensity has the shape {tuple(values.shape)} for {count} faces; give one for all or each")
    values = values.expand(count)
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise FersynError(f"intensity must lie between 0 and 1, got {values.tolist()[:5]}")
    return values


def target_landmarks(
    name: str,
    faces: Tensor,
    expression: str | Sequence[str],
    intensity: float | Tensor,
    landmarks: Tensor | None,
    source_landmarks: Tensor | None,
    motion: Any,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Source and target landmarks (N, 68, 2) px of the faces, labels (N,) and intensities (N,) of an `edit` call.

    Args:
        name: of the method, for messages.
        faces: (N, 3, H, H) in [-1, 1].
        expression, intensity: as `Synthesiser.edit` takes them.
        landmarks: of the target; None: `motion` moves the source's there.
        source_landmarks: of the faces; None: `find_source_landmarks`.
        motion: a `fersyn.methods.motion.Motion`, or None.

    Raises:
        FersynError: neither landmarks nor a motion model, or landmarks of a wrong shape.
    """
    count, side = len(faces), faces.shape[-1]
    label, strength = labels_of(expression, count, faces.device), intensities_of(intensity, count, faces.device)
    for title, points in (("landmarks", landmarks), ("source_landmarks", source_landmarks)):
        if points is not None and tuple(points.shape) != (count, 68, 2):
            raise FersynError(f"{title} have the shape {tuple(points.shape)}; give ({count}, 68, 2), px")
    if landmarks is None and motion is None:
        raise FersynError(
            f"{name} needs the target's landmarks, or a landmark motion to predict them: load it from a run folder "
            "(fersyn.training.runs.load), or train it: fersyn train ... --out RUN"
        )
    source = find_source_landmarks(faces) if source_landmarks is None else source_landmarks
    source = source.to(faces.device, torch.float32)
    target = motion.predict(source, label, strength, size=side) if landmarks is None else landmarks
    return source, target.to(faces.device, torch.float32), label, strength
