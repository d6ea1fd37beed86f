"""VGG-Face (Parkhi, Vedaldi & Zisserman, "Deep Face Recognition", BMVC 2015, configuration D): the other face
descriptor of Table 6 of Li, Qi & Sun.

Thirteen 3x3 convolutions and three dense layers, trained on 2622 people. Weights have the names of the PyTorch port of
the authors' own MatConvNet file (`vgg_face_dag.pth`, S. Albanie, robots.ox.ac.uk/~albanie/pytorch-models.html):
`conv1_1` to `conv5_3`, `fc6` to `fc8`.
"""

from torch import Tensor, nn
from torch.nn import functional

from fersyn.pixels import constant

SIZE = 224  # side of the face, px
CLASSES = 2622
# Mean colour (R, G, B) of the training faces, grey levels 0..255: the authors' file subtracts it and scales nothing.
MEAN = (129.186279296875, 104.76238250732422, 93.59396362304688)
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions before the pooling


class VGGFace(nn.Module):
    """The network up to `fc7`, whose 4096 numbers (after their ReLU) are the descriptor. 134 M weights without classes.

    Args:
        classes: people of the last layer `fc8`, which the descriptor does not use; 0 leaves it out.
        width: channels of the first stage; published: 64 (the others, dense layers too, scale along).
    """

    def __init__(self, classes: int = 0, width: int = 64):
        super().__init__()
        inside = 3
        self.names: list[list[str]] = []
        for stage, (published, count) in enumerate(_STAGES, 1):
            outside = published * width // 64
            self.names.append([f"conv{stage}_{number}" for number in range(1, count + 1)])
            for name in self.names[-1]:
                setattr(self, name, nn.Conv2d(inside, outside, 3, padding=1))
                inside = outside
        dense = 4096 * width // 64
        self.fc6 = nn.Linear(inside * (SIZE // 32) ** 2, dense)
        self.fc7 = nn.Linear(dense, dense)
        if classes:
            self.fc8 = nn.Linear(dense, classes)

    def forward(self, faces: Tensor) -> Tensor:
        """Colour faces (N, 3, 224, 224), RGB, 0..255 -> descriptors (N, 4096), >= 0."""
        assert faces.shape[1:] == (3, SIZE, SIZE), f"VGG-Face sees (N, 3, {SIZE}, {SIZE}), got {tuple(faces.shape)}"
        x = faces - constant(MEAN, faces.device)[:, None, None]
        for stage in self.names:
            for name in stage:
                x = functional.relu(getattr(self, name)(x))
            x = functional.max_pool2d(x, 2)
        return functional.relu(self.fc7(functional.relu(self.fc6(x.flatten(1)))))
