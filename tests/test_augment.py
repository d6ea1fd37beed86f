import numpy as np
import torch

from fersyn import augment
from fersyn.faces.heatmaps import heatmaps
from fersyn.faces.landmarks import MIRROR


def blobs(points):
    """Pictures with a bright spot at each point: (N, 3, 64, 64) in [-1, 1]."""
    return heatmaps(points, 64, 1.5).expand(-1, 3, -1, -1) * 2 - 1


def none(count):
    return augment.draw(count, 0.0, np.random.default_rng(0))


def test_strength_0_changes_nothing():
    images, points = torch.rand(3, 3, 16, 16) * 2 - 1, torch.rand(3, 68, 2) * 15
    new, moved = augment.apply(none(3), images, points)
    assert torch.allclose(new, images, atol=3e-4) and torch.equal(moved, points)


def test_landmarks_go_where_the_pixels_go():
    random = np.random.default_rng(3)
    points = torch.from_numpy(random.uniform(20, 43, (8, 68, 2))).float()
    drawn = augment.draw(8, 1.0, random)
    only = {name: drawn[name] for name in ("mirror", "turn", "scale", "shift_x", "shift_y")}
    variation = {**none(8), **only, "moved": np.ones(8)}
    images, moved = augment.apply(variation, blobs(points), points)
    assert (moved - points).abs().max() > 2

    def error(shift=(0.0, 0.0)):
        return (images - blobs(moved + torch.tensor(shift))).abs().mean()

    for shift in ((0.4, 0.0), (-0.4, 0.0), (0.0, 0.4), (0.0, -0.4)):
        assert error() < 0.75 * error(shift)


def test_mirror_alone_is_exact():
    variation = {**none(2), "mirror": np.array([1.0, 0.0])}
    images, points = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 68, 2) * 31
    new, moved = augment.apply(variation, images, points)
    assert torch.allclose(new[0], images[0].flip(-1), atol=3e-4) and torch.allclose(new[1], images[1], atol=3e-4)
    assert torch.equal(moved[0, :, 0], 31 - points[0, list(MIRROR), 0]) and torch.equal(moved[1], points[1])


def test_source_and_target_change_alike():
    variation = augment.draw(6, 1.0, np.random.default_rng(1))
    images, points = torch.rand(6, 3, 32, 32) * 2 - 1, torch.rand(6, 68, 2) * 31
    one, two = augment.apply(variation, images, points), augment.apply(variation, images.clone(), points)
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
    assert one[0].abs().max() <= 1 and not torch.allclose(one[0], images, atol=0.05)


def test_grey_and_blur():
    base = none(2)
    images, points = torch.rand(2, 3, 64, 64) * 2 - 1, torch.zeros(2, 68, 2)
    grey, _ = augment.apply({**base, "grey": np.array([1.0, 0.0])}, images, points)
    assert (grey[0] - grey[0, :1]).abs().max() < 1e-6 and (grey[1] - grey[1, :1]).abs().max() > 0.1
    blur, _ = augment.apply({**base, "blur": np.array([0.0, 2 / 64])}, images, points)
    assert torch.allclose(blur[0], images[0], atol=3e-4)
    assert blur[1].std() < images[1].std() / 3 and abs(blur[1].mean() - images[1].mean()) < 0.02
