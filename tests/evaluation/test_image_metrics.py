import warnings

import pytest
import torch

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.evaluation import image_metrics


@pytest.fixture(scope="module")
def faces(small_table):
    return small_table.tensor([0, 3, 8])


def spoilt(faces, amount=0.1):
    return (faces + amount * torch.randn(faces.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)


def test_psnr_and_ssim_are_those_of_scikit_image_for_bytes(faces):
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    other = torch.stack([spoilt(faces[:1], 0.05)[0], spoilt(faces[1:2], 0.4)[0], faces[2].roll(3, -1)])
    stacks = [((stack + 1) * 127.5).round().byte() for stack in (other, faces)]
    ours = [stack.float() / 127.5 - 1 for stack in stacks]
    found = list(zip(image_metrics.psnr(*ours).tolist(), image_metrics.ssim(*ours).tolist(), strict=True))
    for i in range(3):
        made, target = (stack[i].permute(1, 2, 0).numpy() for stack in stacks)
        similar = structural_similarity(
            made, target, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert found[i] == pytest.approx((peak_signal_noise_ratio(target, made), similar), abs=1e-3)


def test_st_lpips_is_zero_for_equal_faces_and_grows(faces):
    equal, near, far = (image_metrics.st_lpips(other, faces) for other in (faces, spoilt(faces, 0.05), -faces))
    assert equal.shape == (3,) and equal.abs().max() < 1e-6
    assert (near > 1e-4).all() and (far > near).all()
    shift, noise = image_metrics.st_lpips(faces.roll(1, -1), faces), image_metrics.st_lpips(spoilt(faces, 0.2), faces)
    assert (shift < noise).all()


def test_st_lpips_leaves_nothing_behind(faces):
    import sys

    state = torch.get_rng_state()
    image_metrics._st_lpips_network.cache_clear()
    image_metrics.st_lpips(faces, faces)
    assert torch.equal(state, torch.get_rng_state())
    assert getattr(sys.modules.get("torchsummary"), "summary", "not there") is not None


def test_shapes_must_fit(faces):
    for metric in (image_metrics.ssim, image_metrics.lpips):
        with pytest.raises(ValueError, match="alike"):
            metric(faces, faces[:2])


needs_weights = pytest.mark.skipif(
    weights.find(image_metrics.LPIPS) is None,
    reason="AlexNet's weights are not on this machine: fersyn weights fetch lpips-alex",
)


@needs_weights
def test_lpips_is_the_distance_of_the_package_itself(small_table, monkeypatch):
    """The package builds its own network and loads AlexNet by its own code; only torchvision's download is replaced."""
    import lpips
    import torchvision

    state, build = weights.state_dict(image_metrics.LPIPS), torchvision.models.alexnet

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
    assert torch.allclose(image_metrics.lpips(others, faces), wanted, atol=1e-6)


@needs_weights
def test_lpips_the_order_is_a_persons_order(small_table):
    faces = small_table.tensor([0, 3])
    equal, near, far = (image_metrics.lpips(other, faces) for other in (faces, spoilt(faces, 0.05), -faces))
    assert equal.abs().max() < 1e-6 and (near > 1e-4).all() and (far > near).all() and (far < 2).all()


@needs_weights
def test_lpips_leaves_nothing_behind(small_table):
    faces = small_table.tensor([0])
    image_metrics._lpips_network.cache_clear()
    state = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image_metrics.lpips(faces, faces)
    assert torch.equal(state, torch.get_rng_state())


def test_without_weights_there_is_no_number(small_table, monkeypatch):
    image_metrics._lpips_network.cache_clear()
    monkeypatch.setattr(weights, "find", lambda name: None)
    faces = small_table.tensor([0])
    with pytest.raises(FersynError, match="fersyn weights fetch lpips-alex"):
        image_metrics.lpips(faces, faces)
    image_metrics._st_lpips_network.cache_clear()
    monkeypatch.setattr(weights.readers, "locate", lambda name: None)
    with pytest.raises(FersynError, match="ST-LPIPS cannot be loaded"):
        image_metrics.st_lpips(faces, faces)


def test_st_lpips_has_the_weights_of_the_register(small_table, monkeypatch):
    """The file that the page prints the hash of is the one that the numbers come from."""
    from stlpips_pytorch import stlpips

    asked = []
    read = weights.state_dict
    monkeypatch.setattr(weights, "state_dict", lambda name: asked.append(name) or read(name))
    image_metrics._st_lpips_network.cache_clear()
    faces = small_table.tensor([0, 3])
    found = image_metrics.st_lpips(faces, faces.flip(0))
    assert asked == [image_metrics.ST_LPIPS]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        theirs = stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False).eval()
        torch.testing.assert_close(found, theirs(faces, faces.flip(0)).reshape(-1), atol=1e-6, rtol=0)
