import json
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import expression_mapper, shipped
from fersyn.nets.expression_mapper import MOVED, NONE, ExpressionMapper
from fersyn.nets.instruments import ACTIONS

STYLES = 23


def _generator():
    """What the mapper that comes with the kit says of its generator."""
    with safe_open(str(shipped.FOLDER / expression_mapper.FILE), "pt") as file:
        return json.loads(file.metadata()["generator"])


@pytest.fixture(scope="module")
def kits():
    return expression_mapper.get(SimpleNamespace(fingerprint=_generator(), device=torch.device("cpu")))


@pytest.fixture
def w(kits):
    return kits.mean + 0.7 * torch.randn(3, 512, generator=torch.Generator().manual_seed(1)) * kits.sd @ kits.axes


def test_strength_nothing_is_the_own_neutral_face_exactly(kits, w):
    neutral = kits.edit(w, "neutral")
    for expression in MOVED:
        assert torch.equal(kits.edit(w, expression, 0.0), neutral)
    assert not torch.equal(neutral, w[:, None].expand(-1, STYLES, -1))


def test_only_the_styles_of_the_coarse_levels_move(kits, w):
    moved = kits.edit(w, "surprise")
    others = [k for k in range(STYLES) if k not in kits.moved]
    assert torch.equal(moved[:, others], w[:, None].expand(-1, len(others), -1))
    assert (moved[:, kits.moved] != w[:, None]).any(2).all()


def test_expressions_and_strengths_may_differ_in_a_batch(kits, w):
    names, strengths = ["fear", "anger", "neutral"], torch.tensor([0.3, 1.3, 1.0])
    together = kits.edit(w, names, strengths)
    alone = [kits.edit(w[k : k + 1], names[k], float(strengths[k])) for k in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_each_expression_goes_its_own_way_and_farther_with_strength(kits, w):
    neutral = kits.edit(w, "neutral")
    at = {name: [(kits.edit(w, name, s) - neutral).norm(dim=(1, 2)) for s in (0.3, 0.7, 1.0, 1.3)] for name in MOVED}
    assert all((steps[k] < steps[k + 1]).all() for steps in at.values() for k in range(3))
    ways = torch.stack([(kits.edit(w, name) - neutral).flatten(1)[0] for name in MOVED])
    likeness = torch.corrcoef(ways) - torch.eye(len(MOVED))
    assert likeness.abs().max() < 0.9


def test_a_slider_moves_beside_the_expression(kits, w):
    slider = torch.zeros(3, len(ACTIONS))
    slider[:, ACTIONS.index("jawOpen")] = 0.5
    added = kits.edit(w, "anger", 1.0, slider) - kits.edit(w, "anger")
    torch.testing.assert_close(added, kits.edit(w, "neutral", 1.0, slider) - kits.edit(w, "neutral"), atol=1e-4, rtol=0)
    assert added.abs().max() > 0.01


def test_actions_by_name_and_manners(kits, w):
    slider = expression_mapper.sliders({"jawOpen": 0.5, "browDownLeft": -1})
    assert slider[ACTIONS.index("jawOpen")] == 0.5 and slider[ACTIONS.index("browDownLeft")] == -1
    assert slider.count_nonzero() == 2
    by_name = kits.edit(w, "anger", 1.0, {"jawOpen": 0.5, "browDownLeft": -1})
    assert torch.equal(by_name, kits.edit(w, "anger", 1.0, slider.expand(3, -1)))
    mean = kits.manner_mean[MOVED.index("surprise")]
    torch.testing.assert_close(kits.edit(w, "surprise", manner=mean), kits.edit(w, "surprise"))
    own = kits.edit(w, "surprise", 0.5, manner=mean + slider)
    torch.testing.assert_close(own, kits.edit(w, "surprise", 0.5, 0.5 * kits.gain * slider.expand(3, -1)))
    assert torch.equal(kits.edit(w, "surprise", 0.0, manner=mean + slider), kits.edit(w, "neutral"))


def test_w_plus_of_one_w_is_that_w(kits, w):
    layers = w[:, None].expand(-1, STYLES, -1)
    torch.testing.assert_close(kits.edit(layers, "disgust"), kits.edit(w, "disgust"), atol=1e-4, rtol=1e-4)


def test_gradients_reach_w_and_every_weight():
    torch.manual_seed(0)
    mapper = ExpressionMapper(styles=2, width=8, rank=3, hidden=4, action_rank=5)
    mapper.sd.fill_(1)
    mapper.axes.copy_(torch.eye(8))
    mapper.moved = range(1, 3)
    w = torch.randn(9, 8, requires_grad=True)
    rows = torch.arange(9)
    for _ in range(2):
        offsets = mapper(mapper.white(w), rows, torch.full((9,), 0.5), torch.rand(9, len(ACTIONS)))
        mapper.add(w[:, None].expand(-1, 4, -1), offsets).square().sum().backward()
        with torch.no_grad():  # what begins at 0 hides what is multiplied by it
            for weight in mapper.parameters():
                weight += 0.01
    assert w.grad.abs().min() > 0
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in mapper.parameters())
    quiet = mapper(mapper.white(w), torch.full((9,), NONE), torch.ones(9), torch.zeros(9, len(ACTIONS)))
    assert not quiet.any()


