"""Blends and handles by the protocol alone: what the inner method is asked for."""

import pytest
import torch
from bench_explore import still_motion

from fersyn.errors import FersynError
from fersyn.explore.shaped import Shaped, pull
from fersyn.methods.base import Synthesiser
from fersyn.nets.affine_flow import warp


class Spy:
    """Synthesiser that paints each face in a grey that depends on expression and intensity, and remembers the call."""

    name, size, weights = "spy", 32, ""
    explain = Synthesiser.explain

    def __init__(self, motion=None, needs_landmarks=True):
        self.motion, self.needs_landmarks = motion, needs_landmarks

    def edit(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        names = [expression] * len(faces) if isinstance(expression, str) else expression
        degree = torch.as_tensor(intensity, dtype=torch.float32).expand(len(faces))
        self.names, self.degree, self.landmarks = names, degree, landmarks
        grey = {"happiness": 0.8, "surprise": -0.4, "neutral": 0.0}
        tone = torch.tensor([grey[name] for name in names]) * degree
        return torch.zeros_like(faces) + tone[:, None, None, None]


@pytest.fixture(scope="module")
def motion():
    return still_motion()


@pytest.fixture(scope="module")
def source(small_table):
    return small_table.tensor([0, 7]), torch.from_numpy(small_table.landmarks([0, 7]))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_blend_mixes_motions_and_results(motion, source, share):
    faces, points = source
    spy = Spy(motion)
    made = Shaped(spy, "surprise", share).edit(faces, "happiness", 0.5, source_landmarks=points)
    assert torch.allclose(made, torch.full_like(faces, 0.5 * ((1 - share) * 0.8 + share * -0.4)), atol=1e-6)
    label = {name: torch.tensor([k, k]) for name, k in (("happiness", 5), ("surprise", 7))}
    first, second = (motion.predict(points, label[name], 0.5, size=faces.shape[-1]) for name in label)
    assert torch.allclose(spy.landmarks[:2], (1 - share) * first + share * second, atol=1e-4)
    assert len(spy.names) == (2 if share in (0, 1) else 4)


class Bending(Spy):
    """Bends down by so many px as the label says, and paints a line of the face (8) white: where it lies then."""

    PX = {"happiness": 2.0, "surprise": -2.0}

    def explain(self, faces, expression, intensity=1.0, landmarks=None, source_landmarks=None):
        flow = torch.zeros(len(faces), 2, *faces.shape[-2:])
        flow[:, 1] = torch.tensor([self.PX[name] for name in expression])[:, None, None]
        bent = warp(faces, flow)
        image = bent.clone()
        for face, name in zip(image, expression, strict=True):
            face[:, int(8 - self.PX[name])] = 1
        return {"image": image, "bent": bent, "flow": flow}

    def edit(self, *asked, **more):
        return self.explain(*asked, **more)["image"]


def test_two_mouths_lie_on_each_other():
    faces = torch.full((1, 3, 32, 32), -1.0)
    spy = Bending(needs_landmarks=False)
    both = spy.edit(torch.cat([faces, faces]), ["happiness", "surprise"]).mean(0)
    assert (both[0, :, 0] > -0.5).sum() == 2, "the mean of the two has two lines"
    made = Shaped(spy, "surprise", 0.5).explain(faces, "happiness")
    assert (made["flow"] == 0).all() and torch.equal(made["bent"], faces)
    assert torch.allclose(made["image"][0, :, 8], torch.ones(3, 32), atol=1e-5)
    assert (made["image"][0, 0, :, 0] > -0.5).nonzero().flatten().tolist() == [8]


def test_without_blend_and_handles_it_is_the_method_itself(motion, source):
    faces, points = source
    spy = Spy(motion)
    Shaped(spy).edit(faces, "happiness", 0.7, source_landmarks=points)
    plain = motion.predict(points, torch.tensor([5, 5]), 0.7, size=faces.shape[-1])
    assert torch.equal(spy.landmarks, plain)


def test_handles_pull_at_the_predicted_target(motion, source):
    faces, points = source
    spy = Spy(motion)
    Shaped(spy, brow_height=0.1).edit(faces, "happiness", 0.7, source_landmarks=points)
    plain = motion.predict(points, torch.tensor([5, 5]), 0.7, size=faces.shape[-1])
    assert torch.equal(spy.landmarks, pull(plain, {"brow_height": 0.1}))


def test_a_method_without_landmarks_is_given_none(source):
    faces, points = source
    spy = Spy(None, needs_landmarks=False)
    made = Shaped(spy, "surprise", 0.5, mouth_open=0.3).edit(faces, "happiness", 1.0, source_landmarks=points)
    assert spy.landmarks is None and torch.allclose(made, torch.full_like(faces, 0.2), atol=1e-6)


def test_wrong_values_are_refused():
    with pytest.raises(FersynError, match="share = 2"):
        Shaped(Spy(), "surprise", 2)
    with pytest.raises(FersynError, match="no handle 'ears'"):
        Shaped(Spy(), ears=1)
    with pytest.raises(FersynError, match="is no expression"):
        Shaped(Spy(), "boredom", 0.5)
