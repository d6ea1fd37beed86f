"""fesgan: who gets a gradient in which stage, what an image is decoded with and scored against, and that it is used as others are."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from lightning_fabric import Fabric
from torch.nn import functional

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.methods import fesgan
from fersyn.nets import identity
from fersyn.training import runs

METHOD = fesgan.METHOD
WEIGHTS = ("adversarial", "expression", "code", "identity", "pixel", "recognition", "intra_class")
SYNTHESIS = ("generator", "image_discriminator", "code_discriminator")


@pytest.fixture(scope="module")
def fabric():
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture(autouse=True)
def verifier(monkeypatch):
    """Stands in for the identity network: what it compares are the mean colours."""
    stand_in = SimpleNamespace(differ=lambda made, own: (made.mean((2, 3)) - own.mean((2, 3))).square().mean())
    monkeypatch.setattr(identity, "shared", lambda network, device: stand_in)


def made(*only, **changes):
    """Settings (of the losses `only` these count, or all), networks and optimisers."""
    torch.manual_seed(0)
    config = METHOD.preset("smoke", **changes)
    if only:
        config = config.replace(**{f"weight_{name}": 0.0 for name in WEIGHTS if name not in only})
    networks = METHOD.networks(config)
    return config, networks, METHOD.optimisers(config, networks)


def batch_of(config, seed=0):
    make = torch.Generator().manual_seed(seed)
    count, size = config.batch, config.size
    faces = torch.rand(2, count, 3, size, size, generator=make) * 2 - 1
    label = torch.arange(count) % 8
    return SimpleNamespace(
        source=faces[0],
        target=faces[1],
        label=label,
        source_label=label * 0,
        intensity=torch.rand(count, generator=make),
    )


def pulled(network):
    return any(weight.grad is not None and weight.grad.any() for weight in network.parameters())


def weights_of(network):
    return [weight.detach().clone() for weight in network.parameters()]


def moved(network, before):
    return any(not torch.equal(now, old) for now, old in zip(network.parameters(), before, strict=True))


KINDS = ["wgan-gp", "minimax", "non-saturating", "least-squares", "hinge"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_moves_its_networks_and_tells_its_losses(kind, fabric):
    config, networks, optimisers = made(adversarial=kind)
    networks["generator"].decoder[0].weight.data.mul_(20)  # so that faces differ, and the real ones from them
    for step, learning in ((METHOD.step, SYNTHESIS), (METHOD.join, (*SYNTHESIS, "recogniser"))):
        before = {name: weights_of(network) for name, network in networks.items()}
        losses = step(config, networks, optimisers, batch_of(config), fabric, 0)
        assert all(moved(networks[name], before[name]) == (name in learning) for name in networks)
        assert all(torch.isfinite(loss) and not loss.requires_grad for loss in losses.values())
    assert {"adversarial", "head_synthetic", "code", "pixel", "identity", "intra_class"} <= set(losses)
    assert all(weight.requires_grad for network in networks.values() for weight in network.parameters())


@pytest.mark.parametrize("loss", WEIGHTS)
def test_every_loss_reaches_the_generator(loss, fabric):
    """In stage 1 or, for those of the recogniser, in stage 2: encoder, and decoder but for the code's loss."""
    config, networks, optimisers = made(loss)
    step = METHOD.join if loss in ("recognition", "intra_class") else METHOD.step
    step(config, networks, optimisers, batch_of(config), fabric, 0)
    assert pulled(networks["generator"].encoder)
    assert pulled(networks["generator"].decoder) == (loss != "code")


@pytest.mark.parametrize("loss", ["adversarial", "expression", "recognition"])
def test_new_identities_count_as_edits_do(loss, fabric, monkeypatch):
    """With the edits' part cut off, what is drawn from the prior still leads the decoder."""
    config, networks, optimisers = made(loss)
    real = fesgan._made

    def cut(config, network, batch):
        made = real(config, network, batch)
        faces, count = made.faces, len(batch.label)
        return replace(made, faces=torch.cat([faces[:count].detach(), faces[count:]]), codes=made.codes.detach())

    monkeypatch.setattr(fesgan, "_made", cut)
    METHOD.join(config, networks, optimisers, batch_of(config), fabric, 0)
    assert pulled(networks["generator"].decoder)


