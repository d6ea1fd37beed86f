import json
from types import SimpleNamespace

import numpy as np
import pytest

from fersyn.figures import Picture
from fersyn.reporting import Record


@pytest.fixture
def record():
    table = SimpleNamespace(
        fingerprint="f" * 64, info={"dataset": "rendered", "licence": "CC0", "attribution": "the kit"}
    )
    return Record("Probe", parameters={"seed": 3, "table": "data/x", "rate": 0.1}, tables={"faces": table})


def test_save(record, tmp_path):
    record.key("Rank-1", np.float32(98.25), "%", spread=np.nan)
    record.result("matrix", np.eye(2, dtype=int))
    record.result("nothing", float("nan"))
    record.note("")
    record.note("a note")
    record.thumbnail(Picture.of_array(np.zeros((8, 8, 3), np.uint8), "black"))
    record.thumbnail(None)
    record.save(tmp_path / "deep" / "x.json")
    content = json.loads((tmp_path / "deep" / "x.json").read_text())
    assert content["title"] == "Probe" and content["seed"] == 3
    assert content["parameters"] == {"seed": 3, "table": "data/x", "rate": 0.1}
    assert content["fingerprints"] == {"faces": "f" * 64}
    assert content["versions"]["fersyn"] and content["device"] and content["commit"]
    assert content["key_figures"] == [{"name": "Rank-1", "value": 98.25, "unit": "%", "digits": 1, "spread": None}]
    assert content["results"] == {"matrix": [[1, 0], [0, 1]], "nothing": None}
    assert content["notes"] == ["a note"] and len(content["thumbnails"]) == 1
    assert content["credits"] == [{"dataset": "rendered", "licence": "CC0", "attribution": "the kit"}]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["x.json"], "no draft is left"


def test_without_a_path_nothing_is_written(record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record.save("")
    assert not list(tmp_path.iterdir())


def test_shown_as_the_first_output(record):
    page = record._repr_html_()
    for text in ("seed = 3", "data/x", "f" * 16, "torch", "CPU" if "CPU" in record.content["device"] else "GPU"):
        assert text in page or text == "GPU"


def test_weights_stand_on_the_page_and_in_the_file(tmp_path):
    there = {"name": "sface", "sha256": "a" * 64, "source": "a wheel", "use": "identity", "licence": "Apache-2.0"}
    absent = {"name": "vgg-face", "sha256": None, "source": "missing: SFace is used instead"}
    record = Record("Probe", parameters={}, weights=[there, absent])
    page = record._repr_html_()
    assert "sface, SHA-256 <code>aaaaaaaaaaaa</code>: a wheel" in page
    assert "vgg-face: missing: SFace is used instead" in page
    record.save(tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["weights"] == [there, absent]


def closed_table(publishable, dataset="ckplus"):
    import pandas as pd

    rows = pd.DataFrame({"publishable": publishable, "dataset": dataset})
    return SimpleNamespace(fingerprint="f" * 64, info={"dataset": dataset}, rows=rows)


def test_faces_that_are_left_out_are_told_on_the_page_and_in_the_file(tmp_path):
    tables = {"a": closed_table([True, False, False]), "b": closed_table([True], "openpeople")}
    record = Record("Probe", parameters={"private": False}, tables=tables)
    said = "2 of 3 pictures of ckplus are counted and measured but not shown"
    assert said in record._repr_html_()
    (note,) = record.content["notes"]
    record.note(note)  # as notebooks do
    record.save(tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["notes"] == [note] and said in note


def test_a_private_page_counts_whom_it_shows():
    record = Record("Probe", parameters={"private": True}, tables={"a": closed_table([True, False])})
    assert "Not to be passed on: 1 of 2 pictures of ckplus" in record._repr_html_()
    assert Record("Probe", parameters={}, tables={"a": closed_table([True])}).content["notes"] == []


def test_a_picture_without_description_is_refused():
    with pytest.raises(ValueError, match="description"):
        Picture.of_array(np.zeros((8, 8, 3), np.uint8), " ")


def test_scores_stand_in_the_json_once_a_row_a_line_and_the_registry_of_what_occurs(record, tmp_path):
    from fersyn.evaluation import measure, scores

    rows = scores.rows_of(
        "ssim",
        [0.123456789, np.nan],
        ["set/a", "set/b"],
        ["0-1", "2-3"],
        ["fear"] * 2,
        method="copy",
        seed=0,
        table="set",
    )
    measured = scores.Scores(rows)
    summary = scores.summarise(measured)
    record.scores(measured, summary)
    record.scores(measured, summary)
    record.save(tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text()
    content = json.loads(text)
    assert content["schema"] == 2 and content["scores"]["columns"] == list(scores.COLUMNS)
    assert content["scores"]["data"] == [
        ["copy", 0, "set", "0-1", "set/a", "fear", "ssim", 0.1234568],
        ["copy", 0, "set", "2-3", "set/b", "fear", "ssim", None],
    ]
    assert '\n  ["copy", 0, "set", "0-1", "set/a", "fear", "ssim", 0.1234568],\n' in text
    assert content["metrics"] == {"ssim": measure.METRICS["ssim"].plain()}
    (row,) = content["summary"]
    assert row["value"] == 0.123456789 and row["low"] is None and content["differences"] == []


def test_whoever_stands_in_for_others_is_named():
    table = SimpleNamespace(fingerprint="f" * 64, info={"dataset": "rendered", "instead": "rendered people stand in"})
    assert Record("x", {}, {"generated": table}).content["notes"] == ["generated: rendered people stand in"]
