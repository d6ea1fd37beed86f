"""A small Oulu-CASIA in the layout of the distribution; its pictures are of openpeople."""

import pytest

from fersyn.datasets.oulu_casia import read_oulu_casia
from fersyn.errors import LayoutError

EXPRESSIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")


@pytest.fixture
def tree(portraits, save, tmp_path):
    for person in ("P001", "P002"):
        for expression in EXPRESSIONS:
            for i in range(12 if expression != "Fear" else 5):
                image = portraits[person, "neutral" if i < 4 else expression.lower()]
                save(image, tmp_path / "B_OriginalImg/VL/Strong" / person / expression / f"{i:03d}.jpeg")
    (tmp_path / "B_OriginalImg/VL/Dark/P001/Anger").mkdir(parents=True)
    (tmp_path / "B_OriginalImg/NI/Strong/P001/Anger").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("below", ["", "B_OriginalImg"])
def test_first_three_neutral_last_three_the_expression(tree, below):
    frame_set = read_oulu_casia(tree / below)
    assert len(frame_set.frames) == 2 * (5 * 6 + 5)
    anger = [f for f in frame_set.frames if (f.subject, f.sequence) == ("P002", "Anger")]
    assert [(f.frame, f.expression, f.intensity) for f in anger] == [
        *[(i, "neutral", 0.0) for i in (0, 1, 2)],
        *[(i, "anger", 1.0) for i in (9, 10, 11)],
    ]
    assert anger[0].source == "VL/Strong/P002/Anger/000.jpeg"
    assert {f.expression for f in frame_set.frames} == {"neutral", *(e.lower() for e in EXPRESSIONS)}


def test_short_sequences_use_no_frame_twice(tree):
    fear = [f for f in read_oulu_casia(tree).frames if f.sequence == "Fear" and f.subject == "P001"]
    assert [(f.frame, f.expression) for f in fear] == [
        (0, "neutral"),
        (1, "neutral"),
        (2, "fear"),
        (3, "fear"),
        (4, "fear"),
    ]


def test_nobody_may_be_published(tree):
    assert not any(frame.publishable for frame in read_oulu_casia(tree).frames)


def test_wrong_layouts_are_named(tree, tmp_path):
    with pytest.raises(
        LayoutError,
        match="no folder B_OriginalImg/VL/Strong or VL/Strong for oulu-casia, found .*; expected is B_OriginalImg/VL",
    ):
        read_oulu_casia(tree / "B_OriginalImg" / "NI")
    strong = tree / "B_OriginalImg/VL/Strong"
    (strong / "P001" / "Anger").rename(strong / "P001" / "Mood1")
    with pytest.raises(LayoutError, match="Mood1: the folder is named after no expression; expected is"):
        read_oulu_casia(tree)


def test_an_empty_tree(tmp_path):
    (tmp_path / "B_OriginalImg/VL/Strong/P001/Anger").mkdir(parents=True)
    with pytest.raises(
        LayoutError, match="no sequences with pictures in it; expected is B_OriginalImg/VL/Strong/P001/Anger/000.jpeg"
    ):
        read_oulu_casia(tmp_path)