def test_the_generator_gets_nothing_from_the_discriminators_step_and_they_nothing_from_its(fabric):
    config, networks, optimisers = made()
    batch = batch_of(config)
    found = fesgan._made(config, networks["generator"], batch)
    fesgan._discriminate(config, networks, optimisers, batch, found, fabric)
    assert not pulled(networks["generator"])
    assert pulled(networks["image_discriminator"]) and pulled(networks["code_discriminator"])
    for name in ("image_discriminator", "code_discriminator"):
        optimisers[name].zero_grad(set_to_none=True)
    with fesgan.judging(networks["image_discriminator"], networks["code_discriminator"]) as judges:
        terms = fesgan._terms(config, judges, batch, found, 0)
        sum(value for _, value in terms.values()).backward()
    assert pulled(networks["generator"])
    assert not pulled(networks["image_discriminator"]) and not pulled(networks["code_discriminator"])


def test_the_code_discriminator_s_terms(fabric):
    """-log D(prior) and -log(1 - D(face's code)), averaged; of the generator -log D(face's code)."""
    config, networks, optimisers = made()
    seen = []
    networks["code_discriminator"].register_forward_hook(lambda m, x, out: seen.append((x[0].detach(), out.detach())))
    batch = batch_of(config)
    losses = METHOD.step(config, networks, optimisers, batch, fabric, 0)
    (prior, of_prior), (codes, of_codes), (_, again) = seen
    assert prior.min() >= -1 and prior.max() <= 1 and not torch.equal(prior, codes)
    wanted = -(torch.sigmoid(of_prior).log().mean() + (1 - torch.sigmoid(of_codes)).log().mean()) / 2
    torch.testing.assert_close(losses["code_discriminator"], wanted)
    torch.testing.assert_close(losses["code"], -torch.sigmoid(again).log().mean())


class Painter(torch.nn.Module):
    """In the generator's place: it paints the label that it is given."""

    def __init__(self):
        super().__init__()
        self.encoder = self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, faces, label, prior, prior_label):
        painted = torch.cat([label, prior_label]).argmax(1) / 8 + 0 * self.weight
        return painted[:, None, None, None].expand(-1, 3, 32, 32), prior * 0 + self.weight


def sees(faces):
    """The painted labels as sure logits (N, 8)."""
    return 50.0 * functional.one_hot((faces.mean((1, 2, 3)) * 8).round().long().clamp(0, 7), 8) + 0 * faces.sum()


class Critic(torch.nn.Module):
    def forward(self, faces):
        return {"patches": faces.sum() * 0, "expression": sees(faces)}


class Reader(torch.nn.Module):
    """In the recogniser's place: it reads what was painted."""

    def features(self, faces):
        return sees(faces)

    def classify(self, features):
        return features


def test_an_image_is_decoded_with_the_label_that_it_is_scored_against(monkeypatch):
    config, _, _ = made(identity_faces=1)
    config = config.replace(batch=16)
    monkeypatch.setattr(fesgan, "augment", lambda faces: faces)
    monkeypatch.setattr(fesgan, "prepare", lambda faces: faces)
    batch = batch_of(config)
    batch.intensity = torch.ones(16)
    batch.target = (batch.label / 8)[:, None, None, None].expand(-1, 3, 32, 32)
    found = fesgan._made(config, Painter(), batch)
    assert torch.equal(found.labels[:16], batch.label)
    assert not torch.equal(found.labels[16:], batch.label), "new identities have expressions of their own"
    judges = [Critic(), lambda codes: codes.sum(1)]
    terms = fesgan._terms(config, judges, batch, found, 0)
    assert terms["head_synthetic"][1] < 1e-6
    losses, accuracies = fesgan._recognition(config, Reader(), [batch.target, found.faces], [batch.label, found.labels])
    assert accuracies == {"accuracy_real": 1, "accuracy_synthetic": 1}
    assert losses["intra_class"][1] == 0, "pairs are of one class"


def test_accuracies_of_real_and_of_synthetic_faces_are_never_pooled(monkeypatch):
    config, _, _ = made()
    monkeypatch.setattr(fesgan, "augment", lambda faces: faces)
    monkeypatch.setattr(fesgan, "prepare", lambda faces: faces)
    labels = torch.arange(8)
    faces = (labels / 8)[:, None, None, None].expand(-1, 3, 32, 32)
    _, found = fesgan._recognition(config, Reader(), [faces, faces.flip(0)], [labels, labels])
    assert found == {"accuracy_real": 1, "accuracy_synthetic": 0}


