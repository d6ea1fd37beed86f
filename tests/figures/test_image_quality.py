"""Tables and pictures of notebook 03, on methods that learn nothing."""

import numpy as np
import pandas as pd
import pytest

from fersyn import weights
from fersyn.evaluation import fid, fidelity, intensity, measure, protocol
from fersyn.evaluation.scores import METRICS, differences, summarise
from fersyn.figures import Note, Picture, Table, image_quality, synthesis
from fersyn.figures.score_table import ScoreTable, number, plain
from fersyn.figures.table import PUBLISHED, note
from fersyn.methods.copy import CopySource
from fersyn.methods.warp import Warp


@pytest.fixture(scope="module")
def true(small_table):
    pairs, chosen = protocol.measured_pairs(small_table, everybody=True)
    return measure.truth(pairs, chosen[:6], sets=False)


@pytest.fixture(scope="module")
def measured(true):
    return measure.evaluate({"copy": CopySource(128), "warp": [Warp(128), Warp(128)]}, true)


@pytest.fixture(scope="module")
def scores(measured):
    return summarise(measured.scores)


def test_every_method_is_a_row_and_the_published_rows_stand_below_where_the_faces_are_of_their_set(
    scores, true, monkeypatch
):
    assert list(image_quality.pictures(scores, true).frame["method"]) == ["copy", "warp"]
    monkeypatch.setitem(true.pairs.table.info, "dataset", "ckplus")
    table = image_quality.pictures(scores, true)
    rows = PUBLISHED["table5"]["numbers"]
    assert list(table.frame["method"])[:2] == ["copy", "warp"] and len(table.frame) == 2 + len(rows)
    page = table._repr_html_()
    assert "the paper&#x27;s own*" in page and "67.69" in page and "as published for CK+" in page
    assert "6 pairs of" in page and "± deviation over 2 seeds" in page and "SSIM ↑" in page and "LPIPS ↓" in page
    assert all(row < 2 for row, _ in table.bold), "published numbers are not in the race"
    better = scores[scores["metric"] == "ssim"].set_index("method")["value"]
    assert (list(table.frame["method"]).index(better.idxmax()), 2) in table.bold


def test_missing_weights_are_named_and_no_number_stands_there(scores, true, monkeypatch):
    monkeypatch.setattr(weights, "find", lambda name: None)
    known = scores[scores["metric"].isin(["psnr", "ssim"])]
    table = image_quality.pictures(known, true).frame
    for column in ("LPIPS ↓", "ST-LPIPS ↓", "FID ↓", "KID × 10³ ↓"):
        assert list(table[column])[:2] == ["weights missing"] * 2
    assert "[" in table["SSIM ↑"][0]
    note = image_quality.missing_note()
    assert "LPIPS, ST-LPIPS, FID, KID" in note and "named by fer, named by facex" in note
    assert {"lpips-alex", "stlpips", "fid-inception", "fer", "facex"} <= set(
        note.split("fetch ")[1].rstrip(".`").split()
    )
    assert image_quality.caveat(true).text == note, "no word on FID where there is none"
    monkeypatch.setattr(weights, "find", lambda name: name)
    assert image_quality.missing_note() == ""


def test_the_first_row_is_what_the_instruments_read_on_true_pictures(scores, true):
    read = summarise(true.readings())
    named, table, kept = image_quality.content(scores, read, true)
    assert list(kept.frame["method"]) == [fidelity.TRUE, "copy", "warp"] and kept.frame.iloc[0, 3] == "–"
    assert list(table.frame["method"]) == list(named.frame["method"]) == [fidelity.TRUE, "copy", "warp"]
    own = read.set_index("metric")["value"]
    assert table.frame["landmark error, % ↓"][0].startswith(f"{own['landmark_error']:.2f}")
    assert all(row > 0 for row, _ in (*table.bold, *named.bold))
    assert named.frame["named by the kit's recogniser, % ↑"][1] == "–", "it was not asked"


def test_the_best_of_each_column_is_bold_and_deviations_over_people_stand_behind():
    rows = [
        {"method": method, "metric": metric, "value": value, "low": 0.0, "high": 1.0, "people": 2, "pictures": 9,
         "people_deviation": spread}
        for method, values in (("a", (20.0, 0.9, 0.3)), ("b", (25.0, 0.8, 0.2)))
        for metric, value, spread in zip(image_quality.FIRST, values, (0.5, np.nan, 0.1), strict=True)
    ]  # fmt: skip
    found = image_quality.first_look(pd.DataFrame(rows))
    assert found.bold == {(1, 1), (0, 2), (1, 3)}
    page = found._repr_html_().replace("\u00a0", " ")
    assert "9 pairs, mean ± deviation over 2 people" in page
    assert "<strong>25.00 ± 0.50</strong>" in page and "<strong>0.900</strong>" in page
    assert "20.00 ± 0.50" in page and "<strong>20.00" not in page


def test_any_two_columns_make_a_table():
    rows = [
        {
            "verifier": verifier,
            "method": method,
            "metric": "right",
            "value": value,
            "low": 0.1,
            "high": 0.9,
            "people": 9,
        }
        for verifier, method, value in (("x", "copy", 0.5), ("y", "copy", 0.5), ("y", "warp", np.nan))
    ]
    table = ScoreTable(
        pd.DataFrame(rows), {"x": "by X", "y": "by Y"}, across="verifier", instead={"c-gan": "too few"},
        rows=["copy", "warp", "c-gan"], first=[["true", "1", "1"]],
    )  # fmt: skip
    assert table.frame.to_numpy().tolist() == [
        ["true", "1", "1"],
        ["copy", "50.0 [10.0,\u00a090.0]", "50.0 [10.0,\u00a090.0]"],
        ["warp", "–", "–"],
        ["c-gan", "too few", "too few"],
    ]
    assert list(table.frame) == ["method", "by X", "by Y"] and not table.bold, "one alone is not the best"
    sure = ScoreTable(pd.DataFrame(rows[:1]), {"x": "X"}, across="verifier", bold="sure", interval=True, spread="")
    assert sure.bold == {(0, 1)} and sure.frame["X"][0].startswith("+50.0")


