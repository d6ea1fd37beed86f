import numpy as np
import pytest
import torch

from fersyn.errors import FersynError
from fersyn.nets import recogniser
from fersyn.pixels import to_floats


def test_global_random_state_is_left_alone():
    faces = torch.rand(4, 3, 64, 64)
    state = torch.get_rng_state().clone()
    recogniser.train_recogniser(faces, torch.tensor([0, 1, 0, 1]), epochs=1, classes=2)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("count", [1, 5])
def test_probabilities(count):
    network = recogniser.Recogniser(8).eval()
    found = recogniser.predict(network, torch.rand(count, 3, 128, 128) * 2 - 1)
    assert found.shape == (count, 8)
    assert found.sum(1).numpy() == pytest.approx(np.ones(count), abs=1e-5)


def test_a_face_and_its_mirror_image_are_named_alike():
    network = recogniser.Recogniser(8).eval()
    faces = torch.rand(2, 3, 128, 128) * 2 - 1
    assert torch.allclose(recogniser.predict(network, faces), recogniser.predict(network, faces.flip(3)), atol=1e-4)


def test_nothing_to_predict():
    assert recogniser.predict(recogniser.Recogniser(5).eval(), torch.zeros(0, 3, 128, 128)).shape == (0, 5)


def test_prepared_faces_ignore_brightness_and_a_flat_face_is_finite():
    faces = torch.rand(2, 3, 128, 128) - 0.5
    side = recogniser.INPUT + 2 * recogniser.MARGIN
    assert recogniser.prepare(faces).shape == (2, 1, side, side)
    assert torch.allclose(recogniser.prepare(faces), recogniser.prepare(faces + 0.2), atol=1e-4)
    assert torch.isfinite(recogniser.prepare(torch.zeros(1, 3, 128, 128))).all()


def test_augmented_faces_come_from_the_generator():
    faces = recogniser.prepare(torch.rand(4, 3, 128, 128))
    draws = [recogniser.augment(faces, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert draws[0].shape == (4, 1, recogniser.INPUT, recogniser.INPUT)
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])


def test_wrong_labels_are_refused():
    with pytest.raises(FersynError, match="leave out faces without a label"):
        recogniser.train_recogniser(torch.rand(2, 3, 64, 64), torch.tensor([-1, 0]))
    with pytest.raises(FersynError, match="1 faces|0 faces"):
        recogniser.train_recogniser(torch.rand(0, 3, 64, 64), torch.tensor([], dtype=torch.long))


def test_steps_pool_and_variation_say_what_is_seen():
    faces, labels = torch.rand(6, 3, 64, 64) * 2 - 1, torch.tensor([0, 1, 0, 1, 0, 1])
    seen, epochs = [], []

    def before(some, generator):
        seen.extend(some.clone())
        return some

    pool = torch.tensor([2, 2, 3, 3])
    recogniser.train_recogniser(
        faces, labels, classes=2, batch=2, steps=5, pool=pool, vary=recogniser.middle, before=before,
        report=lambda epoch, loss: epochs.append(epoch),
    )  # fmt: skip
    assert len(seen) == 10 and epochs == [1, 2], "two steps a pass, and one left over"
    for face in seen:
        assert any(torch.equal(face, faces[k]) for k in (2, 3)), "only what is dealt"
    with pytest.raises(FersynError, match="steps = 0"):
        recogniser.train_recogniser(faces, labels, classes=2, steps=0)


