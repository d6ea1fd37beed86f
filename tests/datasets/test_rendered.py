import pickle

import numpy as np
import pytest

from fersyn.datasets.rendered import read_rendered
from fersyn.errors import FersynError
from fersyn.expressions import EXPRESSIONS


def test_sequences_follow_the_ck_protocol():
    frames = read_rendered(subjects=2, seed=4).frames
    assert len(frames) == 2 * 7 * 6
    sequence = [f for f in frames if f.subject == "R4-0001" and f.sequence == "fear"]
    assert [f.frame for f in sequence] == [0, 1, 2, 9, 10, 11]
    assert [f.expression for f in sequence] == ["neutral"] * 3 + ["fear"] * 3
    assert [f.intensity for f in sequence[:3]] == [0, 0, 0]
    peak = [f.intensity for f in sequence[3:]]
    assert peak == sorted(peak) and 0.7 < peak[0] and peak[-1] <= 1


def test_all_frames_rise_monotonically():
    frames = [f for f in read_rendered(1, frames="all", sequence_length=15).frames if f.sequence == "anger"]
    intensity = [f.intensity for f in frames]
    assert len(frames) == 15 and intensity == sorted(intensity) and intensity[-1] > 0.79


def test_person_is_the_same_whatever_the_number_of_people():
    few, many = read_rendered(1, seed=5).frames, read_rendered(30, seed=5).frames
    assert few == many[: len(few)]


def test_pickled_frame_gives_the_same_picture_with_its_truth():
    frame = read_rendered(1, seed=3).frames[5]
    first, second = frame.picture(), pickle.loads(pickle.dumps(frame)).picture()
    np.testing.assert_array_equal(first.image, second.image)
    truth = first.truth
    assert truth["landmarks"].shape == (68, 2)
    height, width = first.image.shape[:2]
    assert (truth["landmarks"] > 0).all() and (truth["landmarks"] < [width, height]).all()
    assert abs(truth["yaw"]) < 35 and -90 < truth["light_azimuth"] < 90 and truth["glasses"] in (True, False)


def test_grey_is_grey():
    image = read_rendered(1, grey=True).frames[0].picture().image
    assert (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all()


def test_stamp_tells_what_matters():
    base = read_rendered(1, seed=1).frames
    assert len({f.stamp() for f in base if f.sequence == "anger"}) == len([f for f in base if f.sequence == "anger"])
    assert base[0].stamp() != read_rendered(1, seed=1, grey=True).frames[0].stamp()


def test_expressions_may_be_chosen():
    frames = read_rendered(1, expressions=("happy",)).frames
    assert {f.expression for f in frames} == {"neutral", "happiness"}
    assert {f.expression for f in read_rendered(1).frames} == set(EXPRESSIONS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subjects": 0}, "--subjects is 0"),
        ({"seed": -1}, "--seed is -1"),
        ({"frames": "some"}, "use ends or all"),
        ({"sequence_length": 4}, "at least 6 frames"),
        ({"glasses": 1.5}, "between 0 and 1"),
        ({"expressions": ("bored",)}, "bored"),
        ({"expressions": ("neutral",)}, "besides neutral"),
    ],
)
def test_wrong_values_are_named(wrong, message):
    with pytest.raises(FersynError, match=message):
        read_rendered(**wrong)
