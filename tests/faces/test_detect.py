import cv2
import numpy as np
import pytest
import torch

from fersyn.errors import FersynError, NoFace
from fersyn.faces.crop import crop_face
from fersyn.faces.landmarks import abreast, find_faces, find_landmarks, find_source_landmarks, model_path
from fersyn.faces.turned import find_fitting
from fersyn.pixels import to_floats, to_tensor


def scaled(image, factor):
    return cv2.resize(
        image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )


def test_every_portrait_has_one_face(portraits):
    for image in portraits.values():
        assert len(find_faces(image)) == 1


@pytest.mark.parametrize("factor", [0.5, 2.0, 8.0])
def test_boxes_and_landmarks_scale_with_the_picture(portrait, factor):
    """Smaller is found by the enlarged try, larger on a reduced copy; both in px of the picture given."""
    small, large = crop_face(portrait), crop_face(scaled(portrait, factor))
    eyes = small.alignment.apply_inverse(small.landmarks[[36, 45]])
    same = (large.alignment.apply_inverse(large.landmarks[[36, 45]]) + 0.5) / factor - 0.5
    distance = np.hypot(*(eyes[1] - eyes[0]))
    assert np.abs(eyes - same).max() < 0.1 * distance


def test_the_largest_face_comes_first(portraits):
    one, two = portraits["P001", "neutral"], portraits["P002", "neutral"]
    photo = np.full((400, 700, 3), 128, np.uint8)
    photo[40 : 40 + one.shape[0], 20 : 20 + one.shape[1]] = one
    big = scaled(two, 1.6)
    photo[90 : 90 + big.shape[0], 280 : 280 + big.shape[1]] = big[:, : 700 - 280]
    boxes = find_faces(photo)
    assert boxes[0].left > 280 and boxes[0].area == max(box.area for box in boxes)


def test_a_small_face_in_a_large_photo_is_found_by_a_later_try(portrait):
    photo = np.full((900, 1400, 3), 90, np.uint8)
    photo[600 : 600 + portrait.shape[0], 900 : 900 + portrait.shape[1]] = portrait
    (box,) = find_faces(photo)
    assert 900 < box.left < 900 + portrait.shape[1] and 580 < box.top < 600 + portrait.shape[0]


def test_a_face_cut_by_the_edge_is_no_crash(portrait):
    cut = portrait[:, portrait.shape[1] // 4 :]
    for box in find_faces(cut):
        assert np.isfinite(find_landmarks(cut, box)).all()


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (19, 19)])
def test_a_tiny_picture_is_named(shape):
    with pytest.raises(NoFace, match=rf"too small to hold a face \({shape[1]}x{shape[0]} px\)"):
        crop_face(np.zeros((*shape, 3), np.uint8))


def test_no_face_is_named():
    noise = np.random.default_rng(0).integers(0, 256, (200, 240, 3), dtype=np.uint8)
    with pytest.raises(NoFace, match=r"no face found \(240x200 px, also tried enlarged and turned\)"):
        crop_face(noise)


def test_a_missing_model_is_named():
    with pytest.raises(FersynError, match="model nose.dat is missing; install it with: pip install"):
        model_path("nose.dat")


def test_threads_find_what_one_finds(portraits, monkeypatch):
    images = np.stack([cv2.resize(portraits[name], (160, 160)) for name in sorted(portraits)[:6]])
    faces = to_floats(to_tensor(images))
    found = []
    for threads in (1, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append((find_source_landmarks(faces), *find_fitting(faces)))
    (one, points, fits), (many, others, fitting) = found
    assert torch.equal(one, many) and torch.equal(points, others) and (fits == fitting).all() and fits.any()
    assert abreast(lambda number: number + 1, range(9)) == list(range(1, 10))
