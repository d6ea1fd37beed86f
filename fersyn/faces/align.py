"""One alignment for everything: training, evaluation, and editing a photograph and putting the face back.

A similarity (turn, uniform scale, shift; no mirror image) takes the points that an expression moves least - the corners
of the eyes and the nose - onto a fixed template, so that crops of one person differ by the expression and not by the
crop. [ours: the papers say "cropped by dlib" only]
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fersyn.errors import NoFace
from fersyn.faces.landmarks import resize

STABLE = (36, 39, 42, 45, 27, 28, 29, 30, 31, 32, 33, 34, 35)

# Where the stable points stand, with the middle between the eyes' centres as origin and the distance of the eyes'
# centres as unit: mean of dlib's landmarks over the 102 neutral faces of the Face Research Lab London Set (DeBruine &
# Jones 2017, CC BY 4.0), made symmetric.
_SHAPE = np.array(
    [(-0.6957, 0.0096), (-0.2913, 0.0228), (0.2913, 0.0228), (0.6957, 0.0096)]
    + [(0.0, -0.0658), (0.0, 0.1127), (0.0, 0.2890), (0.0, 0.4722)]
    + [(-0.2030, 0.6483), (-0.1045, 0.6781), (0.0, 0.7022), (0.1045, 0.6781), (0.2030, 0.6483)]
)
_STILL = 0.02  # px of a photograph: what moves less, as by the nudge of `affine_flow.control_points`, does not move
EYE_HEIGHT, EYE_DISTANCE = 0.35, 0.31  # parts of the crop: forehead to chin of an open mouth fit in


def template(size: int = 128) -> np.ndarray:
    """Where the stable points come to lie in a crop of `size` px: float (13, 2), (x, y) px, in the order of `STABLE`."""
    points = (0.5, EYE_HEIGHT) + EYE_DISTANCE * _SHAPE
    return points * size - 0.5  # pixel centres are whole numbers: the crop spans -0.5 .. size - 0.5


@dataclass(frozen=True)
class Alignment:
    """A similarity between a photograph and a square crop of `size` px a side.

    `matrix`, float (2, 3), takes (x, y, 1) px of the source to px of the crop.
    """

    matrix: np.ndarray
    size: int = 128

    @property
    def scale(self) -> float:
        """Crop px per source px."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    @property
    def turn(self) -> float:
        """By how many degrees the face lies turned clockwise in the source, -180 .. 180."""
        return -float(np.degrees(np.arctan2(self.matrix[1, 0], self.matrix[0, 0])))

    @property
    def inverse(self) -> np.ndarray:
        """The matrix (2, 3) from the crop to the source."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return np.hstack([linear, -linear @ self.matrix[:, 2:]])

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Take points (..., 2) of the source to the crop."""
        return np.asarray(points, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def apply_inverse(self, points: np.ndarray) -> np.ndarray:
        """Take points (..., 2) of the crop to the source."""
        inverse = self.inverse
        return np.asarray(points, np.float64) @ inverse[:, :2].T + inverse[:, 2]

    def warp(self, image: np.ndarray) -> np.ndarray:
        """The crop (size, size, 3) of a uint8 source (H, W, 3): antialiased when it shrinks, edge pixels repeated outside."""
        return _warp(image, self.matrix, self.size, self.size, cv2.BORDER_REPLICATE)

    def paste(self, crop: np.ndarray, photo: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Put a crop back where it was cut from.

        Args:
            crop: uint8 (size, size, 3).
            photo: uint8 (H, W, 3), left as it is.
            mask: (size, size), 0 keeps the photo, 1 takes the crop; `soft_mask(size)` by default.

        Returns:
            a copy of the photo; pixels outside the mask are those of the photo exactly.
        """
        left, top, right, bottom = self._region(photo)
        if right <= left or bottom <= top:
            return photo.copy()
        back = self.inverse - [[0, 0, left], [0, 0, top]]
        face = _warp(crop, back, right - left, bottom - top, cv2.BORDER_REPLICATE).astype(np.float32)
        return self._laid(face, photo, mask)

    def bend(
        self, photo: np.ndarray, flow: np.ndarray, change: np.ndarray | None = None, mask: np.ndarray | None = None
    ) -> np.ndarray:
        """Bend a photograph as its crop was bent, each pixel sampled once from the photograph (Lanczos).

        Args:
            photo: uint8 (H, W, 3), left as it is.
            flow: float32 (size, size, 2), (dx, dy) px of the crop: bent crop(p) = crop(p + flow(p)).
            change: float32 (size, size, 3), what is added to the bent pixels, grey levels; None: nothing.
            mask: (size, size), as for `paste`.

        Returns:
            a copy of the photo; pixels that do not move, and to which nothing is added, are those of the photo exactly.
        """
        left, top, right, bottom = self._region(photo)
        if right <= left or bottom <= top:
            return photo.copy()
        back, size = self.inverse - [[0, 0, left], [0, 0, top]], (right - left, bottom - top)
        moved = _warp(np.asarray(flow, np.float32), back, *size, cv2.BORDER_CONSTANT) @ back[:, :2].T.astype(np.float32)
        moved[np.abs(moved).max(-1) < _STILL] = 0
        far = int(np.ceil(np.abs(moved).max(initial=0))) + 4  # and the kernel's half
        first = max(0, left - far), max(0, top - far)
        part = photo[first[1] : bottom + far, first[0] : right + far].astype(np.float32)
        x = np.arange(left, right, dtype=np.float32) - first[0] + moved[..., 0]
        y = np.arange(top, bottom, dtype=np.float32)[:, None] - first[1] + moved[..., 1]
        made = cv2.remap(part, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
        if change is not None:
            made += _warp(np.asarray(change, np.float32), back, *size, cv2.BORDER_CONSTANT)
        return self._laid(made, photo, mask)

    def _region(self, photo: np.ndarray) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of what a crop shows of a photo, px."""
        height, width = photo.shape[:2]
        edge = self.size - 0.5
        corners = self.apply_inverse([(-0.5, -0.5), (edge, -0.5), (edge, edge), (-0.5, edge)])
        left, top = np.clip(np.floor(corners.min(0)).astype(int), 0, (width, height)).tolist()
        right, bottom = np.clip(np.ceil(corners.max(0)).astype(int) + 1, 0, (width, height)).tolist()
        return left, top, right, bottom

    def _laid(self, made: np.ndarray, photo: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """A copy of the photo with `made`, float32 of its region's shape, laid over it where the mask says."""
        mask = soft_mask(self.size) if mask is None else np.asarray(mask, np.float32)
        left, top, right, bottom = self._region(photo)
        back = self.inverse - [[0, 0, left], [0, 0, top]]
        weight = np.clip(_warp(mask, back, right - left, bottom - top, cv2.BORDER_CONSTANT), 0, 1)[..., None]
        out = photo.copy()
        region = out[top:bottom, left:right]
        region[...] = np.rint(np.clip(region + weight * (made - region), 0, 255)).astype(np.uint8)
        return out


def fit(landmarks: np.ndarray, size: int = 128) -> Alignment:
    """Fit the alignment to 68 landmarks (68, 2), px of the source, by least squares.

    Raises:
        NoFace: the landmarks are not finite or fall into one point, as on noise taken for a face.
    """
    return Alignment(similarity(np.asarray(landmarks)[list(STABLE)], template(size)), size)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The similarity without mirror, float (2, 3), that brings points (K, 2) nearest to others, by least squares.

    In complex numbers it is w = a z + b, so that this is a regression on one unknown. The result is that of Umeyama
    (TPAMI 1991), as scikit-image has it, without half a second of import in each process.

    Raises:
        NoFace: as of `fit`.
    """
    z, w = (np.asarray(points, np.float64) @ (1, 1j) for points in (source, target))
    centred = z - z.mean()
    spread = float((abs(centred) ** 2).sum())
    a = (centred.conj() * w).sum() / spread if np.isfinite(spread) and spread > 1e-9 else 0
    if not np.isfinite(a) or abs(a) < 1e-9:
        raise NoFace("the landmarks do not form a face")
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def soft_mask(size: int, border: float = 0.12) -> np.ndarray:
    """A mask (size, size), float32: 1 inside, falling smoothly to 0 over `border` (part of the size) towards the edges."""
    ramp = np.clip((np.minimum(np.arange(size), np.arange(size)[::-1])) / max(border * size, 1), 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.outer(ramp, ramp).astype(np.float32)


def _warp(image: np.ndarray, matrix: np.ndarray, width: int, height: int, border: int) -> np.ndarray:
    """Warp by `matrix` (2, 3) to (height, width): cubic when it grows; when it shrinks, k x k finer and then averaged."""
    linear, shift = matrix[:, :2], matrix[:, 2]
    # Only the part that is looked at (and 4 px for the cubic kernel): cv2 takes no side over 32767 px, and big photos
    # cost nothing extra.
    corners = np.array([(-1, -1), (width, -1), (width, height), (-1, height)], np.float64)
    seen = (corners - shift) @ np.linalg.inv(linear).T
    limit = image.shape[1], image.shape[0]
    left, top = np.clip(np.floor(seen.min(0)).astype(int) - 4, 0, np.subtract(limit, 1))
    right, bottom = np.clip(np.ceil(seen.max(0)).astype(int) + 5, 1, limit)
    part = np.ascontiguousarray(image[top : max(bottom, top + 1), left : max(right, left + 1)])
    shift = shift + linear @ (left, top)

    scale = np.sqrt(abs(np.linalg.det(linear)))
    if scale < 1 / 8:  # a very large face: first to about four times the size wanted: the fine picture stays small
        part, factors = resize(part, 4 * scale)
        # x_source = (x_small + 0.5) / f - 0.5
        shift = shift + linear @ (0.5 / factors - 0.5)
        linear = linear / factors
        scale = np.sqrt(abs(np.linalg.det(linear)))
    fine = max(1, int(np.ceil(1 / scale - 1e-6)))
    affine = np.hstack([linear * fine, (shift * fine + (fine - 1) / 2)[:, None]])
    how = cv2.INTER_CUBIC if fine == 1 else cv2.INTER_LINEAR
    out = cv2.warpAffine(part, affine, (width * fine, height * fine), flags=how, borderMode=border, borderValue=0)
    return out if fine == 1 else cv2.resize(out, (width, height), interpolation=cv2.INTER_AREA)
