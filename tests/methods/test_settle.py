import pytest
import torch

from fersyn import methods
from fersyn.faces.landmarks import EYES, GROUPS
from fersyn.methods.landmark_flow import Flow
from fersyn.nets.affine_flow import settle
from fersyn.pairs import Pairs


@pytest.fixture
def points():
    random = torch.Generator().manual_seed(0)
    source = 128 * torch.rand(3, 68, 2, generator=random)
    return source, source + torch.randn(3, 68, 2, generator=random)


def test_one_and_one_change_nothing(points):
    source, target = points
    assert torch.allclose(settle(source, target, 1.0, 1.0), target)


def test_nose_and_places_of_the_eyes_are_held_and_nothing_else(points):
    source, target = points
    before = target.clone()
    moved, asked = settle(source, target, 0.4, 0.25) - source, target - source
    assert torch.equal(target, before)  # not changed in place
    assert torch.allclose(moved[:, GROUPS["nose"]], 0.4 * asked[:, GROUPS["nose"]], atol=1e-4)
    for eye in EYES:
        assert torch.allclose(moved[:, eye].mean(1), 0.25 * asked[:, eye].mean(1), atol=1e-4)
        shapes = [each[:, eye] - each[:, eye].mean(1, keepdim=True) for each in (moved, asked)]
        assert torch.allclose(*shapes, atol=1e-4)  # lids open and close in full
    others = [*GROUPS["jaw"], *GROUPS["brows"], *GROUPS["lips"]]
    assert torch.allclose(moved[:, others], asked[:, others], atol=1e-4)


def test_landmark_flow_holds_the_nose_as_told(small_table):
    pairs = Pairs(small_table, size=64)
    method, config = methods.get("landmark-flow"), methods.get("landmark-flow").preset("smoke")
    torch.manual_seed(0)
    networks = method.networks(config)
    batch = pairs.gather(pairs.examples(1))
    target = batch.source_landmarks.clone()
    target[:, GROUPS["nose"]] += torch.tensor([3.0, 0.0])

    def farthest(**held):
        flow = Flow(config, networks, **held)
        return flow.explain(batch.source, "happy", 1.0, target, batch.source_landmarks)["flow"][:, 0].abs().max()

    free, held, usual = farthest(nose=1.0), farthest(nose=0.0), farthest()
    assert free > 1.5 and held < 0.1 * free
    assert 0.3 * free < usual < 0.5 * free  # NOSE