@pytest.mark.parametrize("guided", [True, False])
def test_rdbp_leaves_real_faces_alone(guided):
    """The intra-class loss pulls synthetic faces and the recogniser; real faces get a gradient without RDBP alone."""
    config, networks, _ = made("intra_class", guided=guided, weight_intra_class=1.0)
    real, synthetic = (torch.rand(8, 3, 32, 32).requires_grad_() for _ in range(2))
    labels = torch.arange(8)
    losses, _ = fesgan._recognition(config, networks["recogniser"], [real, synthetic], [labels, labels])
    losses["intra_class"][1].backward()
    assert synthetic.grad.any() and pulled(networks["recogniser"])
    assert (real.grad is not None and bool(real.grad.any())) == (not guided)


def test_the_classification_loss_updates_recogniser_and_generator(fabric):
    config, networks, optimisers = made("recognition")
    before = {name: weights_of(network) for name, network in networks.items()}
    METHOD.join(config, networks, optimisers, batch_of(config), fabric, 0)
    assert moved(networks["recogniser"], before["recogniser"]) and moved(networks["generator"], before["generator"])


@pytest.mark.parametrize("learns_from", ["stage 1", "real"])
def test_without_joint_learning_the_recogniser_alone_learns(learns_from, fabric):
    config, networks, optimisers = made(learns_from=learns_from)
    (_, joint), seen = METHOD.stages(config), []
    assert joint.networks == ("recogniser",)
    networks["generator"].register_forward_hook(lambda *_: seen.append(1))
    before = {name: weights_of(network) for name, network in networks.items()}
    losses = METHOD.join(config, networks, optimisers, batch_of(config), fabric, 0)
    assert [name for name in networks if moved(networks[name], before[name])] == ["recogniser"]
    assert len(seen) == (learns_from == "stage 1") == ("accuracy_synthetic" in losses)
    assert not pulled(networks["generator"])


def test_the_verifier_of_the_identity_term_is_asked_now_and_then(fabric, monkeypatch):
    asked = []
    stand_in = SimpleNamespace(differ=lambda made, own: asked.append(len(made)) or made.mean() * 0)
    monkeypatch.setattr(identity, "shared", lambda network, device: stand_in)
    config, networks, optimisers = made(identity_faces=3, identity_every=2)
    for step in range(4):
        METHOD.step(config, networks, optimisers, batch_of(config), fabric, step)
    assert asked == [3, 3]


def test_trained_like_every_method(small_table, resumed):
    config = METHOD.preset("smoke", adversarial="hinge")
    whole = resumed(METHOD, config, small_table, (1, 2, 3))  # in stage 1, between both, in stage 2
    head = (whole / "log.csv").read_text().splitlines()[0].split(",")
    assert {"accuracy_real", "accuracy_synthetic", "head_real", "head_synthetic"} <= set(
        head
    ) and "accuracy" not in head
    trained = runs.load(whole)
    assert trained.draws_people and trained.recognises and trained.method.edits
    faces, labels = trained.sample(3, ["neutral", "happiness", "fear"], seed=4)
    assert faces.shape == (3, 3, 32, 32) and faces.abs().max() <= 1
    assert [EXPRESSIONS[k] for k in labels] == ["neutral", "happiness", "fear"]
    assert torch.equal(trained.sample(2, ["neutral", "happiness"], seed=4)[0], faces[:2])
    assert not torch.equal(trained.sample(1, "neutral", seed=5)[0], faces[:1])
    assert trained.sample(0, [])[0].shape == (0, 3, 32, 32)
    found = trained.recognise(torch.rand(3, 3, 128, 128) * 2 - 1)
    torch.testing.assert_close(found.sum(1), torch.ones(3))


@pytest.mark.parametrize("transfer", [False, True])
def test_edit(transfer):
    config, networks, _ = made(transfer=transfer)
    networks["generator"].decoder[0].weight.data.mul_(20)
    for layer in networks["generator"].decoder:
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_var.fill_(1e-3)  # small signals grow, as after a training
    trained = METHOD.synthesiser(config, networks)
    faces = torch.rand(2, 3, 48, 48) * 2 - 1
    out = trained.edit(faces, ["happy", "neutral"], torch.tensor([0.5, 1.0]))
    assert out.shape == faces.shape and out.abs().max() <= 1 and not out.requires_grad
    assert torch.allclose(trained.edit(faces[:1], "happy", 0.5), out[:1], atol=1e-5)
    assert not torch.allclose(trained.edit(faces[:1], "happy", 1.0), out[:1], atol=1e-3)
    assert trained.edit(faces[:0], "fear").shape == (0, 3, 48, 48)


