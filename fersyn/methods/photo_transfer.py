"""A generator's change of a face is given to a photograph of it, so that nothing is lost that the generator does not know. [ours]

First bend: MediaPipe's mesh goes from the generator's face before to the one after, and the photograph's own mesh goes the same
way, its head held still. Then both generated faces are brought to where the photograph's features now lie; what is left between
them is what bending cannot bring, and no contour leaves a ghost. Folds and shadows are their ratio (Liu, Shan and Zhang,
"Expressive expression mapping with ratio images", SIGGRAPH 2001): so a dark skin's fold is as deep as it should be, and a grey
photograph stays grey. Slow changes of light are no fold, and small ones nothing at all: these pixels stay the photograph's.
Between the lips, where they have parted, the generated mouth is put in, in the colours that the photograph has around it.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from fersyn.faces.align import similarity
from fersyn.losses.guided import LIDS
from fersyn.manners import STABLE, rigid
from fersyn.methods.landmark_flow import opened
from fersyn.nets.affine_flow import dense_flow, triangles
from fersyn.pixels import resize

GRAIN = 256  # px, side of the generated faces
# Points of the mesh: between the lips, in the order of landmarks 60 to 67; the face's outline.
BETWEEN = (78, 81, 13, 311, 308, 402, 14, 178)
OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
    172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
AROUND = 1.4  # beyond so many times the outline's distance from its middle nothing moves
FINE, COARSE = 2.0, 20.0  # px: a fold is wider than the one and narrower than the other (deviations of Gaussians)
LIGHT = 0.3  # part of a coarse change that counts as light
LEAST, WHOLE, MOST = 0.01, 0.05, 0.6  # logarithm of a ratio: below it counts for nothing, in full, and at most
# How much further the photograph is bent, to show the actions that the generated face shows; less where openpeople's true
# pictures are nearer then, and its two judges lose one name of twenty at most.
FURTHER, LESS = 1.2, {"disgust": 1.0, "happiness": 0.8}
STILL = 0.02  # px: what moves by less is left alone


def meshes(meter, *faces: Tensor) -> np.ndarray:
    """MediaPipe's mesh of faces (3, H, H) in [-1, 1], (N, 478, 2) px of GRAIN; `meter`: `fersyn.nets.instruments.ActionMeter`."""
    same = torch.cat([resize(face[None], GRAIN) for face in faces])
    return meter.mesh(same)[..., :2].double().cpu().numpy()


def transfer(face: Tensor, before: Tensor, after: Tensor, mesh: np.ndarray, expression: str = "") -> Tensor:
    """A face (3, H, H) changed as the generated one changes from `before` to `after` (3, GRAIN, GRAIN), which stand where the
    face stands; all in [-1, 1]. What does not change is the face's own pixel.

    Args:
        mesh: `meshes` of the three.
        expression: which one, for `LESS`.
    """
    (own, start, end), side, grain = mesh, face.shape[-1], GRAIN
    turn = similarity(start[list(STABLE)], own[list(STABLE)])[:, :2]
    target = own + LESS.get(expression, FURTHER) * (rigid(end, start) - start) @ turn.T
    whence = np.stack([np.concatenate([points, _ring(points)]) for points in (own, start, end)])
    where = np.stack([np.concatenate([target, _ring(own)])] * 3)
    between = triangles(where[0], grain)
    flow, *others = dense_flow(torch.from_numpy(whence), torch.from_numpy(where), grain, between).numpy()
    old, new = (_bent(_picture(each), way) for each, way in zip((before, after), others, strict=True))
    way = _sized(flow.transpose(1, 2, 0), side).transpose(2, 0, 1) * (side / grain)
    photo = _picture(face)
    bent = _bent(photo, way)

    parted = _parted(own, target, flow)
    fold = _fold(old, new, target) * (1 - parted)
    mouth = _mouth(_sized(bent, grain) * np.exp(fold)[..., None], old, new, parted)
    fold, parted, mouth = (_sized(each, side) for each in (fold, parted, mouth))
    made = bent * np.exp(fold)[..., None]
    made += (mouth - made) * parted[..., None]
    touched = (np.abs(way).max(0) > STILL) | (np.abs(fold) > 1e-3) | (parted > 1e-3)
    made = np.where(touched[..., None], made.clip(0, 1), photo)
    return torch.where(torch.from_numpy(touched), torch.from_numpy(made).permute(2, 0, 1) * 2 - 1, face)


