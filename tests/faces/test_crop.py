import dlib
import numpy as np
import pytest

from fersyn.faces import crop
from fersyn.faces.align import similarity
from fersyn.faces.crop import FIVE_112


@pytest.mark.parametrize("picture, size", [(256, 128), (1024, 128), (128, 210)])
def test_the_crop_is_the_same_part_of_every_picture(picture, size):
    found = crop.ffhq_alignment(picture, size)
    assert found.size == size and found.matrix[0, 1] == found.matrix[1, 0] == 0
    corners = (found.apply_inverse([(-0.5, -0.5), (size - 0.5, size - 0.5)]) + 0.5) / picture
    np.testing.assert_allclose(corners, crop.FFHQ_MIDDLE + [[-0.41], [0.41]], atol=1e-9)
    eyes = (found.apply(crop.FFHQ_FIVE[:2] * picture - 0.5) + 0.5) / size
    np.testing.assert_allclose(eyes, [(0.5 - 0.15, 0.35), (0.5 + 0.15, 0.35)], atol=0.01)


def test_the_five_points_come_to_their_places():
    found = crop.ffhq_to_arcface(512)
    away = np.hypot(*(found.apply(crop.FFHQ_FIVE * 512 - 0.5) - FIVE_112).T)
    assert found.size == 112 and away.max() < 2.5, "px of 112"


def test_dlib_s_chip_is_where_dlib_cuts_it(small_table):
    """Of openpeople's people, put into FFHQ's frame by the kit's crop."""
    corners = []
    for points in small_table.landmarks()[:14]:
        points = crop.ffhq_alignment(1024, small_table.size).apply_inverse(points)
        box = dlib.rectangle(*(int(v) for v in (*points.min(0), *points.max(0))))
        shape = dlib.full_object_detection(box, [dlib.point(round(x), round(y)) for x, y in points.tolist()])
        cut = dlib.get_face_chip_details(shape, size=150, padding=0.25).rect
        corners.append([(cut.left(), cut.top()), (cut.right(), cut.bottom())])
    ours = crop.ffhq_to_dlib(1024).apply_inverse([(-0.5, -0.5), (149.5, 149.5)])
    np.testing.assert_allclose(ours, np.mean(corners, 0), atol=0.03 * 1024)


def test_a_mirror_image_is_no_similarity():
    turned = similarity(FIVE_112 * (-1, 1), FIVE_112)
    assert np.linalg.det(turned[:, :2]) > 0
    np.testing.assert_allclose(similarity(FIVE_112, 2 * FIVE_112 + 3), [[2, 0, 3], [0, 2, 3]], atol=1e-9)
