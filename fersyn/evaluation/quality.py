"""How close a synthesised face comes to the photograph of the same person with that expression: PSNR, SSIM, ST-LPIPS.

PSNR and SSIM are equations (8) and (9) of Li, Qi & Sun, IEEE Access 9, 2021; re-implementations of SSIM differ in
window, deviation and data range, so `SETTINGS` says which ones are meant here. ST-LPIPS (Ghildyal & Liu, ECCV 2022)
is a learned distance that forgives a shift by a pixel; the paper does not have it.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.methods.base import Synthesiser
from fersyn.pairs import Pairs

WINDOW, DEVIATION, DATA_RANGE = 11, 1.5, 2.0  # px, px, of pixels in [-1, 1]: the same as 255 of bytes
SETTINGS = (
    f"PSNR: peak {DATA_RANGE:g} for pixels in [-1, 1] (255 of bytes), over all three channels. "
    f"SSIM: Gaussian window of {WINDOW} × {WINDOW} px, σ = {DEVIATION:g} px, data range {DATA_RANGE:g}, K1 = 0.01, "
    "K2 = 0.03, black at 0, without the rim, mean over colour channels: as scikit-image gives it for bytes. "
    "ST-LPIPS: shift-tolerant AlexNet of stlpips_pytorch."
)
METRICS = ("psnr", "ssim", "st_lpips")
TITLES = {"psnr": "PSNR, dB", "ssim": "SSIM", "st_lpips": "ST-LPIPS"}
BETTER = {"psnr": max, "ssim": max, "st_lpips": min}


def psnr(made: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (N,), dB, of faces (N, 3, H, W) in [-1, 1]; infinite for equal ones."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return peak_signal_noise_ratio(*_checked(made, target), DATA_RANGE, reduction="none", dim=(1, 2, 3))


def ssim(made: Tensor, target: Tensor) -> Tensor:
    """Structural similarity (N,), at most 1, of faces (N, 3, H, W) in [-1, 1], with `SETTINGS`.

    SSIM compares mean brightness as a ratio, so black must be 0: pixels are moved to [0, 2] first, which gives what
    bytes give. As in Wang et al. 2004 and scikit-image the rim, where the window does not fit, does not count
    (torchmetrics would count it, over mirrored pixels).
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    made, target = (faces + 1 for faces in _checked(made, target))
    _, places = structural_similarity_index_measure(
        made, target, gaussian_kernel=True, sigma=DEVIATION, kernel_size=WINDOW, reduction="none",
        data_range=DATA_RANGE, return_full_image=True,
    )  # fmt: skip
    rim = WINDOW // 2
    return places[..., rim:-rim, rim:-rim].flatten(1).mean(1)


@torch.no_grad()
def st_lpips(made: Tensor, target: Tensor) -> Tensor:
    """Shift-tolerant learned perceptual distance (N,), 0 for equal faces (N, 3, H, W) in [-1, 1].

    The network and its weights come with the package stlpips_pytorch; nothing is downloaded, and the weights are read
    with `weights_only`.

    Raises:
        FersynError: the package or its weights are missing or damaged.
    """
    made, target = _checked(made, target)
    return _network().to(made.device)(made, target).reshape(-1)


