import warnings

import pytest
import torch

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.evaluation import lpips_distance

needs_weights = pytest.mark.skipif(
    not lpips_distance.available(), reason="AlexNet's weights are not on this machine: fersyn weights fetch lpips-alex"
)


def spoilt(faces, amount):
    return (faces + amount * torch.randn(faces.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)


@needs_weights
def test_it_is_the_distance_of_the_package_itself(small_table, monkeypatch):
    """The package builds its own network and loads AlexNet by its own code; only torchvision's download is replaced."""
    import lpips
    import torchvision

    state, build = weights.state_dict(lpips_distance.WEIGHTS), torchvision.models.alexnet

    def alexnet(pretrained=False, **options):
        network = build()
        if pretrained:
            network.features.load_state_dict({name[len("features.") :]: value for name, value in state.items()})
        return network

    monkeypatch.setattr(torchvision.models, "alexnet", alexnet)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net="alex", verbose=False)
    faces = small_table.tensor([0, 3, 8, 11])
    others = torch.stack([faces[1], spoilt(faces[1:2], 0.2)[0], faces[2].roll(2, -1), faces[0]])
    with torch.no_grad():
        wanted = theirs(others, faces).reshape(-1)
    assert torch.allclose(lpips_distance.lpips(others, faces), wanted, atol=1e-6)


@needs_weights
def test_the_order_is_a_persons_order(small_table):
    faces = small_table.tensor([0, 3])
    equal, near, far = (lpips_distance.lpips(other, faces) for other in (faces, spoilt(faces, 0.05), -faces))
    assert equal.abs().max() < 1e-6 and (near > 1e-4).all() and (far > near).all() and (far < 2).all()


@needs_weights
def test_nothing_is_left_behind(small_table):
    faces = small_table.tensor([0])
    lpips_distance._network.cache_clear()
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lpips_distance.lpips(faces, faces)
    assert torch.equal(state, torch.get_rng_state())


def test_without_weights_there_is_no_number(small_table, monkeypatch):
    lpips_distance._network.cache_clear()
    monkeypatch.setattr(weights, "find", lambda name: None)
    faces = small_table.tensor([0])
    assert not lpips_distance.available()
    with pytest.raises(FersynError, match="fersyn weights fetch lpips-alex"):
        lpips_distance.lpips(faces, faces)


def test_shapes_must_fit(small_table):
    with pytest.raises(ValueError, match="alike"):
        lpips_distance.lpips(small_table.tensor([0, 1]), small_table.tensor([0]))
