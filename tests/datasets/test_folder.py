import math

import pytest

from fersyn.datasets.folder import read_folder
from fersyn.errors import FersynError, LayoutError


@pytest.fixture
def photo(portrait, save, tmp_path):
    return lambda name: save(portrait, tmp_path / name)


def told(frame_set):
    return [(f.source, f.subject, f.expression) for f in frame_set.frames]


def test_expression_folders(photo, tmp_path):
    for name in ("Happy/10.jpg", "Happy/9.jpg", "neutral/deep/a.png", "unlabelled/x.jpg"):
        photo(name)
    (tmp_path / "readme.txt").write_text("mine")
    (tmp_path / "Happy" / "._9.jpg").write_bytes(b"\0")
    frame_set = read_folder(tmp_path)
    assert told(frame_set) == [
        ("Happy/9.jpg", "Happy/9.jpg", "happiness"),
        ("Happy/10.jpg", "Happy/10.jpg", "happiness"),
        ("neutral/deep/a.png", "neutral/deep/a.png", "neutral"),
        ("unlabelled/x.jpg", "unlabelled/x.jpg", None),
    ]
    assert [f.intensity for f in frame_set.frames if f.expression == "neutral"] == [0.0]
    assert math.isnan(frame_set.frames[0].intensity)
    assert frame_set.notes[0] == "1 file that is no picture was passed over."
    assert frame_set.notes[1].startswith("4 pictures name no person: each counts as its own")
    assert not any(f.publishable for f in frame_set.frames)
    assert all(f.publishable for f in read_folder(tmp_path, publishable=True).frames)


def test_subject_folders(photo, tmp_path):
    for name in ("anna/sad/1.jpg", "anna/neutral/1.jpg", "ben/sad/1.jpg"):
        photo(name)
    frame_set = read_folder(tmp_path)
    assert told(frame_set) == [
        ("anna/neutral/1.jpg", "anna", "neutral"),
        ("anna/sad/1.jpg", "anna", "sadness"),
        ("ben/sad/1.jpg", "ben", "sadness"),
    ]
    assert frame_set.notes == []


def test_a_subject_that_looks_like_an_expression_is_no_expression(photo, tmp_path):
    for name in ("SU01/anger/1.png", "AN02/sad/1.png"):
        photo(f"codes/{name}")
    assert told(read_folder(tmp_path / "codes")) == [
        ("AN02/sad/1.png", "AN02", "sadness"),
        ("SU01/anger/1.png", "SU01", "anger"),
    ]
    for name in ("Joy/anger/1.png", "Joy/sad/1.png"):  # a tie: both levels read as expressions
        photo(f"names/{name}")
    assert {(f.subject, f.expression) for f in read_folder(tmp_path / "names").frames} == {
        ("Joy", "anger"),
        ("Joy", "sadness"),
    }
    photo("short/an/1.png")
    with pytest.raises(LayoutError, match="short/an: the folder is named after no expression"):
        read_folder(tmp_path / "short")


def test_subject_from_a_pattern(photo, tmp_path):
    for name in ("sad/anna_1.jpg", "sad/anna_2.jpg", "sad/ben_1.jpg"):
        photo(name)
    frame_set = read_folder(tmp_path, subject_from=r"([a-z]+)_\d")
    assert [f.subject for f in frame_set.frames] == ["anna", "anna", "ben"]
    with pytest.raises(
        FersynError, match="sad/anna_1.jpg: --subject-from 'x.y.z' does not match".replace("x.y.z", r"\(zz\)")
    ):
        read_folder(tmp_path, subject_from="(zz)")
    with pytest.raises(FersynError, match="must have one group.*but has 0"):
        read_folder(tmp_path, subject_from="anna")
    with pytest.raises(FersynError, match="is no regular expression"):
        read_folder(tmp_path, subject_from="(")


