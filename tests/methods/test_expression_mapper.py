from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fersyn import manners, methods
from fersyn.errors import FersynError
from fersyn.methods import expression_mapper
from fersyn.nets import studio
from fersyn.nets.expression_mapper import GUIDES, MOVED, ExpressionMapper
from fersyn.nets.instruments import ACTIONS
from fersyn.nets.mobile_stylegan import MobileStyleGAN
from fersyn.training import loop
from tests.test_manners import Meter

STYLES = 17  # of the small generator


class Eyes(nn.Module):
    """Guides that see a few mixtures of colours in a grid of places; with gradients."""

    def __init__(self):
        super().__init__()
        for name, size in {"fer": 7, "facex": 7, "points": 478 * 3, "numbers": 8}.items():
            values = torch.randn(12, size, generator=torch.Generator().manual_seed(len(name)))
            self.register_buffer(name, values * (100 if size == 7 else 1))  # judges are easily moved

    def _grid(self, pictures):
        return nn.functional.adaptive_avg_pool2d(pictures, 2).flatten(1).tanh()

    def logits(self, judge, pictures, varied=0.0):
        noise = varied * torch.randn(len(pictures), 7)  # drawn from the global generator, as the true ones do
        return self._grid(pictures) @ getattr(self, judge) + 0.01 * noise

    def mesh(self, pictures):
        shape = torch.rand(478, 3, generator=torch.Generator().manual_seed(3))
        shape[[1, 234, 454], 0] = torch.tensor([0.5, 0.1, 0.9])  # they look at the camera
        return shape + 1e-3 * (self._grid(pictures) @ self.points).unflatten(1, (478, 3))

    @property
    def meter(self):
        return SimpleNamespace(of_mesh=lambda mesh: mesh[:, : len(ACTIONS), 0].sigmoid())

    def identity(self, pictures, varied=0.0):
        return nn.functional.normalize(self.descriptor(pictures))

    def descriptor(self, pictures, varied=0.0):
        return self._grid(pictures) @ self.numbers + 1


class Small(studio.Studio):
    """A studio with a generator of random weights and `Eyes`."""

    def __init__(self, draft):
        nn.Module.__init__(self)
        state = torch.get_rng_state()
        torch.manual_seed(7)
        self.generator, self.guides, self.draft = MobileStyleGAN((8,) * 6, 8), Eyes(), False
        with torch.no_grad():  # w is to show
            for name, weight in self.generator.named_parameters():
                weight *= 10 if name.endswith(("modulation.weight", "up.weight", "image.weight")) else 1
        torch.set_rng_state(state)
        self.requires_grad_(False)
        self._seed, self._tried, self._people, self._neutral = None, 0, [], {}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(expression_mapper, "Studio", Small)
    monkeypatch.setattr(manners, "get", lambda name: Meter())


def settings(**changes):
    return methods.get("expression-mapper").preset("smoke", **{"steps": 3, "neutral_steps": 1, **changes})


def test_trains_stops_and_goes_on_bit_for_bit(small_table, tmp_path, monkeypatch):
    method = methods.get("expression-mapper")
    whole = loop.train(method, settings(), small_table, tmp_path / "whole", log_every=1)
    for stop in (1, 2):
        out = tmp_path / f"stopped{stop}"
        with pytest.MonkeyPatch.context() as patched:
            taken = []
            inner = loop.Training.take

            def take(self, batch, inner=inner, taken=taken, stop=stop):
                if len(taken) == stop:
                    raise KeyboardInterrupt
                taken.append(1)
                return inner(self, batch)

            patched.setattr(loop.Training, "take", take)
            with pytest.raises(KeyboardInterrupt):
                loop.train(method, settings(), small_table, out, log_every=1, checkpoint_every=1)
        loop.train(method, settings(), small_table, out, resume=True, log_every=1)
        states = [torch.load(run / "checkpoint.pt", weights_only=True) for run in (whole, out)]
        assert states[0]["networks"].keys() == {"mapper"}, "the generator and the guides are in no checkpoint"
        for kind in ("networks", "averages"):
            for name, value in states[0][kind]["mapper"].items():
                assert torch.equal(value, states[1][kind]["mapper"][name]), (stop, kind, name)
    header = (whole / "log.csv").read_text().splitlines()[0].split(",")
    assert {"fer", "facex", "actions", "identity", "corner", "shape", "rims", "size"} <= set(header)
    assert (whole / "samples").is_dir() and list((whole / "samples").glob("*.jpg"))


def test_neutral_stands_still_while_the_rest_learns(small_table):
    method, config = methods.get("expression-mapper"), settings(batch=8)
    torch.manual_seed(0)
    networks = method.networks(config)
    optimisers = method.optimisers(config, networks)
    fabric = loop.make_fabric(accelerator="cpu")
    batches = manners.Manners(config, small_table, "cpu")
    mapper, w = networks["mapper"], torch.randn(3, 8)

    def faces(name):
        return mapper.edit(w, name, styles=STYLES).detach().clone()

    at_first = {name: faces(name) for name in ("neutral", "fear")}
    for step in range(3):
        method.step(config, networks, optimisers, batches.batch(step, 8), fabric, step)
    calm = {name: faces(name) for name in ("neutral", "fear")}
    assert not torch.equal(calm["neutral"], at_first["neutral"])
    for step in range(3, 9):
        losses = method.move(config, networks, optimisers, batches.batch(step, 8), fabric, step)
        assert all(torch.isfinite(value) for value in losses.values())
    assert torch.equal(faces("neutral"), calm["neutral"])
    assert not torch.equal(faces("fear"), calm["fear"])
    assert all(weight.grad is None for weight in networks["studio"].parameters())


