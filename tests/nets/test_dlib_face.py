import dlib
import numpy as np
import pytest
import torch

from fersyn.errors import FersynError
from fersyn.faces.landmarks import model_path
from fersyn.nets import dlib_face


@pytest.fixture(scope="module")
def network():
    return dlib_face.load()


@pytest.fixture(scope="module")
def chips(small_table):
    """Squares of 150 px; dlib's network does not mind what is in them."""
    return [
        np.ascontiguousarray(np.kron(face, np.ones((2, 2, 1), np.uint8))[53:203, 53:203])
        for face in small_table.images()[:4]
    ]


def test_its_numbers_are_dlib_s(network, chips):
    own = dlib.face_recognition_model_v1(model_path(dlib_face.FILE))
    faces = torch.from_numpy(np.stack(chips)).permute(0, 3, 1, 2).float() / 127.5 - 1
    wanted = torch.from_numpy(np.array(own.compute_face_descriptor(chips))).float()
    torch.testing.assert_close(network(faces), wanted, atol=1e-5, rtol=0)
    assert (wanted[0] - wanted[1:]).norm(dim=1).min() > 0.1, "and not all the same"


def test_faces_are_described_as_dlib_does(small_table):
    """On dlib's own chips, whatever else is described with them."""
    images, points = small_table.images(slice(0, 18)), small_table.landmarks(slice(0, 18))
    found, own = dlib_face.describe(images, points), dlib.face_recognition_model_v1(model_path(dlib_face.FILE))
    assert found.shape == (18, 128) and found.dtype == np.float64
    for image, landmarks, numbers in list(zip(images, points, found, strict=True))[::6]:
        low, high = np.floor(landmarks.min(0)).astype(int).tolist(), np.ceil(landmarks.max(0)).astype(int).tolist()
        parts = [dlib.point(round(float(x)), round(float(y))) for x, y in landmarks]
        shape = dlib.full_object_detection(dlib.rectangle(*low, *high), parts)
        wanted = own.compute_face_descriptor(np.ascontiguousarray(image), shape)
        np.testing.assert_allclose(numbers, np.array(wanted), atol=1e-5)
    assert dlib_face.describe([], []).shape == (0, 128)


def test_gradients_are_those_of_the_pixels(network):
    random = torch.Generator().manual_seed(0)
    faces = torch.rand(1, 3, 150, 150, generator=random, dtype=torch.double, requires_grad=True)
    double, along = dlib_face.load().double(), torch.randn(faces.shape, generator=random, dtype=torch.double)
    (slope,) = torch.autograd.grad(double(faces)[:, :9].sum(), faces)
    with torch.no_grad():
        up, down = (double(faces + step * along)[:, :9].sum() for step in (1e-7, -1e-7))
    torch.testing.assert_close((slope * along).sum(), (up - down) / 2e-7, rtol=1e-3, atol=1e-6)


def test_another_file_is_refused(monkeypatch, tmp_path):
    whole = open(model_path(dlib_face.FILE), "rb").read()
    for name, content in {"short": whole[: len(whole) // 2], "text": b"no archive", "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
        monkeypatch.setattr(dlib_face, "model_path", lambda file, name=name: str(tmp_path / name))
        with pytest.raises(FersynError, match="is not dlib's face ResNet"):
            dlib_face.load()
