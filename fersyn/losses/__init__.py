"""Losses: pure functions, the equation beside the line that computes it. Here the plainest (Li, Qi & Sun, IEEE Access 9,
2021, eq. 5); beside it the perceptual one, the adversarial ones, and a step of their game.
"""

from torch import Tensor


def pixel(generated: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of faces (N, 3, H, W) in [-1, 1]: a scalar in 0..2.

    Eq. (5) divides by H W; the mean over the channels as well is [ours] (and PATN's).

    Raises:
        ValueError: shapes differ (they would be broadcast).
    """
    if generated.shape != target.shape:
        raise ValueError(f"faces differ in shape: {tuple(generated.shape)} and {tuple(target.shape)}")
    return (generated.float() - target.float()).abs().mean()  # (5) 1/(H W) sum |P'_t - P_t|
