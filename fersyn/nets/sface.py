"""SFace (Zhong et al., "Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE TIP 30, 2021) with the weights
of OpenCV's zoo: whose face it is, with gradients to the pixels. The verifier `sface` is the same network, run by OpenCV.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from fersyn import weights
from fersyn.errors import FersynError

SIZE, FEATURES = 112, 128
# MobileNet's blocks (channels, stride): each channel by itself, then all together.
BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1),
    (1024, 2), (1024, 1),
)  # fmt: skip


def _convolution(inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside, eps=1e-3),
        nn.PReLU(outside),
    )


class SFace(nn.Module):
    """``forward``: faces (N, 3, 112, 112), RGB in [-1, 1], cut as `faces.crop.FIVE_112` says -> (N, 128); cosine."""

    def __init__(self):
        super().__init__()
        layers, inside = OrderedDict(conv_1=_convolution(3, 32, 3)), 32
        for k, (outside, stride) in enumerate(BLOCKS, 2):
            layers[f"conv_{k}_dw"] = _convolution(inside, inside, 3, stride, groups=inside)
            layers[f"conv_{k}"] = _convolution(inside, outside, 1)
            inside = outside
        self.layers = nn.Sequential(layers)
        self.bn1 = nn.BatchNorm2d(inside, eps=2e-5)
        self.pre_fc1 = nn.Linear(inside * 7 * 7, FEATURES)
        self.fc1 = nn.BatchNorm1d(FEATURES, eps=2e-5)
        self.eval().requires_grad_(False)

    def forward(self, faces: Tensor) -> Tensor:
        """See the class."""
        return self.fc1(self.pre_fc1(self.bn1(self.layers(faces * (127.5 / 128))).flatten(1)))


def load() -> SFace:
    """The network, on the CPU.

    Raises:
        FersynError: the weights are missing (the message says how to get them), or damaged.
    """
    with torch.random.fork_rng(devices=[]):
        network = SFace()
    own = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    found = [value for key, value in weights.state_dict("sface").items() if not key.startswith("scalar_")]
    try:  # the file, known by its hash, has them in the same order
        pairs = zip(own.items(), found, strict=True)
        network.load_state_dict({key: theirs.reshape(ours.shape) for (key, ours), theirs in pairs}, strict=False)
    except (ValueError, RuntimeError) as error:
        raise FersynError(f"these are not the weights of SFace ({error}); fetch them again") from error
    return network
