import json
import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fersyn.errors import TableError
from fersyn.expressions import EXPRESSIONS
from fersyn.table import COLUMNS, FaceTable, fingerprint, write_metadata


@pytest.fixture
def copy(small_table, tmp_path):
    """A table that a test may damage."""
    return shutil.copytree(small_table.path, tmp_path / "table")


def test_what_the_small_table_holds(small_table):
    table = small_table
    assert len(table) == 28 and len(set(table.people)) == 4 and table.size == 128
    assert list(table.rows.columns) == COLUMNS.names
    assert table.people[0] == "openpeople/P001"
    assert table.info["licence"] == "MIT" and table.info["counts"]["expressions"]["fear"] == 4
    assert table.info["counts"]["people"] == 4 and table.info["request"] == {"reader": "openpeople"}
    assert set(table.rows["split"]) == {"train", "test"}
    assert (table.path / "splits" / "holdout.csv").is_file() and (table.path / "splits" / "kfold4.csv").is_file()
    assert str(table.path.parent) not in (table.path / "table.json").read_text()  # no path of this machine
    assert (table.rows["align"].map(len) == 6).all()


def test_images_tensors_landmarks_and_labels_agree(small_table):
    images, tensor = small_table.images(), small_table.tensor()
    assert images.shape == (28, 128, 128, 3) and images.dtype == np.uint8
    assert tensor.shape == (28, 3, 128, 128) and tensor.dtype == torch.float32
    assert tensor.min() >= -1 and tensor.max() <= 1
    np.testing.assert_allclose((tensor.permute(0, 2, 3, 1).numpy() + 1) * 127.5, images, atol=1e-3)
    assert small_table.landmarks().shape == (28, 68, 2) and small_table.landmarks().dtype == np.float32
    labels = small_table.labels()
    assert labels.dtype == np.int64
    assert [EXPRESSIONS[i] for i in labels] == list(small_table.rows["expression"])


@pytest.mark.parametrize("index", [[3, 1], np.array([True] * 2 + [False] * 26), slice(2, 5), [], 4])
def test_a_part_of_the_rows(small_table, index):
    whole = small_table.images()
    part = whole[np.asarray(index, int) if isinstance(index, list) else index]
    assert (small_table.images(index) == part).all()
    assert (
        small_table.landmarks(index)
        == small_table.landmarks()[index if not isinstance(index, list) else np.asarray(index, int)]
    ).all()
    assert len(small_table.tensor(index)) == len(small_table.labels(index)) == len(small_table.images(index))


def toy(lines):
    """A table of rows alone: (subject, sequence, expression, intensity)."""
    rows = pd.DataFrame(lines, columns=["subject", "sequence", "expression", "intensity"]).assign(dataset="toy")
    return FaceTable(None, rows, {}, pd.DataFrame())


def test_intensities_where_the_table_does_not_know():
    table = toy([("A", "", "neutral", None), ("A", "", "fear", None), ("A", "", None, None), ("A", "", "fear", 0.25)])
    assert table.intensities().tolist() == [0, 1, 1, 0.25] and table.intensities().dtype == np.float64
    assert table.intensities([3, 1]).tolist() == [0.25, 1] and table.intensities([], 0.5).tolist() == []
    assert np.isnan(table.intensities(unknown=np.nan)).tolist() == [True, True, True, False]
    assert table.intensities(slice(0, 2), unknown=0.5).tolist() == [0.5, 0.5]


def test_which_neutral_faces_belong_to_an_expressive_one():
    table = toy(
        [("B", "s1", "fear", 1), ("A", "", "neutral", 0), ("B", "s1", "neutral", 0), ("A", "", "anger", 1),
         ("B", "s2", "neutral", 0), ("A", "", None, None), ("B", "s2", "sadness", 1), ("B", "s1", "fear", 0.5),
         ("C", "s1", "fear", 1)]
    )  # fmt: skip
    found = {name: tuple(rows.tolist() for rows in both) for name, both in table.sequences().items()}
    assert list(found) == [("toy/B", "s1"), ("toy/A", ""), ("toy/B", "s2"), ("toy/C", "s1")]
    assert found["toy/B", "s1"] == ([2], [0, 7]) and found["toy/A", ""] == ([1], [3])
    assert found["toy/B", "s2"] == ([4], [6]) and found["toy/C", "s1"] == ([], [8])
    calm, loud = table.sequences([7, 2, 0])["toy/B", "s1"]
    assert calm.tolist() == [2] and loud.tolist() == [7, 0] and loud.dtype == np.int64
    assert table.sequences([]) == {} and list(table.sequences(np.arange(9) == 8)) == [("toy/C", "s1")]


