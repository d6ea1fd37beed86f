"""How close a synthesised face comes to the true picture: PSNR, SSIM, and the learned distances LPIPS and ST-LPIPS.

PSNR and SSIM are equations (8) and (9) of Li, Qi & Sun, IEEE Access 9, 2021; re-implementations of SSIM differ in
window, deviation and data range, so `SETTINGS` says which ones are meant here. LPIPS (Zhang et al., CVPR 2018; version
0.1, AlexNet) agrees with what people call alike; ST-LPIPS (Ghildyal & Liu, ECCV 2022) forgives a shift by a pixel. The
paper has neither. Their weights come from the register of weights, checked by their hash; nothing stands in for them.
"""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from functools import lru_cache

import torch
from torch import Tensor

from fersyn import weights
from fersyn.errors import FersynError

WINDOW, DEVIATION, DATA_RANGE = 11, 1.5, 2.0  # px, px, of pixels in [-1, 1]: the same as 255 of bytes
LPIPS, ST_LPIPS = "lpips-alex", "stlpips"  # in the register of weights
SETTINGS = (
    f"PSNR: peak {DATA_RANGE:g} for pixels in [-1, 1] (255 of bytes), over all three channels. "
    f"SSIM: Gaussian window of {WINDOW} × {WINDOW} px, σ = {DEVIATION:g} px, data range {DATA_RANGE:g}, K1 = 0.01, "
    "K2 = 0.03, black at 0, without the rim, mean over colour channels: as scikit-image gives it for bytes. "
    "ST-LPIPS: shift-tolerant AlexNet of stlpips_pytorch."
)
LPIPS_SETTINGS = "LPIPS: version 0.1 of the package lpips, AlexNet, faces in [-1, 1] at their own size."


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
def lpips(made: Tensor, target: Tensor) -> Tensor:
    """Learned perceptual distance (N,), 0 for equal faces (N, 3, H, W) in [-1, 1]; lower is more alike.

    Raises:
        ValueError: shapes differ.
        FersynError: AlexNet's weights are not on this machine.
    """
    made, target = _checked(made, target)
    return _lpips_network().to(made.device)(made, target).reshape(-1)


@torch.no_grad()
def st_lpips(made: Tensor, target: Tensor) -> Tensor:
    """Shift-tolerant learned perceptual distance (N,), 0 for equal faces (N, 3, H, W) in [-1, 1].

    Raises:
        ValueError: shapes differ.
        FersynError: the package or its weights are missing or damaged.
    """
    made, target = (each.contiguous(memory_format=torch.channels_last) for each in _checked(made, target))
    return _st_lpips_network().to(made.device)(made, target).reshape(-1)


def _checked(made: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    if made.shape != target.shape or made.ndim != 4:
        raise ValueError(f"faces must be (N, 3, H, W) and alike, got {tuple(made.shape)} and {tuple(target.shape)}")
    return made.detach().float().clamp(-1, 1), target.detach().float().clamp(-1, 1)


@lru_cache(maxsize=1)
def _lpips_network() -> torch.nn.Module:
    if weights.find(LPIPS) is None:
        raise FersynError(f"LPIPS needs AlexNet's weights: fersyn weights fetch {LPIPS}")
    from lpips import LPIPS as Network

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package calls torchvision by its old names
        network = Network(net="alex", pnet_rand=True, verbose=False)  # its own file for the linear layers, no download
    # The package's slices keep torchvision's numbers: slice2.3.weight is features.3.weight.
    state = weights.state_dict(LPIPS)
    own = dict(network.net.named_parameters())
    network.net.load_state_dict({name: state["features." + name.partition(".")[2]] for name in own})
    return network.eval().requires_grad_(False)


@lru_cache(maxsize=1)
def _st_lpips_network() -> torch.nn.Module:
    # The package imports torchsummary, which it neither declares nor needs: an empty stand-in while it is imported.
    absent = "torchsummary" not in sys.modules and importlib.util.find_spec("torchsummary") is None
    if absent:
        sys.modules["torchsummary"] = types.ModuleType("torchsummary")
        sys.modules["torchsummary"].summary = None  # type: ignore[attr-defined]
    try:
        from stlpips_pytorch import stlpips

        with torch.random.fork_rng(devices=[]):  # its first weights are random, and replaced at once
            network = stlpips.LPIPS(pretrained=False, net="alex", variant="shift_tolerant", verbose=False)
        found = network.load_state_dict(weights.state_dict(ST_LPIPS), strict=False)
        # The linear layers are there under two names, and the file has one of them.
        lacking = [name for name in found.missing_keys if not name.startswith("lins.")]
        if lacking or found.unexpected_keys:
            raise RuntimeError(f"its weights do not fit: {[*lacking, *found.unexpected_keys][:3]}")
    except Exception as error:  # a damaged package raises half a dozen kinds
        raise FersynError(
            f"ST-LPIPS cannot be loaded ({error}); pip install --force-reinstall stlpips_pytorch"
        ) from None
    finally:
        if absent:
            del sys.modules["torchsummary"]
    # A quarter faster on a CPU.
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
