"""Photographs into a generator and back: a code in W+ whose picture is the face. [ours, of known parts]

The encoder gives a code at once (`fersyn.nets.encoder`). So many steps of Adam then bring its picture nearer to the face: in
colour, in features of a network that knows what things look like, and in what SFace takes for the person; a pull holds the code
near the encoder's, where edits work. Without encoder and identity net, from the mean w, that is the plain optimisation of
Abdal et al. ("Image2StyleGAN", ICCV 2019) and of StyleGAN2's projector (Karras et al., CVPR 2020): `PROJECTOR`, to compare with.

A face comes in the kit's crop. FFHQ's frame, which is wider, is laid around it by its landmarks; there the crop's edge is
repeated, which costs the encoder nothing that could be measured, and losses look at the crop alone.

Example:
    >>> inverter = Inverter(settings=Settings(steps=15))                   # doctest: +SKIP
    >>> codes = inverter(table.tensor(), table.landmarks())                # doctest: +SKIP
    >>> again = inverter.faces(codes, table.landmarks(), table.size)       # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fersyn.errors import FersynError, NoFace
from fersyn.faces.align import Alignment, similarity
from fersyn.faces.crop import FIVE_112, ffhq_fit, five_points
from fersyn.generating.portrait import makers
from fersyn.losses.perceptual import Perceptual
from fersyn.nets import encoder, generators, mobile_stylegan, sface
from fersyn.nets.guides import resample
from fersyn.nets.stylegan import Generator
from fersyn.pixels import rescale, resize

LOOKED = 128  # px: side of the crop at which losses look
TURNED = 0.1  # where the tip of the nose stands between the eyes' centres, 0 .. 1: nearer to one than this is a profile
LAYERS = ("conv1_2", "conv2_2", "conv3_3")  # of the perceptual loss
AT_ONCE = 16  # faces on a GPU, which one alone leaves idle


@dataclass(frozen=True)
class Settings:
    """How codes are refined, and what each loss weighs.

    Attributes:
        steps: a face; 0: the encoder's code as it is. About half a second each on one core.
        start: where it begins: the encoder's code, or the mean w.
        lr: largest step, in deviations of w along its principal axes.
        pixel: weight of the mean absolute difference of colours in [-1, 1].
        perceptual: of that of the features of `LAYERS`, each in parts of the face's own.
        identity: of 1 - cosine of SFace's numbers.
        pull: of the squared distance from the start, in deviations of w.
    """

    steps: int = 0
    start: Literal["encoder", "mean"] = "encoder"
    lr: float = 0.15
    pixel: float = 1.0
    perceptual: float = 1.0
    identity: float = 1.0
    pull: float = 0.0

    def __post_init__(self):
        if self.steps < 0 or self.start not in ("encoder", "mean"):
            raise FersynError(
                f"inversion takes 0 or more steps, from encoder or mean; got {self.steps}, {self.start!r}"
            )


PROJECTOR = Settings(start="mean", identity=0.0)


class Inverter:
    """Faces of the kit's crop into a generator, and back; it computes where the generator is, and what it gives is on the CPU.

    Args:
        generator: None: the one that the kit stands on.
        settings: see there.

    Raises:
        FersynError: weights are missing, or the encoder has learnt on another generator.
    """

    def __init__(self, generator: Generator | None = None, settings: Settings | None = None):
        self.generator, self.settings = generator or generators.get(), settings or Settings()
        self.encoder = encoder.get(self.generator)
        if self.settings.steps:
            self._looks = Perceptual(layers=LAYERS).to(self.generator.device)
            self._who = sface.load().to(self.generator.device) if self.settings.identity else None

    @property
    def guides(self) -> tuple[str, ...]:
        """Instruments that it pleases, which are no judges of whose face it gives back."""
        return ("sface",) if self.settings.steps and self.settings.identity else ()

    @property
    def batch(self) -> int:
        """Faces at once: on a CPU one, where a code is to the last bit that face's alone; elsewhere `AT_ONCE`."""
        return 1 if self.generator.device.type == "cpu" else AT_ONCE

    @cached_property
    def fingerprint(self) -> str:
        """Stands for generator, encoder and settings: equal ones give equal codes, on one kind of machine."""
        digest = hashlib.sha256(json.dumps([self.generator.fingerprint, asdict(self.settings)]).encode())
        for value in self.encoder.state_dict().values():
            digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()

    def __call__(self, faces: Tensor, landmarks: Tensor | np.ndarray) -> Tensor:
        """Faces (N, 3, S, S) in [-1, 1] and their landmarks (N, 68, 2) px -> codes W+ (N, styles, width).

        Raises:
            NoFace: landmarks that form no face, or one in profile.
        """
        parts = zip(faces.split(self.batch), _parts(landmarks, self.batch), strict=True)
        codes = [self._codes(part, points) for part, points in parts if len(part)]
        return torch.cat(codes).cpu() if codes else torch.zeros(0, self.generator.styles, self.generator.width)

    @torch.no_grad()
    def pictures(self, codes: Tensor, draft: bool = True) -> Tensor:
        """Codes (N, styles, width) -> pictures (N, 3, 256, 256) in FFHQ's frame; `draft`: as `Generator.synthesise`."""
        parts = [part for part in codes.split(self.batch) if len(part)]
        made = [self.generator.synthesise(part, encoder.SIDE, draft).clamp(-1, 1) for part in parts]
        return torch.cat(made).cpu() if made else torch.zeros(0, 3, encoder.SIDE, encoder.SIDE)

    def faces(self, codes: Tensor, landmarks: Tensor | np.ndarray, size: int = 128, draft: bool = True) -> Tensor:
        """Codes' faces in the kit's crop, (N, 3, size, size) in [-1, 1]: where the faces stood whose landmarks (N, 68, 2) px
        of a crop of that size are given, whatever the codes have become meanwhile.
        """
        back = [frame(points).inverse for points in np.asarray(landmarks)]
        return _each(self.pictures(codes, draft), back, size).clamp(-1, 1)

    def _codes(self, faces: Tensor, points: np.ndarray) -> Tensor:
        faces = faces.to(self.generator.device)
        with torch.no_grad():
            there = [frame(own).matrix for own in points]
            if self.settings.start == "encoder":
                white = self.encoder(_each(faces, there, encoder.SIDE), white=True)
            else:
                white = self.encoder.whitened(self.generator.layers(self.generator.mean.expand(len(faces), -1)))
        if self.settings.steps:
            points = rescale(points, faces.shape[-1], LOOKED)
            white = self._refined(white, resize(faces, LOOKED), points)
        return self.encoder.layers(white)

    @torch.enable_grad()
    def _refined(self, start: Tensor, faces: Tensor, points: np.ndarray) -> Tensor:
        """Each face by itself: losses are means over a face's numbers, and their sum has no gradient from one to another."""
        own, perceptual, identity = self.settings, self._looks, self._who
        back = [frame(each).inverse for each in points]
        cut = [similarity(five_points(each), FIVE_112) for each in points]

        def who(faces: Tensor) -> Tensor:
            return functional.normalize(identity(_each(faces, cut, sface.SIZE)))

        with torch.no_grad():
            looks, people = perceptual.features(faces), who(faces) if identity else None
        moved = torch.zeros_like(start, requires_grad=True)
        optimiser = torch.optim.Adam([moved], own.lr, (0.9, 0.99))
        for step in range(own.steps):
            optimiser.param_groups[0]["lr"] = own.lr * _rate(step, own.steps)
            pictures = self.generator.synthesise(self.encoder.layers(start + moved), encoder.SIDE, draft=True)
            made = _each(pictures, back, LOOKED)
            features = zip(perceptual.features(made), looks, strict=True)
            loss = own.pixel * _of_each(made - faces) + own.pull * _of_each(moved.square())
            loss = loss + own.perceptual * sum(_of_each(a - b) / _of_each(b) for a, b in features)
            if identity:
                loss = loss + own.identity * (1 - (who(made) * people).sum(1))
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
        return (start + moved).detach()


