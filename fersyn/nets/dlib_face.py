"""dlib's face ResNet (King, 2017; CC0), in the package face_recognition_models and so always there: 128 numbers a face, by which
a person is known again. Its weights are read as numbers out of dlib's own file: the same numbers as dlib's to 1e-6, in a fifteenth
of the time (4.7 for 74 ms a face on one core, without BLAS as dlib's wheels come), on a GPU too, and with gradients to the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.faces.landmarks import model_path
from fersyn.pixels import constant, to_floats, to_tensor

FILE = "dlib_face_recognition_resnet_model_v1.dat"
BATCH = 16
SIZE, FEATURES = 150, 128
MEAN = (122.782, 117.001, 104.298)  # of red, green, blue, 0 .. 255
# Blocks of two convolutions 3x3: channels, and whether the first goes in twos.
BLOCKS = (*((32, False),) * 3, (64, True), *((64, False),) * 3, (128, True), *((128, False),) * 2)
BLOCKS += ((256, True), *((256, False),) * 2, (256, True))


class DlibFace(nn.Module):
    """``forward``: faces (N, 3, 150, 150), RGB in [-1, 1], cut as dlib's `get_face_chip` does with a padding of 0.25 ->
    (N, 128); by Euclidean distance two pictures of one person mostly lie closer than 0.6.
    """

    def __init__(self):
        super().__init__()
        self.first, inside = nn.Conv2d(3, 32, 7, 2), 32
        self.layers = nn.ModuleList()
        for outside, halves in BLOCKS:
            first = nn.Conv2d(inside, outside, 3, 2 if halves else 1, 0 if halves else 1)
            self.layers.append(nn.ModuleList([first, nn.Conv2d(outside, outside, 3, padding=1)]))
            inside = outside
        self.dense = nn.Linear(inside, FEATURES, bias=False)
        self.eval().requires_grad_(False)

    def forward(self, faces: Tensor) -> Tensor:
        """See the class."""
        x = ((faces + 1) * 127.5 - constant(MEAN, faces.device)[:, None, None]) / 256
        x = functional.max_pool2d(functional.relu(self.first(x)), 3, 2)
        for (one, two), (_, halves) in zip(self.layers, BLOCKS, strict=True):
            y = two(functional.relu(one(x)))
            if halves:  # dlib adds what is there: the smaller one ends in zeros
                x = functional.avg_pool2d(x, 2)
                shape = [max(a, b) for a, b in zip(x.shape, y.shape, strict=True)]
                x, y = (
                    functional.pad(z, (0, shape[3] - z.shape[3], 0, shape[2] - z.shape[2], 0, shape[1] - z.shape[1]))
                    for z in (x, y)
                )
            x = functional.relu(x + y)
        return self.dense(x.mean((2, 3)))


@lru_cache(maxsize=1)
def _network() -> DlibFace:
    return load().to(memory_format=torch.channels_last)


@torch.inference_mode()
def describe(images: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 RGB pictures (H, W, 3) and the landmarks (68, 2) px of the face in each -> float64 (N, 128).

    Their length is about 1 to 1.5; by Euclidean distance two pictures of one person mostly lie closer than 0.6.

    Raises:
        FersynError: the model file is missing.
    """
    import dlib

    chips = []
    for image, points in zip(images, landmarks, strict=True):
        low, high = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int)
        shape = dlib.full_object_detection(
            dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1])),
            [dlib.point(round(float(x)), round(float(y))) for x, y in points],
        )
        chips.append(dlib.get_face_chip(np.ascontiguousarray(image), shape, size=SIZE, padding=0.25))
    if not chips:
        return np.zeros((0, FEATURES))
    device = default_device()
    network = _network().to(device)
    parts = (to_floats(part.to(device)) for part in to_tensor(np.stack(chips)).split(BATCH))
    found = [network(part.contiguous(memory_format=torch.channels_last)).cpu() for part in parts]
    return torch.cat(found).double().numpy()


def load() -> DlibFace:
    """The network, on the CPU; raises FersynError where dlib's file is missing or another one."""
    path = Path(model_path(FILE))
    with torch.random.fork_rng(devices=[]):
        network = DlibFace()
    convolutions = [network.first, *(each for block in network.layers for each in block)]
    found = _arrays(path.read_bytes())
    try:
        for k, layer in enumerate(convolutions):  # weights with their bias, then what scales and shifts the channels
            kernel, affine = (torch.from_numpy(values) for values in found[2 * k : 2 * k + 2])
            scale, shift = affine.chunk(2)
            kernel, bias = kernel[: -len(scale)].reshape(layer.weight.shape), kernel[-len(scale) :]
            layer.weight.copy_(kernel * scale[:, None, None, None])
            layer.bias.copy_(bias * scale + shift)
        network.dense.weight.copy_(torch.from_numpy(found[2 * len(convolutions)]).reshape(-1, FEATURES).t())
    except (IndexError, RuntimeError, ValueError) as error:
        raise FersynError(
            f"{path} is not dlib's face ResNet ({error}); install face_recognition_models again"
        ) from error
    return network


def _arrays(raw: bytes) -> list[np.ndarray]:
    """All tensors in dlib's file, float32 (values,), in its order: from the picture up.

    Each is a 2 (its version), four sizes, then its values. An integer there is a byte of its sign and length, then its bytes.
    What cannot be one is passed over: the words of the archive between them.
    """

    def integer(at: int) -> tuple[int, int]:
        many = raw[at] & 15
        wrong = not 1 <= many <= 8 or raw[at] & 0xF0
        return (-1 if wrong else int.from_bytes(raw[at + 1 : at + 1 + many], "little")), at + 1 + many

    found, at = [], raw.find(b"\x01\x02")
    while at >= 0:
        sizes, place = [], at + 2
        while len(sizes) < 4 and place < len(raw):
            size, place = integer(place)
            sizes.append(size)
        count = int(np.prod(sizes))
        if len(sizes) == 4 and min(sizes) > 0 and 32 <= count and place + 4 * count <= len(raw):
            values = np.frombuffer(raw, "<f4", count, place)
            if np.isfinite(values).all() and np.abs(values).max() < 1e4:
                found.append(values.copy())
                place += 4 * count
                at = raw.find(b"\x01\x02", place)
                continue
        at = raw.find(b"\x01\x02", at + 1)
    return found
