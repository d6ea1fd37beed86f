import numpy as np
import pytest
import torch

from fersyn.errors import FersynError
from fersyn.evaluation import quality
from fersyn.methods.copy_source import CopySource


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
    found = list(zip(quality.psnr(*ours).tolist(), quality.ssim(*ours).tolist(), strict=True))
    for i in range(3):
        made, target = (stack[i].permute(1, 2, 0).numpy() for stack in stacks)
        similar = structural_similarity(
            made, target, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert found[i] == pytest.approx((peak_signal_noise_ratio(target, made), similar), abs=1e-3)


def test_st_lpips_is_zero_for_equal_faces_and_grows(faces):
    equal, near, far = (quality.st_lpips(other, faces) for other in (faces, spoilt(faces, 0.05), -faces))
    assert equal.shape == (3,) and equal.abs().max() < 1e-6
    assert (near > 1e-4).all() and (far > near).all()
    shift, noise = quality.st_lpips(faces.roll(1, -1), faces), quality.st_lpips(spoilt(faces, 0.2), faces)
    assert (shift < noise).all()


def test_st_lpips_leaves_nothing_behind(faces):
    import sys

    state = torch.get_rng_state()
    quality._network.cache_clear()
    quality.st_lpips(faces, faces)
    assert torch.equal(state, torch.get_rng_state())
    assert getattr(sys.modules.get("torchsummary"), "summary", "not there") is not None


def test_shapes_must_fit(faces):
    with pytest.raises(ValueError, match="alike"):
        quality.ssim(faces, faces[:2])


class Perfect:
    """Knows the answers."""

    name, needs_landmarks, size = "perfect", True, 128

    def __init__(self, pairs, chosen):
        self.answers, self.asked = iter(pairs.gather(chosen).target.split(5)), []

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        self.asked += list(zip(expression, landmarks, strict=True))
        return next(self.answers)


def test_evaluate_gives_the_targets_landmarks_and_summary_averages_over_people(small_table):
    pairs, chosen = quality.measured_pairs(small_table, everybody=True)
    assert len(chosen) == 4 * 6, "of each of the four people the six expressions besides neutral, once"
    perfect = Perfect(pairs, chosen)
    frames = {
        "copy": quality.evaluate(CopySource(128), pairs, chosen),
        "perfect": quality.evaluate(perfect, pairs, chosen, batch=5),
    }
    labels = small_table.rows["expression"].to_numpy()
    for (name, points), (_, target) in zip(perfect.asked, chosen, strict=True):
        assert name == labels[target]
        assert np.allclose(points.numpy(), small_table.landmarks([target])[0], atol=1e-4)
    frame = frames["copy"]
    assert list(frame["person"]) == list(small_table.people[frame["target"]])
    assert (frame["psnr"] < 60).all() and (frames["perfect"]["ssim"] > 0.9999).all()

    table = quality.summary(frames).set_index("method")
    means = frame.groupby("person")["ssim"].mean()
    assert table.loc["copy", "ssim"] == pytest.approx(means.mean())
    assert table.loc["copy", "ssim_deviation"] == pytest.approx(np.std(means, ddof=1))
    assert table.loc["copy", "people"] == 4 and table.loc["copy", "pictures"] == 24
    assert table.loc["perfect", "st_lpips"] < 1e-6


def test_only_held_out_people_unless_asked_otherwise(small_table):
    pairs, chosen = quality.measured_pairs(small_table)
    assert set(small_table.rows["split"].iloc[chosen.ravel()]) == {"test"}


def test_a_table_without_a_test_side_is_refused(small_table):
    from fersyn.table import FaceTable

    rows = small_table.rows.assign(split="train")
    with pytest.raises(FersynError, match="held out"):
        quality.measured_pairs(FaceTable(small_table.path, rows, small_table.info, small_table.skipped))
