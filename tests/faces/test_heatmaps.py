import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fersyn.faces.heatmaps import LOWER, UPPER, folds, head, heatmaps, opening


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(8, 40), st.floats(0.5, 4), st.integers(0, 1000))
def test_maps_peak_at_their_landmarks(n, size, sigma, seed):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randint(0, size, (n, 68, 2), generator=generator).float()
    maps = heatmaps(points, size, sigma, channels=68)
    assert maps.shape == (n, 68, size, size) and maps.dtype == torch.float32
    assert maps.min() >= 0 and maps.max() <= 1
    where = maps.flatten(2).argmax(-1)
    assert torch.equal(where % size, points[..., 0].long()) and torch.equal(where // size, points[..., 1].long())
    assert torch.allclose(maps.amax((-1, -2)), torch.ones(n, 68))


@settings(max_examples=20)
@given(st.integers(8, 32), st.floats(0.7, 3), st.integers(0, 1000))
def test_one_channel_is_the_maximum_over_the_points(size, sigma, seed):
    points = torch.rand(2, 68, 2, generator=torch.Generator().manual_seed(seed)) * (size + 10) - 5
    many, one = heatmaps(points, size, sigma, channels=68), heatmaps(points, size, sigma, channels=1)
    assert one.shape == (2, 1, size, size)
    assert torch.allclose(one[:, 0], many.amax(1), atol=1e-6)


def test_the_formula_and_a_shift_by_a_pixel():
    points = torch.full((1, 68, 2), 10.25)
    maps = heatmaps(points, (24, 30), 2.0, channels=68)
    assert maps.shape == (1, 68, 24, 30)
    assert maps[0, 0, 12, 9].item() == pytest.approx(
        torch.exp(torch.tensor(-((12 - 10.25) ** 2 + (9 - 10.25) ** 2) / 8)).item()
    )
    moved = heatmaps(points + 1, (24, 30), 2.0, channels=68)
    assert torch.allclose(moved[..., 1:, 1:], maps[..., :-1, :-1], atol=1e-6)


def test_gradients_reach_the_landmarks():
    points = torch.rand(1, 68, 2) * 16
    points.requires_grad_(True)
    heatmaps(points, 16).sum().backward()
    assert points.grad.abs().sum() > 0


def test_a_point_far_outside_leaves_nothing():
    assert heatmaps(torch.full((1, 68, 2), -500.0), 16).max() == 0


def test_an_empty_batch():
    assert heatmaps(torch.zeros(0, 68, 2), 16).shape == (0, 1, 16, 16)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"landmarks": torch.zeros(68, 2)}, r"must be \(N, K, 2\), got \(68, 2\)"),
        ({"landmarks": torch.zeros(1, 68, 2), "channels": 3}, "channels must be 1 or 68"),
        ({"landmarks": torch.zeros(1, 68, 2), "sigma": 0}, "sigma must be positive"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        heatmaps(**arguments)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_made_on_the_device_of_the_landmarks():
    points = torch.rand(4, 68, 2) * 64
    maps = heatmaps(points.cuda(), 64)
    assert maps.is_cuda and torch.allclose(maps.cpu(), heatmaps(points, 64), atol=1e-6)


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


def face(small_table, size):
    points = torch.from_numpy(small_table.landmarks(np.arange(2)))
    return (points + 0.5) * (size / small_table.size) - 0.5


def test_the_head_holds_the_landmarks_and_not_the_corners(small_table):
    points = face(small_table, 64)
    inside = head(points, 64)
    x, y = points.round().long().clamp(0, 63).unbind(-1)
    assert inside.shape == (2, 1, 64, 64) and 0 <= inside.min() and inside.max() == 1
    assert torch.stack([inside[k, 0, y[k], x[k]] for k in range(2)]).min() > 0.5
    assert inside[:, 0, [0, 0, 63, 63], [0, 63, 0, 63]].max() == 0 and inside[:, 0, :20, [0, 63]].max() == 0


def test_folds_are_at_mouth_and_eyes_and_not_on_the_jaw_or_nose(small_table):
    points = face(small_table, 128)
    where = folds(points, 128)
    at = points.round().long()
    values = torch.stack([where[k, 0, at[k, :, 1].clamp(0, 127), at[k, :, 0]] for k in range(2)])
    assert values[:, 36:].min() > 0.8 and values[:, 17:27].min() > 0.8
    assert values[:, :5].max() < 0.3, "the jaw"
    assert 0 <= where.min() and where.max() <= 1 and where.mean() < 0.35
