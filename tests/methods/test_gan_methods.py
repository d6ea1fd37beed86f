"""landmark-label and c-gan: one training step each, who gets gradients, and what `edit` promises."""

import copy
from types import SimpleNamespace

import pytest
import torch
from lightning_fabric import Fabric

from fersyn.errors import FersynError
from fersyn.losses import perceptual
from fersyn.losses.adversarial import judging, train_discriminator
from fersyn.methods import c_gan, landmark_label
from fersyn.methods.base import Synthesiser
from fersyn.pixels import rescale, resize

METHODS = [landmark_label.METHOD, c_gan.METHOD]
each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


@pytest.fixture(autouse=True)
def features(monkeypatch):
    """A stand-in for the perceptual network: no weights need be on the machine, and its calls are counted."""
    calls = []

    def shared(network, layers, device):
        assert layers == ("conv1_2",)
        calls.append(network)
        return lambda made, real: (made - real).abs().mean()

    monkeypatch.setattr(perceptual, "shared", shared)
    return calls


@pytest.fixture(scope="module")
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def batch_of(config, seed=0):
    make = torch.Generator().manual_seed(seed)
    count, size = config.batch, config.size

    def draw(*shape):
        return torch.rand(*shape, generator=make)

    return SimpleNamespace(
        source=draw(count, 3, size, size) * 2 - 1,
        target=draw(count, 3, size, size) * 2 - 1,
        target_landmarks=draw(count, 68, 2) * size,
        label=torch.arange(count) % 8,
        intensity=draw(count),
    )


def made(method, seed=0, **changes):
    torch.manual_seed(seed)
    config = method.preset("smoke", **changes)
    networks = method.networks(config)
    return config, networks, method.optimisers(config, networks)


def state(networks):
    return {name: copy.deepcopy(network.state_dict()) for name, network in networks.items()}


@each_method
def test_a_step_moves_every_network_and_tells_its_losses(method, fabric):
    config, networks, optimisers = made(method)
    before = state(networks)
    losses = method.step(config, networks, optimisers, batch_of(config), fabric, 0)
    assert set(before) == set(optimisers) == set(networks)
    for name, network in networks.items():
        for key, value in network.named_parameters():
            assert value.grad is not None, (name, key)
            assert value.ndim < 4 or not torch.equal(value, before[name][key]), (name, key)
    assert {"generator", "adversarial", "pixel"} <= set(losses)
    assert all(torch.isfinite(torch.as_tensor(loss)) and not loss.requires_grad for loss in losses.values())
    assert all(weight.requires_grad for network in networks.values() for weight in network.parameters())


@each_method
def test_steps_learn(method, fabric):
    """The same smooth faces over and over: the L1 loss falls."""
    config, networks, optimisers = made(method, lr=5e-3, dropout=0.0)
    batch = batch_of(config)
    batch.source, batch.target = (
        torch.full_like(x, 0.7) * x.mean((2, 3), keepdim=True).sign() for x in (batch.source, batch.target)
    )
    found = [method.step(config, networks, optimisers, batch, fabric, step)["pixel"] for step in range(25)]
    assert found[-1] < 0.8 * found[0]


@each_method
def test_a_step_depends_on_seed_and_weights_alone(method, fabric):
    results = []
    for _ in range(2):
        config, networks, optimisers = made(method)
        torch.manual_seed(7)
        method.step(config, networks, optimisers, batch_of(config), fabric, 0)
        results.append(state(networks))
    for name, weights in results[0].items():
        assert all(torch.equal(value, results[1][name][key]) for key, value in weights.items())


@each_method
def test_discriminator_leaves_no_gradient_in_the_generator(method, fabric):
    config, networks, optimisers = made(method)
    batch = batch_of(config)
    name = next(name for name in networks if name.endswith("discriminator"))
    inside = networks[name].inside
    x = torch.randn(2, inside, config.size, config.size)
    generator = torch.nn.Conv2d(inside, inside, 1)
    train_discriminator(networks[name], optimisers[name], x, generator(x), "minimax", fabric)
    assert all(weight.grad is None for weight in generator.parameters())
    assert all(weight.grad is not None for weight in networks[name].parameters())
    assert batch.source.grad is None


@each_method
def test_generator_s_loss_leaves_no_gradient_in_a_discriminator(method):
    config, networks, _ = made(method)
    network = next(network for name, network in networks.items() if name.endswith("discriminator"))
    x = torch.randn(2, network.inside, config.size, config.size, requires_grad=True)
    with judging(network) as (judge,):
        judge(x).sum().backward()
    assert x.grad.any() and all(weight.grad is None for weight in network.parameters())
    assert all(weight.requires_grad for weight in network.parameters())