def _parts(landmarks: Tensor | np.ndarray, count: int) -> list[np.ndarray]:
    points = np.asarray(landmarks)
    return [points[at : at + count] for at in range(0, max(len(points), 1), count)]


def _each(pictures: Tensor, matrices: Sequence[np.ndarray], size: int) -> Tensor:
    """Each of the pictures (N, 3, H, H) under its own matrix (2, 3): (N, 3, size, size)."""
    made = [resample(one[None], matrix, size) for one, matrix in zip(pictures, matrices, strict=True)]
    return torch.cat(made) if made else pictures.new_zeros(0, pictures.shape[1], size, size)


def _of_each(values: Tensor) -> Tensor:
    """Mean magnitude of the numbers of each face, (N,)."""
    return values.abs().flatten(1).mean(1)


def _rate(step: int, steps: int) -> float:
    """Part of the learning rate: rises over three steps, falls to a tenth along a cosine."""
    return min(1.0, (step + 1) / 3) * (0.1 + 0.45 * (1 + np.cos(np.pi * step / steps)))


def frame(points: np.ndarray) -> Alignment:
    """From a crop with these landmarks (68, 2) px to FFHQ's frame at the generator's grain.

    Raises:
        NoFace: they form no face, or one in profile.
    """
    found = ffhq_fit(points, encoder.SIDE)
    left, right, nose = five_points(points)[:3]
    place = (nose - left) @ (right - left) / ((right - left) @ (right - left))
    if not TURNED < place < 1 - TURNED:
        raise NoFace("the face is turned too far to the side (in profile): take a picture that shows it from the front")
    return found


def refusals(landmarks: Tensor | np.ndarray) -> dict[int, str]:
    """Which of the landmarks (N, 68, 2) px `frame` cannot be laid by, and why."""
    found = {}
    for at, points in enumerate(np.asarray(landmarks)):
        try:
            frame(points)
        except NoFace as error:
            found[at] = str(error)
    return found


def weights(steps: int = 0) -> tuple[str, ...]:
    """Names of the weights of others that `get` reads."""
    return (*mobile_stylegan.NAMES, *(("sface",) if steps else ()))


@lru_cache(maxsize=2)
def get(steps: int = 0) -> Inverter:
    """The kit's generator and encoder, read once, with so many steps of refinement."""
    return Inverter(makers()[0], Settings(steps=steps))