def test_the_stored_alignment_cuts_the_same_face(small_table, people_frames):
    from fersyn.faces.align import Alignment

    row = small_table.rows.iloc[5]
    image = people_frames.frames[5].picture().image
    assert (row["width"], row["height"]) == (image.shape[1], image.shape[0])
    crop = Alignment(np.reshape(row["align"], (2, 3)), 128).warp(image)
    assert np.abs(crop.astype(int) - small_table.images([5])[0]).mean() < 0.1


def test_previews_show_the_picture_before(small_table):
    previews = small_table.previews()
    assert len(previews) == 24
    rows = small_table.rows.iloc[[preview["row"] for preview in previews]]
    assert set(rows["subject"]) == {"P001", "P002", "P003", "P004"} and rows["expression"].nunique() == 7
    for preview in previews:
        height, width = preview["image"].shape[:2]
        assert max(height, width) <= 320 and preview["landmarks"].shape == (68, 2)
        points = preview["landmarks"]
        left, top, right, bottom = preview["box"]
        assert left < points[30, 0] < right and top < points[30, 1] < bottom  # the tip of the nose


def test_opening_again_gives_the_same(small_table):
    again = FaceTable.open(small_table.path)
    again.verify()
    assert again.fingerprint == small_table.fingerprint == fingerprint(again.rows)


number = st.floats(-500, 500, allow_nan=False).map(lambda x: round(x, 2))
points = st.lists(st.lists(number, min_size=2, max_size=2), min_size=68, max_size=68)
angle = st.one_of(st.none(), st.floats(-180, 180).map(lambda x: round(x, 6)))
row = st.fixed_dictionaries(
    {
        "dataset": st.sampled_from(["a", "b"]),
        "subject": st.text("0123456789Sé ", min_size=1, max_size=5),
        "sequence": st.sampled_from(["", "001"]),
        "frame": st.integers(0, 99999),
        "expression": st.one_of(st.none(), st.sampled_from(EXPRESSIONS)),
        "intensity": st.one_of(st.none(), st.floats(0, 1).map(lambda x: round(x, 6))),
        "landmarks": st.just([[1.0, 2.0]] * 68) | points,
        "source": st.text(max_size=20),
        "split": st.sampled_from(["train", "test"]),
        "publishable": st.booleans(),
        "align": st.lists(number, min_size=6, max_size=6),
        "width": st.integers(1, 10000),
        "height": st.integers(1, 10000),
        "sha256": st.just("0" * 64),
        "truth_landmarks": st.none() | st.just([[3.0, 4.5]] * 68),
        "truth_yaw": angle,
        "truth_pitch": angle,
        "truth_roll": angle,
        "truth_light_azimuth": angle,
        "truth_light_elevation": angle,
        "truth_glasses": st.one_of(st.none(), st.booleans()),
    }
)


@settings(max_examples=25)
@given(st.lists(row, min_size=1, max_size=4))
def test_rows_round_trip(tmp_path_factory, records):
    """Written and opened, rows come back with nulls as nulls, and the fingerprint is the same before and after."""
    path = tmp_path_factory.mktemp("t")
    (path / "images").mkdir()
    for i, record in enumerate(records):
        record["file_name"] = f"images/{i}.png"
        (path / record["file_name"]).touch()
    rows = pd.DataFrame(records)[COLUMNS.names]
    write_metadata(rows, path)
    (path / "table.json").write_text(json.dumps({"size": 128, "fingerprint": fingerprint(rows)}))
    table = FaceTable.open(path)
    assert fingerprint(table.rows) == table.fingerprint
    for before, after in zip(records, table.rows.to_dict("records"), strict=True):
        for key, value in before.items():
            if value is None:
                assert after[key] is None or np.isnan(after[key]), key
            elif isinstance(value, list):
                np.testing.assert_array_equal(np.array(value), np.array([np.asarray(v) for v in after[key]]))
            else:
                assert after[key] == value, key


