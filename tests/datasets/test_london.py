import os

import pytest

from fersyn.datasets.london import read_london
from fersyn.errors import LayoutError


@pytest.fixture
def tree(portraits, save, tmp_path):
    for i, person in enumerate(("P001", "P002"), start=7):
        save(portraits[person, "neutral"], tmp_path / "neutral_front" / f"{i:03d}_03.jpg")
        save(portraits[person, "happiness"], tmp_path / "smiling_front" / f"{i:03d}_08.jpg")
    (tmp_path / "london_info.csv").write_text("face_id,face_age\n")
    return tmp_path


def test_the_tree_reads_back(tree):
    frame_set = read_london(tree)
    assert [(f.source, f.subject, f.expression) for f in frame_set.frames] == [
        ("neutral_front/007_03.jpg", "007", "neutral"),
        ("smiling_front/007_08.jpg", "007", "happiness"),
        ("neutral_front/008_03.jpg", "008", "neutral"),
        ("smiling_front/008_08.jpg", "008", "happiness"),
    ]
    assert all(frame.publishable for frame in frame_set.frames)
    assert "DeBruine & Jones 2017, CC BY 4.0, doi 10.6084/m9.figshare.5047666" in frame_set.attribution


def test_what_is_named_otherwise_is_told(tree, save, portrait):
    save(portrait, tree / "neutral_front" / "me.jpg")
    (note,) = read_london(tree).notes
    assert note == "1 pictures are not named as in the set and were left out: neutral_front/me.jpg"


def test_missing_parts_are_named(tree, tmp_path):
    for file in (tree / "smiling_front").iterdir():
        file.unlink()
    with pytest.raises(
        LayoutError, match="smiling_front: no picture named NNN_08.jpg in it; expected is neutral_front/001_03.jpg"
    ):
        read_london(tree)
    (tree / "smiling_front").rmdir()
    with pytest.raises(
        LayoutError, match="no folder smiling_front for london, found london_info.csv, neutral_front; expected is"
    ):
        read_london(tree)


@pytest.mark.skipif("FERSYN_LONDON" not in os.environ, reason="set FERSYN_LONDON to the folder of the London set")
def test_all_photographs_of_the_real_set():
    frame_set = read_london(os.environ["FERSYN_LONDON"])
    assert len(frame_set.frames) == 204 and len({frame.subject for frame in frame_set.frames}) == 102
