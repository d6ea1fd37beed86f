"""Verifiers: published checkpoints load as they are, crops are the authors', missing weights say how."""

import numpy as np
import pytest
import torch

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.evaluation import verifiers
from fersyn.evaluation.verifiers import Verifier, base, torch_networks
from fersyn.evaluation.verifiers.base import load
from fersyn.faces import align, crop
from fersyn.nets import light_cnn, vgg_face

IDENTITIES = 3


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    torch_networks._light_cnn.cache_clear()
    yield tmp_path
    torch_networks._light_cnn.cache_clear()


@pytest.fixture(scope="module")
def some_faces(small_table):
    chosen = np.flatnonzero(small_table.rows["expression"].isin(["neutral", "happiness"]).to_numpy())
    return small_table.images(chosen), small_table.landmarks(chosen), small_table.people[chosen]


def checkpoint(network):
    """As the authors save it: DataParallel's prefix, and other things beside the weights."""
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    return {"epoch": 80, "arch": "LightCNN", "state_dict": state, "prec1": 98.0}


def test_all_are_verifiers_and_say_what_to_do():
    for name in verifiers.NAMES:
        each = verifiers.get(name)
        assert isinstance(each, Verifier) and each.name == name and each.how and each.score in base.AXES
        assert weights.entry(each.weights)
    with pytest.raises(FersynError, match="no verifier 'facenet'; use some of: dlib, sface"):
        verifiers.get("facenet")


def test_missing_weights_say_how_to_get_them(empty_cache, some_faces):
    images, landmarks, _ = some_faces
    for name, how in (
        ("sface", "fersyn weights fetch sface"),
        ("arcface-mbf", "fersyn weights fetch arcface-mbf"),
        ("light-cnn-29", "fersyn weights add light-cnn-29 FILE"),
        ("vgg-face", "fersyn weights add vgg-face FILE"),
    ):
        each = verifiers.get(name)
        assert not each.available() and how in each.how
        with pytest.raises(FersynError, match=how):
            each.embed(images[:1], landmarks[:1])
    assert verifiers.get("dlib").available()


def test_images_and_landmarks_must_go_together(some_faces):
    images, landmarks, _ = some_faces
    with pytest.raises(FersynError, match="2 images but 1"):
        verifiers.get("dlib").embed(images[:2], landmarks[:1])


@pytest.mark.parametrize("name", ["light-cnn-9", "light-cnn-29v2"])
def test_an_added_light_cnn_checkpoint_is_what_embeds(name, empty_cache, some_faces):
    torch.manual_seed(1)
    network = light_cnn.network(name, IDENTITIES).eval()
    torch.save(checkpoint(network), empty_cache / "authors.pth.tar")
    weights.add(name, empty_cache / "authors.pth.tar")
    images, landmarks, _ = (part[:3] for part in some_faces)
    each = verifiers.get(name)
    assert each.available()
    found = each.embed(images, landmarks)
    grey = np.stack([crop.light_cnn_crop(*pair) for pair in zip(images, landmarks, strict=True)])
    with torch.inference_mode():
        expected = network(torch.from_numpy(grey)[:, None] / 255)
    assert found.dtype == np.float32 and np.allclose(found, expected.numpy(), atol=1e-5)


def test_vgg_face_is_cut_and_described_by_the_published_layers(some_faces, monkeypatch):
    torch.manual_seed(2)
    network = vgg_face.VGGFace(IDENTITIES, width=2).eval()
    bare = load(vgg_face.VGGFace(width=2), network.state_dict(), "vgg-face", "fc8")
    images, landmarks, _ = (part[:2] for part in some_faces)
    faces = np.stack(
        [align.fit(points, 224).warp(image) for image, points in zip(images, landmarks, strict=True)]
    ).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(faces).permute(0, 3, 1, 2)).numpy()
    small = {"network": lambda self: bare, "width": bare.fc7.out_features, "batch": 1}
    for name, value in small.items():
        monkeypatch.setattr(torch_networks.VGGFace, name, value)
    assert np.allclose(verifiers.get("vgg-face").embed(images, landmarks), expected, rtol=1e-4, atol=1e-4)


def test_a_file_of_another_network_is_refused():
    nine = light_cnn.network("light-cnn-9")
    with pytest.raises(FersynError, match=r"light-cnn-29 .*conv1\.filter\.weight is missing.*fersyn weights add"):
        load(light_cnn.network("light-cnn-29"), nine.state_dict(), "light-cnn-29", "fc2")
    cut = {name: value[:5] if name == "fc1.filter.bias" else value for name, value in nine.state_dict().items()}
    with pytest.raises(FersynError, match=r"fc1\.filter\.bias is \(5,\), not \(512,\)"):
        load(light_cnn.network("light-cnn-9"), cut, "light-cnn-9", "fc2")


