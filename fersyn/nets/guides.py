"""What looks at a generated face while something learns to make it: its expression, its actions, whose face it is.

Pictures are in FFHQ's frame, cut in one way; gradients go to the pixels. A network that always looks in the same way is soon
fooled by what no eye sees: so each look may be varied (mirror image, turn, scale, shift, light, colour, blur, noise), and no
one judge decides alone. A guide is no judge any more of what it has guided.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn import augment, weights
from fersyn.errors import FersynError
from fersyn.faces.crop import FFHQ_SIDE, ffhq_alignment, ffhq_to_arcface, ffhq_to_dlib
from fersyn.nets import dlib_face, instruments, sface
from fersyn.pixels import onto

NAMES = (*instruments.NAMES, "sface")  # of the weights behind them; dlib's are always there
NOISE = 0.06  # largest deviation, of pictures in [-1, 1], at strength 1


def resample(pictures: Tensor, matrix: np.ndarray, size: int) -> Tensor:
    """Pictures under a similarity, with gradients: as `Alignment.warp` does to a photograph.

    Args:
        pictures: (N, C, H, W).
        matrix: (2, 3), takes (x, y, 1) px to px of the result, pixel centres at whole numbers: `Alignment.matrix`, or
            `Alignment.inverse` for the way back.
        size: side of the result, px.

    Returns:
        (N, C, size, size): cubic when it grows; when it shrinks, k x k finer and then averaged. Outside, the edge is repeated.
    """
    height, width = pictures.shape[-2:]
    linear, shift = np.linalg.inv(matrix[:, :2]), matrix[:, 2]
    fine = max(1, math.ceil(np.sqrt(abs(np.linalg.det(linear))) - 1e-6))
    # affine_grid's unit: pixel x stands at (2 x + 1) / side - 1, of the result and of the source.
    side = np.array([width, height])
    middle = linear @ ((size - 1) / 2 - shift)
    theta = np.hstack([linear * size / side[:, None], ((2 * middle + 1) / side - 1)[:, None]])
    shape = [len(pictures), pictures.shape[1], size * fine, size * fine]
    grid = functional.affine_grid(
        onto(torch.from_numpy(theta).to(pictures.dtype), pictures.device).expand(len(pictures), -1, -1),
        shape,
        align_corners=False,
    )
    how = "bicubic" if fine == 1 else "bilinear"
    found = functional.grid_sample(pictures, grid, mode=how, padding_mode="border", align_corners=False)
    return functional.avg_pool2d(found, fine) if fine > 1 else found


def crop(pictures: Tensor) -> Tensor:
    """The kit's crop of pictures (N, 3, H, H) in FFHQ's frame, at their own grain: (N, 3, S, S), S about 0.82 H."""
    size = math.ceil(FFHQ_SIDE * pictures.shape[-1])
    return resample(pictures, ffhq_alignment(pictures.shape[-1], size).matrix, size)


def vary(faces: Tensor, strength: float, still: bool = False) -> Tensor:
    """Faces (N, 3, S, S), each varied in its own way as `augment.draw` does at that strength, and with noise; 0: as they are.
    `still`: none is mirrored or moved.

    Drawn from torch's global generators, so that a run that goes on draws what it would have drawn.
    """
    if not strength:
        return faces
    variation = augment.draw(len(faces), strength, np.random.default_rng(int(torch.randint(2**62, ()))))
    if still:
        variation |= dict.fromkeys(("mirror", "moved"), np.zeros(len(faces)))
    varied, _ = augment.apply(variation, faces, faces.new_zeros(len(faces), 68, 2))
    most = torch.rand(len(faces), 1, 1, 1, device=faces.device, dtype=faces.dtype)
    return varied + NOISE * strength * most * torch.randn_like(faces)


def missing() -> list[str]:
    """Names of the weights that are not on this machine."""
    return [name for name in NAMES if weights.find(name) is None]


class Guides(nn.Module):
    """All of them; they learn nothing themselves. Pictures: (N, 3, H, H) in [-1, 1], in FFHQ's frame, 128 px or more.

    Raises:
        FersynError: weights are missing; the message says how to get them.
    """

    def __init__(self):
        super().__init__()
        if lost := missing():
            raise FersynError(f"guides' weights are not on this machine; fersyn weights fetch {' '.join(lost)}")
        self.judges = nn.ModuleDict({name: instruments.get(name, guide=True) for name in instruments.JUDGES})
        self.meter, self.sface = instruments.get("actions", guide=True), sface.load()
        self.dlib = dlib_face.load()

    def logits(self, judge: str, pictures: Tensor, varied: float = 0.0) -> Tensor:
        """What `fer` or `facex` says: (N, 7), in the order of its `classes`; `varied`: strength of `vary`."""
        return self.judges[judge](vary(crop(pictures), varied))

    def mesh(self, pictures: Tensor) -> Tensor:
        """478 points (N, 478, 3) in parts of the kit's crop; `meter.of_mesh` makes the actions of them."""
        faces = crop(pictures)
        return self.meter.mesh(faces) / faces.shape[-1]

    def identity(self, pictures: Tensor, varied: float = 0.0) -> Tensor:
        """SFace's numbers at length 1, (N, 128): a product of two faces' is the cosine."""
        matrix = ffhq_to_arcface(pictures.shape[-1]).matrix
        return functional.normalize(self.sface(vary(resample(pictures, matrix, sface.SIZE), varied)))

    def descriptor(self, pictures: Tensor, varied: float = 0.0) -> Tensor:
        """dlib's numbers, (N, 128): by distance."""
        matrix = ffhq_to_dlib(pictures.shape[-1]).matrix
        return self.dlib(vary(resample(pictures, matrix, dlib_face.SIZE), varied))
