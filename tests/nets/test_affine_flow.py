import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fersyn.nets.affine_flow import dense_flow, warp


def landmarks(seed, count=2, size=64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 68, 2, generator=generator) * size * 0.6 + size * 0.2


def test_no_motion_is_no_flow():
    points = landmarks(0)
    assert dense_flow(points, points, 64).abs().max() < 1e-3


@given(st.integers(0, 50), st.floats(-3, 3), st.floats(-3, 3))
def test_flow_at_a_landmark_is_its_displacement(seed, dx, dy):
    target = landmarks(seed, 1).round()
    source = target + torch.tensor([dx, dy])
    flow = dense_flow(source, target, 64)
    x, y = target[0].long().T
    found = flow[0, :, y, x].T
    assert (found - torch.tensor([dx, dy])).abs().max() < 0.15  # px


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
    line = torch.linspace(12, 52, 8)
    target = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(1, 64, 2)
    source = target.clone()
    source[:, 18] += 2.0  # third row, third column
    flow, (x, y), gap = dense_flow(source, target, 64), target[0, 18], float(line[1] - line[0])
    far = torch.ones(64, 64, dtype=torch.bool)
    far[int(y - gap) - 1 : int(y + gap) + 2, int(x - gap) - 1 : int(x + gap) + 2] = False
    assert flow[0, :, far].abs().max() < 0.02 and flow.max() > 1.5


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
