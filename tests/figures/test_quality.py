"""Tables and pictures of notebook 03, on methods that learn nothing."""

import numpy as np
import pytest

from fersyn import weights
from fersyn.evaluation import fid, fidelity, measure
from fersyn.evaluation import quality as metrics
from fersyn.figures import Note, Picture, Table, quality, synthesis
from fersyn.methods.copy_source import CopySource
from fersyn.methods.warp import Warp


@pytest.fixture(scope="module")
def true(small_table):
    pairs, chosen = metrics.measured_pairs(small_table, everybody=True)
    return measure.truth(pairs, chosen[:6], sets=False)


@pytest.fixture(scope="module")
def measured(true):
    return measure.measure_all({"copy": [CopySource(128)], "warp": [Warp(128), Warp(128)]}, true)


@pytest.fixture(scope="module")
def scores(measured, true):
    return measure.scores(measured, true)


def test_every_method_is_a_row_and_the_published_rows_stand_below(scores, true):
    table = quality.pictures(scores, true)
    assert list(table.frame["method"])[:2] == ["copy", "warp"] and len(table.frame) == 2 + len(synthesis.PUBLISHED)
    page = table._repr_html_()
    assert "the paper&#x27;s own*" in page and "67.69" in page and "not comparable" in page
    assert "6 pairs of" in page and "± deviation over 2 seeds" in page and "SSIM ↑" in page and "LPIPS ↓" in page
    assert all(row < 2 for row, _ in table.bold), "published numbers are not in the race"
    better = scores[scores["metric"] == "ssim"].set_index("method")["value"]
    assert (list(table.frame["method"]).index(better.idxmax()), 2) in table.bold


def test_missing_weights_are_named_and_no_number_stands_there(scores, true, monkeypatch):
    monkeypatch.setattr(weights, "find", lambda name: None)
    table = quality.pictures(scores, true).frame
    for column in ("LPIPS ↓", "FID ↓", "KID × 10³ ↓"):
        assert list(table[column])[:2] == ["weights missing"] * 2
    assert "[" in table["SSIM ↑"][0]
    note = quality.missing_note()
    assert "LPIPS, FID, KID" in note and "fersyn weights fetch fid-inception lpips-alex" in note
    assert quality.caveat(true).text == note, "no word on FID where there is none"
    monkeypatch.setattr(weights, "find", lambda name: name)
    assert quality.missing_note() == ""


def test_the_first_row_is_what_the_instruments_read_on_true_pictures(scores, true):
    table = quality.content(scores, true)
    assert list(table.frame["method"]) == [fidelity.TRUE, "copy", "warp"]
    assert table.frame["landmark error, % ↓"][0].startswith(f"{true.numbers()['landmark_error'].value:.2f}")
    assert all(row > 0 for row, _ in table.bold)
    assert table.frame["expression right, % ↑"][1] == "–", "nobody named expressions"


def test_numbers_as_text():
    row = {"value": -0.0004, "low": -0.02, "high": 0.03, "deviation": float("nan")}
    assert quality.number(row, 1, 2) == "0.00 [−0.02,\xa00.03]"
    assert quality.number({**row, "deviation": 0.01}, 10, 1) == "0.0 [−0.2,\xa00.3] ±\xa00.1"
    assert quality.number({"value": 1.5, "low": float("nan"), "high": float("nan")}) == "1.50"
    assert quality.plain(0.5, 1, "+") == "+0.5"


def test_differences_are_bold_where_chance_is_left_out(measured, true):
    gaps = measure.against(measured, true, "warp")
    table = quality.differences(gaps, "warp", ["ssim", "identity"])
    assert (
        list(table.frame["warp −"]) == ["copy"] and not table.bold and table.caption.startswith("warp minus each other")
    )
    assert "4 people cannot show a difference" in table.caption
    row = gaps[gaps["metric"] == "ssim"].iloc[0]
    sure, unsure = {"low": 0.1, "high": 0.3}, {"low": -0.1, "high": 0.3}
    for bounds, bold in ((sure, {(0, 1), (0, 2)}), (unsure, set())):
        table = quality.differences(gaps.assign(people=20, value=0.2, **bounds), "warp", ["ssim", "identity"])
        assert table.bold == bold and "bold: the interval leaves out 0" in table.caption
    wins = quality.wins(gaps, "warp", ["ssim"]).frame
    assert wins["SSIM"][0] == f"{row['better']:.0f} of {row['people']}"
    assert isinstance(quality.differences(gaps.head(0), "warp"), Note)


