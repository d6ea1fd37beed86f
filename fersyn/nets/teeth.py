"""Teeth where an expression bares them and the source shows none: those of one person who was trained on. [ours]

A network that is to be right pixel by pixel (L1) paints the mean of all teeth, a strip without gaps. One person's have gaps, and are
in no place where another's could not be. They are bent to the lips, and as bright as what was painted there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fersyn.expressions import EXPRESSIONS
from fersyn.faces.heatmaps import opening
from fersyn.nets.affine_flow import dense_flow, warp
from fersyn.pixels import grey, rescale, resize

BARED = ("happiness", "disgust")  # in surprise and fear an open mouth is dark
USUAL = (0.6, 1.6)  # a mouth is open as far as most, in parts of the median
BRIGHTER = (0.6, 1.5)  # times, at most


class Teeth(nn.Module):
    """What nobody's teeth were learnt for stays as it is painted.

    Args:
        size: side of the pictures, px.

    Attributes:
        picture: (len(BARED), 3, size, size) in [-1, 1], whose teeth they are.
        shape: (len(BARED), 68, 2) px, that one's landmarks.
    """

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("picture", torch.zeros(len(BARED), 3, size, size))
        self.register_buffer("shape", torch.zeros(len(BARED), 68, 2))

    @property
    def missing(self) -> tuple[str, ...]:
        """Expressions for which nobody's were learnt: none that bare teeth, or none that may be shown."""
        known = self.shape.flatten(1).any(1).tolist()
        return tuple(name for name, there in zip(BARED, known, strict=True) if not there)

    @torch.no_grad()
    def learn(self, label: int, faces: Tensor, landmarks: Tensor) -> None:
        """Choose the face of an expression, if it bares teeth: the one whose open mouth is white and shows most gaps.

        Args:
            label: index into EXPRESSIONS.
            faces: (N, 3, size, size) in [-1, 1], at full strength. One of them is kept: none that may not be shown.
            landmarks: (N, 68, 2) px.
        """
        if EXPRESSIONS[label] not in BARED or not len(faces):
            return
        inside = opening(landmarks, faces.shape[-1])[:, 0]
        area = inside.sum((1, 2))
        white = (faces.amin(1) + 1) / 2  # of the three colours the least: gums have little blue
        gaps = white.diff(dim=-1, prepend=white[..., :1]).abs()
        good = white.square() * (1 - white)  # gums are dark in it, and overexposed teeth too
        gaps, good = ((each * inside).sum((1, 2)) / area.clamp(min=1) for each in (gaps, good))
        worth = gaps * good**3  # so that few gaps in many teeth are worth more than many at their edges
        low, high = (part * area.median() for part in USUAL)
        worth = worth * ((area >= low) & (area <= high) & (area >= 1))
        best, place = worth.argmax(), BARED.index(EXPRESSIONS[label])
        if worth[best] > 0:
            self.picture[place], self.shape[place] = faces[best], landmarks[best]

    def forward(self, images: Tensor, target: Tensor, label: Tensor, opened: Tensor, colour: Tensor) -> Tensor:
        """Images with teeth.

        Args:
            images: (N, 3, H, H) in [-1, 1], with mouths as they were painted.
            target: (N, 68, 2) px, their landmarks.
            label: (N,), indices into EXPRESSIONS.
            opened: (N, 1, H, H) in [0, 1], where the source shows nothing of what belongs there; elsewhere a pixel stays.
            colour: (N, 1, 1, 1), 0 grey .. 1.
        """
        side, size = images.shape[-1], self.picture.shape[-1]
        which = torch.stack([label == EXPRESSIONS.index(name) for name in BARED], 1) & self.shape.flatten(1).any(1)
        which = which.float()
        known = which.sum(1)[:, None, None, None]
        shape = (which @ self.shape.float().flatten(1)).view_as(target)
        shape = torch.where(known[:, 0] > 0, rescale(shape, size, side), target)
        borrowed = resize((which @ self.picture.float().flatten(1)).view(-1, 3, size, size), side)
        borrowed = warp(borrowed, dense_flow(shape, target, side))
        bright = [((grey(each) + 1) * opened).sum((1, 2, 3), keepdim=True) for each in (images, borrowed)]
        borrowed = ((borrowed + 1) * (bright[0] / bright[1].clamp(min=1e-3)).clamp(*BRIGHTER) - 1).clamp(-1, 1)
        borrowed = torch.lerp(grey(borrowed).expand_as(borrowed), borrowed, colour)
        return images + known * opened * (borrowed - images)