def test_cosine_distances():
    gallery, probe = np.random.default_rng(0).normal(size=(2, 4, 6))
    expected = [[1 - p @ g / np.linalg.norm(p) / np.linalg.norm(g) for g in gallery] for p in probe]
    assert verifiers.distances("cosine", gallery, probe) == pytest.approx(np.array(expected))
    straight = np.linalg.norm(probe[:, None] - gallery[None], axis=-1)
    assert verifiers.distances("euclidean", gallery, probe) == pytest.approx(straight)


def dots(points, size=200):
    """A dark picture with a soft bright dot at each point: it can be found again after any crop."""
    y, x = np.mgrid[:size, :size]
    image = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in points)
    return np.repeat((255 * np.clip(image, 0, 1)).astype(np.uint8)[..., None], 3, 2)


def turned(points, degrees, scale, middle):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return (points - points.mean(0)) @ turn.T * scale + middle


def peak(image, near, reach=6):
    """Centre of brightness around a place, (x, y)."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image.astype(float) * ((x - near[0]) ** 2 + (y - near[1]) ** 2 < reach**2)
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


def test_light_cnn_crop_puts_eyes_and_mouth_where_the_authors_do(some_faces):
    """README of AlfredXiangWu/LightCNN: 128 px, middle of the eyes at 40, mouth 48 below it, eyes level."""
    landmarks = turned(some_faces[1][0].astype(float), 17, 1.3, (100, 104))
    five = crop.five_points(landmarks)
    eyes = crop.light_cnn_crop(dots([five[:2].mean(0)]), landmarks)
    assert eyes.shape == (128, 128) and peak(eyes, (64, 40)) == pytest.approx((64, 40), abs=0.5)
    mouth = crop.light_cnn_crop(dots([five[3:].mean(0)]), landmarks)
    assert peak(mouth, (64, 88), 12)[1] == pytest.approx(88, abs=0.5)
    large = crop.light_cnn_crop(dots([five[:2].mean(0)]), landmarks, 144, 48)
    assert large.shape == (144, 144) and peak(large, (72, 48)) == pytest.approx((72, 48), abs=0.5)
    left, right = (
        peak(crop.light_cnn_crop(dots([eye]), landmarks), (x, 40), 14) for eye, x in ((five[0], 46), (five[1], 82))
    )
    assert left[1] == pytest.approx(right[1], abs=0.5) and left[0] < right[0], "level, and not mirrored"


def test_arcface_crop_is_a_similarity_to_the_five_points():
    five = turned(crop.FIVE_112, -11, 0.8, (90, 110))
    landmarks = np.zeros((68, 2))
    landmarks[36:42], landmarks[42:48] = five[0], five[1]
    landmarks[30], landmarks[48], landmarks[54] = five[2:]
    for point, place in zip(five, crop.FIVE_112, strict=True):
        cut = crop.arcface_crop(dots([point]), landmarks)
        assert cut.shape == (112, 112, 3) and peak(cut[..., 0], place) == pytest.approx(place, abs=0.5)


def test_no_crop_of_points_that_form_no_face():
    for cut in (crop.light_cnn_crop, crop.arcface_crop):
        with pytest.raises(FersynError, match="do not form a face"):
            cut(np.zeros((50, 50, 3), np.uint8), np.full((68, 2), 20.0))


@pytest.mark.parametrize("name", ["dlib", "sface", "arcface-mbf"])
def test_a_person_lies_closer_to_themself(name, some_faces):
    each = verifiers.get(name)
    if not each.available():
        pytest.skip(f"weights of {name} are not on this machine: {each.how}")
    images, landmarks, people = some_faces
    found = each.embed(images, landmarks)
    apart = verifiers.distances(each.score, found[::2], found[1::2])  # neutral and happy, person by person
    same = people[1::2][:, None] == people[::2][None]
    assert found.shape[0] == len(images) and np.isfinite(found).all()
    assert apart[same].max() < apart[~same].min()


def test_opencv_is_quiet_only_inside():
    from cv2.utils import logging

    from fersyn.evaluation.verifiers.opencv import quiet

    before = logging.getLogLevel()
    with quiet():
        assert logging.getLogLevel() == logging.LOG_LEVEL_ERROR
    assert logging.getLogLevel() == before
