import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from fersyn import methods
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.methods import motion
from fersyn.methods.landmark_flow import opened
from fersyn.methods.warp import bend
from fersyn.nets.affine_flow import warp
from fersyn.pairs import Pairs
from fersyn.pixels import grey, to_bytes


@pytest.fixture(scope="module")
def flow():
    method = methods.get("landmark-flow")
    config = method.preset("smoke")
    torch.manual_seed(0)
    return method, config, method.networks(config)


@pytest.fixture(scope="module")
def pairs(small_table):
    return Pairs(small_table, size=64)


def test_step_trains_both_networks(flow, pairs):
    method, config, networks = flow
    optimisers = method.optimisers(config, networks)
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in networks.items()}
    for step in range(3):  # the last layer begins at 0, so that those before it learn from the second step on
        losses = method.step(config, networks, optimisers, pairs.batch(step, 4, 0), Fabric(accelerator="cpu"), step)
    assert set(losses) == {"discriminator", "accuracy", "pixel", "perceptual", "mask", "adversarial"}
    assert all(torch.isfinite(value) for value in losses.values())
    for name, net in networks.items():
        moved = [not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True)]
        assert sum(moved) > len(moved) / 2, name
        assert all(p.requires_grad for p in net.parameters())


def test_ratio_images_are_of_the_strongest_training_faces_one_a_person(flow, small_table, pairs):
    method, config, _ = flow
    networks = method.networks(config)
    method.prepare(config, networks, small_table)
    known = networks["generator"].ratios.way.flatten(1).any(1)
    shown = {EXPRESSIONS[k] for k in np.flatnonzero(known.numpy())}
    assert shown == set(EXPRESSIONS) - {"neutral", "contempt"}  # openpeople shows no contempt
    chosen = pairs.examples(len(pairs))
    chosen = chosen[small_table.labels(chosen[:, 1]) == EXPRESSIONS.index("fear")]
    assert len(chosen) == len(set(small_table.people[chosen[:, 1]])) > 1
    batch = pairs.gather(pairs.examples(6))
    given = (batch.source, batch.source_landmarks, batch.target_landmarks, batch.label, batch.intensity)
    light = method.parts(config, networks, *given)["light"]
    assert (light.abs().amax((1, 2, 3)) > 0.02).all()
    synthesiser = method.synthesiser(config, networks)
    names = [EXPRESSIONS[k] for k in batch.label.tolist()]
    made = synthesiser.explain(batch.source, names, 1.0, batch.target_landmarks, batch.source_landmarks)
    assert torch.equal(
        made["bent"], warp(batch.source, made["flow"])
    )  # what is bent in a photograph itself; the rest is laid on
    assert ((made["image"] - made["bent"]).abs().amax((1, 2, 3)) > 0.01).all()


def test_without_a_discriminator(pairs):
    method = methods.get("landmark-flow")
    config = method.preset("smoke", weight_adversarial=0.0)
    networks = method.networks(config)
    assert set(networks) == {"generator"}
    losses = method.step(
        config, networks, method.optimisers(config, networks), pairs.batch(0, 4, 0), Fabric(accelerator="cpu"), 0
    )
    assert "adversarial" not in losses


def test_some_steps_lower_the_loss(pairs):
    method = methods.get("landmark-flow")
    config = method.preset("smoke", lr=3e-3)
    torch.manual_seed(0)
    networks = method.networks(config)
    optimisers, fabric, batch = method.optimisers(config, networks), Fabric(accelerator="cpu"), pairs.batch(0, 4, 0)
    pixel = [float(method.step(config, networks, optimisers, batch, fabric, k)["pixel"]) for k in range(25)]
    assert pixel[-1] < 0.92 * pixel[0]


def test_edit_in_any_size_with_and_without_landmarks(flow, pairs):
    method, config, networks = flow
    edit = method.synthesiser(config, networks).edit
    batch = pairs.gather(pairs.examples(2))
    out = edit(batch.source, "happy", 0.5, batch.target_landmarks, batch.source_landmarks)
    assert out.shape == batch.source.shape and out.abs().max() <= 1
    double = torch.nn.functional.interpolate(batch.source, scale_factor=2, mode="bilinear")
    twice = [(points + 0.5) * 2 - 0.5 for points in (batch.target_landmarks, batch.source_landmarks)]
    large = edit(double, "happy", 0.5, *twice)
    assert large.shape[-1] == 128
    assert (torch.nn.functional.avg_pool2d(large, 2) - out).abs().mean() < 0.05
    with pytest.raises(FersynError, match="landmark-flow needs the target's landmarks.*fersyn train"):
        edit(batch.source, "happy")


def test_landmarks_that_are_given_say_how_strong_an_expression_is(flow, pairs, small_motion):
    method, config, _ = flow
    networks = method.networks(config)
    batch = pairs.gather(pairs.examples(2))
    happy = EXPRESSIONS.index("happiness")
    networks["generator"].ratios.way[happy] = way = batch.target_landmarks[0] - batch.source_landmarks[0]
    asked = method.synthesiser(config, networks, small_motion).asked
    faces, points = batch.source[:1], batch.source_landmarks[:1]

    def strength(intensity, landmarks):
        return float(asked(faces, "happiness", intensity, landmarks, points)[3])

    assert strength(1.0, points + 0.5 * way) == pytest.approx(0.5, abs=1e-5)
    assert strength(0.3, points + 0.5 * way) == pytest.approx(0.3) and strength(1.0, points + 2 * way) == 1
    assert strength(1.0, None) == 1  # nothing but the intensity says it


