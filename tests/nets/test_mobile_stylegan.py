"""Against what OpenVINO makes of the same files (`openvino.json`), and small networks of random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.nets import expression_mapper, generators, mobile_stylegan, sface, shipped
from fersyn.nets.mobile_stylegan import MobileStyleGAN
from fersyn.nets.stylegan import UNSTAMPED

OPENVINO = json.loads(Path(__file__).with_name("openvino.json").read_text())


@pytest.fixture(scope="module")
def real():
    """The generator of FFHQ, where its weights are on this machine."""
    if not generators.available():
        pytest.skip(f"weights missing: fersyn weights fetch {' '.join(mobile_stylegan.NAMES)}")
    return generators.get()


@pytest.fixture(scope="module")
def small():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MobileStyleGAN((16, 16, 8, 8), width=12)


def test_the_pictures_are_openvino_s(real):
    for k, wanted in enumerate(OPENVINO["pixels"]):
        z = torch.from_numpy(np.random.default_rng(k).standard_normal((1, 512)).astype(np.float32))
        w = real.mapping(z)
        assert (w[0, ::8] - torch.tensor(OPENVINO["w"][k])).abs().max() < 1e-4
        picture = real.synthesise(real.layers(w), 1024)
        assert picture.shape == (1, 3, 1024, 1024)
        assert (picture[0, :, 32::64, 32::64].flatten() - torch.tensor(wanted)).abs().mean() < 1e-4
        assert abs(picture.mean() - OPENVINO["mean"][k]) < 1e-4
        assert abs(picture.std(correction=0) - OPENVINO["deviation"][k]) < 1e-4


def test_drafts_are_near_the_pictures(real):
    w = real.sample(torch.randn(2, 512, generator=torch.Generator().manual_seed(4)))
    sharp, draft = (real.synthesise(real.layers(w), draft=draft).clamp(-1, 1) for draft in (False, True))
    psnr = 10 * torch.log10(4 / (sharp - draft).square().mean((1, 2, 3)))
    assert (psnr > 27).all() and psnr.mean() > 30
    half = real.synthesise(real.layers(w), 128, draft=True).clamp(-1, 1)
    assert (functional.avg_pool2d(draft, 2) - half).abs().max() < 0.1
    with pytest.raises(FersynError, match="at most 256 px, not 512"):
        real.synthesise(real.layers(w), 512, draft=True)


def test_gradients_reach_every_style(real):
    layers = real.layers(real.mean[None]).clone().requires_grad_()
    for draft in (False, True):
        (found,) = torch.autograd.grad(real.synthesise(layers, draft=draft).square().mean(), layers)
        assert torch.isfinite(found).all() and (found.abs().amax((0, 2)) > 0).all()


def test_loading_leaves_no_trace(real):
    """Neither in the random numbers that come next, nor by refusing gradients after a call without them."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    network = generators.get()
    with torch.inference_mode():
        layers = network.layers(network.sample(torch.ones(1, 512)))
        network.synthesise(layers, draft=True)
    if weights.find("sface") is not None:
        sface.load()
    expression_mapper.get(network)
    assert torch.equal(torch.get_rng_state(), before)
    z = torch.ones(1, 512, requires_grad=True)
    network.synthesise(network.layers(network.sample(z)), draft=True).square().mean().backward()
    assert (z.grad != 0).any()


