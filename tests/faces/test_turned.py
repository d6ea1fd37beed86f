"""Photographs on their side, upside down and askew; landmarks that fit no face."""

import numpy as np
import pytest
from PIL import Image

from fersyn.errors import NoFace
from fersyn.faces import turned
from fersyn.faces.crop import crop_face
from fersyn.faces.landmarks import Box, find_faces, find_landmarks
from fersyn.faces.turned import Found, find_turned, fitness, tilt


def askew(image, degrees):
    return np.asarray(Image.fromarray(image).rotate(degrees, Image.BICUBIC, expand=True, fillcolor=(200, 200, 200)))


def upright(points, degrees, image, copy):
    """Points of the copy that PIL has turned, in the picture."""
    turn = np.radians(degrees)
    back = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = [(np.array(each.shape[1::-1]) - 1) / 2 for each in (image, copy)]
    return (points - middle[1]) @ back.T + middle[0]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_photograph_on_its_side_or_head_gives_the_same_landmarks(portraits, degrees):
    for name in ("neutral", "happiness"):
        image = portraits["P002", name]
        copy = askew(image, degrees)
        (wanted,), (found,) = find_turned(image), find_turned(copy)
        assert np.allclose(upright(found.landmarks, degrees, image, copy), wanted.landmarks, atol=0.6)
        assert abs(crop_face(copy).crop.astype(int) - crop_face(image).crop).mean() < 3


@pytest.mark.parametrize("degrees", [30, 45, 60, 135, 210, 315])
def test_a_tilted_head_is_found_and_its_landmarks_turned_back(portraits, degrees):
    for person in ("P001", "P003"):
        image = portraits[person, "neutral"]
        copy = askew(image, degrees)
        (wanted,), (found,) = find_turned(image), find_turned(copy)
        eyes = np.linalg.norm(np.diff(wanted.landmarks[[36, 45]], axis=0)) * 0.7
        away = np.linalg.norm(upright(found.landmarks, degrees, image, copy) - wanted.landmarks, axis=1).mean()
        assert away < 0.05 * eyes


def test_what_stands_upright_is_found_as_before_and_looked_at_once(portraits, monkeypatch):
    monkeypatch.setattr(turned, "fitness", lambda *_: pytest.fail("a sure face is not tried again"))
    for image in portraits.values():
        (found,), box = find_turned(image), find_faces(image)[0]
        assert found.box == box and np.array_equal(found.landmarks, find_landmarks(image, box))
    assert turned._turned(image, 0)[0] is image


def test_two_people_on_a_photograph_that_lies(portraits):
    sheet = np.hstack([portraits[person, "neutral"][:160, :240] for person in ("P001", "P002")])
    found = find_turned(askew(sheet, 90), every=True)
    assert [round(tilt(face.landmarks) / 30) for face in found] == [-3, -3]


def test_fitness_tells_landmarks_on_a_face_from_those_beside_it(portrait):
    box = find_faces(portrait)[0]
    side = box.right - box.left
    beside = Box(box.left + 0.5 * side, box.top + 0.3 * side, box.right + 0.5 * side, box.bottom + 0.3 * side)
    on, off = (fitness(portrait, Found(each, find_landmarks(portrait, each))) for each in (box, beside))
    assert on < turned.LOOSE < turned.MISFIT < off


def test_landmarks_that_fit_no_face_are_refused(portrait, monkeypatch):
    box = find_faces(portrait)[0]
    side = box.right - box.left
    wrong = Box(box.left + 0.5 * side, box.top + 0.3 * side, box.right + 0.5 * side, box.bottom + 0.3 * side, 0.1)
    monkeypatch.setattr(turned, "find_faces", lambda image, sizes: [wrong] if image is portrait else [])
    with pytest.raises(
        NoFace, match="landmarks do not fit the face that was found .*: use a picture that shows the face"
    ):
        crop_face(portrait)


def test_nothing_to_find():
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    assert find_turned(noise) == [] and find_turned(noise[:10]) == []
    with pytest.raises(NoFace, match="no face found .160x120 px, also tried enlarged and turned"):
        crop_face(noise)


@pytest.mark.parametrize("degrees", [0, 30, 90, 250])
@pytest.mark.parametrize("whole", [True, False])
def test_points_go_to_where_their_pixels_go(degrees, whole):
    image = np.zeros((200, 300, 3), np.uint8)
    image[95:106, 140:151] = 255
    copy, matrix = turned._turned(image, degrees, whole)
    ys, xs = np.nonzero(copy[..., 0] > 128) if degrees % 90 == 0 else np.nonzero(copy[..., 0] > 200)
    assert np.allclose((xs.mean(), ys.mean()), matrix[:, :2] @ (145, 100) + matrix[:, 2], atol=0.3)


def test_a_photograph_turned_as_a_whole_is_itself_again():
    image = np.zeros((200, 300, 3), np.uint8)
    copy, _ = turned._turned(image, 30)
    assert abs(np.subtract(turned._turned(copy, 330, whole=False)[0].shape, image.shape)).max() <= 2