def test_where_nobody_may_be_shown_no_teeth_are_lent_and_log_and_page_say_so(flow, small_table, capsys, monkeypatch):
    method, config, _ = flow
    lent, none = (method.networks(config) for _ in range(2))
    method.prepare(config, lent, small_table)
    assert lent["generator"].teeth.shape[0].any() and "happiness" not in method.synthesiser(config, lent).lacks
    capsys.readouterr()
    monkeypatch.setitem(small_table.rows, "publishable", False)
    method.prepare(config, none, small_table)
    assert not none["generator"].teeth.picture.any()
    said = method.synthesiser(config, none).lacks
    assert said.startswith("landmark-flow lends no teeth in happiness and disgust") and said in capsys.readouterr().err


@pytest.fixture
def small_motion(small_table, monkeypatch):
    monkeypatch.setattr(motion, "LEAST", 1)
    return motion.fit(small_table)


def as_trained(method, config, networks, table):
    """It bends and paints wherever it may, and has its ratio images and its teeth."""
    with torch.no_grad():
        for network in networks.values():
            for parameter in network.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    method.prepare(config, networks, table)


@pytest.mark.parametrize("name", ["landmark-flow", "warp"])
def test_intensity_zero_returns_the_photograph_bit_for_bit(name, small_motion, small_table):
    """On 20 photographs, of people who wear all expressions, whichever expression is asked for."""
    method = methods.get(name)
    config = method.preset("smoke")
    torch.manual_seed(0)
    networks = method.networks(config)
    as_trained(method, config, networks, small_table)
    edit = method.synthesiser(config, networks, small_motion).edit
    rows = np.arange(20)
    faces, points = small_table.tensor(rows), torch.from_numpy(small_table.landmarks(rows))
    for expression in ("happiness", "neutral"):
        assert torch.equal(edit(faces, expression, 0.0, source_landmarks=points), faces)
    assert (edit(faces, "happiness", 1.0, source_landmarks=points) != faces).any((1, 2, 3)).all()


def test_a_grey_photograph_stays_grey(flow, small_motion, small_table):
    method, config, _ = flow
    torch.manual_seed(0)
    networks = method.networks(config)
    as_trained(method, config, networks, small_table)
    assert networks["generator"].teeth.picture[0].std(0).max() > 0.1, "teeth in colour are lent"
    edit = method.synthesiser(config, networks, small_motion).edit
    points = torch.from_numpy(small_table.landmarks(np.arange(4)))
    light = grey(small_table.tensor(np.arange(4))).expand(-1, 3, -1, -1)
    for expression in ("surprise", "happiness"):
        made = to_bytes(edit(light, expression, 1.0, source_landmarks=points)).int()
        assert (made.amax(1) - made.amin(1)).max() <= 1 and (made != to_bytes(light).int()).float().mean() > 0.1


def test_without_the_perceptual_network(pairs):
    method = methods.get("landmark-flow")
    config = method.preset("smoke", weight_adversarial=0.0, weight_perceptual=0.0)
    networks = method.networks(config)
    optimisers = method.optimisers(config, networks)
    losses = method.step(config, networks, optimisers, pairs.batch(0, 4, 0), Fabric(accelerator="cpu"), 0)
    assert set(losses) == {"pixel", "mask"} and method.features(config) is None


def test_the_mouth_is_opened_as_far_as_it_was_closed(pairs):
    batch = pairs.gather(pairs.examples(1))
    closed, wide = batch.source_landmarks.clone(), batch.source_landmarks.clone()
    for face, gap in ((closed, 0.0), (wide, 10.0)):
        face[:, [60, 61, 62, 63, 64], 1] = 44.0
        face[:, [67, 66, 65], 1] = 44.0 + gap
        face[:, [60, 61, 62, 63, 64, 65, 66, 67], 0] = torch.tensor([26.0, 29, 32, 35, 38, 35, 32, 29])
    half = closed.clone()
    half[:, [67, 66, 65], 1] = 49.0
    new = opened(closed, wide, 64)
    assert new.max() > 0.99 and new[..., :43, :].sum() == 0
    assert torch.allclose(opened(half, wide, 64), 0.5 * new, atol=0.02)  # half of it was open: those teeth are bent
    assert opened(wide, wide, 64).abs().sum() == 0 and opened(wide, closed, 64).abs().sum() == 0


def test_wrong_settings_are_named():
    method = methods.get("landmark-flow")
    with pytest.raises(FersynError, match="landmark-flow: width is 12"):
        method.preset("laptop", width=12)
    with pytest.raises(FersynError, match="widht is no setting"):
        method.preset("laptop", widht=16)


def test_warp_takes_landmarks_to_landmarks(pairs):
    batch = pairs.gather(pairs.examples(3))
    made = methods.get("warp").synthesiser(methods.get("warp").Config(size=64), {}).edit(
        batch.source, "happy", landmarks=batch.target_landmarks, source_landmarks=batch.source_landmarks
    )  # fmt: skip
    still, bent = ((x - batch.target).abs().mean() for x in (batch.source, made))
    assert made.shape == batch.source.shape and bent < still


def test_bend_moves_a_dot():
    import numpy as np

    image = np.zeros((64, 64, 1))
    image[30:33, 20:23] = 1
    source = np.array([[21.0, 31], [40, 12], [45, 50]])
    target = source + [[8, 0], [0, 0], [0, 0]]
    y, x = np.unravel_index(bend(image, source, target)[..., 0].argmax(), (64, 64))
    assert abs(x - 29) <= 1.5 and abs(y - 31) <= 1.5


def test_copy_is_the_source(pairs):
    batch = pairs.gather(pairs.examples(2))
    copy = methods.get("copy").synthesiser(methods.get("copy").Config(size=64), {})
    assert torch.equal(copy.edit(batch.source, "anger"), batch.source)
