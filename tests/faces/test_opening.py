import numpy as np
import pytest
import torch

from fersyn.faces.opening import LOWER, UPPER, opening


def mouth(upper, lower, left=20.0, right=40.0):
    """Landmarks whose inner lips run from left to right; heights of three points of each, the corners half way."""
    points = torch.zeros(1, 68, 2)
    corner = (upper[1] + lower[1]) / 2
    across = np.linspace(left, right, 5)
    for lip, heights in ((UPPER, upper), (LOWER, lower)):
        for point, x, y in zip(lip, across, [corner, *heights, corner], strict=True):
            points[0, point] = torch.tensor([x, y])
    return points


def polygon_area(points):
    x, y = points[0, [60, 61, 62, 63, 64, 65, 66, 67]].numpy().T
    return 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))


def test_the_middle_is_filled_and_nothing_outside():
    found = opening(mouth([30.0] * 3, [36.0] * 3), 64)[0, 0]
    assert found.shape == (64, 64) and found.dtype == torch.float32
    assert found[31:36, 25:36].min() > 0.999
    # Half of the pixels on the lips is covered.
    assert found[30, 30] == pytest.approx(0.5) and found[36, 30] == pytest.approx(0.5)
    assert 0 < found[32, 22] < 1  # towards the corner it narrows
    assert found[:30].sum() == 0 and found[37:].sum() == 0 and found[:, :20].sum() == 0 and found[:, 41:].sum() == 0


def test_the_area_is_that_of_the_polygon():
    points = mouth([46.3, 45.1, 46.2], [55.2, 57.9, 55.0], 33.3, 71.9)
    assert float(opening(points, 128).sum()) == pytest.approx(polygon_area(points), rel=0.02)


def test_closed_and_crossed_lips_are_black_and_faces_do_not_mix():
    closed, crossed, wide = mouth([30.0] * 3, [30.0] * 3), mouth([32.0] * 3, [30.0] * 3), mouth([30.0] * 3, [34.0] * 3)
    found = opening(torch.cat([closed, crossed, wide]), 64)
    assert found[:2].abs().sum() == 0 and float(found[2].sum()) == pytest.approx(polygon_area(wide), rel=0.02)


def test_it_scales_with_the_picture():
    points = mouth([30.0] * 3, [36.0] * 3)
    large = opening((points + 0.5) * 2 - 0.5, 128)
    assert (torch.nn.functional.avg_pool2d(large, 2) - opening(points, 64)).abs().max() < 0.2
