"""No step of a training waits for its device: what the host asks a GPU for stops both.

A step runs on torch's device `meta`, whose tensors have no numbers: whoever asks for one (`.item()`, `.cpu()`, NumPy, `bool`, a
boolean mask, `nonzero`) fails. What a GPU would wait for and `meta` does not tell is watched for: copies from the host that block
(`torch.tensor`, `.to`, indices in Python lists). Where there is a GPU, its own watch is asked.
"""

from dataclasses import fields, is_dataclass, replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fersyn import methods, weights
from fersyn.training.process import kept, reseed

LEARNING = [name for name in methods.names() if name not in ("copy", "warp", "emotion-gan", "stylegan-fer")]
FROM_NUMBERS = {torch.tensor, torch.as_tensor, torch.asarray, Tensor.new_tensor}


class Waited(AssertionError):
    """The host has waited."""


class NoWaits(TorchFunctionMode):
    """Raises `Waited` at what makes the host wait for the device `meta`, or for a copy to it."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (Tensor.__getitem__, Tensor.__setitem__) and args[0].is_meta:
            for part in args[1] if isinstance(args[1], tuple) else (args[1],):
                if isinstance(part, (list, tuple, range)) or (isinstance(part, Tensor) and part.device.type == "cpu"):
                    raise Waited("an index of numbers of the host")
        if func in (Tensor.copy_, Tensor.index_select) and args[0].is_meta and args[-1].device.type == "cpu":
            raise Waited(f"{func.__name__} from the host")
        found = func(*args, **kwargs)
        if isinstance(found, Tensor) and found.is_meta:
            if func in FROM_NUMBERS and not (isinstance(args[-1], Tensor) and args[-1].is_meta):
                raise Waited("a tensor made of numbers of the host")
            if func in (Tensor.to, Tensor.type_as) and not args[0].is_meta and not kwargs.get("non_blocking"):
                raise Waited("a copy from the host that blocks")
        return found


def moved(value, device):
    """A batch on another device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, (tuple, list)):
        return type(value)(moved(each, device) for each in value)
    if is_dataclass(value):
        return replace(value, **{field.name: moved(getattr(value, field.name), device) for field in fields(value)})
    if isinstance(value, dict):
        return {key: moved(each, device) for key, each in value.items()}
    return value


class Optimiser:
    """Steps nowhere: torch's own, fused, asks for nothing."""

    param_groups = ()

    def zero_grad(self, set_to_none=True):
        pass

    def step(self):
        pass


def fabric_of(device):
    return SimpleNamespace(
        autocast=lambda: torch.autocast("cpu", enabled=False),
        backward=lambda loss: loss.backward(),
        device=torch.device(device),
    )


def config_of(name):
    """Smoke, with every loss that there is; landmarks, for `fesgan`, from a network that needs no download."""
    method = methods.get(name)
    changes = {"fesgan": {"identity_network": "dlib"}, "expression-mapper": {"people": 2}}.get(name, {})
    return method.preset("smoke").replace(**changes)


@pytest.fixture
def wanted(name):
    lost = [each for each in methods.get(name).needs_weights(config_of(name)) if weights.find(each) is None]
    if lost:
        pytest.skip(f"weights are not here: {', '.join(lost)}")


@torch.no_grad()
def met(studio, numbers):
    """Let a studio know people without a look whether they face the camera."""
    generator = studio.generator
    w = generator.sample(torch.zeros(1, generator.width, device=next(generator.parameters()).device))
    layers = generator.layers(w)
    seen = studio.see(studio.picture(layers))
    studio._seed, studio._people = 0, [{"w": w, **seen}] * (max(numbers) + 1)
    studio._neutral = dict.fromkeys(numbers, {"w": w, "layers": layers, **seen})


def taken(name, table, device, watch):
    """Take a step of each stage; `watch` is a context around each."""
    method, config = methods.get(name), config_of(name)
    with kept():
        reseed(0, 0)
        networks = method.networks(config)
        begun = 0
        for stage in method.stages(config):
            batch = stage.batches(config, table, "cpu").batch(begun, stage.batch or config.batch, 0)
            if "studio" in networks:
                networks["studio"].generator.head  # noqa: B018  read from a file, once, and checked by the generator's numbers
            on = {
                key: network.to(device).train(key in (stage.networks or networks)) for key, network in networks.items()
            }
            if "studio" in on:  # it looks at each person once; whether one faces the camera it does wait for
                met(on["studio"], batch.people)
            optimisers = {key: Optimiser() for key in method.optimisers(config, networks)}
            given = (config, on, optimisers, moved(batch, device), fabric_of(device), begun)
            stage.step(*given)  # what is kept from step to step is made in the first
            with watch():
                reseed(0, begun)
                losses = stage.step(*given)
            assert losses and all(not isinstance(value, Tensor) or value.ndim == 0 for value in losses.values())
            begun += stage.steps
            networks = method.networks(config)


@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("name", LEARNING)
def test_a_step_asks_its_device_for_nothing(name, small_table):
    taken(name, small_table, "meta", NoWaits)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.usefixtures("wanted")
@pytest.mark.parametrize("name", LEARNING)
def test_a_step_never_waits_for_the_gpu(name, small_table):
    class Watch:
        def __enter__(self):
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error")

        def __exit__(self, *exception):
            torch.cuda.set_sync_debug_mode("default")

    taken(name, small_table, "cuda", Watch)


def test_the_others_learn_without_a_gradient():
    """emotion-gan fits a linear model, stylegan-fer measures faces by dlib: both on the host, in a handful of steps."""
    for name in sorted({*methods.names()} - {*LEARNING}):
        method = methods.get(name)
        assert type(method).step is type(method).__mro__[-2].step or method.optimisers(method.preset("paper"), {}) == {}


WAITS = {
    "item": lambda x, host: x.sum().item(),
    "float": lambda x, host: float(x.sum()),
    "if": lambda x, host: 1 if x.sum() > 0 else 0,
    "cpu": lambda x, host: x.cpu(),
    "to": lambda x, host: x.to("cpu"),
    "numpy": lambda x, host: x.numpy(),
    "tolist": lambda x, host: x.tolist(),
    "mask": lambda x, host: x[x > 0],
    "nonzero": lambda x, host: x.nonzero(),
    "unique": lambda x, host: x.unique(),
    "list": lambda x, host: x[:, [0, 1]],
    "host index": lambda x, host: x[host.long()],
    "host": lambda x, host: host.to(x.device),
    "tensor": lambda x, host: torch.tensor([1.0, 2.0], device=x.device),
    "new_tensor": lambda x, host: x.new_tensor([1.0, 2.0]),
    "as_tensor": lambda x, host: torch.as_tensor(1.0, device=x.device),
    "copy_": lambda x, host: x[0].copy_(host),
}


@pytest.mark.parametrize("kind", WAITS)
def test_the_watch_sees_what_waits(kind):
    with pytest.raises((Waited, RuntimeError, NotImplementedError, TypeError)), NoWaits():
        WAITS[kind](torch.ones(2, 2, device="meta"), torch.ones(2))


def test_the_watch_lets_pass_what_does_not():
    x, host = torch.ones(2, 2, device="meta"), torch.ones(2)
    with NoWaits():
        assert host.to("meta", non_blocking=True).is_meta and torch.full((2,), 3.0, device="meta").is_meta
        assert float(host.sum()) == 2 and host.tolist() == [1.0, 1.0], "numbers of the host itself"
        assert x[:, 1].shape == x[0, :].shape == x[None, :, 0][0].shape == (2,)
