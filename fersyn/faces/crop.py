"""How a face is cut out of a picture: aligned as everything in the kit is, or as a verifier was trained to see it."""

from dataclasses import dataclass

import cv2
import numpy as np

from fersyn.errors import NoFace
from fersyn.faces.align import Alignment, fit, similarity
from fersyn.faces.landmarks import SMALLEST, Box, find_landmarks
from fersyn.faces.turned import Found, find_turned

# Where eyes, nose tip and corners of the mouth stand in the 112 x 112 crop of ArcFace (Deng et al., CVPR 2019) and
# SFace, px.
FIVE_112 = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)

# Where faces stand in FFHQ's pictures (Karras et al., CVPR 2019), parts of the picture: generators draw in this frame. Means over
# 72 pictures of MobileStyleGAN-FFHQ (seed 0, all expressions), by dlib's landmarks and the kit's alignment.
# Eyes' centres (first the one left in the picture), nose tip, corners of the mouth; they scatter by 0.005 to 0.03.
FFHQ_FIVE = np.array([(0.378, 0.4755), (0.6226, 0.4755), (0.4983, 0.604), (0.3935, 0.742), (0.6054, 0.742)])
# The kit's crop: its middle, scattered by 0.014 and 0.009, and its side, by 0.03; its turn is 0.
FFHQ_MIDDLE, FFHQ_SIDE = np.array([0.499, 0.602]), 0.82
# dlib's chip of 150 px with a padding of 0.25, for its face ResNet, likewise.
CHIP_MIDDLE, CHIP_SIDE = np.array([0.5035, 0.609]), 0.6995


@dataclass(frozen=True)
class Face:
    """An aligned face, uint8 RGB (size, size, 3), with its landmarks, float (68, 2) px of the crop, and how it was cut out of
    the picture: the alignment between the two, and dlib's box in px of the picture.
    """

    crop: np.ndarray
    landmarks: np.ndarray
    alignment: Alignment
    box: Box


def crop_face(image: np.ndarray, size: int = 128, whole: bool = False) -> Face:
    """Find the largest face of a uint8 RGB picture (H, W, 3), whichever way it lies, and align it; raises NoFace with the reason.

    `whole`: the picture is a face as it is, and is taken for dlib's box.

    Example:
        >>> face = crop_face(photo)                                # doctest: +SKIP
        >>> photo = face.alignment.paste(edited, photo)            # doctest: +SKIP
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        raise NoFace(f"too small to hold a face ({width}x{height} px)")
    if whole:
        box = Box(-0.5, -0.5, width - 0.5, height - 0.5)
        faces = [Found(box, find_landmarks(image, box))]
    else:
        faces = find_turned(image)
    if not faces:
        raise NoFace(f"no face found ({width}x{height} px, also tried enlarged and turned)")
    box, points = faces[0]
    alignment = fit(points, size)
    return Face(alignment.warp(image), alignment.apply(points), alignment, box)


def ffhq_alignment(picture: int = 256, size: int = 128) -> Alignment:
    """From any picture in FFHQ's frame to the kit's crop, one and the same for all: good to look at them, by networks too;
    what is kept is aligned by its own landmarks. `inverse` leads back. Sides in px.
    """
    return _square(FFHQ_MIDDLE, FFHQ_SIDE, picture, size)


def ffhq_to_arcface(picture: int = 256) -> Alignment:
    """From a picture in FFHQ's frame to the 112 px crop of SFace and ArcFace."""
    return Alignment(similarity(FFHQ_FIVE * picture - 0.5, FIVE_112), 112)


def ffhq_to_dlib(picture: int = 256) -> Alignment:
    """From a picture in FFHQ's frame to the 150 px chip of dlib's face ResNet."""
    return _square(CHIP_MIDDLE, CHIP_SIDE, picture, 150)


def _square(middle: np.ndarray, side: float, picture: int, size: int) -> Alignment:
    scale = size / (side * picture)
    # Pixel centres are whole numbers: pixel x stands at (x + 0.5) / picture.
    shift = size / 2 - 0.5 + (0.5 - middle * picture) * scale
    return Alignment(np.hstack([scale * np.eye(2), shift[:, None]]), size)


def ffhq_fit(landmarks: np.ndarray, size: int = 256) -> Alignment:
    """From a picture with 68 landmarks (68, 2) px to FFHQ's frame of `size` px, as its authors cut their photographs (Karras et
    al., CVPR 2019): upright by eyes and mouth, wide by the larger of twice the distance of the eyes and 1.8 times that
    from eyes to mouth, which an open mouth changes.

    Raises:
        NoFace: the landmarks do not form a face.
    """
    left, right, _, *corners = (five_points(landmarks) @ (1, 1j)).tolist()
    eyes, across = (left + right) / 2, right - left
    down = sum(corners) / 2 - eyes
    middle, half = eyes + 0.1 * down, max(2 * abs(across), 1.8 * abs(down))
    level = across + down / 1j
    aside = half * level / max(abs(level), 1e-9)
    ends = [(point.real, point.imag) for point in (middle - aside, middle + aside)]
    return Alignment(similarity(np.array(ends), np.array([(0, 0.5), (1, 0.5)]) * size - 0.5), size)


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """Eyes' centres (first the one left in the picture), nose tip, corners of the mouth: (..., 68, 2) -> (..., 5, 2)."""
    points = np.asarray(landmarks, np.float64)
    eyes = [points[..., part, :].mean(-2) for part in (slice(36, 42), slice(42, 48))]
    return np.stack([*eyes, points[..., 30, :], points[..., 48, :], points[..., 54, :]], -2)


def arcface_crop(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """uint8 RGB (112, 112, 3): the similarity that brings the five points nearest to `FIVE_112`; NoFace if none does."""
    return Alignment(similarity(five_points(landmarks), FIVE_112), 112).warp(image)


def light_cnn_crop(image: np.ndarray, landmarks: np.ndarray, size: int = 128, eye_height: float = 40) -> np.ndarray:
    """The crop of LightCNN's authors, grey uint8 (size, size).

    The eyes are level, the middle between them stands at (size / 2, eye_height), and the middle of the mouth 48 px
    below (`ec_mc_y` of their README). Their test faces are 128 px with the eyes at 40, their training faces 144 px with
    the eyes at 48, of which 128 px are cut at random. NoFace where the mouth does not lie below the eyes.
    """
    eyes, mouth = five_points(landmarks)[:2], five_points(landmarks)[3:].mean(0)
    middle, across = eyes.mean(0), eyes[1] - eyes[0]
    across = across / max(float(np.hypot(*across)), 1e-9)
    down = np.array([-across[1], across[0]])
    fall = float((mouth - middle) @ down)
    if not np.isfinite(fall) or fall < 1:
        raise NoFace("the landmarks do not form a face: no crop can be cut for the verifier")
    linear = np.stack([across, down]) * (48 / fall)
    shift = np.array([size / 2, eye_height]) - linear @ middle
    crop = Alignment(np.hstack([linear, shift[:, None]]), size).warp(image)
    return cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
