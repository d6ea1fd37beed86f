"""The control: variation that needs no synthesis, by torchvision. Flip, crop, colour."""

from __future__ import annotations

import torch
from torch import Tensor

from fersyn.evaluation.recogniser import as_float

PADDING = 1 / 16  # of the side, on each side; the crop is as large as the face was: shifts by up to as much
COLOUR = 0.3  # brightness, contrast and saturation change by factors 0.7 to 1.3
# Faces that share a draw: torchvision draws once a call, and a call a face would take longer than the network.
GROUP = 4


def classical(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Vary faces (N, 3, H, W), bytes or floats in [-1, 1]; gives bytes of the same shape.

    Mirrored or not, shifted (RandomCrop over repeated edges), with other brightness, contrast and saturation. Each
    group of `GROUP` faces has a draw of its own.
    """
    from torchvision.transforms import v2

    side = faces.shape[-1]
    change = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomCrop(side, padding=max(1, round(side * PADDING)), padding_mode="edge"),
            v2.ColorJitter(COLOUR, COLOUR, COLOUR),
        ]
    )
    if faces.dtype != torch.uint8:
        faces = ((as_float(faces) + 1) * 127.5).round().clamp(0, 255).byte()
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
        return torch.cat([change(part) for part in faces.split(GROUP)])
