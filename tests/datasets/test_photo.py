"""Every odd picture: read right, or refused with a message that names the file and the reason."""

import numpy as np
import pytest
from PIL import Image

from fersyn.datasets import photo
from fersyn.datasets.photo import read_photo
from fersyn.errors import UnreadablePhoto


@pytest.fixture
def gradient():
    """(40, 60, 3): red grows to the right, green downwards."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[..., 0] = np.linspace(0, 250, 60)[None]
    image[..., 1] = np.linspace(0, 250, 40)[:, None]
    image[..., 2] = 60
    return image


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp", "a.ppm"])
def test_lossless_formats(gradient, save, tmp_path, name):
    options = {"lossless": True} if name.endswith("webp") else {}
    assert (read_photo(save(gradient, tmp_path / name, **options)) == gradient).all()


def test_alpha_is_laid_over_white(gradient, save, tmp_path):
    alpha = np.zeros((40, 60, 1), np.uint8)
    alpha[:20] = 255
    out = read_photo(save(np.dstack([gradient, alpha]), tmp_path / "a.png"))
    assert (out[:20] == gradient[:20]).all() and (out[20:] == 255).all()
    grey = read_photo(save(np.dstack([gradient[..., 0], alpha[..., 0]]), tmp_path / "la.png"))
    assert (grey[:20, :, 1] == gradient[:20, :, 0]).all() and (grey[20:] == 255).all()


def test_palette_with_transparency(tmp_path):
    image = Image.new("P", (30, 20), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(0, (0, 0, 15, 20))
    image.save(tmp_path / "a.gif", transparency=0)
    out = read_photo(tmp_path / "a.gif")
    assert (out[:, 20] == (200, 100, 50)).all() and (out[:, 5] == 255).all()


def test_16_bit_is_scaled_not_clipped(tmp_path):
    values = np.linspace(0, 65535, 60).astype(np.uint16)[None].repeat(40, 0)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "a.tif")
    for name in ("a.png", "a.tif"):
        out = read_photo(tmp_path / name)
        assert out.shape == (40, 60, 3) and out.dtype == np.uint8
        np.testing.assert_allclose(out[0, :, 0], np.linspace(0, 255, 60), atol=0.6)


def test_16_bit_grey_with_a_transparent_level_is_not_white(tmp_path):
    import struct
    import zlib

    values = np.linspace(0, 65535, 60).astype(np.uint16)[None].repeat(40, 0)
    Image.fromarray(values).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    chunk = b"tRNS" + struct.pack(">H", 0)
    at = whole.index(b"IDAT") - 4
    chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(whole[:at] + chunk + whole[at:])
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode.startswith("I") and "transparency" in image.info
    np.testing.assert_allclose(read_photo(tmp_path / "a.png")[0, :, 0], np.linspace(0, 255, 60), atol=0.6)


@pytest.mark.parametrize("most", [1.0, 255.0])
def test_float_grey_is_scaled_once_for_the_whole_picture(tmp_path, monkeypatch, most):
    values = np.linspace(0, most, 40, dtype=np.float32)[:, None].repeat(60, 1)
    values[:8] *= 0.01  # dark bands, whose own largest value would call for another scale
    Image.fromarray(values).save(tmp_path / "a.tif")
    monkeypatch.setattr(photo, "_BAND", 3 * 60)
    np.testing.assert_allclose(read_photo(tmp_path / "a.tif")[..., 0], values * (255 / most), atol=0.6)


def test_16_bit_colour(gradient, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), gradient[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_allclose(read_photo(tmp_path / "a.png").astype(int), gradient, atol=1)


def test_16_bit_colour_tiff(gradient, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.tif"), gradient[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_allclose(read_photo(tmp_path / "a.tif").astype(int), gradient, atol=1)


def test_cmyk(gradient, tmp_path):
    Image.fromarray(gradient).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_photo(tmp_path / "a.jpg").astype(int), gradient, atol=16)


def test_grey_and_one_bit(gradient, save, tmp_path):
    out = read_photo(save(gradient[..., 0], tmp_path / "grey.png"))
    assert (out == gradient[..., :1]).all()
    Image.fromarray(gradient).convert("1").save(tmp_path / "bit.png")
    assert set(np.unique(read_photo(tmp_path / "bit.png"))) == {0, 255}


def turned(image: np.ndarray, orientation: int) -> np.ndarray:
    """What a viewer shows of pixels stored as `image`: TIFF 6.0's table of where row 0 and column 0 belong."""
    transposed = image.swapaxes(0, 1) if orientation >= 5 else image
    rows, columns = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[
        orientation
    ]
    return transposed[::rows, ::columns]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp", "a.jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(gradient, tmp_path, orientation, name):
    image = Image.fromarray(gradient)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / name, exif=exif, **({"lossless": True} if name.endswith("webp") else {}))
    found, wanted = read_photo(tmp_path / name).astype(int), turned(gradient, orientation)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=20 if name.endswith("jpg") else 0)


def test_large_pictures_are_converted_band_by_band(gradient, save, tmp_path, monkeypatch):
    monkeypatch.setattr(photo, "_BAND", 7 * 60)
    alpha = np.full((40, 60, 1), 128, np.uint8)
    path = save(np.dstack([gradient, alpha]), tmp_path / "a.png")
    banded = read_photo(path)
    monkeypatch.undo()
    assert (banded == read_photo(path)).all()


def refusal(path) -> str:
    with pytest.raises(UnreadablePhoto) as error:
        read_photo(path)
    assert path.name in str(error.value)
    return str(error.value)


def test_missing(tmp_path):
    assert refusal(tmp_path / "a.jpg") == "a.jpg: no such file"


def test_a_folder(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    assert "cannot be decoded" in refusal(tmp_path / "a.jpg")


def test_empty(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    assert "the file is empty; copy or download it again" in refusal(tmp_path / "a.jpg")


def test_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_text("not a picture at all")
    assert "no picture that can be read (damaged, or no picture format); save it as JPEG or PNG" in refusal(
        tmp_path / "a.jpg"
    )


def test_heic(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert "HEIC is not read here; save it as JPEG or PNG" in refusal(tmp_path / "a.heic")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp"])
def test_truncated(save, tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    path = save(noise, tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "the file is truncated; copy or download it again" in refusal(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif", "a.webp"])
def test_damage_anywhere_is_refused_or_read_but_never_another_error(save, tmp_path, name):
    random = np.random.default_rng(1)
    path = save(random.integers(0, 256, (40, 40, 3), dtype=np.uint8), tmp_path / name)
    whole = path.read_bytes()
    for _ in range(60):
        broken = bytearray(whole)
        for at in random.integers(0, len(whole), 6):
            broken[at] = random.integers(0, 256)
        path.write_bytes(bytes(broken))
        try:
            assert read_photo(path).ndim == 3
        except UnreadablePhoto as error:
            assert name in str(error)


def test_huge_is_refused_before_it_is_decoded(tmp_path):
    Image.new("1", (13_000, 12_000)).save(tmp_path / "a.png")
    assert "too large (156 megapixels, at most 150); save a smaller copy" in refusal(tmp_path / "a.png")


def test_larger_still_than_pillow_itself_allows(tmp_path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "a.png")
    assert "too large (400 megapixels, at most 150)" in refusal(tmp_path / "a.png")