def test_numbers_as_text():
    row = {"value": -0.0004, "low": -0.02, "high": 0.03, "deviation": float("nan")}
    assert number(row, 1, 2) == "0.00 [−0.02,\xa00.03]"
    assert number({**row, "deviation": 0.01}, 10, 1) == "0.0 [−0.2,\xa00.3] ±\xa00.1"
    assert number({"value": 1.5, "low": float("nan"), "high": float("nan")}) == "1.50"
    assert plain(0.5, 1, "+") == "+0.5"


def test_differences_are_bold_where_chance_is_left_out(measured, true):
    gaps = differences(measured.scores, of="warp")
    table = image_quality.differences(gaps, ["ssim", "identity"])
    assert (
        list(table.frame["warp −"]) == ["copy"] and not table.bold and table.caption.startswith("warp minus each other")
    )
    assert "4 people cannot show a difference" in table.caption
    row = gaps[gaps["metric"] == "ssim"].iloc[0]
    sure, unsure = {"low": 0.1, "high": 0.3}, {"low": -0.1, "high": 0.3}
    for bounds, bold in ((sure, {(0, 1), (0, 2)}), (unsure, set())):
        table = image_quality.differences(gaps.assign(people=20, value=0.2, **bounds), ["ssim", "identity"])
        assert table.bold == bold and "bold: the interval leaves out 0" in table.caption
    wins = image_quality.wins(gaps, ["ssim"]).frame
    assert wins["SSIM"][0] == f"{row['better']:.0f} of {row['people']}"
    assert isinstance(image_quality.differences(gaps.head(0)), Note)


def test_by_expression_marks_the_best_of_each_row(measured):
    table = image_quality.by_expression(measured, "st_lpips")
    for y, line in enumerate(table.frame.itertuples(index=False)):
        best = {(y, x) for x in (1, 2) if line[x] == min(line[1:])}
        assert (best if len(best) < 2 else set()) == {spot for spot in table.bold if spot[0] == y}
    assert isinstance(image_quality.by_expression(measured, "right"), Note)


def test_pictures_show_those_who_may_be_shown(measured, true, small_table):
    everybody = np.ones(len(small_table), bool)
    found = [
        synthesis.results(true, measured, everybody, 4),
        synthesis.people(true, measured, "warp", everybody, 2),
        synthesis.cases(true, measured, "warp", everybody, 2),
    ]
    for picture in found:
        assert isinstance(picture, Picture) and picture.alt and len(picture.data) < 400_000
    nobody = ~everybody
    notes = [
        synthesis.results(true, measured, nobody),
        synthesis.people(true, measured, "warp", nobody),
        synthesis.cases(true, measured, "warp", nobody),
    ]
    assert all(isinstance(note, Note) for note in notes)


def test_cases_are_the_extremes_and_say_so(measured, true, small_table):
    frame = measured.frame("warp", 0)
    metric = synthesis.case_metric(frame)
    picture = synthesis.cases(true, measured, "warp", np.ones(len(small_table), bool), 1)
    title = METRICS[metric].title
    assert f"1 best and the 1 worst results of warp by {title}" in picture.alt and f"lowest {title}" in picture.caption
    assert synthesis.case_metric(frame.assign(lpips=np.nan)) == "st_lpips"


def test_the_chart_names_the_best(scores):
    picture = image_quality.chart(scores)
    better = scores[scores["metric"] == "psnr"].set_index("method")["value"].idxmax()
    assert f"PSNR, dB: best {better}" in picture.alt and len(picture.data) < 200_000


def test_intensities_in_a_table_and_a_chart():
    lines = [(f"p{k % 3}", "fear", k, a, a * (0.8 + 0.05 * (k % 3))) for k in range(6) for a in (0.0, 0.5, 1.0)]
    names = ["person", "expression", "pair", "asked", "measured"]
    frame = pd.DataFrame(lines, columns=names)
    swept = {fidelity.TRUE: frame[frame["asked"] < 1], "warp": frame}
    found = summarise(intensity.sweep_scores(swept, "set"))
    table = image_quality.sweep_table(found, swept)
    assert isinstance(table, Table) and "6 sweeps in 2 steps of 3 people" in table.caption
    assert table.frame["rank correlation"][0] == "–" and table.frame["rank correlation"][1].startswith("1.00")
    assert found.set_index(["method", "metric"]).loc[("warp", "full"), "value"] == pytest.approx(0.85)
    chart, made = (image_quality.sweep_chart(own) for own in (swept, {"warp": swept["warp"]}))
    assert "warp reaches 85 %" in chart.alt
    assert "The star: what" in chart.caption and "star" not in made.caption, "it is drawn of true pictures alone"
    assert isinstance(image_quality.sweep_table(found, {}), Note) and isinstance(image_quality.sweep_chart({}), Note)


def test_sentences(true, scores):
    assert (
        "6 pairs" in image_quality.summary_note(true).text and "No recogniser" in image_quality.summary_note(true).text
    )
    for part in ("σ = 1.5", "AlexNet", "299 px"):
        assert part in image_quality.settings().text
    assert "pairs_of" in note("image_quality.no_pairs").text
    heads = list(image_quality.photographs(scores, true).frame.columns)
    assert "identity distance ↓" in heads and not any(name.startswith("FID") for name in heads)
    assert fid.WEIGHTS in image_quality.WEIGHTS
