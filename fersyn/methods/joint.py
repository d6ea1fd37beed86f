"""What the systems share that learn synthesis and recognition together (fesgan, de-gan): how they are used. It holds no method.

[ours] A code of few numbers does not hold a person, so that what such networks make of a stranger is another one, and blurred.
So the stranger's own face gets a *change* (`added`): of `fesgan` (`transfer`) that between two generated faces, which are alike
but for the expression, so that what the code has lost falls out; of `de-gan` what its decoder makes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fersyn.methods.base import Synthesiser
from fersyn.pixels import resize

BATCH = 64  # faces at once


def added(faces: Tensor, change: Tensor) -> Tensor:
    """Faces (N, 3, H, H) in [-1, 1] and a change of them (N, 3, size, size), of any size."""
    return (faces + resize(change, faces.shape[-1])).clamp(-1, 1)


class Recognising(Synthesiser):
    """A synthesiser that names expressions, too: its method has `recognised(config, networks, faces) -> logits (N, 8)`."""

    recognises = True

    @torch.no_grad()
    def recognise(self, faces):
        """See `Synthesiser.recognise`: the mean of each face and its mirror image."""
        device, found = self.device, []
        for part in faces.split(BATCH):
            part = part.to(device)
            both = (self.method.recognised(self.config, self.networks, each) for each in (part, part.flip(3)))
            found.append(sum(logits.float().softmax(1) for logits in both).cpu() / 2)
        return torch.cat(found) if found else torch.zeros(0, 8)