@each_method
@pytest.mark.parametrize("kind", ["minimax", "non-saturating", "least-squares", "hinge"])
def test_adversarial_term_alone_moves_the_generator(method, kind, fabric):
    none = {"weight_pixel": 0.0} | ({"weight_perceptual": 0.0} if method.name == "landmark-label" else {})
    config, networks, optimisers = made(method, adversarial=kind, **none)
    before = state(networks)["generator"]
    method.step(config, networks, optimisers, batch_of(config), fabric, 0)
    assert any(not torch.equal(value, before[key]) for key, value in networks["generator"].named_parameters())


def test_total_is_equation_7(fabric, features):
    method = landmark_label.METHOD
    config, networks, optimisers = made(method, perceptual_network="vgg16")
    losses = method.step(config, networks, optimisers, batch_of(config), fabric, 0)
    total = 5 * losses["adversarial"] + 10 * losses["perceptual"] + 10 * losses["pixel"]
    assert losses["generator"].item() == pytest.approx(total.item(), rel=1e-6)
    assert features == ["vgg16"]


def test_discriminators_see_what_the_paper_says(fabric):
    """Image D (source, target), geometry D (target, its heatmap); first the real pair, then the generated one."""
    from fersyn.faces.heatmaps import heatmaps

    method = landmark_label.METHOD
    config, networks, optimisers = made(method)
    batch, seen = batch_of(config), {}
    for name, network in networks.items():
        network.register_forward_pre_hook(lambda m, x, name=name: seen.setdefault(name, []).append(x[0].detach()))
    method.step(config, networks, optimisers, batch, fabric, 0)
    heat = heatmaps(batch.target_landmarks, config.size, config.sigma)
    assert len(seen["generator"]) == 1 and torch.equal(seen["generator"][0], batch.source)
    image, geometry = seen["image_discriminator"], seen["geometry_discriminator"]
    assert torch.equal(image[0], torch.cat([batch.source, batch.target], 1))
    assert torch.equal(geometry[0], torch.cat([batch.target, heat], 1))
    fake = image[1][:, 3:]
    assert not torch.equal(fake, batch.target) and torch.equal(image[1][:, :3], batch.source)
    assert torch.equal(geometry[1], torch.cat([fake, heat], 1))
    assert len(image) == len(geometry) == 3


@pytest.mark.parametrize(
    "changes", [{"heatmap_channels": 68}, {"initialise_networks": False}, {"label_maps": False}, {"blocks": 0}], ids=str
)
def test_table_7_and_heatmaps_are_settings(changes, fabric):
    method = landmark_label.METHOD
    config, networks, optimisers = made(method, **changes)
    method.step(config, networks, optimisers, batch_of(config), fabric, 0)
    edit = method.synthesiser(config, networks).edit
    assert edit(torch.zeros(1, 3, 32, 32), "fear", landmarks=torch.zeros(1, 68, 2)).shape == (1, 3, 32, 32)


def test_published_settings():
    paper = landmark_label.Config.preset("paper")
    assert paper.replace(steps=1, ema=0.999) == landmark_label.Config(steps=1), "defaults are the published ones"
    assert (paper.size, paper.batch, paper.lr, paper.betas) == (128, 16, 2e-4, (0.5, 0.999))
    assert (paper.weight_adversarial, paper.weight_perceptual, paper.weight_pixel) == (5, 10, 10)
    assert (paper.width, paper.discriminator_width, paper.adversarial) == (64, 64, "minimax")
    laptop = landmark_label.Config.preset("laptop").model_dump()
    shrunk = {
        "size",
        "steps",
        "batch",
        "width",
        "blocks",
        "sigma",
        "discriminator_width",
        "dropout",
        "ema",
        "decay_share",
    }
    assert {name for name, value in paper.model_dump().items() if laptop[name] != value} <= shrunk


@each_method
def test_one_step_at_the_published_size(method, fabric):
    torch.manual_seed(0)
    config = method.preset("paper", batch=1)
    networks = method.networks(config)
    losses = method.step(config, networks, method.optimisers(config, networks), batch_of(config), fabric, 0)
    assert all(torch.isfinite(loss) for loss in losses.values())


@each_method
@pytest.mark.parametrize("changes", [{"size": 50}, {"size": 16}, {"width": 0}, {"nonsense": 1}])
def test_settings_out_of_range_are_refused_by_name(method, changes):
    with pytest.raises(FersynError, match=next(iter(changes))):
        method.preset("smoke", **changes)


class Still:
    """A motion model that moves every landmark by one px of a 128 px crop."""

    def predict(self, landmarks, label, intensity=1.0, source_label=None, size=128):
        return landmarks + size / 128


