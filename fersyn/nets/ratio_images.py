"""Expression ratio images: the light and shade that an expression brings to a face (Liu, Shan & Zhang, SIGGRAPH 2001).

Skin that folds reflects other light than skin that does not, and the quotient of the two, taken from one face, may be laid on
another: a furrow, a nasolabial fold, the white of an eye opened wide. The paper takes it of a single pair of photographs. Here it
is the trimmed mean of many people's, in the frame of their mean landmarks [ours]: it has nobody's skin, beard or spectacles,
and a fold that lies elsewhere in each face is still seen in it, where a network that is to be right pixel by pixel (L1) paints
none. How strong it is to be is read off the landmarks.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.expressions import EXPRESSIONS, NEUTRAL
from fersyn.faces import landmarks as ibug
from fersyn.nets.affine_flow import dense_flow, warp
from fersyn.pixels import grey

DARK = 1.12  # added to pixels in [-1, 1] before they are divided: black is no 0
MOST = 1.2  # of a single face's logarithm
WIDE = 12 / 128  # part of the side: slower changes are another light or make-up, not a fold
TRIMMED = 0.2  # of the faces, at either end
LEAST = 0.02  # of the mean's logarithm: less is noise, and no pixel is touched for it
FOREHEAD = 0.35  # of the way from chin to nasion, above the brows
RIM = 3 / 128  # part of the side over which it fades
ONE_SIDED = ("contempt",)  # the others are the same left and right
FARTHEST = 1.5  # times the mean way of the landmarks
BACK = 0.5  # in full it makes folds of light out of those that had been bent away already
ALIKE = 0.4  # cosine of two ways
IRIS = 0.2  # of an eye's width: its radius
SOFT = 128 / 1.5  # one through the part of the side over which its rim fades
WHITE = 0.5  # brighter no pixel becomes: the white of an eye, lit twice, would glow


class RatioImages(nn.Module):
    """A ratio image an expression; what has not been learnt changes nothing.

    Args:
        size: side, px.

    Attributes:
        ratio: (len(EXPRESSIONS), 1, size, size), logarithms.
        shape: (len(EXPRESSIONS), 68, 2) px, the landmarks it is in the frame of.
        way: (len(EXPRESSIONS), 68, 2) px, how far landmarks go at full strength in the mean.
    """

    def __init__(self, size: int):
        super().__init__()
        count = len(EXPRESSIONS)
        self.register_buffer("ratio", torch.zeros(count, 1, size, size))
        self.register_buffer("shape", torch.zeros(count, 68, 2))
        self.register_buffer("way", torch.zeros(count, 68, 2))

    @torch.no_grad()
    def learn(self, label: int, source: Tensor, target: Tensor, before: Tensor, after: Tensor) -> None:
        """Learn the ratio image of one expression.

        Args:
            label: index into EXPRESSIONS.
            source, target: (N, 3, size, size) in [-1, 1], N people without it and with it at full strength.
            before, after: their landmarks (N, 68, 2) px.
        """
        size = self.ratio.shape[-1]
        mirrored = EXPRESSIONS[label] not in ONE_SIDED
        shape = after.mean(0)
        if mirrored:
            other = shape[list(ibug.MIRROR)] * shape.new_tensor((-1, 1)) + shape.new_tensor((size - 1, 0))
            shape = (shape + other) / 2
        bent = warp(source, dense_flow(before, after, size))
        found = torch.log((grey(target) + DARK) / (grey(bent) + DARK)).clamp(-MOST, MOST)
        found = found - _blurred(found, WIDE * size)
        found = warp(found, dense_flow(after, shape.expand_as(after), size))
        if mirrored:
            found = (found + found.flip(-1)) / 2
        out = int(TRIMMED * len(found))
        found = found.sort(0).values[out : len(found) - out].mean(0)
        found = found.sign() * (found.abs() - LEAST).clamp(min=0)
        found = found * _inside(shape, size).to(found)
        self.ratio[label] = torch.where(found > 0, found * _beside_iris(shape, size).to(found), found)
        self.shape[label], self.way[label] = shape, (after - before).mean(0)

    def forward(self, source: Tensor, target: Tensor, label: Tensor) -> Tensor:
        """The light (N, 1, size, size), a logarithm, of faces whose landmarks go from `source` to `target` (N, 68, 2) px, with
        expressions `label` (N,): with the square of the part of the expression's own way that they go, from 1 on in proportion,
        up to FARTHEST. A face that becomes neutral loses a part (BACK) of the light of that expression on whose way its
        landmarks go back.
        """
        target = target.float()
        moved, back = target - source.float(), label == NEUTRAL
        label = torch.where(back, self._worn(-moved), label)
        moved = torch.where(back[:, None, None], -moved, moved)
        shape, known = self.shape[label].float(), self._known(label)
        part = self.strength(moved, label) * known
        # Skin folds late: on weak generated faces less light is nearer to the true ones.
        part = part * part.clamp(max=1)
        part = torch.where(back, -BACK * part, part)
        flow = dense_flow(torch.where(known[:, None, None], shape, target), target, self.ratio.shape[-1])
        return part[:, None, None, None] * warp(self.ratio[label].float(), flow)

    def strength(self, moved: Tensor, label: Tensor) -> Tensor:
        """How far along the expressions' own ways landmarks went, (N,) 0..FARTHEST; 1 where the way is not known.

        Args:
            moved: (N, 68, 2) px, how far they went.
            label: (N,), indices into EXPRESSIONS.
        """
        way = self.way[label].float()
        part = (moved.float() * way).sum((1, 2)) / way.square().sum((1, 2)).clamp(min=1e-6)
        return torch.where(self._known(label), part.clamp(0, FARTHEST), 1.0)

    def _known(self, label: Tensor) -> Tensor:
        return self.way[label].flatten(1).any(1)

    def _worn(self, moved: Tensor) -> Tensor:
        """The expression (N,) whose way `moved` (N, 68, 2) px goes; neutral, which has no light, where it goes none's."""
        way = self.way.float().flatten(1)
        likeness = functional.cosine_similarity(moved.flatten(1)[:, None], way, dim=-1)
        best = likeness.argmax(1)
        return torch.where(likeness.gather(1, best[:, None])[:, 0] > ALIKE, best, NEUTRAL)


