"""de-gan: who gets a gradient in which stage, whose expression and whose face an image is scored against, and its use."""

from types import SimpleNamespace

import pytest
import torch
from lightning_fabric import Fabric

from fersyn.errors import FersynError
from fersyn.methods import de_gan
from fersyn.training import runs
from tests.methods.test_fesgan import moved, pulled, weights_of

METHOD = de_gan.METHOD
WEIGHTS = ("adversarial", "expression", "identity", "pixel", "code")
SYNTHESIS = ("encoder", "decoder", "discriminator")


@pytest.fixture(scope="module")
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def made(*only, **changes):
    """Settings (of the losses `only` these count, or all), networks and optimisers."""
    torch.manual_seed(0)
    config = METHOD.preset(
        "smoke", **{f"weight_{name}": 0.0 for name in WEIGHTS if only and name not in only}, **changes
    )
    networks = METHOD.networks(config)
    return config, networks, METHOD.optimisers(config, networks)


def batch_of(config, seed=0):
    make = torch.Generator().manual_seed(seed)
    count, size = config.batch, config.size
    faces = torch.rand(2, count, 3, size, size, generator=make) * 2 - 1
    label = torch.arange(count) % 8
    pairs = SimpleNamespace(source=faces[0], target=faces[1], label=label, intensity=torch.ones(count))
    return pairs, torch.arange(count).flip(0) % 3


def test_each_step_moves_its_networks_and_tells_its_losses(fabric):
    config, networks, optimisers = made()
    for step, learning in ((METHOD.step, SYNTHESIS), (METHOD.learn, ("recogniser",))):
        before = {name: weights_of(network) for name, network in networks.items()}
        losses = step(config, networks, optimisers, batch_of(config), fabric, 0)
        assert [name for name in networks if moved(networks[name], before[name])] == list(learning)
        assert all(torch.isfinite(loss) and not loss.requires_grad for loss in losses.values())
    assert all(weight.requires_grad for network in networks.values() for weight in network.parameters())


@pytest.mark.parametrize("loss", WEIGHTS)
def test_every_loss_reaches_the_encoder_and_all_but_the_code_s_the_decoder(loss, fabric):
    config, networks, optimisers = made(loss)
    METHOD.step(config, networks, optimisers, batch_of(config), fabric, 0)
    assert pulled(networks["encoder"]) and pulled(networks["decoder"]) == (loss != "code")


