"""Handles move the landmarks of their muscles and no others, and stop before a face becomes impossible."""

import numpy as np
import pytest
import torch

from fersyn.errors import FersynError
from fersyn.explore.shaped import HANDLES, pull
from fersyn.faces.landmarks import MIRROR


@pytest.fixture(scope="module")
def points(small_table):
    neutral = np.flatnonzero(small_table.rows["expression"] == "neutral")
    return torch.from_numpy(small_table.landmarks(neutral)).double()


def down(points):
    """Unit vectors (N, 2) down the face, and the eyes' distance (N,)."""
    across = points[:, 42:48].mean(1) - points[:, 36:42].mean(1)
    unit = across.norm(dim=1)
    across = across / unit[:, None]
    return torch.stack([-across[:, 1], across[:, 0]], 1), unit


@pytest.mark.parametrize(
    ("name", "allowed", "point", "falls"),
    [
        ("mouth_open", {*range(4, 13), *range(48, 68)}, 57, 1.0),
        ("mouth_corners", {48, 49, 53, 54, 55, 59, 60, 61, 63, 64, 65, 67}, 48, -1.0),
        ("brow_height", set(range(17, 27)), 19, -1.0),
        ("eye_opening", {37, 38, 40, 41, 43, 44, 46, 47}, 37, -0.75),
    ],
)
def test_right_points_move_by_the_amount_and_no_others(points, name, allowed, point, falls):
    moved = pull(points, {name: 0.1}) - points
    touched = set(np.flatnonzero((moved.abs() > 0).any(-1).any(0).numpy()).tolist())
    assert touched and touched <= allowed
    direction, unit = down(points)
    assert torch.allclose((moved[:, point] * direction).sum(-1), falls * 0.1 * unit)


@pytest.mark.parametrize("name", HANDLES)
def test_a_mirrored_face_is_pulled_like_its_mirror_image(points, name):
    flip = torch.tensor([-1.0, 1.0], dtype=points.dtype)
    mirrored = (points * flip)[:, list(MIRROR)]
    assert torch.allclose(pull(mirrored, {name: 0.1}), (pull(points, {name: 0.1}) * flip)[:, list(MIRROR)])


def test_nothing_pulled_is_nothing_changed(points):
    assert pull(points, {}) is points and pull(points, {"mouth_open": 0.0}) is points


def test_limits_lids_and_lips_meet_and_do_not_cross(points):
    shut = pull(points, {"eye_opening": -0.15, "mouth_open": -0.15})
    direction, unit = down(points)
    for above, below in ((37, 41), (38, 40), (43, 47), (44, 46), (62, 66), (61, 67)):
        gap = ((shut[:, below] - shut[:, above]) * direction).sum(-1)
        before = ((points[:, below] - points[:, above]) * direction).sum(-1)
        assert (gap > torch.minimum(before, torch.zeros(1)) - 1e-6).all() and (gap <= before + 1e-6).all()
    low = pull(points, {"brow_height": -0.15})
    assert (((points[:, 37] - low[:, 19]) * direction).sum(-1) > 0).all()


def test_works_on_a_turned_face(points):
    turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=points.dtype)
    assert torch.allclose(pull(points @ turn, {"brow_height": 0.2}), pull(points, {"brow_height": 0.2}) @ turn)


def test_errors_name_handle_and_range(points):
    with pytest.raises(FersynError, match="no handle 'nose'; use one of: mouth_open"):
        pull(points, {"nose": 0.1})
    with pytest.raises(FersynError, match=r"mouth_corners = 3: it must lie between -0.2 and 0.2"):
        pull(points, {"mouth_corners": 3})
