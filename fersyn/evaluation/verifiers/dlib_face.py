"""dlib's face ResNet: in the package face_recognition_models, so always there."""

from __future__ import annotations

from fersyn.errors import FersynError
from fersyn.evaluation import identity


class DlibFace:
    """King, 2017; trained on some 3 million photographs of 7485 people; 128 numbers, Euclidean distance."""

    name, title, score, weights = "dlib", "dlib ResNet", "euclidean", "dlib-face"
    how = "pip install face_recognition_models"

    def available(self) -> bool:
        """Whether the model file is installed."""
        from fersyn.faces.models import model_path

        try:
            return bool(model_path("dlib_face_recognition_resnet_model_v1.dat"))
        except FersynError:
            return False

    def embed(self, images, landmarks):
        """See `Verifier.embed`."""
        return identity.embed(images, landmarks)
