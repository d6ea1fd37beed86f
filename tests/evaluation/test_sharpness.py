import cv2
import numpy as np
import pytest

from fersyn.evaluation import sharpness


@pytest.fixture
def faces(small_table):
    """Pictures, uint8 (4, 128, 128, 3), and their landmarks."""
    rows = [0, 7, 14, 21]
    return small_table.images(rows), small_table.landmarks(rows).astype(float)


def test_a_picture_keeps_all_of_itself(faces):
    images, points = faces
    assert np.allclose(sharpness.kept(images, images, points, points), 1)
    assert np.allclose(sharpness.kept_still(images, images, points, points), 1)


def test_a_blur_is_seen_inside_the_face_alone(faces):
    images, points = faces
    soft = np.stack([cv2.GaussianBlur(image, (0, 0), 1.5) for image in images])
    assert (sharpness.kept(soft, images, points, points) < 0.3).all()
    outside = np.where(sharpness.inside(points, 128)[..., None], images, soft)
    assert (sharpness.kept(outside, images, points, points) > 0.8).all()


def test_what_moves_is_not_what_need_not_move(faces):
    images, points = faces
    target = points.copy()
    target[:, 48:] += (0, 6)  # the mouth goes down
    still = sharpness.unmoved(points, target, 128)
    x, y = points[:, 62].mean(0).astype(int), points[:, 27].mean(0).astype(int)
    assert not still[:, x[1], x[0]].any() and still[:, y[1], y[0]].all()
    away = points + (5, 0)
    assert np.isnan(sharpness.kept_still(images, images, points, away)).all()


def test_the_variance_is_that_of_the_laplacian():
    board = np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((2, 2)))[..., None].repeat(3, 2).astype(np.uint8) * 10
    edges = cv2.Laplacian(board[..., 0], cv2.CV_32F)
    mask = np.zeros((1, 16, 16), bool)
    mask[0, 4:12, 4:12] = True
    assert sharpness.variance(board[None], mask) == pytest.approx([edges[4:12, 4:12].var()])
    assert np.isnan(sharpness.variance(board[None], ~mask & mask)).all()
