import numpy as np
import pytest
import torch
from torch.nn import functional

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.evaluation import verifiers
from fersyn.faces.crop import arcface_crop
from fersyn.nets import sface


@pytest.fixture(scope="module")
def network():
    if weights.find("sface") is None:
        pytest.skip("weights missing: fersyn weights fetch sface")
    return sface.load()


def tensor(pictures):
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_its_numbers_are_opencv_s(network, small_table):
    import cv2

    faces = zip(small_table.images()[:4], small_table.landmarks()[:4], strict=True)
    crops = [arcface_crop(*face) for face in faces]
    opencv = cv2.FaceRecognizerSF.create(str(weights.find("sface")), "")
    wanted = np.concatenate([opencv.feature(np.ascontiguousarray(crop[..., ::-1])) for crop in crops])
    found = network(tensor(crops))
    torch.testing.assert_close(
        functional.normalize(found), functional.normalize(torch.from_numpy(wanted)), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(found.norm(dim=1), torch.from_numpy(wanted).norm(dim=1), atol=0, rtol=1e-3)


def test_it_says_what_the_verifier_says(network, small_table):
    """Its own crop is antialiased, OpenCV's is not: nearly the same numbers."""
    images, landmarks = small_table.images()[:7], small_table.landmarks()[:7]
    theirs = torch.from_numpy(verifiers.get("sface").embed(images, landmarks))
    ours = network(tensor([arcface_crop(*face) for face in zip(images, landmarks, strict=True)]))
    assert (functional.cosine_similarity(ours, theirs) > 0.95).all()


def test_gradients_are_those_of_the_pixels(network):
    faces = torch.rand(
        1, 3, 112, 112, generator=torch.Generator().manual_seed(0), dtype=torch.double, requires_grad=True
    )
    double = sface.load().double()
    along = torch.randn(faces.shape, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    (slope,) = torch.autograd.grad(double(faces)[:, :9].sum(), faces)
    with torch.no_grad():
        up, down = (double(faces + step * along)[:, :9].sum() for step in (1e-7, -1e-7))
    torch.testing.assert_close((slope * along).sum(), (up - down) / 2e-7, rtol=1e-3, atol=1e-6)


def test_missing_and_other_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "state_dict", lambda name: {"conv_1_conv2d_weight": torch.ones(32, 3, 3, 3)})
    with pytest.raises(FersynError, match="not the weights of SFace"):
        sface.load()
    monkeypatch.undo()
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path))
    with pytest.raises(FersynError, match="fersyn weights fetch sface"):
        sface.load()
