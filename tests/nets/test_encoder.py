import json
from types import SimpleNamespace

import pytest
import torch
from safetensors import safe_open

from fersyn.errors import FersynError
from fersyn.nets import encoder, generators, shipped


def _fingerprint():
    """What the encoder that comes with the kit says of its generator."""
    with safe_open(str(shipped.FOLDER / encoder.FILE), "pt") as file:
        return json.loads(file.metadata()["generator"])


@pytest.fixture(scope="module")
def kits():
    return encoder.get(SimpleNamespace(fingerprint=_fingerprint(), device=torch.device("cpu")))


def test_pictures_become_codes_each_by_itself(kits):
    pictures = torch.rand(3, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    codes = kits(pictures)
    assert codes.shape == (3, 23, 512) and codes.isfinite().all()
    torch.testing.assert_close(kits(pictures[1:2]), codes[1:2], atol=1e-4, rtol=1e-3)
    assert (codes[0] - codes[1]).abs().max() > 0.01


def test_units_and_back(kits):
    layers = kits.mean + torch.randn(2, 23, 512, generator=torch.Generator().manual_seed(1)) * kits.sd @ kits.axes
    torch.testing.assert_close(kits.layers(kits.whitened(layers)), layers, atol=1e-3, rtol=1e-3)


def test_it_knows_the_generator_s_own_samples(kits):
    if not generators.available():
        pytest.skip("weights missing: fersyn weights fetch stylegan-mapping")
    generator = generators.get()
    with torch.inference_mode():
        w = generator.sample(torch.randn(3, 512, generator=torch.Generator().manual_seed(5)))
        pictures = torch.cat([generator.synthesise(generator.layers(each[None]), 256, draft=True) for each in w])
        found = kits(pictures.clamp(-1, 1))
    size = kits.sd / kits.sd[0]  # axes along which w hardly varies hardly show
    wanted = kits.whitened(generator.layers(w)) * size
    off = (kits.whitened(found) * size - wanted).square().mean((1, 2))
    assert (off < 0.6 * wanted.square().mean((1, 2))).all()


def test_gradients_reach_every_weight():
    torch.manual_seed(0)
    small = encoder.Encoder(styles=5, width=8, rank=3, code=4)
    small.sd.fill_(1)
    small.axes.copy_(torch.eye(8))
    small(torch.randn(4, 3, 256, 256)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in small.parameters())


def test_an_encoder_of_another_generator_is_refused():
    with pytest.raises(FersynError, match="another generator"):
        encoder.get(SimpleNamespace(fingerprint="0" * 64))


def test_a_file_of_something_else():
    with pytest.raises(FersynError, match="head.safetensors is no encoder of pictures"):
        encoder.get(SimpleNamespace(fingerprint=_fingerprint(), device=torch.device("cpu")), "head.safetensors")
