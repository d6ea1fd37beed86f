"""Take from target landmarks what no expression does: noses and eyes hardly change their place in a face. [ours]

Between two photographs of a person the nose's landmarks mostly move because the head turned a little and because each was
found to a pixel or so. To bend the nose by that changes who the person is, and brings the picture no nearer to the true one.
"""

from torch import Tensor

from fersyn.ibug import EYES, GROUPS


def settle(source: Tensor, target: Tensor, nose: float, eyes: float) -> Tensor:
    """Let the nose, and the places of the eyes, go only a part of their way from source to target.

    The shape of an eye follows the target in full: eyes open and close in expressions.

    Args:
        source, target: landmarks (N, 68, 2) px.
        nose: part of the displacement that the nose's points keep, 0..1.
        eyes: part that each eye's mean displacement keeps, 0..1.

    Returns:
        the landmarks (N, 68, 2) px to bend to; 1 and 1 give `target`.
    """
    moved = target - source
    moved[:, GROUPS["nose"]] *= nose
    for eye in EYES:
        moved[:, eye] -= (1 - eyes) * moved[:, eye].mean(1, keepdim=True)
    return source + moved
