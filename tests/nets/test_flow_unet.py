import torch

from fersyn.nets.flow_unet import FlowUNet, colour_of, compose, quiet

SIDE = 32
COLOURED = torch.ones(1, 1, 1, 1)


def network(reach=0.03, seed=0, noise=0.0):
    torch.manual_seed(seed)
    found = FlowUNet(10, 8, reach)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(noise * torch.randn_like(parameter))
    return found


def given(flow=0.0, opened=0.0, head=1.0, source=None):
    torch.manual_seed(1)
    source = torch.rand(2, 3, SIDE, SIDE) * 2 - 1 if source is None else source
    maps = [
        torch.full((2, count, SIDE, SIDE), value) for count, value in ((2, flow), (10, 0.0), (1, opened), (1, head))
    ]
    return source, *maps, torch.zeros(2, 8), torch.zeros(2, 1, SIDE, SIDE)


def test_untrained_it_is_the_plain_warp():
    source, *rest = given()
    out = network()(source, *rest)
    # The scale on which it paints ends at 0.98: black and white are off by what the mask lets through.
    assert torch.allclose(out["image"], source, atol=3e-3) and torch.equal(out["bent"], source)
    assert out["mask"].max() < 0.1


def test_shapes_and_ranges():
    out = network(noise=0.5)(*given(2.0))
    shapes = {name: tuple(value.shape[1:]) for name, value in out.items()}
    assert shapes == {
        "image": (3, SIDE, SIDE), "bent": (3, SIDE, SIDE), "mask": (1, SIDE, SIDE), "flow": (2, SIDE, SIDE),
        "paint": (3, SIDE, SIDE), "light": (1, SIDE, SIDE), "colour": (1, 1, 1),
    }  # fmt: skip
    assert out["image"].abs().max() <= 1 and 0 <= out["mask"].min() <= out["mask"].max() <= 1


def test_correction_cannot_run_away_from_the_landmarks():
    out = network(reach=0.05, noise=5.0)(*given(2.0))
    assert (out["flow"] - 2.0).abs().max() <= 0.05 * SIDE + 0.1 and (out["flow"] - 2.0).abs().max() > 0.5


def test_where_landmarks_move_nothing_nothing_moves():
    assert network(reach=0.05, noise=5.0)(*given(0.0))["flow"].abs().max() == 0


def test_outside_the_head_the_pixel_is_the_source_s_own():
    source, flow, extra, opened, head, code, light = given(2.0, 0.5)
    head[..., : SIDE // 2] = 0
    out = network(noise=0.5)(source, flow, extra, opened, head, code, light + 0.3)
    assert torch.equal(out["image"][..., : SIDE // 2], source[..., : SIDE // 2])
    assert not torch.allclose(out["image"][..., SIDE // 2 :], source[..., SIDE // 2 :], atol=0.1)


def test_a_faint_mask_is_none_and_can_still_open():
    net = network(noise=0.02)
    with torch.no_grad():
        net.painter.leave[-1].bias[:4] = -4.0
    out = net(*given())
    assert out["mask"].abs().max() == 0
    out["mask"].sum().backward()
    assert net.painter.leave[-1].bias.grad[:4].abs().min() > 0


def test_the_correction_sees_no_pixel():
    net, (source, *rest) = network(reach=0.05, noise=0.5), given(2.0)
    out, other = net(source, *rest), net(-source, *rest)
    assert torch.equal(out["flow"], other["flow"]) and (out["flow"] - 2).abs().max() > 0.1
    assert not torch.allclose(out["paint"], other["paint"])


def test_the_painter_sees_the_label():
    net, (*rest, code, light) = network(noise=0.1), given(2.0)
    code[:, 3] = 1
    assert not torch.allclose(
        net(*rest, code, light)["paint"], net(*rest, torch.zeros(2, 8), light)["paint"], atol=1e-3
    )


def test_all_weights_learn():
    net = network(noise=0.1)
    source, flow, extra, opened, head, code, light = given(3.0)
    inputs = (
        torch.randn_like(flow) * 3,
        torch.rand_like(extra),
        torch.rand_like(opened),
        head,
        torch.rand_like(code),
        light,
    )
    net(source, *inputs)["image"].square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_the_mask_begins_open_where_the_mouth_was_opened():
    source, flow, extra, opened, head, code, light = given()
    opened[:, :, 20:24, 10:20] = 1
    mask = network()(source, flow, extra, opened, head, code, light)["mask"]
    assert mask[opened > 0].min() > 0.8 and mask[opened == 0].max() < 0.1


def test_a_grey_picture_stays_grey():
    grey = (torch.rand(2, 1, SIDE, SIDE) * 2 - 1).expand(-1, 3, -1, -1)
    image = network(noise=0.5)(*given(2.0, 0.5, source=grey))["image"]
    assert (image.amax(1) - image.amin(1)).max() < 1e-6 and not torch.allclose(image, grey, atol=0.1)


def test_colour_is_known_inside_the_head():
    half = torch.zeros(1, 1, SIDE, SIDE)
    half[..., :16] = 1
    picture = torch.zeros(1, 3, SIDE, SIDE)
    picture[:, 0, :, 16:] = 1.0
    assert colour_of(picture, half) == 0 and colour_of(picture, 1 - half) == 1


def test_short_ways_are_none():
    flow = torch.tensor([[0.03, 3.0], [0.0, 4.0]])[None, :, None]
    assert torch.allclose(quiet(flow, 0.05)[0, :, 0], torch.tensor([[0.0, 2.97], [0.0, 3.96]]), atol=1e-5)


def test_compose_is_the_convex_mixture():
    bent, paint, closed = torch.full((1, 3, 4, 4), 0.2), torch.full((1, 3, 4, 4), 1.0), torch.zeros(1, 1, 4, 4)
    new = torch.tanh(torch.atanh(torch.tensor(0.2)) + 1)
    assert torch.allclose(compose(bent, torch.zeros(1, 1, 4, 4), paint, closed, COLOURED), bent)
    assert torch.allclose(compose(bent, torch.ones(1, 1, 4, 4), paint, closed, COLOURED), new.expand(1, 3, 4, 4))
    assert torch.allclose(compose(bent, torch.full((1, 1, 4, 4), 0.5), paint, closed, COLOURED), (bent + new) / 2)


def test_the_persons_colours_stay_but_in_an_opened_mouth():
    bent, red = torch.zeros(1, 3, 4, 4), torch.tensor([0.6, -0.3, -0.3])[None, :, None, None].expand(1, 3, 4, 4)
    opened = torch.zeros(1, 1, 4, 4)
    opened[..., 2:] = 1
    made = compose(bent, torch.ones(1, 1, 4, 4), red, opened, COLOURED)
    assert made[..., :2].std(1).max() < 1e-6 and torch.allclose(made[..., 2:], torch.tanh(red[..., 2:]))


def test_in_an_opened_mouth_the_paint_does_not_depend_on_the_stretched_lips():
    paint, opened = torch.full((1, 3, 4, 4), 0.7), torch.ones(1, 1, 4, 4)
    for lips in (-0.5, 0.6):
        made = compose(torch.full((1, 3, 4, 4), lips), torch.ones(1, 1, 4, 4), paint, opened, COLOURED)
        assert torch.allclose(made, torch.tanh(paint))
