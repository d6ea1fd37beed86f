"""At random weights, against the paper's formulas written out plainly, a face at a time."""

import pytest
import torch
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.nets import expression_mapper, generators, shipped, stylegan2

CHANNELS, WIDTH, DEPTH = (12, 8, 6), 10, 3  # 16 px


@pytest.fixture
def state():
    """A state dict as the port stores it: weights of deviation 1, biases that are not 0."""
    random = torch.Generator().manual_seed(0)

    def drawn(*shape):
        return torch.randn(shape, generator=random)

    found = {"input.input": drawn(1, CHANNELS[0], 4, 4)}
    for k in range(DEPTH):
        found |= {f"style.{k + 1}.weight": 100 * drawn(WIDTH, WIDTH), f"style.{k + 1}.bias": 10 * drawn(WIDTH)}

    def convolution(name, inside, outside, kernel):
        found[f"{name}.conv.weight"] = drawn(1, outside, inside, kernel, kernel)
        found[f"{name}.conv.modulation.weight"], found[f"{name}.conv.modulation.bias"] = (
            drawn(inside, WIDTH),
            drawn(inside),
        )
        if kernel == 1:
            found[f"{name}.bias"] = drawn(1, 3, 1, 1)
        else:
            found[f"{name}.noise.weight"], found[f"{name}.activate.bias"] = drawn(1), drawn(outside)

    convolution("conv1", CHANNELS[0], CHANNELS[0], 3)
    convolution("to_rgb1", CHANNELS[0], 3, 1)
    for k, (inside, outside) in enumerate(zip(CHANNELS, CHANNELS[1:], strict=False)):
        convolution(f"convs.{2 * k}", inside, outside, 3)
        convolution(f"convs.{2 * k + 1}", outside, outside, 3)
        convolution(f"to_rgbs.{k}", outside, 3, 1)
        found[f"convs.{2 * k}.conv.blur.kernel"] = found[f"to_rgbs.{k}.upsample.kernel"] = drawn(4, 4)
    for k, side in enumerate((4, 8, 8, 16, 16)):
        found[f"noises.noise_{k}"] = drawn(1, 1, side, side)
    return found


def filtered(x, left, right):
    """Zeros put round, then four times the binomial filter."""
    kernel = torch.outer(*[torch.tensor([1.0, 3, 3, 1])] * 2) / 16
    x = functional.pad(x, (left, right, left, right))
    return torch.cat([functional.conv2d(channel[None, None], kernel[None, None]) for channel in x[0]], 1)


def modulated(state, name, x, w, up=False, demodulate=True):
    weight = state[f"{name}.conv.weight"][0]
    dense = state[f"{name}.conv.modulation.weight"] / WIDTH**0.5
    scale = dense @ w + state[f"{name}.conv.modulation.bias"]
    weight = weight / weight[0].numel() ** 0.5 * scale[None, :, None, None]
    if demodulate:
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
    if not up:
        return functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
    # a transposed convolution: pixels apart, then a convolution with the kernel turned round
    apart = torch.zeros(1, x.shape[1], 2 * x.shape[2] - 1, 2 * x.shape[3] - 1)
    apart[..., ::2, ::2] = x
    return filtered(functional.conv2d(apart, weight.flip(2, 3), padding=2), 1, 1)


def styled(state, name, x, w, noise, up=False):
    x = modulated(state, name, x, w, up) + state[f"{name}.noise.weight"] * state[f"noises.noise_{noise}"]
    x = x + state[f"{name}.activate.bias"][None, :, None, None]
    return torch.where(x > 0, x, 0.2 * x) * 2**0.5


def reference(state, w):
    """One face: w (styles, width) -> (1, 3, 16, 16)."""
    x = styled(state, "conv1", state["input.input"], w[0], 0)
    picture = modulated(state, "to_rgb1", x, w[1], demodulate=False) + state["to_rgb1.bias"]
    for k in range(len(CHANNELS) - 1):
        x = styled(state, f"convs.{2 * k}", x, w[2 * k + 1], 2 * k + 1, up=True)
        x = styled(state, f"convs.{2 * k + 1}", x, w[2 * k + 2], 2 * k + 2)
        apart = torch.zeros(1, 3, x.shape[2], x.shape[3])
        apart[..., ::2, ::2] = picture
        own = modulated(state, f"to_rgbs.{k}", x, w[2 * k + 3], demodulate=False) + state[f"to_rgbs.{k}.bias"]
        picture = filtered(apart, 2, 1) + own
    return picture


