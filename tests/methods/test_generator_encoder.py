import pytest
import torch

from fersyn import methods
from fersyn.errors import FersynError
from fersyn.methods import generator_encoder
from fersyn.nets.expression_mapper import ExpressionMapper
from fersyn.training import loop
from tests.generating.test_inversion import Small


def small_mapper(generator):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        made = ExpressionMapper(10, generator.width, rank=3, hidden=4, action_rank=5)
        made.base.data.normal_()
    made.mean.copy_(generator.mean)
    made.sd.copy_(torch.linspace(1.0, 0.1, generator.width))
    made.axes.copy_(torch.eye(generator.width))
    return made.eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(generator_encoder.generators, "get", Small)
    monkeypatch.setattr(generator_encoder.expression_mapper, "get", small_mapper)


def settings(**changes):
    return methods.get("generator-encoder").preset("smoke", **changes)


def test_trains_without_a_table_stops_and_goes_on_bit_for_bit(tmp_path):
    method = methods.get("generator-encoder")
    whole = loop.train(method, settings(), None, tmp_path / "whole", log_every=1)
    with pytest.MonkeyPatch.context() as patched:
        taken, inner = [], loop.Training.take

        def take(self, batch):
            if taken:
                raise KeyboardInterrupt
            taken.append(1)
            return inner(self, batch)

        patched.setattr(loop.Training, "take", take)
        with pytest.raises(KeyboardInterrupt):
            loop.train(method, settings(), None, tmp_path / "stopped", log_every=1, checkpoint_every=1)
    out = loop.train(method, settings(), None, tmp_path / "stopped", resume=True, log_every=1)
    states = [torch.load(run / "checkpoint.pt", weights_only=True) for run in (whole, out)]
    assert states[0]["networks"].keys() == {"encoder"}, "generator and mapper are in no checkpoint"
    for kind in ("networks", "averages"):
        for name, value in states[0][kind]["encoder"].items():
            assert torch.equal(value, states[1][kind]["encoder"][name]), (kind, name)
    assert (whole / "log.csv").read_text().startswith("step,code,features")


@pytest.mark.parametrize("loss", ["code", "features"])
def test_it_learns_what_each_loss_asks_for(loss):
    weights = {f"weight_{name}": float(name == loss) for name in ("code", "features")}
    method, config, found = methods.get("generator-encoder"), settings(batch=6, lr=2e-4, **weights), []
    torch.manual_seed(0)
    networks = method.networks(config)
    optimisers, fabric = method.optimisers(config, networks), loop.make_fabric(accelerator="cpu")
    for _ in range(12):
        torch.manual_seed(1)  # the same samples
        losses = method.step(config, networks, optimisers, 6, fabric, 0)
        found.append(float(losses[loss]))
    assert found[-1] < 0.9 * found[0], found
    assert all(weight.grad is None for weight in networks["generator"].parameters())


def test_samples_are_plain_and_moved():
    generator = Small()
    mapper = small_mapper(generator)
    torch.manual_seed(0)
    codes = generator_encoder.drawn_codes(generator, mapper, 30)
    plain = (codes == codes[:, :1]).all((1, 2))
    assert codes.shape == (30, 17, 8) and 3 < plain.sum() < 20
    torch.manual_seed(0)
    assert torch.equal(generator_encoder.drawn_codes(generator, mapper, 30), codes)


def test_a_crop_keeps_the_face_and_loses_what_is_around():
    pictures = torch.rand(1, 3, 16, 16).repeat_interleave(16, 2).repeat_interleave(16, 3) * 2 - 1
    left = generator_encoder._cropped(pictures)
    off = (left - pictures).abs().mean(1)[0]
    assert off[60:250, 40:216].mean() < 0.15 < off[:40].mean()


def test_it_edits_nothing():
    method = methods.get("generator-encoder")
    with pytest.raises(FersynError, match="edits no faces"):
        method.forward(settings(), {}, torch.zeros(1, 3, 8, 8), None, None, torch.zeros(1), torch.zeros(1))
    assert not method.needs_table
