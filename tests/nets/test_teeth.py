import pytest
import torch

from fersyn.expressions import EXPRESSIONS
from fersyn.faces.heatmaps import opening
from fersyn.nets.teeth import BARED, BRIGHTER, Teeth
from fersyn.pixels import grey, rescale, resize

SIDE = 64
HAPPINESS, SURPRISE = EXPRESSIONS.index("happiness"), EXPRESSIONS.index("surprise")
MANY = 4


@pytest.fixture(scope="module")
def mouths(small_table):
    """Landmarks of one smiling face (MANY, 68, 2) px, and grey pictures with something white, striped, dark or red in its mouth."""
    row = (small_table.labels() == HAPPINESS).nonzero()[0][0]
    points = torch.from_numpy(small_table.landmarks([row])).float().expand(MANY, -1, -1)
    points = rescale(points, small_table.size, SIDE).clone()
    points[:, 65:68, 1] += 6.0  # wide open
    inside = opening(points, SIDE)
    stripes = torch.where(torch.arange(SIDE) % 4 == 0, -0.2, 0.4).expand(1, 3, SIDE, SIDE)
    red = torch.tensor([0.6, -0.6, -0.6])[:, None, None].expand(1, 3, SIDE, SIDE)
    filled = torch.cat([torch.full((1, 3, SIDE, SIDE), 0.4), stripes, torch.full((1, 3, SIDE, SIDE), -0.8), red])
    return points, inside * filled


@pytest.fixture(scope="module")
def learnt(mouths):
    points, pictures = mouths
    found = Teeth(SIDE)
    found.learn(HAPPINESS, pictures, points)
    return found


def lay(teeth, points, label=HAPPINESS, side=SIDE, painted=0.0, colour=1.0, opened=None):
    points = rescale(points[:1], SIDE, side)
    opened = opening(points, side) if opened is None else opened
    images = torch.full((1, 3, side, side), painted)
    return teeth(images, points, torch.tensor([label]), opened, torch.full((1, 1, 1, 1), colour)), opened


def test_white_teeth_with_gaps_are_chosen(learnt, mouths):
    points, pictures = mouths
    assert torch.equal(learnt.picture[0], pictures[1]) and torch.equal(learnt.shape[0], points[1])
    assert learnt.missing == ("disgust",) and Teeth(SIDE).missing == BARED
    assert not learnt.picture[1].any(), "nobody showed disgust"


def test_a_mouth_open_farther_than_most_is_not_chosen(mouths):
    points, pictures = mouths
    teeth, wide = Teeth(SIDE), points.clone()
    wide[1, 65:68, 1] += 15.0
    teeth.learn(HAPPINESS, pictures, wide)
    assert not torch.equal(teeth.shape[0], wide[1])


def test_no_expression_that_bares_none_and_no_faces_change_nothing(mouths):
    points, pictures = mouths
    teeth = Teeth(SIDE)
    teeth.learn(SURPRISE, pictures, points)
    teeth.learn(HAPPINESS, pictures[:0], points[:0])
    teeth.learn(HAPPINESS, torch.full_like(pictures, -1.0), points)  # nothing white
    made, _ = lay(teeth, points)
    assert not teeth.picture.any() and not made.any()


@pytest.mark.parametrize("side", [SIDE, 3 * SIDE])
def test_they_lie_in_the_open_mouth_alone_with_gaps_at_any_size(learnt, mouths, side):
    points, pictures = mouths
    made, opened = lay(learnt, points, side=side, painted=0.1)
    assert torch.equal(made[:, :, opened[0, 0] == 0], torch.full_like(made[:, :, opened[0, 0] == 0], 0.1))
    true, full = resize(pictures[1:2], side), opened[0, 0] == 1
    together = torch.stack([grey(made)[0, 0][full], grey(true)[0, 0][full]])
    assert torch.corrcoef(together)[0, 1] > 0.95
    other, _ = lay(learnt, points, SURPRISE, side, 0.1)
    assert torch.equal(other, torch.full_like(other, 0.1))


def test_they_are_as_bright_as_what_was_painted(learnt, mouths):
    points, _ = mouths
    dark, bright = (lay(learnt, points, painted=value) for value in (-0.2, 0.1))
    for (made, opened), value in ((dark, -0.2), (bright, 0.1)):
        assert float((grey(made) * opened).sum() / opened.sum()) == pytest.approx(value, abs=0.06)
    night, opened = lay(learnt, points, painted=-0.9)
    mean = [float(((grey(each) + 1) * opened).sum()) for each in (night, learnt.picture[:1])]
    assert mean[0] / mean[1] == pytest.approx(BRIGHTER[0], abs=0.1)


def test_a_grey_face_gets_grey_teeth(mouths):
    points, pictures = mouths
    teeth, tinted = Teeth(SIDE), pictures.clone()
    tinted[:, 2] -= 0.3 * opening(points, SIDE)[:, 0]
    teeth.learn(HAPPINESS, tinted, points)
    assert lay(teeth, points, colour=0.0)[0].std(1).max() < 1e-6 < lay(teeth, points, colour=1.0)[0].std(1).max()


def test_teeth_that_show_already_stay(learnt, mouths):
    points, _ = mouths
    made, _ = lay(learnt, points, painted=0.3, opened=torch.zeros(1, 1, SIDE, SIDE))
    assert torch.equal(made, torch.full_like(made, 0.3))
