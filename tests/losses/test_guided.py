import math

import pytest
import torch

from fersyn.losses import guided


@pytest.fixture
def mesh():
    return torch.rand(3, 478, 3, generator=torch.Generator().manual_seed(0))


def test_margin_is_what_is_missing_to_lead_by_three():
    logits = torch.tensor([[0.0, 1.0], [0.0, 5.0], [0.0, 1.0]])
    found = guided.margin(logits, torch.tensor([1, 1, -1]))
    torch.testing.assert_close(found, torch.tensor([2.0, 0.0, 0.0]), atol=1e-3, rtol=0)


def test_margin_of_a_lost_face_does_not_drown_the_others():
    logits = torch.tensor([[100.0, 0.0]], requires_grad=True)
    found = guided.margin(logits, torch.tensor([1]))
    found.sum().backward()
    assert float(found.detach()) == pytest.approx(10 + 0.15 * 93, abs=1e-3)
    assert logits.grad[0, 0] == pytest.approx(0.15, abs=1e-3) and logits.grad[0, 1] == pytest.approx(-0.15, abs=1e-3)


def test_called_falls_with_the_unwanted_name():
    logits = torch.zeros(2, 3)
    logits[1, 2] = -9
    found = guided.called(logits, 2)
    assert float(found[0]) == pytest.approx(1.5 - math.log(2), abs=1e-5) and float(found[1]) == 0


def test_opening_is_height_over_width(mesh):
    mesh[:, [159, 145, 386, 374, 33, 133, 362, 263]] = 0
    mesh[:, [133, 263], 0] = 10  # width of either eye
    mesh[:, 159, 1], mesh[:, 386, 1] = 2, 4
    torch.testing.assert_close(guided.opening(mesh), torch.full((3,), 0.3))


def test_shape_counts_regions_and_lips_only_where_asked():
    moved, wanted = torch.zeros(2, 478, 2), torch.zeros(2, 478, 2)
    wanted[:, list(guided.LIPS), 0] = 0.5
    torch.testing.assert_close(guided.shape(moved, wanted, torch.tensor([1.0, 0.0])), torch.tensor([0.25, 0.0]))
    wanted[:, list(guided.BROWS), 1] = 0.1
    torch.testing.assert_close(guided.shape(moved, wanted, torch.tensor([0.0, 0.0])), torch.full((2,), 0.01))
    wanted[:, 152] = 9  # the chin is in no region
    torch.testing.assert_close(guided.shape(moved, wanted, torch.tensor([0.0, 0.0])), torch.full((2,), 0.01))


def test_contempts_corner_goes_out_and_up_on_one_side_alone():
    strength, left = torch.tensor([1.0, 1.0, 0.5]), torch.tensor([True, False, True])
    moved = torch.zeros(3, 478, 2)
    right_corner, left_corner = (list(points) for points in guided.CORNERS)
    way = torch.tensor(guided.SCORN)
    moved[0, left_corner], moved[2, left_corner] = way, 0.5 * way
    moved[1, right_corner] = way * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(guided.one_corner(moved, strength, left), torch.zeros(3))
    assert (guided.one_corner(moved, strength, ~left) > 0).all()
    moved[0, right_corner] = moved[0, left_corner]
    assert guided.one_corner(moved, strength, left)[0] > 0, "a smile of both corners is none"


def test_slider_counts_what_is_asked_alone_and_feels_small_changes():
    actions, wanted = torch.full((1, 52), 0.001), torch.full((1, 52), 0.5)
    asked = torch.zeros(1, 52)
    assert guided.slider(actions, wanted, asked) == 0
    asked[0, 4] = 1
    actions.requires_grad_()
    guided.slider(actions, wanted, asked).sum().backward()
    assert abs(actions.grad[0, 4]) > 100 and not actions.grad[0, :4].any()


def test_another_person_counts_from_what_expressions_take_on():
    found = guided.another(torch.tensor([0.3, 0.3, 0.4, 0.5]), torch.tensor([1.0, 0.0, 1.0, 1.3]))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.3 - 0.093, 0.09, 0.19 + 0.16]))


def test_rims_see_glasses_come():
    before = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)) * 0.1
    glasses = before.clone()
    glasses[:, :, 134:138, 80:115] = -1  # a lower rim
    moved = before.clone()
    moved[:, :, 180:200] = 1  # a mouth that opens
    assert guided.rims(before, before) == 0 and guided.rims(moved, before) == 0
    assert guided.rims(glasses, before) > 1e-4


def test_around_and_inside_share_the_picture():
    before = torch.zeros(1, 3, 256, 256)
    mouth, corner = before.clone(), before.clone()
    mouth[:, :, 170:190, 110:146] = 1
    corner[:, :, :20, :36] = 1
    assert guided.around(corner, before) > 50 * guided.around(mouth, before)
    assert guided.light(mouth, before) > 50 * guided.light(corner, before)
    assert guided.inside(256)[154, 128] > 0.99 and guided.inside(256)[0, 0] < 0.01
