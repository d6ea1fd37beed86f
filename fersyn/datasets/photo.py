"""Read any photograph as upright 8-bit RGB, or say why not."""

import re
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from fersyn.errors import UnreadablePhoto

# Pillow holds 4 bytes a pixel and the array 3 more, so that 150 megapixels (1.05 GB) keep a worker below 1.5 GB.
MAX_PIXELS = 150_000_000
_BAND = 4_000_000  # pixels converted at a time, so that conversions (alpha, CMYK) cost no second full copy

# What decoders raise on damaged files is of many kinds.
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, struct.error, zlib.error)

# EXIF orientation -> what makes the array upright.
_UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def read_photo(path: str | Path) -> np.ndarray:
    """Read a picture as uint8 RGB (H, W, 3), turned upright as its EXIF data says.

    Alpha is laid over white; 16-bit, grey, palette and CMYK pictures are converted; of an animation the first picture
    is taken.

    Raises:
        UnreadablePhoto: no such file, no picture, truncated, damaged, or more than 150 megapixels.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit of size is ours, and odd tags are nobody's business
            with Image.open(path) as image:
                return _decode(image, path)
    except UnreadablePhoto:
        raise
    except FileNotFoundError:
        raise UnreadablePhoto(f"{path.name}: no such file") from None
    except Image.DecompressionBombError as error:  # Pillow's own limit, beyond ours
        pixels = re.search(r"(\d+) pixels", str(error))
        raise _too_large(path, int(pixels[1]) if pixels else MAX_PIXELS) from None
    except UnidentifiedImageError:
        raise UnreadablePhoto(f"{path.name}: {_why_not(path)}") from None
    except _DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        if "truncated" in reason.lower():
            raise UnreadablePhoto(f"{path.name}: the file is truncated; copy or download it again") from None
        raise UnreadablePhoto(f"{path.name}: cannot be decoded ({reason})") from None


def _decode(image: Image.Image, path: Path) -> np.ndarray:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(path, width * height)
    image.load()
    # Only now: Pillow turns a TIFF upright itself while loading, swaps its size and drops the tag.
    width, height = image.size
    orientation = image.getexif().get(0x0112, 1)
    most = image.getextrema()[1] if image.mode == "F" else None  # of the whole picture, not of a band
    if most is not None and np.isnan(most):
        most = float(np.nanmax(np.asarray(image), initial=0))
    out = np.empty((height, width, 3), np.uint8)
    rows = max(1, _BAND // max(width, 1))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        out[top:bottom] = _to_rgb(image if rows >= height else image.crop((0, top, width, bottom)), most)
    image.close()  # frees the decoded picture before a turned copy is made
    return np.ascontiguousarray(_UPRIGHT.get(orientation, lambda a: a)(out))


def _too_large(path: Path, pixels: int) -> UnreadablePhoto:
    megapixels, most = pixels // 1_000_000, MAX_PIXELS // 1_000_000
    return UnreadablePhoto(f"{path.name}: too large ({megapixels} megapixels, at most {most}); save a smaller copy")


def _to_rgb(image: Image.Image, most: float | None) -> np.ndarray:
    # First, for Pillow cannot lay 16-bit or float grey with a transparent level over anything: it comes out white.
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_to_grey8(np.asarray(image), most)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
    return np.asarray(image.convert("RGB"))


def _to_grey8(values: np.ndarray, most: float | None) -> np.ndarray:
    """Bring 16-bit grey, or float grey whose largest value in the picture is `most`, to 0..255: Pillow would clip."""
    values = values.astype(np.float32)
    if most is not None:  # float pictures are written 0..1, or 0..255
        values = np.nan_to_num(values * 255 if most <= 1 else values)
    else:
        values = values / 257  # 65535 -> 255
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _why_not(path: Path) -> str:
    """Say what is wrong with a file that Pillow does not know."""
    if path.stat().st_size == 0:
        return "the file is empty; copy or download it again"
    if path.suffix.lower() in (".heic", ".heif"):
        return "HEIC is not read here; save it as JPEG or PNG"
    return "no picture that can be read (damaged, or no picture format); save it as JPEG or PNG"
