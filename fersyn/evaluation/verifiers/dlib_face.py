"""dlib's face ResNet as a verifier, always there."""

from fersyn.errors import FersynError
from fersyn.evaluation.verifiers.base import Verifier
from fersyn.faces.landmarks import model_path
from fersyn.nets.dlib_face import FEATURES, FILE, describe


class DlibFace(Verifier):
    """`fersyn.nets.dlib_face`; trained on some 3 million photographs of 7485 people."""

    name, title, score, weights, width, batch = "dlib", "dlib ResNet", "euclidean", "dlib-face", FEATURES, 64
    how = "pip install face_recognition_models"

    def available(self) -> bool:
        """Whether the model file is installed."""
        try:
            return bool(model_path(FILE))
        except FersynError:
            return False

    def describe(self, images, landmarks):
        """See `Verifier.describe`."""
        return describe(images, landmarks)