@pytest.mark.parametrize("loss", ["adversarial", "expression", "identity"])
def test_what_is_made_on_another_person_counts(loss, fabric, monkeypatch):
    """With the own person's part cut off, the code on the next one still leads both."""
    config, networks, optimisers = made(loss)
    real = de_gan.added

    def cut(faces, change):
        whole = real(faces, change)
        return torch.cat([whole[: len(whole) // 2].detach(), whole[len(whole) // 2 :]])

    def apart(module, given):
        faces, codes = given
        return faces, torch.cat([codes[: len(faces)].detach(), codes[len(faces) :]])

    networks["decoder"].register_forward_pre_hook(apart)
    monkeypatch.setattr(de_gan, "added", cut)
    METHOD.step(config, networks, optimisers, batch_of(config), fabric, 0)
    assert pulled(networks["encoder"]) and pulled(networks["decoder"])


def test_encoder_and_decoder_get_nothing_from_the_discriminator_s_step_and_it_nothing_from_theirs(fabric, monkeypatch):
    config, networks, optimisers = made()
    pairs, person = batch_of(config)
    fake = networks["decoder"](pairs.source, networks["encoder"](pairs.target)[0])
    de_gan._discriminate(config, networks, optimisers, pairs, person, fake, fabric)
    assert pulled(networks["discriminator"]) and not pulled(networks["encoder"]) and not pulled(networks["decoder"])
    optimisers["discriminator"].zero_grad(set_to_none=True)
    monkeypatch.setattr(de_gan, "_discriminate", lambda *_: {})
    METHOD.step(config, networks, optimisers, (pairs, person), fabric, 0)
    assert not pulled(networks["discriminator"]) and pulled(networks["encoder"]) and pulled(networks["decoder"])


def test_an_image_is_scored_against_the_expression_of_its_code_and_the_person_of_its_face(fabric, monkeypatch):
    """Encoder and decoder that keep what they are given: the code the label that is painted in the target, the face its person."""
    config, networks, optimisers = made()
    pairs, person = batch_of(config)
    pairs.target = pairs.label[:, None, None, None].expand(-1, 3, 32, 32) / 8.0
    pairs.source = person[:, None, None, None].expand(-1, 3, 32, 32) / 8.0
    networks["encoder"].register_forward_hook(
        lambda m, x, out: (x[0].mean((1, 2, 3))[:, None].expand_as(out[0]) + 0 * out[0], *out[1:])
    )
    seen = {}

    def decode(m, x, out):
        seen["faces"], seen["codes"] = x[0].mean((1, 2, 3)).repeat(2) * 8, x[1].mean(1) * 8
        return out

    networks["decoder"].register_forward_hook(decode)
    real = de_gan._terms
    monkeypatch.setattr(de_gan, "vary", lambda faces, *_, **__: faces)
    monkeypatch.setattr(
        de_gan, "_terms",
        lambda config, said, pairs, faces, wanted, whose: seen.update(wanted=wanted, whose=whose)
        or real(config, said, pairs, faces, wanted, whose),
    )  # fmt: skip
    METHOD.step(config.replace(noise=0.0), networks, optimisers, (pairs, person), fabric, 0)
    torch.testing.assert_close(seen["codes"].detach(), seen["wanted"].float())
    torch.testing.assert_close(seen["faces"], seen["whose"].float())
    count = len(person)
    assert torch.equal(seen["whose"][:count], person) and torch.equal(seen["wanted"][:count], pairs.label)
    assert not torch.equal(seen["wanted"][count:], pairs.label), "another one's expression on each person"


def test_the_heads_losses(fabric):
    """Cross-entropy of the heads' logits: of what is made against `wanted` and `whose`, of real faces against their own."""
    config, networks, optimisers = made()
    pairs, person = batch_of(config)
    seen = {"patches": torch.zeros(8, 1, 4, 4), "expression": torch.randn(8, 8), "identity": torch.randn(8, 8)}
    wanted, whose, faces = torch.arange(8), torch.arange(8).flip(0) % 3, pairs.target.repeat(2, 1, 1, 1)
    found = de_gan._terms(config, seen, pairs, faces, wanted, whose)
    cross = torch.nn.functional.cross_entropy
    assert found["head_synthetic"] == (config.weight_expression, cross(seen["expression"], wanted))
    assert found["identity_synthetic"] == (config.weight_identity, cross(seen["identity"], whose))
    assert found["pixel"][1] == 0
    said = networks["discriminator"](pairs.target)
    losses = de_gan._discriminate(config, networks, optimisers, pairs, person, pairs.source, fabric)
    torch.testing.assert_close(losses["head_real"], cross(said["expression"], pairs.label).detach())
    torch.testing.assert_close(losses["identity_real"], cross(said["identity"], person).detach())


def test_without_the_identity_head_nobody_is_told_apart(fabric):
    config, networks, optimisers = made(weight_identity=0.0)
    assert set(networks["discriminator"].heads) == {"expression"}
    losses = METHOD.step(config, networks, optimisers, batch_of(config), fabric, 0)
    assert not {"identity_real", "identity_synthetic"} & set(losses)


def test_the_recogniser_leaves_the_encoder_alone_and_gathers_mean_codes(fabric):
    config, networks, optimisers = made()
    networks["encoder"].eval()
    pairs, person = batch_of(config)
    pairs.label = torch.tensor([0, 5, 5, 5])
    pairs.intensity = torch.tensor([0.0, 1.0, 0.4, 0.7])
    METHOD.learn(config, networks, optimisers, (pairs, person), fabric, 0)
    assert not pulled(networks["encoder"]) and pulled(networks["recogniser"])
    codes = networks["encoder"](pairs.target)[0].detach()
    recogniser = networks["recogniser"]
    torch.testing.assert_close(recogniser.centre(torch.tensor([0, 5])), torch.stack([codes[0], codes[[1, 3]].mean(0)]))
    assert recogniser.counts.tolist() == [1, 0, 0, 0, 0, 2, 0, 0]


@pytest.mark.parametrize("parts", ["both", "code", "maps"])
def test_what_the_recogniser_looks_at(parts):
    _, networks, _ = made(parts=parts)
    codes, maps = torch.randn(4, 8).requires_grad_(), torch.randn(4, networks["encoder"].recorded).requires_grad_()
    networks["recogniser"](codes, maps).square().sum().backward()
    assert (codes.grad is not None, maps.grad is not None) == (parts != "maps", parts != "code")


def test_trained_like_every_method(small_table, resumed):
    config = METHOD.preset("smoke")
    whole = resumed(METHOD, config, small_table, (1, 2, 3))  # in stage 1, between both, in stage 2
    trained = runs.load(whole)
    assert trained.recognises and trained.takes_guide and not trained.draws_people
    found = trained.recognise(torch.rand(3, 3, 128, 128) * 2 - 1)
    torch.testing.assert_close(found.sum(1), torch.ones(3))


def test_edit_by_name_and_by_a_guide():
    config, networks, _ = made()
    torch.nn.init.normal_(networks["decoder"].last.weight)
    networks["recogniser"].count(torch.randn(8, 8), torch.arange(8), torch.ones(8))
    trained = METHOD.synthesiser(config, networks)
    faces, guide = torch.rand(2, 3, 48, 48) * 2 - 1, torch.rand(2, 3, 64, 64) * 2 - 1
    out = trained.edit(faces, ["happy", "neutral"], torch.tensor([0.5, 1.0]))
    assert out.shape == faces.shape and out.abs().max() <= 1 and not out.requires_grad
    assert torch.allclose(trained.edit(faces[:1], "happy", 0.5), out[:1], atol=1e-5)
    assert not torch.allclose(trained.edit(faces[:1], "happy", 1.0), out[:1], atol=1e-3)
    assert trained.edit(faces[:0], "fear").shape == (0, 3, 48, 48)
    led = trained.edit(faces, guide=guide)
    assert led.shape == faces.shape and not torch.equal(led, trained.edit(faces, guide=guide.flip(0)))
    assert torch.allclose(led[:1], trained.edit(faces[:1], guide=guide[:1]), atol=1e-5)
    assert torch.allclose(trained.edit(faces, guide=guide[:1])[:1], led[:1], atol=1e-5)
    assert torch.equal(trained.edit(faces, guide=guide, intensity=0.0), trained.edit(faces, guide=faces))
    with pytest.raises(FersynError, match="3 guides for 2 faces"):
        trained.edit(faces, guide=torch.zeros(3, 3, 48, 48))


def test_paper_preset(fabric):
    """No size is known: ours are those of the other systems at 128 px."""
    config = METHOD.preset("paper", batch=2)
    assert (config.size, config.width, METHOD.preset("paper").batch) == (128, 64, 16)
    torch.manual_seed(0)
    networks = METHOD.networks(config)
    counts = {name: sum(weight.numel() for weight in network.parameters()) for name, network in networks.items()}
    assert counts == {
        "encoder": 7_477_704, "decoder": 16_918_019, "discriminator": 27_671_473, "recogniser": 774_920,
    }  # fmt: skip
    codes, maps, _ = networks["encoder"](torch.zeros(2, 3, 128, 128))
    assert codes.shape == (2, 64) and maps.shape == (2, networks["encoder"].recorded) == (
        2,
        4 * (64 + 128 + 256 + 512 + 512),
    )
    for step in (METHOD.step, METHOD.learn):
        losses = step(config, networks, METHOD.optimisers(config, networks), batch_of(config), fabric, 0)
        assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("changes", [{"size": 48}, {"width": 0}, {"parts": "none"}, {"nonsense": 1}])
def test_settings_out_of_range_are_refused_by_name(changes):
    with pytest.raises(FersynError, match=next(iter(changes))):
        METHOD.preset("smoke", **changes)


def test_stages_and_people_that_do_not_fit(small_table):
    with pytest.raises(FersynError, match="recognition_steps is 4: it must be less than steps"):
        METHOD.stages(METHOD.preset("smoke", recognition_steps=4))
    with pytest.raises(FersynError, match="3 training people, de-gan tells 2 apart; --set people=3"):
        de_gan.Known(METHOD.preset("smoke", people=2), small_table, "cpu")


def test_each_training_person_has_a_number(small_table):
    batch, person = de_gan.Known(METHOD.preset("smoke", size=32), small_table, "cpu").batch(0, 8)
    names = small_table.people[batch.index_source.numpy()]
    assert [sorted(small_table.people_of("train")).index(name) for name in names] == person.tolist()


def test_bf16():
    mixed = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    config, networks, optimisers = made()
    for name in networks:
        networks[name], optimisers[name] = mixed.setup(networks[name], optimisers[name])
    for step in (METHOD.step, METHOD.learn):
        losses = step(config, networks, optimisers, batch_of(config), mixed, 0)
        assert all(torch.isfinite(loss) for loss in losses.values())