@each_method
@pytest.mark.parametrize("size", [32, 48])
def test_edit(method, size):
    config, networks, _ = made(method)
    synthesiser = method.synthesiser(config, networks, Still())
    assert isinstance(synthesiser, Synthesiser) and (synthesiser.name, synthesiser.size) == (method.name, 32)
    faces = torch.rand(2, 3, size, size) * 2 - 1
    points = torch.rand(2, 68, 2) * size
    out = synthesiser.edit(faces, ["happy", "neutral"], torch.tensor([0.5, 1.0]), landmarks=points)
    assert out.shape == faces.shape and out.dtype == torch.float32 and out.abs().max() <= 1
    assert not out.requires_grad
    again = synthesiser.edit(faces[:1], "happiness", 0.5, landmarks=points[:1])
    assert torch.allclose(out[:1], again, atol=1e-5), "a face's result does not depend on its neighbours"
    assert not torch.equal(out[:1], synthesiser.edit(faces[:1], "happiness", 1.0, landmarks=points[:1]))
    assert synthesiser.edit(faces[:0], "fear", landmarks=points[:0]).shape == (0, 3, size, size)


def test_edit_lets_the_motion_move_the_source_s_landmarks():
    config, networks, _ = made(landmark_label.METHOD)
    synthesiser = landmark_label.METHOD.synthesiser(config, networks, Still())
    faces, points = torch.rand(1, 3, 64, 64) * 2 - 1, torch.rand(1, 68, 2) * 60
    out = synthesiser.edit(faces, "fear", source_landmarks=points)
    assert torch.equal(out, synthesiser.edit(faces, "fear", landmarks=points + 0.5))


def test_edit_of_landmarks_at_another_size_draws_them_in_place():
    """The same landmarks given for a face twice as large: the same heatmap reaches the generator."""
    config, networks, _ = made(landmark_label.METHOD)
    seen = []
    networks["generator"].register_forward_pre_hook(lambda m, x: seen.append(x[1]))
    synthesiser = landmark_label.METHOD.synthesiser(config, networks)
    points = torch.rand(1, 68, 2) * 31
    synthesiser.edit(torch.zeros(1, 3, 32, 32), "fear", landmarks=points)
    synthesiser.edit(torch.zeros(1, 3, 64, 64), "fear", landmarks=rescale(points, 32, 64))
    assert torch.allclose(seen[0], seen[1], atol=1e-4)


def test_edit_without_landmarks_and_motion_says_so():
    config, networks, _ = made(landmark_label.METHOD)
    synthesiser = landmark_label.METHOD.synthesiser(config, networks)
    with pytest.raises(FersynError, match="landmark"):
        synthesiser.edit(torch.zeros(1, 3, 32, 32), "fear", source_landmarks=torch.zeros(1, 68, 2))


@each_method
def test_edit_refuses_what_it_cannot_do(method):
    config, networks, _ = made(method)
    edit, faces, points = method.synthesiser(config, networks).edit, torch.zeros(2, 3, 32, 32), torch.zeros(2, 68, 2)
    with pytest.raises(FersynError, match="expression"):
        edit(faces, ["fear"], landmarks=points)
    with pytest.raises(FersynError, match="0 and 1.5"):
        edit(faces, "fear", 1.6, landmarks=points)
    with pytest.raises(ValueError, match="faces must be"):
        edit(torch.zeros(2, 3, 32, 40), "fear", landmarks=points)


def test_bf16(fabric):
    """Mixed precision by Fabric: losses stay finite, weights float32."""
    mixed = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    for method in METHODS:
        config, networks, optimisers = made(method)
        for name in networks:
            networks[name], optimisers[name] = mixed.setup(networks[name], optimisers[name])
        losses = method.step(config, networks, optimisers, batch_of(config), mixed, 0)
        assert all(torch.isfinite(loss) for loss in losses.values())
        assert all(w.dtype == torch.float32 for network in networks.values() for w in network.parameters())


def test_resize_keeps_faces_and_landmarks_together():
    faces = torch.full((1, 3, 32, 32), -1.0)
    faces[..., 8:10, 20:22] = 1  # centre (20.5, 8.5)
    large = resize(faces, 64)
    weight = (large[0, 0] + 1) / (large[0, 0] + 1).sum()
    x = (weight.sum(0) * torch.arange(64)).sum()
    y = (weight.sum(1) * torch.arange(64)).sum()
    assert torch.allclose(torch.stack([x, y]), rescale(torch.tensor([20.5, 8.5]), 32, 64), atol=0.01)
    assert resize(faces, 32) is faces
