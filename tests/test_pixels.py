import numpy as np
import torch

from fersyn.pixels import to_bytes, to_floats, to_images, to_tensor

LEVELS = torch.arange(256, dtype=torch.uint8)


def test_every_level_comes_back_and_is_the_float_that_trainings_saw():
    floats = to_floats(LEVELS)
    assert floats.dtype == torch.float32 and floats[0] == -1 and floats[255] == 1
    assert torch.equal(floats, LEVELS.float() / 127.5 - 1) and torch.equal(to_floats(LEVELS.numpy()), floats)
    assert torch.equal(to_bytes(floats), LEVELS) and torch.equal(LEVELS, torch.arange(256, dtype=torch.uint8))


def test_bytes_are_rounded_clamped_and_detached():
    faces = torch.tensor([-7.0, -1.0, 0.0, 0.005, 0.999, 1.0, 9.0], requires_grad=True)
    made = to_bytes(faces)
    assert made.tolist() == [0, 0, 128, 128, 255, 255, 255] and made.dtype == torch.uint8 and not made.requires_grad
    assert to_bytes(faces.half()).dtype == torch.uint8


def test_pictures_there_and_back():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    pixels = to_tensor(images)
    assert pixels.shape == (3, 3, 4, 5) and pixels.dtype == torch.uint8 and pixels.is_contiguous()
    assert (to_images(pixels) == images).all() and to_images(pixels).flags["C_CONTIGUOUS"]
    assert (to_images(to_bytes(to_floats(to_tensor(images[:, ::-1])))) == images[:, ::-1]).all()
