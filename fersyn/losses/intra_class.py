"""Real and synthesised faces of one class ought to look alike to a recogniser: the bias between them is a loss.

"Facial Expression Synthesis and Recognition with Pre-Trained StyleGAN" has an intra-class loss between synthesised and real
faces; "FESGAN" (arXiv 2002.02194) the same with real-data-guided back-propagation (RDBP). Of both only abstracts are known
here; the formula is [ours]: half the squared distance, mean over the pairs of one class within a batch.
"""

from __future__ import annotations

from torch import Tensor


def intra_class(features: Tensor, labels: Tensor, made: Tensor, guided: bool = False) -> Tensor:
    """Mean of |f(synthesised) - f(real)|^2 / 2 over all pairs of one class; 0 where there is none.

    Args:
        features: (N, D), of whatever names the classes.
        labels: int (N,).
        made: bool (N,), True for synthesised faces.
        guided: RDBP: the real feature guides, the gradient runs through the synthesised face alone. Otherwise both come nearer.
    """
    real = features.detach() if guided else features
    # All faces with all, and of these the pairs that count: to choose them first would make a GPU's host wait.
    pairs = ((labels[:, None] == labels) & ~made[:, None] & made).to(features.dtype)
    apart = (real[:, None] - features).square().sum(2)
    return (pairs * apart).sum() / pairs.sum().clamp(min=1) / 2
