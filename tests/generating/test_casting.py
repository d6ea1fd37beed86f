import numpy as np
import pytest
import torch

from fersyn.datasets.openpeople import read_openpeople
from fersyn.errors import NoFace
from fersyn.expressions import EXPRESSIONS
from fersyn.faces.crop import crop_face
from fersyn.generating import casting
from fersyn.nets.dlib_face import describe


class Judge:
    """Names every face alike."""

    def __init__(self, name):
        self.name = name

    def named(self, faces):
        assert faces.shape[1] == 3 and faces.min() >= -1
        return np.full(len(faces), EXPRESSIONS.index(self.name))


class Meter:
    """Finds the tip of the nose where it is told, in a face from 20 to 100."""

    def __init__(self, nose):
        self.nose = nose

    def mesh(self, faces):
        points = torch.zeros(len(faces), 478, 3)
        points[:, 234, 0], points[:, 454, 0], points[:, 1, 0] = 20, 100, self.nose
        return points


@pytest.fixture(scope="module")
def pictures():
    """Neutral faces of openpeople's people: adults, in front of the camera, their eyes to be seen."""
    return [frame.picture().image for frame in read_openpeople().frames if frame.expression == "neutral"]


@pytest.fixture
def at_hand(monkeypatch, pictures):
    """Instruments that are content, and pictures instead of portraits; given to be changed."""
    instruments = {"fer": Judge("neutral"), "facex": Judge("neutral"), "actions": Meter(60)}
    monkeypatch.setattr(casting, "_instrument", instruments.__getitem__)
    shown = {}
    monkeypatch.setattr(casting, "portrait", lambda seed, index, *_: shown.get(index, pictures[index % len(pictures)]))
    casting._own.cache_clear()
    return instruments, shown


def test_adults_in_front_of_the_camera_are_taken(at_hand, pictures):
    found = [casting.candidate(0, index, 0.7) for index in range(len(pictures))]
    assert sum(reason == "" for reason, _ in found) >= 9, found
    assert all(len(descriptor) == 128 for reason, descriptor in found if not reason)


@pytest.mark.parametrize(("nose", "taken"), [(60, True), (71, True), (73, False), (47, False)])
def test_who_looks_aside_is_not(at_hand, nose, taken):
    at_hand[0]["actions"] = Meter(nose)
    assert casting.candidate(0, 0, 0.7)[0] == ("" if taken else "not frontal")


def test_who_both_judges_find_not_neutral_is_not(at_hand):
    at_hand[0]["fer"] = Judge("anger")
    assert casting.candidate(0, 0, 0.7)[0] == ""
    at_hand[0]["facex"] = Judge("sadness")
    assert casting.candidate(0, 0, 0.7) == ("no neutral to both judges", [])


def test_no_face_is_not(at_hand):
    at_hand[1][0] = np.full((256, 256, 3), 120, np.uint8)
    reason, descriptor = casting.candidate(0, 0, 0.7)
    assert reason == "no face found" and descriptor == []


def test_sunglasses_are_not(at_hand, pictures):
    picture = pictures[0].copy()
    face = crop_face(picture)
    eyes = face.alignment.apply_inverse(face.landmarks[36:48])
    for lids in (eyes[:6], eyes[6:]):
        (left, top), (right, bottom) = lids.min(0).astype(int) - 2, lids.max(0).astype(int) + 3
        picture[top:bottom, left:right] //= 5
    again = crop_face(picture)  # dlib still finds the lids
    with pytest.raises(NoFace, match="sunglasses"):
        casting._eyes_seen(again)
    casting._eyes_seen(face)


def test_sunglasses_are_told_at_any_size(pictures):
    for size in (64, 256):
        casting._eyes_seen(crop_face(pictures[0], size))


def test_a_child_lies_beyond_the_line():
    line = casting._child()
    weights = np.array(line["weights"])
    assert weights.shape == (128,)
    edge = weights * (line["threshold"] - line["bias"]) / (weights @ weights)
    casting._adult(edge - 0.01 * weights)
    with pytest.raises(NoFace, match="child"):
        casting._adult(edge + 0.01 * weights)


def test_both_judges_are_needed_to_refuse(at_hand, pictures):
    crop = crop_face(pictures[0]).crop
    at_hand[0].update(fer=Judge("fear"), facex=Judge("surprise"))
    casting.believed(crop, "fear")
    casting.believed(crop, "surprise")
    with pytest.raises(NoFace, match=r"no anger to both judges \(fear and surprise\)"):
        casting.believed(crop, "anger")


def test_contempt_must_not_be_happy(at_hand, pictures):
    crop = crop_face(pictures[0]).crop
    casting.believed(crop, "contempt")
    at_hand[0].update(fer=Judge("happiness"), facex=Judge("happiness"))
    with pytest.raises(NoFace, match="contempt"):
        casting.believed(crop, "contempt")


def test_another_person_is_noticed(at_hand, pictures):
    faces = [crop_face(picture) for picture in pictures[:2]]
    casting.same_person(faces[0], 0, 0, 0.7)
    apart = np.linalg.norm(np.subtract(*describe([f.crop for f in faces], [f.landmarks for f in faces])))
    assert apart > casting.DRIFTED
    with pytest.raises(NoFace, match=f"another person .*{apart:.2f}"):
        casting.same_person(faces[1], 0, 0, 0.7)