def test_a_misspelt_folder_is_named_not_dropped(photo, tmp_path):
    for name in ("happy/1.jpg", "hapy/1.jpg"):
        photo(name)
    with pytest.raises(
        LayoutError,
        match=r"hapy: the folder is named after no expression; expected is expression/photo.jpg or subject/expr",
    ):
        read_folder(tmp_path)
    for name in ("anna/sad/1.jpg", "anna/sadd/1.jpg"):
        photo(f"people/{name}")
    with pytest.raises(LayoutError, match="people/anna/sadd: the folder is named after no expression"):
        read_folder(tmp_path / "people")


def test_no_pictures_or_loose_ones(photo, tmp_path):
    with pytest.raises(LayoutError, match="no pictures in it; expected is expression/photo.jpg"):
        read_folder(tmp_path)
    photo("a.jpg")
    with pytest.raises(LayoutError, match=r"1 pictures lie in no folder \(a.jpg\); expected is"):
        read_folder(tmp_path)
    with pytest.raises(
        LayoutError, match="nowhere does not exist; folder is read from a folder that holds expression/"
    ):
        read_folder(tmp_path / "nowhere")


def write(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


def test_csv(photo, tmp_path):
    photo("a.jpg"), photo("sub/b.jpg")
    table = write(
        tmp_path / "list.csv",
        "File;Expression;Subject;Intensity;Publishable\na.jpg;Angry;anna;0,5;yes\nsub\\b.jpg;;ben;;\nc.jpg;neutral;;;no\n",
        encoding="utf-8-sig",
    )
    frame_set = read_folder(tmp_path, csv=table)
    assert told(frame_set) == [("a.jpg", "anna", "anger"), ("sub/b.jpg", "ben", None), ("c.jpg", "c.jpg", "neutral")]
    assert [f.publishable for f in frame_set.frames] == [True, False, False]
    assert frame_set.frames[0].intensity == 0.5 and math.isnan(frame_set.frames[1].intensity)
    assert frame_set.frames[2].intensity == 0.0
    assert frame_set.frames[2].stamp() == "missing"  # skipped with its reason later on, see test_preprocess


@pytest.mark.parametrize(
    "text, message",
    [
        ("file,mood\na.jpg,happy\n", "columns must be file, expression, .*; found file, mood"),
        ("", "columns must be file, expression, .*; found nothing"),
        ("file,expression\n", "lists no pictures"),
        (
            "file,expression\na.jpg,happy\nb.jpg,hapy\n",
            "list.csv, line 3: 'hapy' is no expression; use one of: neutral",
        ),
        ("file,expression\n,happy\n", "line 2: no file is named"),
        ("file,expression\n../a.jpg,happy\n", "line 2: ../a.jpg: name the file relative to"),
        ("file,expression\n/a.jpg,happy\n", "line 2: /a.jpg: name the file relative to"),
        ("file,expression\na.jpg,sad\na.jpg,happy\n", "line 3: a.jpg is listed twice"),
        ("file,expression,intensity\na.jpg,sad,7\n", "line 2: intensity must lie between 0 and 1, not '7'"),
        ("file,expression,intensity\na.jpg,sad,much\n", "line 2: intensity must lie between 0 and 1, not 'much'"),
        ("file,expression,publishable\na.jpg,sad,maybe\n", "line 2: publishable must be yes or no, not 'maybe'"),
    ],
)
def test_csv_errors_name_file_and_line(tmp_path, text, message):
    with pytest.raises(FersynError, match=message):
        read_folder(tmp_path, csv=write(tmp_path / "list.csv", text))


def test_csv_missing_or_not_text(tmp_path):
    with pytest.raises(FersynError, match="none.csv: no such CSV; it needs the columns file, expression"):
        read_folder(tmp_path, csv=tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_bytes(b"file,expression\n\xff\xfe,happy\n")
    with pytest.raises(FersynError, match="bad.csv: is not UTF-8 text; save the CSV as UTF-8"):
        read_folder(tmp_path, csv=tmp_path / "bad.csv")
