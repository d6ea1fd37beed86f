"""Against what the networks' own runtimes say of the same pictures (`runtimes.json`).

`fer`: Keras, the file as it is. `facex`: LiteRT, its 8-bit weights multiplied out (as they are, LiteRT rounds each
layer's input to 8 bits too, and its own kernels differ among themselves by 0.06). `mesh`, `actions`: LiteRT; every 20th
point. `mediapipe`: px of twelve `points` on the first 20 faces of openpeople, as MediaPipe finds them on the uncut
pictures, taken into the kit's crop.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fersyn.building.preprocess import build_table
from fersyn.datasets.openpeople import read_openpeople
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS
from fersyn.nets import instruments

RUNTIMES = json.loads(Path(__file__).with_name("runtimes.json").read_text())
TOLERANCE = 1e-3


def said(name):
    return torch.tensor(RUNTIMES[name])


@pytest.fixture(scope="module")
def instrument():
    """A function that gives an instrument, where its weights are on this machine."""
    made = {}

    def get(name):
        if not instruments.available(name):
            pytest.skip(f"weights of {name} are not on this machine: fersyn weights fetch {name}")
        return made.setdefault(name, instruments.get(name))

    return get


def pattern(size, channels):
    """Two pictures of 8 x 8 patches, (2, channels, size, size) in [0, 1]."""
    small = np.random.default_rng(0).random((2, 8, 8, channels)).astype(np.float32)
    return torch.from_numpy(small.repeat(size // 8, 1).repeat(size // 8, 2)).permute(0, 3, 1, 2)


def test_fer_says_what_keras_says(instrument):
    found = instrument("fer").logits(pattern(64, 1) * 2 - 1).softmax(1)
    torch.testing.assert_close(found.log(), said("fer").log(), atol=TOLERANCE, rtol=0)


def test_facex_says_what_litert_says(instrument):
    found = instrument("facex").logits(pattern(200, 1) * 2 - 1).softmax(1)
    torch.testing.assert_close(found.log(), said("facex").log(), atol=TOLERANCE, rtol=0)


def test_the_mesh_lies_where_litert_has_it(instrument):
    found = instrument("actions").network(pattern(256, 3).permute(0, 2, 3, 1))[0].reshape(2, 478, 3)
    torch.testing.assert_close(found[:, ::20].flatten(1), said("mesh"), atol=0.01, rtol=0)


def test_the_actions_are_litert_s(instrument):
    points = torch.from_numpy(np.random.default_rng(0).random((2, 146, 2)).astype(np.float32)) * 100
    mesh = torch.zeros(2, 478, 2)
    mesh[:, instruments.MEASURED] = points
    torch.testing.assert_close(instrument("actions").of_mesh(mesh), said("actions"), atol=1e-4, rtol=0)


def test_the_mesh_on_photographs_is_mediapipe_s(instrument, small_table):
    mesh = instrument("actions").mesh(small_table.tensor(slice(0, 20)))[:, RUNTIMES["points"], :2]
    away = (mesh - said("mediapipe")).norm(dim=2)
    assert away.mean() < 0.5 and away.mean(1).max() < 1, "px of 128"
    assert (mesh - said("mediapipe")).mean((0, 1)).abs().max() < 0.3, "no shift"


@pytest.fixture(scope="module")
def openpeople(tmp_path_factory):
    """The face table of all ten people."""
    return build_table(read_openpeople(), tmp_path_factory.mktemp("tables") / "openpeople", workers=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", instruments.JUDGES)
def test_judges_know_photographs(instrument, openpeople, name):
    """Balanced over neutral and six expressions, ten faces each; 0.91 both when this was written."""
    named, labels = instrument(name).named(openpeople.tensor()), openpeople.labels()
    assert len(labels) == 70 and np.mean([(named[labels == label] == label).mean() for label in set(labels)]) >= 0.88


@pytest.mark.parametrize("name", instruments.JUDGES)
def test_probabilities(instrument, small_table, name):
    found = instrument(name).probabilities(small_table.tensor(slice(0, 3)))
    assert found.shape == (3, 7) and not found.requires_grad and found.sum(1).allclose(torch.ones(3))


def test_actions_are_told_apart_by_name(instrument, small_table):
    measured = instrument("actions").measured(small_table.tensor())
    assert measured.shape == (28, 52) and (measured >= 0).all() and (measured <= 1).all()
    mean = {
        expression: measured[small_table.labels() == label].mean(0) for label, expression in enumerate(EXPRESSIONS)
        if expression != "contempt"
    }  # fmt: skip
    for action, expression in {
        "mouthSmileLeft": "happiness", "mouthSmileRight": "happiness", "browDownLeft": "anger", "browInnerUp": "surprise",
    }.items():  # fmt: skip
        column = instruments.ACTIONS.index(action)
        assert mean[expression][column] > mean["neutral"][column] + 0.1, action


def test_left_and_right_are_the_persons_own(instrument, small_table):
    """A mirrored face does with its left what the other did with its right."""
    faces = small_table.tensor(slice(0, 7))
    meter = instrument("actions")
    one, other = meter.measured(faces), meter.measured(faces.flip(3))
    swapped = [
        instruments.ACTIONS.index(name.replace("Left", "#").replace("Right", "Left").replace("#", "Right"))
        for name in instruments.ACTIONS
    ]
    assert abs(one - other[:, swapped]).mean() < 0.03


@pytest.mark.parametrize("name", instruments.NAMES)
def test_gradients_are_those_of_the_pixels(instrument, small_table, name):
    """The slope along a change of the picture, by differences in double precision."""
    network = instruments.get(name).double() if instrument(name) else None
    faces = small_table.tensor(slice(1, 3)).double().requires_grad_()
    network(faces)[:, 1:5].sum().backward()
    assert faces.grad.shape == faces.shape and torch.isfinite(faces.grad).all()
    assert (faces.grad.flatten(1).abs().max(1).values > 0).all(), "every face by itself"
    generator = torch.Generator().manual_seed(0)
    along = torch.nn.functional.avg_pool2d(torch.randn(faces.shape, generator=generator, dtype=torch.double), 9, 1, 4)
    with torch.no_grad():
        step = 1e-6
        up, down = (network(faces + sign * step * along)[:, 1:5].sum() for sign in (1, -1))
    torch.testing.assert_close((faces.grad * along).sum(), (up - down) / (2 * step), rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("name", instruments.NAMES)
def test_each_face_by_itself_and_other_sizes(instrument, small_table, name, monkeypatch):
    network, faces = instrument(name), small_table.tensor(slice(0, 5))
    together = network(faces)
    monkeypatch.setattr(instruments, "BATCH", 2)
    alone = torch.cat([network(face[None]) for face in faces])
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=1e-3)
    if name in instruments.JUDGES:
        torch.testing.assert_close(network.probabilities(faces), alone.softmax(1), atol=1e-3, rtol=0)
    larger = torch.nn.functional.interpolate(faces, (256, 256), mode="bilinear")
    assert (network(larger).softmax(1) - together.softmax(1)).abs().mean() < 0.05


@pytest.mark.parametrize("name", instruments.NAMES)
def test_no_face_at_all(instrument, name):
    none = torch.zeros(0, 3, 128, 128)
    found = instrument(name).named(none) if name in instruments.JUDGES else instrument(name).measured(none)
    assert len(found) == 0


def test_what_an_instrument_knows_of_itself(instrument):
    judge = instruments.get("fer", guide=True) if instrument("fer") else None
    assert judge.guide and not instrument("fer").guide and judge.name == "fer" and "FER2013" in judge.title
    assert [EXPRESSIONS[label] for label in judge.classes] == [name for name in EXPRESSIONS if name != "contempt"]
    assert not any(p.requires_grad for p in judge.parameters()) and not judge.training


def test_an_unknown_name_and_missing_weights(monkeypatch, tmp_path):
    with pytest.raises(FersynError, match="no instrument 'deer'; use one of: fer, facex, actions"):
        instruments.get("deer")
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path))
    for name in instruments.NAMES:
        assert not instruments.available(name)
        with pytest.raises(FersynError, match=f"fersyn weights fetch {name}"):
            instruments.get(name)


def test_a_cut_is_where_its_box_says():
    """A ramp holds each pixel's own place, so a cut of it shows what was cut; beyond the picture its edge goes on."""
    size, wanted = 64, 32
    ramp = torch.arange(size).float().expand(1, 1, size, size)
    box = instruments.Box(8 / 64, -8 / 64, 40 / 64, 24 / 64)
    found = instruments.cut(ramp, box, wanted)
    assert found.shape == (1, 1, wanted, wanted)
    assert found[0, 0, 3].tolist() == list(range(8, 40))
    assert instruments.cut(ramp.mT, box, wanted)[0, 0, :, 3].tolist() == [0] * 8 + list(range(24))
    half = instruments.cut(ramp, instruments.Box(0, 0, 1, 1), wanted)[0, 0, 0, 4:-4]
    torch.testing.assert_close(half, torch.arange(4, wanted - 4) * 2 + 0.5)


def test_grey_is_opencv_s(portrait):
    import cv2

    rgb = torch.from_numpy(portrait).permute(2, 0, 1)[None].float()
    away = instruments.grey(rgb)[0, 0].numpy() - cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)
    assert abs(away).max() <= 0.51
