import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fersyn.nets import affine_flow
from fersyn.nets.affine_flow import MEAN_X, MEAN_Y, dense_flow, warp

MEAN = torch.tensor([MEAN_X, MEAN_Y]).t() / 1000


def landmarks(seed, count=2, size=64, apart=0.01):
    generator = torch.Generator().manual_seed(seed)
    return (MEAN + apart * torch.randn(count, 68, 2, generator=generator)) * size - 0.5


def test_no_motion_is_no_flow():
    points = landmarks(0)
    assert dense_flow(points, points, 64).abs().max() < 1e-3


@given(st.integers(0, 50), st.floats(-3, 3), st.floats(-3, 3))
def test_flow_at_a_landmark_is_its_displacement(seed, dx, dy):
    target = landmarks(seed, 1, apart=0.002)
    source = target + torch.tensor([dx, dy])
    flow = dense_flow(source, target, 64)
    x, y = target[0, 17:].round().long().T  # those of the jaw lie beside what the edge holds
    assert (flow[0, :, y, x].T - torch.tensor([dx, dy])).abs().max() < 0.15  # px


def test_flow_is_linear_between_landmarks():
    """In the middle of a triangle it is the mean of its corners' displacements."""
    target = landmarks(0, 1, 256, 0.0)
    source = target + torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    flow, triangles = dense_flow(source, target, 256), affine_flow._triangles(torch.device("cpu"))
    for corners in triangles[(triangles < 68).all(1)]:
        points = target[0, corners]
        one, two = points[1] - points[0], points[2] - points[0]
        if (one[0] * two[1] - one[1] * two[0]).abs() < 400:
            continue  # enlarging the grid of 64 points blurs small ones
        x, y = points.mean(0).round().long()
        assert torch.allclose(flow[0, :, y, x], (source - target)[0, corners].mean(0), atol=0.25)


@pytest.mark.parametrize("apart", [0.0, 0.02, 0.2])
def test_both_ways_to_ask_find_the_same(apart, monkeypatch):
    """Also of faces that have many triangles turned over; and there no pixel goes further than a landmark."""
    target, shift = landmarks(1, 5, 64, apart), torch.randn(5, 68, 2, generator=torch.Generator().manual_seed(2)) * 3
    rows = dense_flow(target + shift, target, 64)
    monkeypatch.setattr(affine_flow, "_by_rows", affine_flow._of_all)
    monkeypatch.setattr(affine_flow, "AT_ONCE", 2)
    every = dense_flow(target + shift, target, 64)
    assert ((rows - every).abs() > 1e-3).float().mean() < (
        1e-3 if apart < 0.1 else 5e-3
    )  # as deep in two, but for rounding
    assert rows.abs().max() < 1.05 * shift.abs().max()
    assert dense_flow(target[:0], target[:0], 64).shape == every[:0].shape


def test_a_face_does_not_depend_on_its_batch():
    target = landmarks(4, 6)
    source = target + torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(dense_flow(source, target, 64)[2:3], dense_flow(source[2:3], target[2:3], 64))


def test_where_triangles_overlap_the_pixel_takes_the_deeper_one():
    """The tip of the nose is pulled over an eye: there lie its long triangles turned over on the eye's own."""
    target = MEAN[None] * 128 - 0.5
    target[:, 30] = target[:, 36:42].mean(1)
    source = target.clone()
    source[:, 30] += 5.0
    flow = dense_flow(source, target, 128)
    assert torch.isfinite(flow).all() and 0.5 < flow.max() < 5.1
    cheek = (target[0, 3] * 0.6 + target[0, 48] * 0.4).round().long()
    assert flow[0, :, cheek[1], cheek[0]].abs().max() < 1e-3


def test_border_stays():
    target = landmarks(1)
    flow = dense_flow(target + 3.0, target, 64)
    edge = torch.cat([flow[..., 0, :], flow[..., -1, :], flow[..., :, 0], flow[..., :, -1]], -1)
    assert edge.abs().mean() < 0.5 and flow.abs().max() > 2.5


def test_flow_does_not_depend_on_the_size():
    target = landmarks(2)
    source = target + torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    small = dense_flow(source, target, 64)
    large = dense_flow((source + 0.5) * 2 - 0.5, (target + 0.5) * 2 - 0.5, 128)
    resized = torch.nn.functional.interpolate(small, (128, 128), mode="bicubic", align_corners=False) * 2
    assert (resized - large).abs().mean() < 0.05


def test_landmarks_that_coincide_do_not_break_it():
    target = landmarks(3)
    target[:, 10] = target[:, 11]
    source = target.clone()
    source[:, 10] += 2
    assert torch.isfinite(dense_flow(source, target, 64)).all()


def test_a_landmark_moves_nothing_beyond_its_neighbours():
    target = MEAN[None] * 64 - 0.5
    source = target.clone()
    source[:, 48] += 2.0  # a corner of the mouth
    flow = dense_flow(source, target, 64)
    x, y = target[0, 48].round().long()
    assert flow[0, :, y, x].min() > 1.2
    assert flow[0, :, :30].abs().max() < 1e-3 and flow[0, :, :, 40:].abs().max() < 1e-3, "brows, eyes, the other cheek"


def test_a_landmark_beyond_the_edge_does_not_break_it():
    target = landmarks(5)
    target[:, 0] = torch.tensor([-20.0, 30.0])
    flow = dense_flow(target + 1, target, 64)
    assert torch.isfinite(flow).all() and flow.abs().max() < 3


def test_warp_takes_pixels_from_where_the_flow_points():
    image = torch.arange(64.0).view(1, 1, 8, 8)
    flow = torch.zeros(1, 2, 8, 8)
    assert torch.equal(warp(image, flow), image), "bit for bit"
    flow[:, 0] = 2.0
    assert torch.allclose(warp(image, flow)[..., :6], image[..., 2:], atol=1e-4)
    flow[:, 0], flow[:, 1] = 0, -1.0
    assert torch.allclose(warp(image, flow)[..., 1:, :], image[..., :-1, :], atol=1e-4)


@pytest.mark.parametrize("size", [32, 128])
def test_shapes(size):
    target = landmarks(0, 3, size)
    assert dense_flow(target, target, size).shape == (3, 2, size, size)


def test_warp_stays_sharp_and_within_the_range():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    half = torch.full((1, 2, 32, 32), 0.5)
    made = warp(image, half)
    soft = torch.nn.functional.grid_sample(
        image, torch.nn.functional.affine_grid(torch.eye(2, 3)[None], (1, 3, 32, 32), align_corners=False) + 1 / 32,
        padding_mode="border", align_corners=False,
    )  # fmt: skip
    assert image.min() <= made.min() and made.max() <= image.max()
    assert made.std() > 1.15 * soft.std(), "bilinear sampling between pixels takes half of the contrast"
