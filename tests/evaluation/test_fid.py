import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.evaluation import bootstrap, fid

needs_network = pytest.mark.skipif(
    not fid.available(), reason="FID's network is not on this machine: fersyn weights fetch fid-inception"
)
HUB_NAME = "pt_inception-2015-12-05-6726825d.pth"  # where pytorch-fid's own command looks


def blobs(seed, count, shift=0.0, width=40):
    """Features that are correlated, as those of a network are."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(12, width))
    return rng.normal(size=(count, 12)) @ mix + 0.1 * rng.normal(size=(count, width)) + shift


@pytest.mark.parametrize(("n", "m"), [(30, 30), (25, 33), (70, 60)])  # fewer pictures than features, and more
def test_the_frechet_distance_is_that_of_pytorch_fid(n, m):
    from pytorch_fid.fid_score import calculate_frechet_distance

    a, b = blobs(0, n), blobs(1, m, 0.4)
    theirs = calculate_frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))
    # The root of a singular matrix is theirs to about 1e-3.
    assert fid.Distances(a, b).fid() == pytest.approx(theirs, rel=1e-3)


def test_few_pictures_give_what_the_exact_root_gives():
    a, b = blobs(2, 12), blobs(3, 12, 0.2)
    roots = np.linalg.eigvals(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False))
    exact = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False))
    assert fid.Distances(a, b).fid() == pytest.approx(exact - 2 * np.sqrt(roots.real.clip(0)).sum(), rel=1e-5)
    assert fid.Distances(a, a).fid() == pytest.approx(0, abs=1e-9)


def test_kid_is_that_of_torchmetrics_and_unbiased():
    from torchmetrics.image.kid import poly_mmd

    a, b = blobs(4, 30), blobs(5, 30, 0.3)
    theirs = poly_mmd(torch.from_numpy(a), torch.from_numpy(b)).item()
    assert fid.Distances(a, b).kid() == pytest.approx(theirs, rel=1e-9)
    same = [fid.Distances(blobs(seed, 20), blobs(seed + 500, 20)).kid() for seed in range(60)]
    apart = fid.Distances(blobs(0, 20), blobs(1, 20, 1.0)).kid()
    assert min(same) < 0 and abs(np.mean(same)) < 0.2 * apart, "as often below 0 as above, for sets that do not differ"


def test_positions_are_a_part_of_the_pictures():
    a, b = blobs(6, 20), blobs(7, 20, 0.2)
    both = fid.Distances(a, b)
    part = np.array([3, 5, 5, 8, 13, 19])
    assert both.fid(part) == pytest.approx(fid.Distances(a[part], b[part]).fid())
    assert both.kid(part) == pytest.approx(fid.Distances(a[part], b[part]).kid())


def test_intervals_hold_the_estimate_and_shrink_with_people():
    a, b = blobs(8, 120), blobs(9, 120, 0.3)
    few, many = fid.Distances(a[:24], b[:24]), fid.Distances(a, b)
    for name in ("fid", "kid"):
        one, other = (
            bootstrap.statistic(getattr(own, name), np.arange(len(own.made)) // 4, 100, centred=True)
            for own in (few, many)
        )
        assert one.low < one.value < one.high and one.people == 6 and other.people == 30
        assert other.high - other.low < one.high - one.low


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="two features"):
        fid.Distances(blobs(0, 1), blobs(1, 5)).fid()
    with pytest.raises(ValueError, match="two features"):
        fid.Distances(blobs(0, 5), blobs(1, 5)[:, :3]).fid()


def test_without_the_network_there_is_no_number(monkeypatch):
    monkeypatch.setattr(weights, "find", lambda name: None)
    assert not fid.available()
    with pytest.raises(FersynError, match="fersyn weights fetch fid-inception"):
        fid.features(torch.zeros(1, 3, 32, 32))


def test_the_caveat_names_the_number():
    assert "84 are few" in fid.caveat(84) and fid.caveat(20_000) == ""


@pytest.mark.slow
@needs_network
def test_ours_is_what_the_command_of_pytorch_fid_prints(small_table, tmp_path):
    """The official network both times; the command gets it from torch hub's cache, where its own download would lie."""
    neutral = np.flatnonzero(small_table.rows["expression"] == "neutral")
    index = [neutral, np.setdiff1d(np.arange(len(small_table)), neutral)[:5]]
    for name, own in zip("AB", index, strict=True):
        (tmp_path / name).mkdir()
        for k, image in enumerate(small_table.images(own)):
            Image.fromarray(image).save(tmp_path / name / f"{k}.png")
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    state = {**weights.state_dict(fid.WEIGHTS), "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(state, cache / HUB_NAME)
    command = [sys.executable, "-m", "pytorch_fid", "A", "B", "--device", "cpu", "--num-workers", "0", "--dims", "2048"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TORCH_HOME": str(tmp_path)},
    )
    theirs = float(done.stdout.split("FID:")[1])
    ours = fid.Distances(*(fid.features(small_table.tensor(own)) for own in index)).fid()
    assert ours == pytest.approx(theirs, abs=1e-3), f"{ours} here, {theirs} there"


@needs_network
def test_features_do_not_touch_the_random_state_and_notice_bytes(small_table):
    fid._network.cache_clear()
    state = torch.get_rng_state()
    faces = small_table.tensor([0, 1])
    found = fid.features(faces)
    assert torch.equal(state, torch.get_rng_state())
    assert found.shape == (2, 2048) and (found >= 0).all() and np.ptp(found) > 0.1
    assert np.array_equal(found, fid.features(faces + 0.3 / 255)), "less than half a level is no change"
