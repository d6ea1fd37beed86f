import pytest
import torch

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.faces.crop import FIVE_112, five_points
from fersyn.nets import identity
from fersyn.pixels import resize


def test_the_first_verifier_that_is_there_is_taken_and_named(monkeypatch):
    there = {"sface", "light-cnn-9"}
    monkeypatch.setattr(weights, "find", lambda name: name in there)
    assert identity.describe() == "identity by LightCNN-9"
    there.discard("light-cnn-9")
    assert identity.describe() == "identity by SFace, for want of Light CNN's weights"
    there.clear()
    assert identity.describe() == "identity by dlib's face ResNet, for want of Light CNN's weights"
    assert identity.describe("dlib") == "identity by dlib's face ResNet"
    with pytest.raises(FersynError, match="weights of sface.*fersyn weights"):
        identity.resolve("sface")
    with pytest.raises(FersynError, match="'arc' is unknown; use auto or one of"):
        identity.resolve("arc")


@pytest.mark.parametrize("size", [64, 128])
def test_faces_stand_where_the_networks_look_for_them(small_table, size):
    """Eyes, nose and mouth of neutral faces, by the one crop of all, against what the verifiers' own alignment would do."""
    points = (small_table.landmarks([0, 7, 14, 21]) + 0.5) * (size / 128) - 0.5
    found = five_points(identity.crop_of("sface", size).apply(points)).mean(0)
    assert abs(found - FIVE_112).max() < 5
    eyes, mouth = (
        five_points(identity.crop_of("light-cnn-9", size).apply(points)).mean(0)[part].mean(0)
        for part in (slice(2), slice(3, 5))
    )
    assert abs(eyes - (64, 40)).max() < 5 and abs(mouth - (64, 88)).max() < 5


def test_the_same_person_is_nearer_and_gradients_reach_what_is_generated_alone(small_table):
    """By dlib's network, which is always there; at half the size, too."""
    network, faces = identity.Identity("dlib"), small_table.tensor([0, 1, 7, 8])
    for size in (128, 64):
        found = network(resize(faces, size))
        torch.testing.assert_close(found.norm(dim=1), torch.ones(4))
        alike = found @ found.t()
        assert min(alike[0, 1], alike[2, 3]) > alike[:2, 2:].max()
    generated, own = (resize(each, 64).requires_grad_() for each in (faces[:2], faces[2:]))
    loss = network.differ(generated, own)
    loss.backward()
    assert loss > 0 and generated.grad.any() and own.grad is None
    assert not any(weight.requires_grad for weight in network.parameters())
