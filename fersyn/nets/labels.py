"""The expression as constant maps beside the features (Li, Qi & Sun, IEEE Access 9, 2021, Fig. 4)."""

import torch
from torch import Tensor

from fersyn.expressions import EXPRESSIONS, NEUTRAL


def label_code(labels: Tensor, intensity: Tensor | float = 1.0) -> Tensor:
    """One-hot code moved to [-1, 1]: -1 for every expression but the asked one.

    The asked one stands at 2 t - 1 for the intensity t: the paper's code at t = 1. Neutral knows no degrees: always 1.
    [ours: the paper has no intensity]

    Args:
        labels: int64 (N,), index into EXPRESSIONS.
        intensity: 0..1 and beyond, float (N,) or one for all.

    Returns:
        float32 (N, 8) in [-1, 1], beyond 1 where more than full intensity is asked for, on the device of the labels.

    Raises:
        ValueError: labels are not (N,) or out of range (-1, no label, included), or the intensity has another length.

    Example:
        >>> label_code(torch.tensor([5]), 0.5)
        tensor([[-1., -1., -1., -1., -1.,  0., -1., -1.]])
    """
    if labels.ndim != 1 or labels.is_floating_point():
        raise ValueError(f"labels must be int (N,), got {labels.dtype} {tuple(labels.shape)}")
    # Asking a GPU for the range would make it wait; there scatter_ itself refuses.
    if labels.device.type == "cpu" and labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < 8:
        raise ValueError(f"labels must lie in 0..{len(EXPRESSIONS) - 1}, got {labels.unique().tolist()}")
    degree = torch.as_tensor(intensity, dtype=torch.float32, device=labels.device).expand(labels.shape)
    hot = torch.where(labels == NEUTRAL, 1.0, 2 * degree - 1)
    code = torch.full((len(labels), len(EXPRESSIONS)), -1.0, device=labels.device)
    return code.scatter_(1, labels[:, None], hot[:, None])


def label_maps(labels: Tensor, intensity: Tensor | float, size: int) -> Tensor:
    """`label_code` spread to constant maps: float32 (N, 8, size, size) in [-1, 1] (a view; do not write to it)."""
    return label_code(labels, intensity)[:, :, None, None].expand(-1, -1, size, size)
