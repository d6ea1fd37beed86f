"""A small CK+ in the layout of the distribution; its pictures are of openpeople."""

import pytest

from fersyn.datasets.ckplus import read_ckplus, read_consent
from fersyn.errors import FersynError, LayoutError

# subject/sequence: number of frames, code in the emotion file (None: no file)
SEQUENCES = {"S005/001": (11, 3), "S010/002": (8, None), "S010/004": (6, 7), "S011/001": (4, 5), "S052/001": (1, 6)}


@pytest.fixture
def tree(portraits, save, tmp_path):
    for name, (count, code) in SEQUENCES.items():
        subject, sequence = name.split("/")
        stem = f"{subject}_{sequence}_"
        for i in range(1, count + 1):
            image = portraits["P001", "neutral" if i <= count // 2 else "disgust"]
            save(image[..., 0], tmp_path / "cohn-kanade-images" / name / f"{stem}{i:08d}.png")
        emotion = tmp_path / "Emotion" / name
        emotion.mkdir(parents=True)  # the distribution has empty folders, too
        if code is not None:
            (emotion / f"{stem}{count:08d}_emotion.txt").write_text(f"   {code:.7e}\n")
    (tmp_path / "cohn-kanade-images" / "S005" / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "cohn-kanade-images" / "S005" / "001" / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "FACS").mkdir()
    return tmp_path


def told(frame_set, subject, sequence):
    chosen = [f for f in frame_set.frames if (f.subject, f.sequence) == (subject, sequence)]
    return [(f.frame, f.expression, f.intensity) for f in chosen]


def test_first_three_neutral_last_three_the_expression(tree):
    frame_set = read_ckplus(tree)
    assert told(frame_set, "S005", "001") == [(i, "neutral", 0.0) for i in (1, 2, 3)] + [
        (i, "disgust", 1.0) for i in (9, 10, 11)
    ]
    assert told(frame_set, "S010", "004") == [(i, "neutral", 0.0) for i in (1, 2, 3)] + [
        (i, "surprise", 1.0) for i in (4, 5, 6)
    ]
    first = frame_set.frames[0]
    assert first.source == "cohn-kanade-images/S005/001/S005_001_00000001.png" and first.path == tree / first.source
    assert first.picture().image.shape[2] == 3


def test_without_an_emotion_file_the_peak_has_no_label_but_the_start_is_neutral(tree):
    assert told(read_ckplus(tree), "S010", "002") == [(i, "neutral", 0.0) for i in (1, 2, 3)] + [
        (i, None, 1.0) for i in (6, 7, 8)
    ]


def test_labelled_only_leaves_the_whole_sequence_out(tree):
    frame_set = read_ckplus(tree, unlabelled=False)
    assert told(frame_set, "S010", "002") == [] and len(told(frame_set, "S010", "004")) == 6
    assert "1 sequences without an emotion file were left out." in frame_set.notes


def test_short_sequences_use_no_frame_twice(tree):
    frame_set = read_ckplus(tree)
    assert told(frame_set, "S011", "001") == [
        (1, "neutral", 0.0),
        (2, "neutral", 0.0),
        (3, "happiness", 1.0),
        (4, "happiness", 1.0),
    ]
    assert told(frame_set, "S052", "001") == []
    assert "1 sequences of one frame were left out: it may be neutral or not." in frame_set.notes


def test_nobody_is_published_without_consent(tree, tmp_path):
    assert not any(frame.publishable for frame in read_ckplus(tree).frames)
    frame_set = read_ckplus(tree, consent=["S010"])
    assert {frame.subject for frame in frame_set.frames if frame.publishable} == {"S010"}
    with pytest.raises(FersynError, match="consent names S999, who are not in"):
        read_ckplus(tree, consent=["S999"])


def test_consent_from_files_and_ids(tmp_path):
    (tmp_path / "list.txt").write_text("# agreed\nS052, S055\nS074 # and this one\n")
    assert read_consent([str(tmp_path / "list.txt"), "S005,S052"]) == ["S005", "S052", "S055", "S074"]
    with pytest.raises(FersynError, match="no such file of consenting subjects"):
        read_consent(["missing.txt"])
    with pytest.raises(FersynError, match="'55' is no subject of CK[+]; ids look like S052"):
        read_consent(["S052,55"])


def test_emotion_labels_as_the_folder_is_sometimes_called(tree):
    wanted = [frame.expression for frame in read_ckplus(tree).frames]
    (tree / "Emotion").rename(tree / "Emotion_labels")
    assert [frame.expression for frame in read_ckplus(tree).frames] == wanted
    (tree / "Emotion_labels").rename(tree / "Emotion")
    (tree / "Emotion_labels").mkdir()
    (tree / "Emotion").rename(tree / "Emotion_labels" / "Emotion")
    assert [frame.expression for frame in read_ckplus(tree).frames] == wanted


def test_missing_folders_are_named(tree, tmp_path):
    with pytest.raises(
        LayoutError,
        match="no folder cohn-kanade-images for ckplus, found .*; expected is cohn-kanade-images/S005/001/S005_001_0",
    ):
        read_ckplus(tree / "cohn-kanade-images")
    (tree / "Emotion").rename(tree / "labels")
    with pytest.raises(
        LayoutError, match="no folder Emotion or Emotion_labels .*Emotion/S005/001/S005_001_00000011_emotion.txt"
    ):
        read_ckplus(tree)
    with pytest.raises(LayoutError, match="is a file; ckplus is read from a folder that holds cohn-kanade-images"):
        read_ckplus(tree / "cohn-kanade-images/S005/001/S005_001_00000001.png")


def test_no_pictures_and_no_labels_at_all(tmp_path):
    (tmp_path / "cohn-kanade-images" / "S005" / "001").mkdir(parents=True)
    (tmp_path / "Emotion").mkdir()
    with pytest.raises(LayoutError, match="no pictures in it; expected is"):
        read_ckplus(tmp_path)


def test_only_unlabelled_sequences_left_out(tree):
    for file in (tree / "Emotion").rglob("*.txt"):
        file.unlink()
    with pytest.raises(
        LayoutError, match="none of the 5 sequences has an emotion file in Emotion; leave out --labelled-only"
    ):
        read_ckplus(tree, unlabelled=False)


def test_single_frames_alone_are_named_as_the_reason(tree):
    for sequence in (tree / "cohn-kanade-images").glob("*/*"):
        for file in sorted(sequence.glob("*.png"))[1:]:
            file.unlink()
    with pytest.raises(LayoutError, match="5 sequences hold a single frame, which may be neutral or not; unpack"):
        read_ckplus(tree)
    with pytest.raises(LayoutError, match="4 sequences hold a single frame.*, and 1 have no emotion file"):
        read_ckplus(tree, unlabelled=False)


@pytest.mark.parametrize("text", ["happy", "", "8.0", "2.5", "nan", "inf"])
def test_a_damaged_emotion_file_is_named(tree, text):
    file = tree / "Emotion/S005/001/S005_001_00000011_emotion.txt"
    file.write_text(text)
    with pytest.raises(
        FersynError, match=r"S005_001_00000011_emotion.txt: '.*' is no label of CK[+].*mend the file, or delete it"
    ):
        read_ckplus(tree)