def _checked(made: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if made.shape != target.shape or made.ndim != 4:
        raise ValueError(f"faces must be (N, 3, H, W) and alike, got {tuple(made.shape)} and {tuple(target.shape)}")
    return made.detach().float().clamp(-1, 1), target.detach().float().clamp(-1, 1)


@lru_cache(maxsize=1)
def _network() -> torch.nn.Module:
    # The package imports torchsummary, which it neither declares nor needs: an empty stand-in while it is imported.
    absent = "torchsummary" not in sys.modules and importlib.util.find_spec("torchsummary") is None
    if absent:
        sys.modules["torchsummary"] = types.ModuleType("torchsummary")
        sys.modules["torchsummary"].summary = None  # type: ignore[attr-defined]
    try:
        from stlpips_pytorch import stlpips

        file = Path(stlpips.__file__).parent / "weights" / "vST0.0" / "alex_shift_tolerant.pth"
        with torch.random.fork_rng(devices=[]):  # its first weights are random, and replaced at once
            network = stlpips.LPIPS(pretrained=False, net="alex", variant="shift_tolerant", verbose=False)
        found = network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True), strict=False)
        # The linear layers are there under two names, and the file has one of them.
        lacking = [name for name in found.missing_keys if not name.startswith("lins.")]
        if lacking or found.unexpected_keys:
            raise RuntimeError(f"its weights do not fit: {[*lacking, *found.unexpected_keys][:3]}")
    except Exception as error:  # a damaged file raises half a dozen kinds
        raise FersynError(
            f"ST-LPIPS cannot be loaded ({error}); pip install --force-reinstall stlpips_pytorch"
        ) from None
    finally:
        if absent:
            del sys.modules["torchsummary"]
    return network.eval().requires_grad_(False)


def measured_pairs(table, size: int | None = None, everybody: bool = False) -> tuple[Pairs, np.ndarray]:
    """Pairs for the evaluation: of each person and expression the strongest picture, from the neutral one.

    Args:
        table: FaceTable.
        size: side of the faces, px; None: the table's.
        everybody: all people, not only those held out; for tables that nothing was trained on.

    Returns:
        the pairs, and those chosen, int64 (P, 2), positions (source, target) in the table.

    Raises:
        FersynError: nobody is held out, or nobody with two expressions.
    """
    rows = np.ones(len(table), bool) if everybody else (table.rows["split"] == "test").to_numpy()
    if not rows.any():
        raise FersynError(f"{table.path}: nobody is held out for the test; a table of more people is needed")
    pairs = Pairs(table, rows, size, training=False)
    return pairs, pairs.examples(len(pairs))


def evaluate(synthesiser: Synthesiser, pairs: Pairs, chosen: np.ndarray, batch: int = 16) -> pd.DataFrame:
    """Edit each source to its target's expression, given the target's landmarks (the paper's protocol), and measure.

    Faces have the size of `pairs`, whatever the method works at: a method that makes smaller ones has them enlarged.

    Args:
        synthesiser: the method.
        pairs: where the faces come from.
        chosen: int64 (P, 2), positions (source, target), as of `measured_pairs`.
        batch: pairs at a time.

    Returns:
        a row a pair: source, target (positions in the table), person ("dataset/subject"), expression, intensity, and
        `METRICS`.
    """
    parts = []
    people = pairs.table.people
    for start in range(0, len(chosen), batch):
        own = pairs.gather(chosen[start : start + batch])
        names = [EXPRESSIONS[label] for label in own.label.tolist()]
        made = synthesiser.edit(own.source, names, own.intensity, own.target_landmarks, own.source_landmarks)
        target = own.index_target.cpu().numpy()
        row = {
            "source": own.index_source.cpu().numpy(),
            "target": target,
            "person": people[target],
            "expression": names,
            "intensity": own.intensity.cpu().numpy(),
        }
        for name, metric in (("psnr", psnr), ("ssim", ssim), ("st_lpips", st_lpips)):
            row[name] = metric(made, own.target).cpu().numpy().astype(float)
        parts.append(pd.DataFrame(row))
    return pd.concat(parts, ignore_index=True)


def summary(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Mean and standard deviation over people (each person's pictures averaged first), a row a method.

    Args:
        frames: method -> result of `evaluate`.

    Returns:
        columns method, people, pictures, and for each metric its mean and `<metric>_deviation` (NaN for one person).
    """
    lines = []
    for name, frame in frames.items():
        own = frame.groupby("person")[list(METRICS)].mean()
        line = {"method": name, "people": len(own), "pictures": len(frame)}
        for metric in METRICS:
            line[metric], line[f"{metric}_deviation"] = float(own[metric].mean()), float(own[metric].std(ddof=1))
        lines.append(line)
    return pd.DataFrame(lines)
