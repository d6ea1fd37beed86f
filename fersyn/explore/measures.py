"""What is measured of an edited face while it is edited: is it still the person, and what does it show?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from fersyn.evaluation import verifiers
from fersyn.evaluation.fidelity import Judge
from fersyn.evaluation.recogniser import predict
from fersyn.expressions import EXPRESSIONS

DLIB_SAME = 0.6  # distance below which two pictures are mostly of one person (dlib's own example)
SFACE_SAME = 0.363  # cosine above which they are (OpenCV's documentation of SFace)


@dataclass
class Measured:
    """Of one edited face.

    Attributes:
        dlib: distance of dlib's descriptors from the source's, 0 for the same picture.
        sface: cosine of SFace's descriptors, 1 for the same picture; None: its weights are not on this machine.
        named: expression -> probability 0..1; empty: there is no recogniser.
    """

    dlib: float | None = None
    sface: float | None = None
    named: dict[str, float] = field(default_factory=dict)


class Measures:
    """The instruments, with what they said of the source kept, as long as it is the same.

    Args:
        judge: recogniser; None: no probabilities.
    """

    def __init__(self, judge: Judge | None = None):
        self.judge = judge
        self._verifiers = {name: each for name in ("dlib", "sface") if (each := verifiers.get(name)).available()}
        self._source: tuple[np.ndarray, dict[str, np.ndarray]] | None = None

    def missing(self) -> list[str]:
        """A sentence for each instrument that is not there, with the cure."""
        absent = [verifiers.get(name) for name in ("dlib", "sface") if name not in self._verifiers]
        return [f"{each.title} is not on this machine: {each.how}" for each in absent]

    def of(self, source: np.ndarray, source_points: np.ndarray, made: np.ndarray, points: np.ndarray) -> Measured:
        """Measure an edited face uint8 RGB (S, S, 3) against the source; landmarks (68, 2) px of each."""
        if self._source is None or self._source[0] is not source:
            self._source = (source, self._describe(source, source_points))
        before, after = self._source[1], self._describe(made, points)
        found = Measured()
        if "dlib" in after:
            found.dlib = float(np.linalg.norm(before["dlib"].astype(float) - after["dlib"]))
        if "sface" in after:
            found.sface = 1 - float(verifiers.distances("cosine", before["sface"][None], after["sface"][None])[0, 0])
        if self.judge is not None:
            pixels = torch.from_numpy(np.ascontiguousarray(made)).permute(2, 0, 1)[None]
            shares = predict(self.judge.network, pixels)[0].tolist()
            found.named = {EXPRESSIONS[label]: share for label, share in zip(self.judge.classes, shares, strict=True)}
        return found

    def _describe(self, image: np.ndarray, points: np.ndarray) -> dict[str, np.ndarray]:
        return {name: each.embed(image[None], points[None])[0] for name, each in self._verifiers.items()}
