"""Steps as a graph: the way there, on the CPU with a stand-in for CUDA's graphs; and on a GPU, where there is one."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fersyn import methods
from fersyn.training import capture, loop
from fersyn.training.capture import WARM, Captured


@dataclass
class Batch:
    given: Tensor
    wanted: Tensor


class Learner:
    """One weight, momentum, noise, and a learning rate on the device."""

    def __init__(self):
        self.weight, self.speed = torch.zeros(3), torch.zeros(3)
        self.lr, self.number, self.calls = torch.tensor(0.1), 0, 0

    def state(self):
        return [self.weight, self.speed]

    def reseed(self):
        torch.manual_seed(self.number)

    def step(self, batch):
        self.calls += 1
        noise = 0.01 * torch.randn(3)
        off = (self.weight + noise) * batch.given - batch.wanted
        self.speed.mul_(0.9).add_(off)
        self.weight.sub_(self.lr * self.speed)
        return {"loss": off.square().mean(), "most": off.abs().max()}

    def batch(self):
        return Batch(torch.tensor([1.0, 2.0, 1.0]) + self.number / 10, torch.tensor([1.0, 1.0, 3.0]))


@pytest.fixture
def stand_in(monkeypatch):
    """Capturing does nothing; replaying does the work on the captured tensors, as CUDA does."""

    def record(learner):
        def recorded(work):
            kept = [each.clone() for each in learner.state()]
            result = work()
            for own, value in zip(learner.state(), kept, strict=True):
                own.copy_(value)
            return lambda: result.copy_(work()), result

        return recorded

    monkeypatch.setattr(capture, "aside", lambda work: work())
    return lambda learner: monkeypatch.setattr(capture, "record", record(learner))


def run(learner, take, steps=9):
    losses = []
    for number in range(steps):
        learner.number = number
        learner.lr.fill_(0.1 / (1 + number))
        learner.reseed()
        losses.append(take(learner.batch()))
    return losses, learner.weight


def test_it_does_what_the_steps_do(stand_in):
    """Other batches, learning rates and noise at each step, and losses that stay what they were."""
    plain, own = Learner(), Learner()
    stand_in(own)
    taken = Captured(own.step, own.state, own.reseed)
    (expected, weight), (found, other) = run(plain, plain.step), run(own, taken)
    assert taken.replay is not None and not taken.refused
    assert torch.equal(weight, other) and len(found) == len(expected)
    for one, two in zip(expected, found, strict=True):
        assert {name: float(value) for name, value in one.items()} == {
            name: float(value) for name, value in two.items()
        }


def test_what_cannot_be_captured_goes_on_without(stand_in, monkeypatch, capsys):
    plain, own = Learner(), Learner()

    def refuse(work):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    stand_in(own)
    monkeypatch.setattr(capture, "record", refuse)
    taken = Captured(own.step, own.state, own.reseed)
    assert torch.equal(run(plain, plain.step)[1], run(own, taken)[1]) and taken.refused
    said = capsys.readouterr().err
    assert said.count("cannot be captured (operation not permitted when stream is capturing)") == 1


@pytest.mark.parametrize("wrong", ["losses", "weights"])
def test_a_graph_that_does_something_else_is_not_trusted(stand_in, monkeypatch, capsys, wrong):
    plain, own = Learner(), Learner()
    stand_in(own)
    honest = capture.record

    def lying(work):
        replay, result = honest(work)

        def wrongly():
            replay()
            if wrong == "losses":
                result.mul_(1.5)
            else:
                own.weight.add_(1)

        return wrongly, result

    monkeypatch.setattr(capture, "record", lying)
    taken = Captured(own.step, own.state, own.reseed)
    assert torch.equal(run(plain, plain.step)[1], run(own, taken)[1]) and taken.refused
    assert "does not do what it does by itself" in capsys.readouterr().err


def test_few_steps_are_not_captured(stand_in):
    own = Learner()
    taken = Captured(own.step, own.state, own.reseed)
    run(own, taken, WARM)
    assert taken.replay is None and own.calls == WARM


def test_on_a_cpu_nothing_is_captured(small_table, tmp_path):
    method = methods.get("c-gan")
    assert method.steady and methods.get("landmark-label").steady and not methods.get("fesgan").steady
    training = loop.Training(
        method, method.preset("smoke"), small_table, tmp_path, 0, loop.make_fabric(accelerator="cpu")
    )
    training.enter()
    assert not training.captures and not training.about(False)["graph"]
    assert all(isinstance(group["lr"], float) for each in training.optimisers.values() for group in each.param_groups)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["landmark-label", "c-gan"])
def test_a_graph_trains_as_the_steps_do(name, small_table, tmp_path, monkeypatch):
    method = methods.get(name)
    config = method.preset("smoke", steps=12)
    loop.train(method, config, small_table, tmp_path / "graph", fabric=loop.make_fabric(precision="32-true"))
    monkeypatch.setattr(type(method), "steady", False)
    loop.train(method, config, small_table, tmp_path / "steps", fabric=loop.make_fabric(precision="32-true"))
    one, two = (
        torch.load(tmp_path / run / "checkpoint.pt", weights_only=True)["networks"]["generator"]
        for run in ("graph", "steps")
    )
    assert all(torch.allclose(one[key].float(), two[key].float(), atol=5e-3) for key in one)
