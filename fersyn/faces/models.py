"""Where dlib's model files lie: in the package face_recognition_models, found but not imported (its import needs
setuptools).
"""

from importlib.util import find_spec
from pathlib import Path

from fersyn.errors import FersynError


def model_path(name: str) -> str:
    """Return the path of a model file such as 'shape_predictor_68_face_landmarks.dat'; raises FersynError where it
    is not installed.
    """
    spec = find_spec("face_recognition_models")
    path = Path(spec.origin).parent / "models" / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FersynError(f"dlib's model {name} is missing; install it with: pip install face_recognition_models")
    return str(path)
