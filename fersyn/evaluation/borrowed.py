"""What is a half right picture worth? Pictures that borrow from the true one, to read the identity column by. [ours]

No method can make them. Where one that is nearer to the truth in its pixels lies farther off by its descriptor than the
untouched source does, that column asks for more than an edit that is nearly right. What is borrowed decides: a mouth alone
or the skin's motion alone may lose where the whole lower face wins.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn.evaluation.measure import Measured, Pictures, Truth, measure
from fersyn.evaluation.scores import Scores
from fersyn.faces.landmarks import GROUPS
from fersyn.pixels import to_images, to_tensor

MARGIN = 0.035  # how far beyond the lips' landmarks the mouth is taken, part of the picture's side
SEAM = 0.008  # deviation of the Gaussian that blends an edge, part of the side
NOSE_BASE = 33  # the lowest point of the nose


def true_mouth(true: Truth) -> Tensor:
    """The sources with the mouth cut out of the true pictures, teeth and all: uint8 (P, 3, H, W)."""
    import cv2

    side, masks = true.pairs.size, []
    margin = max(1, round(MARGIN * side))
    grown = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1,) * 2)
    for points in true.asked:
        mask = np.zeros((side, side), np.uint8)
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points[GROUPS["lips"]]).astype(np.int32)), 255)
        masks.append(cv2.GaussianBlur(cv2.dilate(mask, grown), (0, 0), SEAM * side))
    return _blend(true, torch.from_numpy(np.stack(masks))[:, None].float() / 255)


def true_lower_face(true: Truth) -> Tensor:
    """The sources with everything below the base of the nose from the true pictures: uint8 (P, 3, H, W)."""
    rows = torch.arange(true.pairs.size, dtype=torch.float32)[:, None]
    base = torch.from_numpy(true.asked[:, NOSE_BASE, 1]).float()[:, None, None, None]
    return _blend(true, torch.sigmoid((rows - base) / (SEAM * true.pairs.size)))


def _blend(true: Truth, part: Tensor) -> Tensor:
    """The true pictures where `part`, broadcast to (P, 3, H, W), is 1, and the sources where it is 0."""
    return (true.source * (1 - part) + true.target * part).round().to(torch.uint8)


def true_flow(true: Truth) -> Tensor:
    """The sources, bent by the optical flow to the true pictures: uint8 (P, 3, H, W).

    The flow is read off both pictures (dense inverse search, Kroeger et al., ECCV 2016, OpenCV's "medium"), and so
    knows where every visible point of the skin went, which landmarks do not say.
    """
    import cv2

    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    y, x = np.mgrid[: true.pairs.size, : true.pairs.size].astype(np.float32)
    made = []
    for source, target in zip(to_images(true.source), to_images(true.target), strict=True):
        flow = search.calc(*(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (target, source)), None)
        places = x + flow[..., 0], y + flow[..., 1]
        made.append(cv2.remap(source, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return to_tensor(np.stack(made))


BORROWED: dict[str, Callable[[Truth], Tensor]] = {
    "source with the true mouth": true_mouth,
    "source with the true lower face": true_lower_face,
    "source bent by the true flow": true_flow,
}


def measure_borrowed(true: Truth) -> Measured:
    """All by all metrics, as `measure.evaluate` gives them for methods."""
    found = Measured(Scores(pd.DataFrame()))
    for name, make in BORROWED.items():
        pixels = make(true)
        found += Measured(measure(Pictures(pixels), true, name), {name: [pixels]})
    return found