def _ring(mesh: np.ndarray) -> np.ndarray:
    """Points around the face that stay where they are."""
    outline = mesh[list(OUTLINE)]
    return outline.mean(0) + AROUND * (outline - outline.mean(0))


def _picture(face: Tensor) -> np.ndarray:
    return np.ascontiguousarray(((face + 1) / 2).permute(1, 2, 0).numpy())


def _sized(image: np.ndarray, side: int) -> np.ndarray:
    how = cv2.INTER_AREA if side < len(image) else cv2.INTER_CUBIC
    return image if side == len(image) else cv2.resize(image, (side, side), interpolation=how)


def _bent(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """An image (H, W, 3) sampled at p + flow(p), cubic."""
    y, x = np.mgrid[: len(image), : len(image)].astype(np.float32)
    return cv2.remap(image, x + flow[0], y + flow[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).clip(0, 1)


def _soft(image: np.ndarray, deviation: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), deviation)


def _within(points: np.ndarray, side: int, grown: int, deviation: float) -> np.ndarray:
    """1 in a polygon that is grown (shrunk, if < 0) by so many px, 0 outside, softly."""
    area = np.zeros((side, side), np.float32)
    cv2.fillPoly(area, [np.round(points * 16).astype(np.int32)], 1.0, shift=4)
    kernel = np.ones((2 * abs(grown) + 1,) * 2, np.uint8)
    return _soft((cv2.dilate if grown > 0 else cv2.erode)(area, kernel), deviation)


def _parted(own: np.ndarray, target: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """How far each pixel belongs to the generated mouth, (H, W): where the lips part, and where they were and close."""
    side = flow.shape[-1]
    lips = torch.zeros(2, 68, 2)
    lips[:, 60:68] = torch.from_numpy(np.stack([own, target])[:, list(BETWEEN)]).float()
    opens, closes = (opened(lips[[a]], lips[[1 - a]], side)[0, 0].numpy() for a in (0, 1))
    closes = _bent(np.repeat(closes[..., None], 3, 2), flow)[..., 0]
    return _soft(cv2.dilate(np.maximum(opens, closes), np.ones((3, 3), np.uint8)), 1.2)


def _fold(old: np.ndarray, new: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio by which folds and shadows come, (H, W); 0 around the face and in the eyes."""
    side = len(old)
    ratio = np.log((_soft(new, FINE).mean(2) + 0.05) / (_soft(old, FINE).mean(2) + 0.05))
    face = _within(mesh[list(OUTLINE)], side, -9, 6.0)  # hair and its edge have no folds
    light = _soft(ratio * face, COARSE) / (_soft(face, COARSE) + 1e-3)
    ratio = ratio - LIGHT * light
    known = _soft(((np.abs(ratio) - LEAST) / (WHOLE - LEAST)).clip(0, 1), FINE)
    eyes = sum(_within(mesh[list(lids)], side, 2, 2.0) for lids in (LIDS[:16], LIDS[16:]))
    return ratio.clip(-MOST, MOST) * known * face * (1 - eyes.clip(0, 1))


def _mouth(bent: np.ndarray, old: np.ndarray, new: np.ndarray, parted: np.ndarray) -> np.ndarray:
    """The generated mouth in the photograph's colours: those of the skin, and near the lips theirs."""
    around = (cv2.dilate(parted, np.ones((7, 7), np.uint8)) - parted).clip(0, 1)[..., None]
    beside = cv2.dilate(parted, np.ones((61, 61), np.uint8)) - parted > 0.5
    if not beside.any():
        return new
    skin = bent[beside], old[beside]
    light = (skin[0].mean(0) / skin[1].mean(0).clip(0.05)).clip(0.5, 1.5)
    colour = np.divide(*(np.ptp(each, axis=1).mean() + 1e-6 for each in skin))
    found = new * np.sqrt(light).astype(np.float32)
    grey = found.mean(2, keepdims=True)
    found = grey + min(colour, 1.0) * (found - grey)
    lack = _soft((bent - found) * around, 6.0) / (_soft(around[..., 0], 6.0)[..., None] + 1e-3)
    near = _soft(1 - parted.clip(0, 1), 3.0)[..., None]
    return (found + lack * near).clip(0, 1)