def test_it_learns_what_its_guides_ask_for(small_table):
    method, config = methods.get("expression-mapper"), settings(batch=6, lr=5e-3)
    torch.manual_seed(0)
    networks = method.networks(config)
    optimisers = method.optimisers(config, networks)
    task, fabric, found = (
        manners.Manners(config, small_table, "cpu").batch(0, 6),
        loop.make_fabric(accelerator="cpu"),
        [],
    )
    for _ in range(20):
        torch.manual_seed(1)
        losses = method.move(config, networks, optimisers, task, fabric, 0)
        found.append(sum(getattr(config, f"weight_{name}") * float(value) for name, value in losses.items()))
    assert found[-1] < 0.9 * found[0], found


def test_a_weight_of_nothing_leaves_a_guide_out(small_table):
    """What `facex` says must not matter, where its weight is 0: the mapper that is judged by it."""
    method, config, ends = methods.get("expression-mapper"), settings(weight_facex=0.0), []
    for factor in (1, -5):
        torch.manual_seed(0)
        networks = method.networks(config)
        networks["studio"].guides.facex *= factor
        torch.manual_seed(1)
        task = manners.Manners(config, small_table, "cpu").batch(1, 6)
        method.move(config, networks, method.optimisers(config, networks), task, loop.make_fabric(accelerator="cpu"), 1)
        ends.append({name: weight.detach().clone() for name, weight in networks["mapper"].named_parameters()})
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_it_draws_people_with_every_expression_and_edits_none():
    method, config = methods.get("expression-mapper"), settings()
    population = method.synthesiser(config, method.networks(config))
    faces, labels = population.sample(3, ["fear", "neutral", "contempt"], seed=2)
    assert faces.shape == (3, 3, 256, 256) and labels.tolist() == [4, 0, 2] and population.draws_people
    assert faces.abs().max() <= 1
    again, _ = population.sample(3, "neutral", seed=2)
    assert torch.equal(again[1], faces[1]) and not torch.equal(again[0], again[1])
    with pytest.raises(FersynError, match="edits no faces"):
        population.edit(faces, "fear")


def test_people_are_found_in_the_same_order_whoever_is_asked_for_first():
    one, other = Small(False), Small(False)
    late = one.people(3, [5])[0]
    several = other.people(3, [0, 1, 5])
    assert torch.equal(late["w"], several[2]["w"]) and torch.equal(late["picture"], several[2]["picture"])
    assert not torch.equal(one.people(4, [5])[0]["w"], late["w"])


def test_a_generator_whose_people_look_aside(monkeypatch):
    aside = Small(False)
    monkeypatch.setattr(studio, "TURNED", 0.0)
    with pytest.raises(FersynError, match="only 0 face the camera"):
        aside.people(0, [0])


def test_who_guides_it():
    method = methods.get("expression-mapper")
    assert set(method.guides(settings())) == {"fer", "facex", "actions", "sface", "dlib"}
    assert "facex" not in method.guides(settings(weight_facex=0.0))
    assert "dlib" not in method.guides(settings(weight_dlib=0.0))
    meshes = settings(weight_actions=0.0, weight_sliders=0.0)
    assert "actions" in method.guides(meshes), "its mesh still counts"
    assert set(method.guides(settings(neutral_steps=0, weight_facex=0.0))) == set(GUIDES), (
        "the kit's neutral was guided"
    )


def test_neutral_of_the_kit_s_mapper(small_table, monkeypatch, tmp_path):
    torch.manual_seed(5)
    theirs = ExpressionMapper(width=8)
    with torch.no_grad():
        for weight in (*theirs.parameters(), theirs.mean, theirs.sd, theirs.axes):
            weight += torch.randn(weight.shape)
    monkeypatch.setattr(expression_mapper, "kits", lambda generator: theirs)
    method, config = methods.get("expression-mapper"), settings(neutral_steps=0)
    assert [stage.name for stage in method.stages(config)] == ["expressions"]
    torch.manual_seed(0)
    ours, w = method.networks(config)["mapper"], torch.randn(3, 8)
    for mapper in (ours, theirs):
        mapper.moved = range(3, 13)
    assert torch.equal(ours.edit(w, "neutral", styles=STYLES), theirs.edit(w, "neutral", styles=STYLES))
    assert not torch.equal(ours.edit(w, "fear", styles=STYLES), theirs.edit(w, "fear", styles=STYLES))
    run = loop.train(method, config, small_table, tmp_path / "run")
    learnt = loop.runs.load(run).networks["mapper"]
    assert torch.equal(learnt.edit(w, "neutral", styles=STYLES), theirs.edit(w, "neutral", styles=STYLES))


def test_settings():
    with pytest.raises(FersynError, match="neutral_steps"):
        method = methods.get("expression-mapper")
        method.stages(settings(neutral_steps=3))
    paper = methods.get("expression-mapper").preset("paper")
    assert not paper.draft and paper.batch == 96
    assert set(manners.OFTEN) == {*MOVED, "none"}
