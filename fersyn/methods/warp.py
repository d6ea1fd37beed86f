"""`warp`: the source, bent so that its landmarks come to lie on the target's. No learning, no new pixels.

Piecewise affine over the triangles of landmarks and points on the picture's edge (scikit-image). The second floor: it can
close no gap with teeth and draw no wrinkle, but it keeps every pore of the person.
"""

from __future__ import annotations

import numpy as np
import torch

from fersyn.methods.base import Method, MethodConfig, Synthesiser
from fersyn.nets.affine_flow import control_points, settle


def bend(image: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Bend an image (H, W, 3) so that points `source` (K, 2) px go to `target` (K, 2) px."""
    from skimage.transform import PiecewiseAffineTransform, warp

    height, width = image.shape[:2]
    where, whence = control_points(source, target, width, height)
    if hasattr(PiecewiseAffineTransform, "from_estimate"):  # scikit-image 0.26 and later
        transform = PiecewiseAffineTransform.from_estimate(where, whence)
    else:
        transform = PiecewiseAffineTransform()
        transform.estimate(where, whence)
    return warp(image, transform, order=3, mode="edge", preserve_range=True)


class WarpMethod(Method):
    """Method without networks; its run folder holds the landmark motion."""

    def synthesiser(self, config, networks, motion=None):
        """See the class."""
        return Warp(config.size, motion)


class Warp(Synthesiser):
    """Synthesiser by geometry alone, at whatever size the faces have.

    Args:
        size: side of the faces, px.
        motion: predicts landmarks where an edit is given none, or None.
        nose, eyes: parts of their way that are followed, 0..1 (`settle`); 1: as the landmarks say.
    """

    def __init__(self, size: int, motion=None, nose: float = 1.0, eyes: float = 1.0):
        super().__init__(METHOD, MethodConfig(size=size), {}, motion)
        self.nose, self.eyes = nose, eyes

    def make(self, faces, source, target, label, intensity):
        """Bend each face so that its landmarks come to lie on the target's; one whose landmarks stay is left as it is."""
        target = settle(source, target, self.nose, self.eyes)
        pictures = faces.detach().cpu().double().permute(0, 2, 3, 1).numpy()
        pairs = zip(pictures, source.cpu().numpy(), target.cpu().numpy(), strict=True)
        made = [image if np.array_equal(a, b) else bend(image, a, b) for image, a, b in pairs]
        return torch.from_numpy(np.stack(made) if made else pictures).permute(0, 3, 1, 2).to(faces)

    @torch.no_grad()
    def explain(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        """See `Synthesiser.explain`; the flow is that by which the pixels' places are bent."""
        asked = self.asked(faces, expression, intensity, landmarks, source_landmarks)
        line = torch.arange(faces.shape[-1], dtype=faces.dtype)
        places = torch.stack(torch.meshgrid(line, line, indexing="xy")).expand(len(faces), -1, -1, -1)
        image = self.make(faces, *asked)
        return {"image": image, "bent": image, "flow": self.make(places, *asked) - places}


METHOD = WarpMethod()