def test_the_fingerprint_sees_every_column_and_the_order(small_table):
    base = small_table.fingerprint
    for name in ("file_name", "expression", "source", "split", "sha256"):
        changed = small_table.rows.copy()
        changed.loc[3, name] = "x"
        assert fingerprint(changed) != base, name
    for name, value in (("intensity", 0.123), ("frame", 99), ("publishable", False), ("truth_yaw", 1.0), ("width", 3)):
        changed = small_table.rows.copy()
        changed.loc[0, name] = value
        assert fingerprint(changed) != base, name
    assert fingerprint(small_table.rows.iloc[::-1]) != base


def refused(path, message):
    with pytest.raises(TableError, match=message):
        FaceTable.open(path)


def test_no_table(tmp_path):
    refused(tmp_path / "none", "there is no such face table; build one with: fersyn data")
    refused(tmp_path, "is no face table")
    (tmp_path / ".fersyn").mkdir()
    refused(tmp_path, "unfinished; run the command that builds it again")


def test_missing_pictures_are_named(copy):
    name = FaceTable.open(copy).rows["file_name"][7]
    (copy / name).unlink()
    refused(copy, f"pictures that are missing: {name}; build the table anew with --overwrite")


def test_damaged_metadata_is_named(copy):
    (copy / "metadata.parquet").write_bytes(b"PAR1 nothing")
    refused(copy, "metadata.parquet or table.json cannot be read")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda rows: rows.drop(columns=["split", "align"]), "lacks the column.s. split, align"),
        (lambda rows: rows.assign(expression="shock"), "unknown expressions: shock"),
        (lambda rows: rows.assign(split="val"), "neither train nor test: val"),
        (lambda rows: rows.assign(intensity=2.0), "intensities outside 0..1"),
        (lambda rows: rows.assign(file_name=rows["file_name"][0]), "rows of the same file_name"),
        (lambda rows: rows.assign(landmarks=[[[0.0, 0.0]] * 5] * len(rows)), "not 68 landmarks"),
        (lambda rows: rows.iloc[:0], "the table has no rows"),
    ],
)
def test_wrong_rows_are_named(copy, change, message):
    rows = pd.read_parquet(copy / "metadata.parquet")
    change(rows).to_parquet(copy / "metadata.parquet")
    refused(copy, message)


def test_changed_pixels_are_found_by_verify(copy):
    table = FaceTable.open(copy)
    name = table.rows["file_name"][2]
    image = cv2.imread(str(copy / name))
    image[0, 0, 0] ^= 1
    cv2.imwrite(str(copy / name), image)
    with pytest.raises(TableError, match=rf"1 pictures were changed \({name}\)"):
        table.verify()


def test_changed_rows_are_found_by_verify(copy):
    rows = pd.read_parquet(copy / "metadata.parquet")
    write_metadata(rows.assign(subject="X"), copy)
    with pytest.raises(TableError, match="does not fit table.json's fingerprint"):
        FaceTable.open(copy).verify()


def test_a_picture_of_another_size_is_named(copy):
    table = FaceTable.open(copy)
    cv2.imwrite(str(copy / table.rows["file_name"][0]), np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(TableError, match="is 64x64 px, not 128"):
        table.images([0])


def test_hugging_face_reads_it_as_an_imagefolder(small_table, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True, raising=False)
    loaded = datasets.load_dataset("imagefolder", data_dir=str(small_table.path), cache_dir=str(tmp_path))
    (split,) = loaded.values()  # all in one: no file name is taken for part of a split
    assert len(split) == 28
    by_source = {record["source"]: record for record in split}
    row = small_table.rows.iloc[9]
    record = by_source[row["source"]]
    assert record["expression"] == row["expression"] and record["split"] == row["split"]
    assert (np.asarray(record["image"]) == small_table.images([9])[0]).all()
    np.testing.assert_allclose(np.asarray(record["landmarks"]), small_table.landmarks([9])[0], atol=1e-4)
