import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fersyn.errors import NoFace
from fersyn.faces.align import STABLE, Alignment, fit, soft_mask, template
from fersyn.faces.crop import crop_face

angles = st.floats(-180, 180)
scales = st.floats(0.02, 8)
shifts = st.floats(-5000, 5000)


def similarity(angle, scale, x, y, size=128) -> Alignment:
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    return Alignment(np.array([[c, -s, x], [s, c, y]]), size)


@given(angles, scales, shifts, shifts)
def test_inverse_undoes_apply(angle, scale, x, y):
    alignment = similarity(angle, scale, x, y)
    points = np.random.default_rng(0).uniform(-1000, 1000, (68, 2))
    np.testing.assert_allclose(alignment.apply_inverse(alignment.apply(points)), points, atol=1e-6)
    np.testing.assert_allclose(alignment.apply(alignment.apply_inverse(points)), points, atol=1e-6)


@given(angles, scales, shifts, shifts, st.sampled_from([64, 128, 256]))
def test_fit_finds_the_similarity_that_moved_the_template(angle, scale, x, y, size):
    """Whatever the turn, scale and shift of the face in the photo, its stable points land on the template, without
    a mirror.
    """
    wanted = similarity(angle, scale, x, y, size)
    landmarks = np.zeros((68, 2))
    landmarks[list(STABLE)] = wanted.apply_inverse(template(size))
    found = fit(landmarks, size)
    np.testing.assert_allclose(found.matrix, wanted.matrix, rtol=1e-6, atol=1e-5)
    assert np.linalg.det(found.matrix[:, :2]) > 0


def test_fit_is_the_least_squares_similarity_of_scikit_image(portraits):
    """On real landmarks, which no similarity takes onto the template exactly."""
    transform = pytest.importorskip("skimage.transform")
    for image in portraits.values():
        face = crop_face(image)
        source = face.alignment.apply_inverse(face.landmarks)
        wanted = transform.estimate_transform("similarity", source[list(STABLE)], template(128))
        np.testing.assert_allclose(face.alignment.matrix, wanted.params[:2], rtol=1e-6, atol=1e-6)


def test_a_mirrored_face_is_not_mirrored_back():
    landmarks = np.zeros((68, 2))
    landmarks[list(STABLE)] = template(128) * (-1, 1)
    assert np.linalg.det(fit(landmarks).matrix[:, :2]) > 0


def test_the_template_is_where_it_is_said_to_be():
    """Eye centres at 0.35 of the height, 0.31 of the size apart, in the middle."""
    corners = template(1000)[:4] + 0.5
    right, left = corners[:2].mean(0), corners[2:].mean(0)
    np.testing.assert_allclose((right + left) / 2, (500, 350), atol=6)
    np.testing.assert_allclose(left[0] - right[0], 310, atol=10)


def test_the_eyes_of_a_real_face_come_to_lie_there(portraits):
    for image in portraits.values():
        points = crop_face(image, 128).landmarks
        right, left = points[36:42].mean(0), points[42:48].mean(0)
        assert np.hypot(*((right + left) / 2 - (63.5, 0.35 * 128))) < 3
        assert abs(np.hypot(*(left - right)) - 0.31 * 128) < 3


def test_forehead_to_chin_fit_in(portraits):
    for (_, expression), image in portraits.items():
        points = crop_face(image, 128).landmarks
        assert points.min() > 2 and points[:, 1].max() < 126, expression


@pytest.mark.parametrize("scale", [0.03, 0.11, 0.4, 0.9, 1.0, 1.7])
def test_warp_puts_pixels_where_apply_says(scale):
    """A soft spot in a photo appears in the crop at the place to which its centre is taken, to a tenth of a pixel
    (of crop or photo).
    """
    alignment = similarity(20, scale, 0, 0)
    centre = alignment.apply_inverse((64.3, 60.6))
    alignment = Alignment(alignment.matrix - [[0, 0, 0], [0, 0, 0]], 128)
    shift = 20 / scale + 80
    centre_in_photo = np.array([shift, shift]) + np.modf(centre)[0]
    matrix = alignment.matrix.copy()
    matrix[:, 2] += alignment.matrix[:, :2] @ (centre - centre_in_photo)
    alignment = Alignment(matrix, 128)
    side = int(2 * shift)
    y, x = np.mgrid[:side, :side]
    sigma = 4 / min(scale, 1)
    spot = 250 * np.exp(-((x - centre_in_photo[0]) ** 2 + (y - centre_in_photo[1]) ** 2) / (2 * sigma**2))
    crop = alignment.warp(np.repeat(np.rint(spot).astype(np.uint8)[..., None], 3, 2))[..., 0].astype(float)
    gy, gx = np.mgrid[:128, :128]
    found = (crop * gx).sum() / crop.sum(), (crop * gy).sum() / crop.sum()
    np.testing.assert_allclose(found, (64.3, 60.6), atol=0.1 * max(scale, 1))