def written(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    return tmp_path / "a.pt"


def test_the_pictures_are_the_paper_s(tmp_path, state):
    network = generators.get(
        written(tmp_path, {"g_ema": state, "g_optim": {"step": 3}, "latent_avg": torch.zeros(WIDTH)})
    )
    assert (network.size, network.width, network.styles) == (16, WIDTH, 6) and network.levels == (4, 8, 8, 16, 16, 16)
    w = torch.randn(2, 6, WIDTH)
    wanted = torch.cat([reference(state, each) for each in w])
    torch.testing.assert_close(network.synthesise(w, 16), wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(network.synthesise(w, 8), functional.avg_pool2d(wanted, 2), atol=1e-4, rtol=1e-4)


def test_the_mapping_is_the_paper_s(tmp_path, state):
    network = stylegan2.load(written(tmp_path, state))
    z = torch.randn(3, WIDTH)
    x = z / z.square().mean(1, keepdim=True).sqrt()
    for k in range(1, DEPTH + 1):
        x = x @ state[f"style.{k}.weight"].T * 0.01 / WIDTH**0.5 + 0.01 * state[f"style.{k}.bias"]
        x = torch.where(x > 0, x, 0.2 * x) * 2**0.5
    torch.testing.assert_close(network.mapping(z), x, atol=1e-5, rtol=1e-4)
    assert network.mean.shape == (WIDTH,) and len(network.fingerprint) == 64


def test_gradients_are_those_of_the_styles(tmp_path, state):
    network = stylegan2.load(written(tmp_path, state)).double()
    layers = torch.randn(2, 6, WIDTH, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: network.synthesise(w, 4), layers)
    assert not any(p.requires_grad for p in network.parameters())


def test_the_published_size():
    """1024 px: 18 styles, 30 million weights, as the paper's."""
    with torch.device("meta"):
        network = stylegan2.StyleGAN2((512, 512, 512, 512, 512, 256, 128, 64, 32))
    assert network.styles == 18 and network.size == 1024
    assert 30e6 < sum(p.numel() for p in network.parameters()) < 31e6


def test_files_without_noise_get_their_own_always_the_same(tmp_path, state):
    bare = {key: value for key, value in state.items() if not key.startswith("noises.")}
    one, other = (stylegan2.load(written(tmp_path, bare)) for _ in range(2))
    w = torch.randn(1, 6, WIDTH)
    assert torch.equal(one.synthesise(w, 16), other.synthesise(w, 16))


def test_the_kits_mapper_and_head_are_another_generators(tmp_path, state):
    network = stylegan2.load(written(tmp_path, state))
    for file in ("mapper.safetensors", "head.safetensors"):
        with pytest.raises(FersynError, match=f"{file} has learnt on another generator"):
            shipped.read(file, network.fingerprint)
    with pytest.raises(FersynError, match="another generator"):
        expression_mapper.get(network)


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_damaged_file(tmp_path, state, part):
    file = written(tmp_path, state)
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    with pytest.raises(FersynError, match=r"a\.pt holds no weights that can be read safely .*get it again"):
        generators.get(file)


def test_wrong_files(tmp_path, state):
    with pytest.raises(FersynError, match="nowhere.pt is not a file"):
        generators.get(tmp_path / "nowhere.pt")
    (tmp_path / "a.pt").write_bytes(b"no weights")
    with pytest.raises(FersynError, match="a.pt holds no weights that can be read safely"):
        stylegan2.load(tmp_path / "a.pt")
    with pytest.raises(FersynError, match="read safely"):  # a class of somebody's own
        stylegan2.load(written(tmp_path, {"g_ema": state, "args": pytest.Cache}))
    for wrong in (
        {"some.weight": torch.ones(2)},
        {**state, "convs.9.conv.weight": torch.ones(1, 2, 2, 3, 3)},
        {key: value for key, value in state.items() if key != "convs.1.conv.weight"},
        {**state, "to_rgbs.1.conv.weight": torch.ones(1, 4, 6, 1, 1)},
        {**state, "noises.noise_4": torch.ones(1, 1, 32, 32)},
        {**state, "conv1.activate.bias": torch.ones(())},
    ):
        with pytest.raises(FersynError, match=r"a.pt does not hold StyleGAN2 .*convert_weight.py"):
            stylegan2.load(written(tmp_path, wrong))
    with pytest.raises(FersynError, match=r"a.pt is damaged: convs\.0\.activate\.bias holds numbers that are none"):
        stylegan2.load(written(tmp_path, {**state, "convs.0.activate.bias": torch.full((8,), torch.nan)}))
    for wrong in ([1, 2], {}, {1: torch.ones(2)}, {"g_ema": None}):
        with pytest.raises(FersynError, match=r"a.pt holds no weights by name"):
            stylegan2.load(written(tmp_path, wrong))
    with pytest.raises(FersynError, match="no short way"):
        network = stylegan2.load(written(tmp_path, state))
        network.synthesise(network.layers(network.mean[None]), 16, draft=True)