def test_smaller_pictures_are_averages_of_the_large_one(small):
    w = small.layers(small.sample(torch.randn(2, 12)))
    assert small.size == 64 and small.levels == (4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64) and small.styles == 11
    large = small.synthesise(w, 64)
    for size in (32, 16, 4):
        torch.testing.assert_close(
            small.synthesise(w, size), functional.avg_pool2d(large, 64 // size), atol=1e-5, rtol=0
        )
    assert [small.features(w, side).shape[1:] for side in (4, 8, 32)] == [(16, 4, 4), (16, 8, 8), (8, 32, 32)]


def test_gradients_are_those_of_the_styles(small):
    network = MobileStyleGAN((16, 16, 8, 8), width=12).double()
    network.load_state_dict(small.state_dict())
    layers = torch.randn(2, 11, 12, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: network.synthesise(x, 8), layers)


def test_a_style_steers_its_level_alone(small):
    """Up to the level before it, nothing changes; W+ of one face changes no other's."""
    w = small.layers(torch.randn(2, 12)).clone()
    changed = w.clone()
    changed[0, 4] += 1  # the first of 16 px
    assert torch.equal(small.features(w, 8), small.features(changed, 8))
    assert not torch.equal(small.features(w, 16)[0], small.features(changed, 16)[0])
    assert torch.equal(small.synthesise(w, 64)[1], small.synthesise(changed, 64)[1])


def test_the_mean_and_samples(small):
    assert small.mean.shape == (12,) and torch.equal(small.sample(torch.randn(3, 12), 0.0), small.mean.expand(3, -1))
    z = torch.randn(3, 12)
    torch.testing.assert_close(small.sample(z, 1.0), small.mapping(z))
    torch.testing.assert_close(small.sample(z, 0.5), (small.mapping(z) + small.mean) / 2)
    torch.testing.assert_close(small.mapping(z), small.mapping(5 * z))
    other = MobileStyleGAN((16, 16, 8, 8), width=12)
    assert other.fingerprint != small.fingerprint
    small.check(small.stamp)
    small.check(UNSTAMPED)
    with pytest.raises(FersynError, match="another generator than this one: train again"):
        small.check(other.stamp)
    other.load_state_dict(small.state_dict())
    assert torch.equal(other.mean, small.mean)


def test_what_does_not_fit(small):
    with pytest.raises(FersynError, match=r"takes W\+ \(N, 11, 12\), got \(2, 12\)"):
        small.synthesise(torch.randn(2, 12))
    for size in (65, 128, 48, 2):
        with pytest.raises(FersynError, match=f"no pictures of {size} px; its sizes: 64, 32, 16, 8, 4"):
            small.synthesise(small.layers(torch.randn(1, 12)), size)


def test_missing_weights_and_other_networks(monkeypatch, tmp_path, real):
    other = MobileStyleGAN((4,) * 8, width=12)
    with pytest.raises(FersynError, match="head.safetensors has learnt on another generator"):
        other.synthesise(other.layers(torch.randn(1, 12)), draft=True)
    state = {name: weights.state_dict(name) for name in ("stylegan-mapping", "stylegan-synthesis")}
    monkeypatch.setattr(weights, "state_dict", lambda name: {k: v[:1] for k, v in state[name].items() if v.dim()})
    with pytest.raises(FersynError, match="not the weights of MobileStyleGAN"):
        generators.get()
    monkeypatch.undo()
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path))
    assert not generators.available()
    with pytest.raises(FersynError, match=f"fersyn weights fetch {' '.join(mobile_stylegan.NAMES)}"):
        generators.get()


def test_damaged_weights_are_not_taken(monkeypatch, tmp_path, real):
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path))
    (tmp_path / "weights").mkdir()
    for name in mobile_stylegan.NAMES:
        item = weights.entry(name)
        (tmp_path / "weights" / item.file).write_bytes(bytes(item.bytes))
    with pytest.raises(FersynError, match="fersyn weights fetch stylegan-mapping"):
        generators.get()


def test_damaged_shipped_files(tmp_path, monkeypatch):
    content = (shipped.FOLDER / "head.safetensors").read_bytes()
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(FersynError, match="head.safetensors cannot be read.*install fersyn again"):
        shipped.read("head.safetensors", "")
    (tmp_path / "head.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(FersynError, match="head.safetensors cannot be read"):
        shipped.read("head.safetensors", "")
    with pytest.raises(FersynError, match="b.safetensors cannot be read.*make it again"):
        shipped.read(tmp_path / "sub" / "b.safetensors", "")