def test_shrinking_is_antialiased():
    """A fine chequerboard becomes even grey; sampling single pixels would leave it black and white."""
    board = np.indices((1200, 1200)).sum(0) % 2 * 255
    photo = np.repeat(board.astype(np.uint8)[..., None], 3, 2)
    for angle in (0, 13):
        inner = similarity(angle, 0.1, 20, 10).warp(photo)[40:90, 40:90]
        assert abs(inner.mean() - 127.5) < 3 and inner.std() < 6


def test_outside_the_photo_the_edge_is_repeated():
    photo = np.full((50, 50, 3), 200, np.uint8)
    assert (similarity(0, 1, 30, 30).warp(photo) == 200).all()
    assert (similarity(0, 1, 500, -500).warp(photo) == 200).all()  # even where the crop misses the photo


@settings(max_examples=25)
@given(angle=angles, scale=st.floats(0.1, 3), x=st.floats(-50, 50), y=st.floats(-50, 50))
def test_paste_leaves_the_rest_of_the_photo_alone(angle, scale, x, y):
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (90, 110, 3), dtype=np.uint8)
    alignment = similarity(angle, scale, x, y, 64)
    before = photo.copy()
    out = alignment.paste(np.zeros((64, 64, 3), np.uint8), photo)
    assert (photo == before).all()
    points = np.stack(np.meshgrid(np.arange(110), np.arange(90)), -1)
    inside = alignment.apply(points)
    margin = 2 * max(scale, 1)
    away = (inside < -0.5 - margin).any(-1) | (inside > 63.5 + margin).any(-1)
    assert (out[away] == photo[away]).all()
    assert (alignment.paste(np.zeros((64, 64, 3), np.uint8), photo, np.zeros((64, 64))) == photo).all()


def test_a_face_cut_out_and_put_back_gives_the_photo(portrait):
    """With a crop about as fine as the photo, cutting out and pasting changes little, and nothing outside."""
    face = crop_face(portrait, 192)
    back = face.alignment.paste(face.crop, portrait)
    difference = np.abs(back.astype(int) - portrait)
    assert difference.mean() < 1.5
    marked = face.alignment.paste(np.full_like(face.crop, 255), portrait)
    middle = face.alignment.apply_inverse((96, 96)).round().astype(int)
    assert (marked[middle[1], middle[0]] > 250).all()


def test_paste_of_a_large_crop_into_a_small_photo_is_antialiased():
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    out = similarity(0, 6, 0, 0, 256).paste(np.repeat(board[..., None], 3, 2), np.zeros((60, 60, 3), np.uint8))
    assert abs(out[15:28, 15:28].mean() - 127.5) < 4 and out[15:28, 15:28].std() < 8


def test_a_very_wide_photo_is_no_trouble():
    """cv2 itself takes no side over 32767 px."""
    photo = np.zeros((60, 40000, 3), np.uint8)
    photo[:, 35000:] = 255
    crop = similarity(0, 1, -35000 + 64, 30).warp(photo)
    assert crop[64, 20, 0] == 0 and crop[64, 100, 0] == 255


def test_soft_mask():
    mask = soft_mask(128)
    assert mask[64, 64] == 1 and (mask[0] == 0).all() and (mask[:, -1] == 0).all()
    np.testing.assert_allclose(mask, cv2.flip(mask, -1))


@pytest.mark.parametrize("points", [np.zeros((68, 2)), np.full((68, 2), np.nan), np.ones((68, 2)) * 7])
def test_no_face_in_the_landmarks(points):
    with pytest.raises(NoFace, match="landmarks do not form a face"):
        fit(points)