def relight(images: Tensor, light: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1] under a light (N, 1, H, W), a logarithm; where that is 0 the pixel stays, bit for bit.
    None becomes brighter than WHITE; what is, stays.
    """
    lit = (images + DARK) * light.exp() - DARK
    lit = torch.where(light > 0, torch.maximum(images, lit.clamp(max=WHITE)), lit.clamp(min=-1))
    return torch.where(light == 0, images, lit)


def _blurred(maps: Tensor, sigma: float) -> Tensor:
    size = (2 * int(1.5 * sigma) + 1,) * 2
    found = [cv2.GaussianBlur(each, size, sigma, borderType=cv2.BORDER_REPLICATE) for each in maps[:, 0].cpu().numpy()]
    return torch.from_numpy(np.stack(found))[:, None].to(maps.device)


def _inside(shape: Tensor, size: int) -> Tensor:
    """Where skin folds (1, size, size): inside jaw and forehead, but not at the mouth, whose lips and teeth are no two alike."""
    points = shape.cpu().numpy()
    top = points[17:27] - np.array([0, FOREHEAD * (points[8, 1] - points[27, 1])])
    found, thick = np.zeros((size, size), np.float32), max(1, round(RIM * size))
    cv2.fillConvexPoly(found, cv2.convexHull(np.concatenate([points[1:16], top]).round().astype(np.int32)), 1)
    found = cv2.GaussianBlur(cv2.erode(found, np.ones((3 * thick,) * 2)), (0, 0), thick)
    mouth = np.ones_like(found)
    cv2.fillPoly(mouth, [points[48:60].round().astype(np.int32)], 0)
    mouth = cv2.erode(mouth, np.ones((thick + 1,) * 2))
    return torch.from_numpy(found * cv2.GaussianBlur(mouth, (0, 0), max(size / 128, 0.5)))[None]


def _beside_iris(shape: Tensor, size: int) -> Tensor:
    """Where light may fall (1, size, size): where a lid gave way to the white of one eye, another's iris would shine."""
    line, found = torch.arange(size, dtype=shape.dtype), torch.ones(size, size, dtype=shape.dtype)
    for eye in (shape[list(points)].cpu() for points in ibug.EYES):
        (x, y), radius = eye.mean(0), IRIS * (eye[3] - eye[0]).norm()
        away = torch.hypot(line - x, line[:, None] - y)
        found = torch.minimum(found, ((away - radius) * SOFT / size + 0.5).clamp(0, 1))
    return found[None]