def test_bytes_and_floats_are_the_same_faces():
    faces = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    labels, network = torch.tensor([0, 1, 0, 1]), recogniser.Recogniser(2).eval()
    floats = to_floats(faces)
    assert floats.min() >= -1 and floats.max() <= 1
    assert torch.allclose(recogniser.predict(network, faces), recogniser.predict(network, floats))
    one, two = (recogniser.train_recogniser(each, labels, epochs=2, classes=2) for each in (faces, floats))
    assert all(torch.allclose(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def some_faces(count=24):
    faces = torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return faces, torch.arange(count) % 2, torch.arange(count) % 3 == 0


def test_what_is_synthesised_makes_no_difference_unless_asked():
    faces, labels, made = some_faces()
    told = recogniser.Synthesis(made)
    one, two = (
        recogniser.train_recogniser(faces, labels, epochs=3, classes=2, batch=8, synthesis=each)
        for each in (None, told)
    )
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "change", [{"smoothing": (0.0, 0.3)}, {"intra_class": 0.1}, {"intra_class": 0.1, "guided": True}]
)
def test_what_is_synthesised_makes_a_difference_where_asked(change):
    faces, labels, made = some_faces()
    one, two = (
        recogniser.train_recogniser(
            faces, labels, epochs=3, classes=2, batch=8, synthesis=recogniser.Synthesis(made, **each)
        )
        for each in ({}, change)
    )
    assert not torch.allclose(one[-1].weight, two[-1].weight, atol=1e-5)


def test_labels_of_synthesised_faces_alone_are_smoothed():
    torch.manual_seed(0)
    network, seen = recogniser.Recogniser(4).eval(), torch.randn(6, 1, 48, 48)
    labels, made = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([False, False, True, True, False, True])
    weight, chosen = torch.tensor([1.0, 2.0, 0.5, 1.0]), torch.arange(6)
    own = network(seen).log_softmax(1)
    hard = -(weight[labels] * own[range(6), labels])
    soft = 0.7 * hard - 0.3 / 4 * (own * weight).sum(1)
    wanted = torch.where(made, soft, hard).sum() / weight[labels].sum()
    told = recogniser.Synthesis(made, smoothing=(0.0, 0.3))
    torch.testing.assert_close(told.loss(network, seen, labels, weight, chosen), wanted)


def test_synthesis_of_other_faces_is_refused():
    faces, labels, made = some_faces()
    with pytest.raises(FersynError, match="23 faces"):
        recogniser.train_recogniser(faces, labels, classes=2, synthesis=recogniser.Synthesis(made[1:]))
    with pytest.raises(FersynError, match="smoothing"):
        recogniser.train_recogniser(faces, labels, classes=2, synthesis=recogniser.Synthesis(made, (0.0, 2.0)))


def test_resnet18_is_trained_and_asked_as_the_small_cnn_is():
    faces, labels, losses = torch.rand(8, 3, 64, 64) * 2 - 1, torch.arange(8) % 2, []
    network = recogniser.train_recogniser(
        faces, labels, 4, classes=2, batch=8, network="resnet18", vary=recogniser.middle,
        report=lambda _, loss: losses.append(loss), synthesis=recogniser.Synthesis(torch.arange(8) < 4, intra_class=0.01),
    )  # fmt: skip
    assert losses[-1] < losses[0] and not network.training
    assert recogniser.predict(network, faces).shape == (8, 2) and recogniser.predict(network, faces[:0]).shape == (0, 2)


def test_resnet18_sees_colours_as_imagenet_s_and_begins_with_its_weights_where_they_are(monkeypatch):
    from torchvision.models import resnet18

    from fersyn import weights

    network = recogniser.make("resnet18", 7)
    seen = recogniser.middle(recogniser.prepare(torch.zeros(2, 3, 128, 128), network))
    assert seen.shape == (2, 3, 64, 64) and network(seen).shape == (2, 7) and network.features(seen).shape == (2, 512)
    torch.testing.assert_close(
        seen[0, :, 0, 0], (0.5 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    )
    torch.testing.assert_close(network.eval()(seen), network.network(seen))
    given = resnet18().state_dict()
    monkeypatch.setattr(weights, "state_dict", lambda name: {"resnet18": given}[name])
    own = recogniser.make("resnet18-imagenet", 7).network.state_dict()
    assert torch.equal(own["layer4.1.conv2.weight"], given["layer4.1.conv2.weight"]) and own["fc.weight"].shape == (
        7,
        512,
    )
    assert sum(weight.numel() for weight in network.parameters()) == 11_176_512 + 513 * 7
    with pytest.raises(FersynError, match="'vgg' is unknown; use one of: cnn, resnet18, resnet18-imagenet"):
        recogniser.make("vgg")


def test_missing_imagenet_weights_say_how_to_get_them(monkeypatch):
    from fersyn.weights import places

    monkeypatch.setattr(places, "find", lambda name: None)
    with pytest.raises(FersynError, match="resnet18"):
        recogniser.make("resnet18-imagenet")
