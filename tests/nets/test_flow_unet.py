import torch

from fersyn.nets.flow_unet import FlowUNet, compose


def made(reach=0.03, seed=0, noise=0.0):
    torch.manual_seed(seed)
    network = FlowUNet(10, 8, reach)
    if noise:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(noise * torch.randn_like(parameter))
    source = torch.rand(2, 3, 32, 32) * 2 - 1
    flow, extra, opened = torch.zeros(2, 2, 32, 32), torch.zeros(2, 10, 32, 32), torch.zeros(2, 1, 32, 32)
    return network, source, network(source, flow, extra, opened)


def test_untrained_it_is_the_plain_warp():
    _, source, out = made()
    # The scale on which it paints ends at 0.98: black and white are off by what the mask lets through.
    assert torch.allclose(out["image"], source, atol=3e-3) and torch.allclose(out["bent"], source, atol=1e-4)
    assert out["mask"].max() < 0.2


def test_shapes_and_ranges():
    _, _, out = made(noise=0.5)
    shapes = {name: tuple(value.shape[1:]) for name, value in out.items()}
    assert shapes == {
        "image": (3, 32, 32), "bent": (3, 32, 32), "mask": (1, 32, 32), "flow": (2, 32, 32), "paint": (3, 32, 32),
    }  # fmt: skip
    assert out["image"].abs().max() <= 1 and 0 <= out["mask"].min() <= out["mask"].max() <= 1


def test_correction_cannot_run_away_from_the_landmarks():
    _, _, out = made(reach=0.05, noise=5.0)
    assert out["flow"].abs().max() <= 0.05 * 32 + 1e-4


def test_the_correction_sees_no_pixel():
    network, source, out = made(reach=0.05, noise=0.5)
    other = network(-source, torch.zeros(2, 2, 32, 32), torch.zeros(2, 10, 32, 32), torch.zeros(2, 1, 32, 32))
    assert torch.equal(out["flow"], other["flow"]) and out["flow"].abs().max() > 0.1
    assert not torch.allclose(out["paint"], other["paint"])


def test_all_weights_learn():
    network, source, _ = made(noise=0.1)
    out = network(source, torch.randn(2, 2, 32, 32), torch.rand(2, 10, 32, 32), torch.rand(2, 1, 32, 32))
    out["image"].square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_mask_begins_open_where_the_mouth_was_opened():
    network, source, _ = made()
    opened = torch.zeros(2, 1, 32, 32)
    opened[:, :, 20:24, 10:20] = 1
    mask = network(source, torch.zeros(2, 2, 32, 32), torch.zeros(2, 10, 32, 32), opened)["mask"]
    assert mask[opened > 0].min() > 0.8 and mask[opened == 0].max() < 0.2


def test_compose_is_the_convex_mixture():
    bent, paint, closed = torch.full((1, 3, 4, 4), 0.2), torch.full((1, 3, 4, 4), 1.0), torch.zeros(1, 1, 4, 4)
    new = torch.tanh(torch.atanh(torch.tensor(0.2)) + 1)
    assert torch.allclose(compose(bent, torch.zeros(1, 1, 4, 4), paint, closed), bent)
    assert torch.allclose(compose(bent, torch.ones(1, 1, 4, 4), paint, closed), new.expand(1, 3, 4, 4))
    assert torch.allclose(compose(bent, torch.full((1, 1, 4, 4), 0.5), paint, closed), (bent + new) / 2)


def test_in_an_opened_mouth_the_paint_does_not_depend_on_the_stretched_lips():
    paint, opened = torch.full((1, 3, 4, 4), 0.7), torch.ones(1, 1, 4, 4)
    for lips in (-0.5, 0.6):
        made = compose(torch.full((1, 3, 4, 4), lips), torch.ones(1, 1, 4, 4), paint, opened)
        assert torch.allclose(made, torch.tanh(paint))