def test_with_transfer_the_change_alone_is_judged(fabric):
    """What is judged is the source and the change; what is decoded learns from the pixels as well."""
    config, networks, optimisers = made("pixel", transfer=True)
    batch = batch_of(config)
    batch.source_label = batch.label.clone()
    batch.intensity = torch.ones(len(batch.label))
    found = fesgan._made(config, networks["generator"], batch)
    count = len(batch.label)
    torch.testing.assert_close(found.faces[:count], batch.source, msg="worn and asked for are alike: no change")
    assert not torch.allclose(found.decoded, batch.source)
    losses = METHOD.step(config, networks, optimisers, batch, fabric, 0)
    torch.testing.assert_close(losses["pixel"], (batch.source - batch.target).abs().mean())
    assert losses["decoded"] > 0 and pulled(networks["generator"].encoder)


def test_transfer_gives_a_face_the_change_alone():
    """Of a recogniser that is sure of what a face shows, and asked for just that, nothing changes."""
    config, networks, _ = made(transfer=True)
    trained = METHOD.synthesiser(config, networks)
    sure = torch.zeros(1, 8)
    sure[:, EXPRESSIONS.index("fear")] = 1
    trained.recognise = lambda faces: sure
    faces = torch.rand(1, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(trained.edit(faces, "fear"), faces)
    assert not torch.allclose(trained.edit(faces, "happiness"), faces)


def test_published_sizes(fabric):
    """Five convolutions of 64 to 1024, a code of 64, six transposed ones up to 128 px; a step there."""
    config = METHOD.preset("paper", batch=2, identity_faces=1)
    assert (config.size, config.lr, config.betas, METHOD.preset("paper").batch) == (128, 1e-4, (0.5, 0.999), 16)
    assert (config.steps - config.joint_steps) / config.steps == 0.4 and config.adversarial == "wgan-gp"
    torch.manual_seed(0)
    networks = METHOD.networks(config)
    layers = [each for each in networks["generator"].modules() if isinstance(each, torch.nn.Conv2d)]
    assert [each.out_channels for each in layers] == [64, 128, 256, 512, 1024]
    assert {(each.kernel_size, each.stride) for each in layers} == {((4, 4), (2, 2))}
    layers = [each for each in networks["generator"].modules() if isinstance(each, torch.nn.ConvTranspose2d)]
    assert [each.out_channels for each in layers] == [1024, 512, 256, 128, 64, 3]
    counts = {name: sum(weight.numel() for weight in network.parameters()) for name, network in networks.items()}
    assert counts == {
        "generator": 23_541_507, "image_discriminator": 11_286_473, "code_discriminator": 8_385, "recogniser": 319_864,
    }  # fmt: skip
    batch = batch_of(config)
    found = fesgan._made(config, networks["generator"], batch)
    assert found.faces.shape == (4, 3, 128, 128) and found.codes.shape == (2, 64) and found.codes.abs().max() <= 1
    losses = METHOD.join(config, networks, METHOD.optimisers(config, networks), batch, fabric, 0)
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize(
    "changes", [{"size": 48}, {"size": 16}, {"width": 0}, {"learns_from": "nobody"}, {"nonsense": 1}]
)
def test_settings_out_of_range_are_refused_by_name(changes):
    with pytest.raises(FersynError, match=next(iter(changes))):
        METHOD.preset("smoke", **changes)


def test_both_stages_take_steps():
    with pytest.raises(FersynError, match="joint_steps is 4: it must be less than steps"):
        METHOD.stages(METHOD.preset("smoke", joint_steps=4))


def test_bf16():
    mixed = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    for kind in ("hinge", "wgan-gp"):
        config, networks, optimisers = made(adversarial=kind)
        for name in networks:
            networks[name], optimisers[name] = mixed.setup(networks[name], optimisers[name])
        losses = METHOD.join(config, networks, optimisers, batch_of(config), mixed, 0)
        assert all(torch.isfinite(loss) for loss in losses.values())


def test_who_names_no_expressions_says_so():
    from fersyn.methods import copy

    with pytest.raises(FersynError, match="copy names no expressions"):
        copy.METHOD.synthesiser(copy.METHOD.preset("smoke"), {}).recognise(torch.zeros(1, 3, 32, 32))
