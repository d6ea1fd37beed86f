from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fersyn.errors import FersynError, NoFace
from fersyn.faces.crop import ffhq_alignment
from fersyn.generating import inversion
from fersyn.generating.inversion import PROJECTOR, Inverter, Settings
from fersyn.nets import encoder
from fersyn.nets.mobile_stylegan import MobileStyleGAN


class Small(MobileStyleGAN):
    """A generator of random weights and few channels, whose w shows; it has a short way, as the kit's."""

    def __init__(self):
        state = torch.get_rng_state()
        torch.manual_seed(7)
        super().__init__((8,) * 6, 8)
        with torch.no_grad():
            for name, weight in self.named_parameters():
                weight *= 10 if name.endswith(("modulation.weight", "up.weight", "image.weight")) else 1
        torch.set_rng_state(state)

    def synthesise(self, layers, size=256, draft=False):
        return (0.3 * super().synthesise(layers, size)).tanh()


def small_encoder(generator, file=encoder.FILE):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        made = encoder.Encoder(generator.styles, generator.width, rank=3, code=4)
    made.mean.copy_(generator.mean)
    made.sd.fill_(1.0)
    made.axes.copy_(torch.eye(generator.width))
    return made.eval().requires_grad_(False)


class Looks(nn.Module):
    """A perceptual network of one random convolution."""

    def __init__(self, layers):
        super().__init__()
        self.weight = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(1))

    def features(self, faces):
        return [nn.functional.conv2d(faces, self.weight, stride=2)]


class Who(nn.Module):
    def forward(self, faces):
        return nn.functional.adaptive_avg_pool2d(faces, 3).flatten(1)


@pytest.fixture
def small(monkeypatch):
    """What makes an inverter of a small generator, with its own ideas of looks and people."""
    monkeypatch.setattr(inversion.encoder, "get", small_encoder)
    monkeypatch.setattr(inversion, "Perceptual", Looks)
    monkeypatch.setattr(inversion.sface, "load", Who)
    generator = Small()
    return lambda settings=None: Inverter(generator, settings)


@pytest.fixture(scope="module")
def faces(small_table):
    return small_table.tensor(slice(0, 3)), small_table.landmarks(slice(0, 3))


def test_a_code_is_one_face_s_alone(small, faces):
    inverter = small()
    codes = inverter(*faces)
    assert codes.shape == (3, 17, 8)
    assert torch.equal(inverter(faces[0][1:2], faces[1][1:2])[0], codes[1])
    assert inverter(faces[0][:0], faces[1][:0]).shape == (0, 17, 8)


@pytest.mark.parametrize("settings", [Settings(), Settings(steps=3), replace(PROJECTOR, steps=3)])
def test_several_at_once_are_those_of_one_by_one(settings, small, faces, monkeypatch):
    """As on a GPU: in a batch that is cut, too, and no face's loss reaches another's code. Adam makes rounding of small gradients
    larger.
    """
    inverter, start = small(settings), small(replace(settings, steps=0))
    codes = inverter(*faces)
    moved = (codes - start(*faces)).abs().mean() if settings.steps else 1.0
    drawn = inverter.faces(codes, faces[1], 64)
    for batch in (2, 16):
        monkeypatch.setattr(Inverter, "batch", batch)
        together = inverter(*faces)
        assert (together - codes).abs().mean() < (0.05 if settings.steps else 1e-5) * moved
        others = [each[[0, 2, 2]] for each in faces]
        assert torch.equal(inverter(*others)[0], together[0])
        torch.testing.assert_close(inverter.faces(codes, faces[1], 64), drawn, atol=1e-3, rtol=1e-3)


def test_steps_bring_picture_and_face_together(small, faces):
    faces = faces[0][:1], faces[1][:1]

    def gap(**settings):
        made = small(Settings(perceptual=0.0, identity=0.0, **settings))
        codes = made(*faces)
        return float((made.faces(codes, faces[1], 128) - faces[0]).abs().mean()), codes

    (at_once, start), (after, free), (_, held) = gap(), gap(steps=8), gap(steps=8, pull=100.0)
    assert after < 0.95 * at_once
    assert (held - start).norm() < 0.5 * (free - start).norm(), "the pull holds it near the encoder's code"


@pytest.mark.parametrize("loss", ["pixel", "perceptual", "identity"])
def test_every_loss_moves_the_code(small, faces, loss):
    none = dict.fromkeys(("pixel", "perceptual", "identity"), 0.0)
    moved = small(Settings(steps=2, **{**none, loss: 1.0}))(faces[0][:1], faces[1][:1])
    assert (moved - small()(faces[0][:1], faces[1][:1])).abs().max() > 0.01


def test_the_projector_knows_nothing_of_the_encoder(small, faces, monkeypatch):
    inverter = small(PROJECTOR)
    codes = inverter(*faces)
    assert torch.allclose(codes, inverter.generator.mean.expand_as(codes), atol=1e-5)
    assert PROJECTOR.identity == 0 and small(Settings(steps=2, start="mean", identity=0))(*faces).isfinite().all()


def test_the_same_twice_and_on_faces_of_another_size(small, faces):
    inverter, one = small(Settings(steps=2)), (faces[0][:1], faces[1][:1])
    assert torch.equal(inverter(*one), inverter(*one))
    large = nn.functional.interpolate(one[0], (256, 256), mode="bilinear", antialias=True)
    other = small()(large, (one[1] + 0.5) * 2 - 0.5)
    torch.testing.assert_close(other, small()(*one), atol=1e-3, rtol=1e-3)


def test_back_in_the_crop_the_face_stands_where_it_stood(small, faces, monkeypatch):
    """A picture in FFHQ's frame that is the crop itself comes back as the crop."""
    inverter = small()
    laid = torch.cat(
        [
            inversion.resample(face[None], inversion.frame(points).matrix, 256)
            for face, points in zip(*faces, strict=True)
        ]
    )
    monkeypatch.setattr(inverter, "pictures", lambda codes, draft=True: laid)
    back = inverter.faces(torch.zeros(3, 17, 8), faces[1], 128)
    assert (back - faces[0]).abs()[..., 16:-16, 16:-16].mean() < 0.06


def test_ffhq_s_frame_of_a_face_is_near_that_of_faces_at_large(small_table):
    usual = ffhq_alignment(256, 128).inverse
    for points in small_table.landmarks():
        assert np.abs(inversion.frame(points).matrix @ [64, 64, 1] - usual @ [64, 64, 1]).max() < 12


def test_settings_and_what_they_stand_for(small):
    assert small().fingerprint == small(Settings()).fingerprint
    assert len({small(each).fingerprint for each in (Settings(), Settings(steps=1), Settings(lr=0.2), PROJECTOR)}) == 4
    with pytest.raises(FersynError, match="0 or more steps"):
        Settings(steps=-1)
    with pytest.raises(FersynError, match="'noise'"):
        Settings(start="noise")


def test_landmarks_that_are_no_face_or_one_in_profile(small, faces):
    with pytest.raises(NoFace, match="do not form a face"):
        small()(faces[0][:1], np.zeros((1, 68, 2)))
    turned = faces[1][:1].copy()
    turned[:, 27:36, 0] = turned[:, 36:42, 0].mean()
    with pytest.raises(NoFace, match="in profile"):
        small()(faces[0][:1], turned)