def test_the_rows_of_the_file_are_the_kits_expressions(kits):
    assert len(kits.base) == len(MOVED) + 1 and set(MOVED) == set(EXPRESSIONS) - {"neutral"}
    _, about = shipped.read(expression_mapper.FILE, _generator())
    assert tuple(about["expressions"][: len(MOVED)]) == MOVED and about["expressions"][len(MOVED)] == "neutral"


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan")])
def test_strength_out_of_range(kits, w, strength):
    with pytest.raises(FersynError, match=r"between 0 and 1\.5"):
        kits.edit(w, "fear", strength)


def test_wrong_requests(kits, w):
    with pytest.raises(FersynError, match="boredom"):
        kits.edit(w, "boredom")
    with pytest.raises(FersynError, match="3 faces take as many"):
        kits.edit(w, ["fear", "anger"])
    with pytest.raises(FersynError, match="no action 'jawopen'; use some of: browDownLeft"):
        kits.edit(w, "fear", 1.0, {"jawopen": 1})
    for amount in (1.5, -1.5, float("nan")):
        with pytest.raises(FersynError, match="jawOpen = .*between -1 and 1"):
            kits.edit(w, "fear", 1.0, {"jawOpen": amount})
    with pytest.raises(FersynError, match="52"):
        kits.edit(w, "fear", 1.0, torch.zeros(3, 51))


def test_a_mapper_of_another_generator_is_refused():
    with pytest.raises(FersynError, match="another generator"):
        expression_mapper.get(SimpleNamespace(fingerprint="0" * 64))


def test_guides_are_named_by_the_file_alone(kits):
    assert expression_mapper.guides() == kits.guides
    with pytest.raises(FersynError, match="head.safetensors does not name its guides"):
        expression_mapper.guides("head.safetensors")
    with pytest.raises(FersynError, match="nowhere.safetensors cannot be read"):
        expression_mapper.guides("nowhere.safetensors")


def test_a_file_of_something_else():
    with pytest.raises(FersynError, match="head.safetensors is no mapper of expressions"):
        expression_mapper.get(SimpleNamespace(fingerprint=_generator()), "head.safetensors")


def test_a_damaged_file(tmp_path):
    file = tmp_path / "mapper.safetensors"
    file.write_bytes((shipped.FOLDER / expression_mapper.FILE).read_bytes()[:1000])
    with pytest.raises(FersynError, match=r"mapper\.safetensors cannot be read"):
        expression_mapper.get(SimpleNamespace(fingerprint=_generator()), file)


def test_one_way_for_all_people_is_the_mean_of_their_ways(kits, w):
    alike = kits.alike(w)

    def ways(mapper):
        return (mapper.edit(w, "fear") - mapper.edit(w, "neutral"))[:, mapper.moved.start : mapper.moved.stop]

    theirs, ours = ways(kits), ways(alike)
    torch.testing.assert_close(ours[0], ours[1])
    torch.testing.assert_close(ours[0], theirs.mean(0), atol=1e-4, rtol=1e-3)
    assert not torch.allclose(theirs[0], theirs[1], atol=1e-3)
    assert torch.equal(alike.edit(w, "neutral"), kits.edit(w, "neutral")), "neutral stays each person's own"


def test_a_mapper_says_whom_it_has_learnt_to_please(kits):
    assert kits.guides == expression_mapper.GUIDES