def test_by_expression_marks_the_best_of_each_row(measured):
    frames = measure.frames(measured)
    table = quality.by_expression(frames, "st_lpips")
    for y, line in enumerate(table.frame.itertuples(index=False)):
        best = {(y, x) for x in (1, 2) if line[x] == min(line[1:])}
        assert (best if len(best) < 2 else set()) == {spot for spot in table.bold if spot[0] == y}
    assert isinstance(quality.by_expression(frames, "right"), Note)


def test_pictures_show_those_who_may_be_shown(measured, true, small_table):
    everybody = np.ones(len(small_table), bool)
    found = [
        quality.results(true, measured, everybody, 4),
        quality.people(true, measured["warp"][0], "warp", everybody, 2),
        quality.cases(true, measured, "warp", everybody, 2),
    ]
    for picture in found:
        assert isinstance(picture, Picture) and picture.alt and len(picture.data) < 400_000
    nobody = ~everybody
    notes = [
        quality.results(true, measured, nobody),
        quality.people(true, measured["warp"][0], "warp", nobody),
        quality.cases(true, measured, "warp", nobody),
    ]
    assert all(isinstance(note, Note) for note in notes)


def test_cases_are_the_extremes_and_say_so(measured, true, small_table):
    frame = measured["warp"][0].frame
    metric = quality.case_metric(frame)
    picture = quality.cases(true, measured, "warp", np.ones(len(small_table), bool), 1)
    title = measure.METRICS[metric].title
    assert f"1 best and the 1 worst results of warp by {title}" in picture.alt and f"lowest {title}" in picture.caption
    assert quality.case_metric(frame.assign(lpips=np.nan)) == "st_lpips"


def test_the_chart_names_the_best(scores):
    picture = quality.chart(scores)
    better = scores[scores["metric"] == "psnr"].set_index("method")["value"].idxmax()
    assert f"PSNR, dB: best {better}" in picture.alt and len(picture.data) < 200_000


def test_intensities_in_a_table_and_a_chart():
    import pandas as pd

    lines = [(f"p{k % 3}", "fear", k, a, a * (0.8 + 0.05 * (k % 3))) for k in range(6) for a in (0.0, 0.5, 1.0)]
    names = ["person", "expression", "pair", "asked", "measured"]
    frame = pd.DataFrame(lines, columns=names)
    swept = {fidelity.TRUE: frame[frame["asked"] < 1], "warp": frame}
    found = quality.sweep_scores(swept)
    table = quality.sweep_table(found, swept)
    assert isinstance(table, Table) and "6 sweeps in 2 steps of 3 people" in table.caption
    assert table.frame["rank correlation"][0] == "–" and table.frame["rank correlation"][1].startswith("1.00")
    assert found["warp"]["full"].value == pytest.approx(0.85)
    assert "warp reaches 85 %" in quality.sweep_chart(swept).alt
    assert isinstance(quality.sweep_table({}, {}), Note) and isinstance(quality.sweep_chart({}), Note)


def test_sentences(true, scores):
    assert "6 pairs" in quality.summary_note(true).text and "No recogniser" in quality.summary_note(true).text
    for part in ("σ = 1.5", "AlexNet", "299 px"):
        assert part in quality.settings().text
    assert "pairs_of" in quality.no_pairs().text
    heads = list(quality.photographs(scores, true).frame.columns)
    assert "identity distance ↓" in heads and not any(name.startswith("FID") for name in heads)
    assert fid.WEIGHTS in quality.WEIGHTS
