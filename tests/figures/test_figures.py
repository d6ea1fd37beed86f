import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fersyn.evaluation import recognition
from fersyn.evaluation.scores import summarise
from fersyn.evaluation.verification import Trial
from fersyn.figures import Note, Picture, Table, charts, faces, pictured, preprocessing, privacy_note, table
from fersyn.table import FaceTable


def size(picture):
    return Image.open(io.BytesIO(picture.data)).size


def everyone(table):
    return np.ones(len(table), bool)


def test_a_picture_carries_its_description():
    picture = Picture.of_array(np.zeros((20, 40, 3), np.uint8), "black", "look")
    data, about = picture._repr_mimebundle_()
    assert set(data) == {"image/jpeg", "text/plain"} and about == {"image/jpeg": {"alt": "black", "width": 20}}
    assert picture.data_uri().startswith("data:image/jpeg;base64,") and size(picture) == (40, 20)


def test_table_text():
    table = Table([("a <b>", 1.234, 5, None), ("c", float("nan"), 12, None)], ["name", "x", "n", "-"], digits=1)
    page = table._repr_html_()
    assert "a &lt;b&gt;" in page and '<td class="number">1.2</td>' in page and '<td class="number">12</td>' in page
    assert page.count("–") == 3


@pytest.mark.parametrize(
    "picture",
    [
        lambda: charts.counts({"anger": {"training": 4, "test": 1}, "fear": {"training": 2}}),
        lambda: charts.histogram({"a": np.array([1.0, 2, np.nan]), "b": np.array([1.0])}, "x"),
        lambda: charts.confusion(np.array([[3, 1], [0, 0]]), ["anger", "fear"]),
        lambda: charts.roc(
            {"a": (np.array([0, 0, 1 / 3, 1 / 3, 1]), np.array([0, 0.5, 0.5, 1, 1]))}, [0.5], 0.1, "ROC", ""
        ),
        lambda: charts.learning({"fold 1": [2.0, 1.0]}, "loss"),
    ],
)
def test_charts_are_small_and_described(picture):
    found = picture()
    assert found.alt and found.mime == "image/png" and 1000 < len(found.data) < 60_000 and found.width < 800


def test_overlay_draws_at_the_right_place():
    points = np.full((68, 2), 10.0)
    drawn = faces.overlay(np.zeros((32, 32, 3), np.uint8), points, scale=2)
    ys, xs = np.nonzero(drawn.max(2) > 128)
    assert drawn.shape == (64, 64, 3)
    assert (
        abs(xs.mean() - 20.5) < 0.6 and abs(ys.mean() - 20.5) < 0.6
    )  # pixel centre 10 lies at 20.5 in the doubled picture


def test_fit_keeps_proportions():
    out = faces.fit(np.zeros((10, 40, 3), np.uint8), 20)
    assert out.shape == (20, 20, 3) and (out.max(2) < 128).sum() == 5 * 20


def test_every_figure_of_a_real_table(small_table):
    shown = everyone(small_table)
    for figure in (
        preprocessing.by_expression(small_table), preprocessing.samples(small_table, shown, 4), preprocessing.people(small_table,
        shown, 2),
        preprocessing.landmarks(small_table, shown, 6), preprocessing.heatmap_rows(small_table, shown, 2.0),
        preprocessing.means(small_table, shown),
        preprocessing.thumbnail(small_table, shown),
    ):  # fmt: skip
        assert isinstance(figure, Picture) and figure.alt and len(figure.data) < 400_000
    assert preprocessing.numbers(small_table)["faces"] == 28
    assert "28 of 4 people" in preprocessing.overview(small_table)._repr_html_()
    assert "brings 7 pictures" in preprocessing.per_person(small_table).text
    assert "not known" in preprocessing.intensity(small_table).text
    assert "Nothing was skipped" in preprocessing.skipped(small_table).text
    assert "openpeople" in preprocessing.credits(small_table).text


def test_names_of_skipped_files_are_not_on_a_page_that_is_passed_on(small_table):
    rows = [(f"anna/{k}.jpg", "anna", "fear", f"no face found ({k}x{k} px)") for k in (60, 70)]
    left_out = pd.DataFrame(rows, columns=["source", "subject", "expression", "reason"])
    asked = small_table.rows.assign(publishable=False)
    table = FaceTable(small_table.path, asked, small_table.info, left_out)
    page = preprocessing.skipped(table)._repr_html_()
    assert "anna" not in page and "no face found" in page and ">2<" in page
    assert "anna/60.jpg" in preprocessing.skipped(table, private=True)._repr_html_()
    everybody = FaceTable(small_table.path, asked.assign(publishable=True), small_table.info, left_out)
    assert "anna/60.jpg" in preprocessing.skipped(everybody)._repr_html_()


def test_faces_that_may_not_be_shown_are_not(small_table):
    rows = small_table.rows.assign(publishable=False)
    shown = pictured(rows)
    assert not shown.any() and pictured(rows, private=True).all()
    for figure in (preprocessing.people(small_table, shown), preprocessing.means(small_table, shown),
                   preprocessing.samples(small_table, shown),
                   preprocessing.landmarks(small_table, shown), preprocessing.heatmap_rows(small_table, shown, 2.0)):  # fmt: skip
        assert isinstance(figure, Note) and "nobody in this set agreed" in figure.text
    assert preprocessing.thumbnail(small_table, shown) is None
    assert "28 of 28 pictures of openpeople are counted and measured but not shown" in privacy_note(rows, shown)
    assert "Not to be passed on" in privacy_note(rows, pictured(rows, True), True)
    assert privacy_note(small_table.rows, everyone(small_table)) == ""


def test_only_shown_rows_are_chosen(small_table):
    shown = (small_table.rows["subject"] == small_table.rows["subject"].iloc[0]).to_numpy()
    for number in (3, 100):
        assert shown[faces.mixed(small_table.rows, shown, number)].all()
    assert len(faces.peaks(small_table.rows, shown)) == 1
    assert all(shown[preview["row"]] for preview in faces.previews(small_table, shown, 20))


def test_peaks_take_the_strongest_and_for_neutral_the_weakest():
    rows = pd.DataFrame(
        {
            "dataset": "d",
            "subject": "a",
            "expression": ["anger", "anger", "neutral", "neutral"],
            "intensity": [0.5, 0.9, 0.1, 0.0],
        }
    )
    assert faces.peaks(rows, np.ones(4, bool)) == {"d/a": {"anger": 1, "neutral": 3}}


def test_checks_say_why_there_is_nothing(small_table):
    assert "no true landmark positions" in preprocessing.landmark_error_table(small_table, None).text
    assert preprocessing.landmark_error_face(small_table, everyone(small_table), everyone(small_table), None) is None
    assert (
        preprocessing.identity_figures(None) == []
        and "fewer than two people" in preprocessing.identity_table(None).text
    )
    assert (
        "fewer than two people" in preprocessing.recognition_table([], pd.DataFrame(), 20).text
        and preprocessing.recognition_figures([]) == []
    )


def test_the_independent_landmarks_have_a_line_of_their_own(small_table):
    from fersyn.evaluation.fidelity import INDEPENDENT

    error = np.full((2, 68), 6.0)
    error[:, INDEPENDENT] = 3.0
    page = preprocessing.landmark_error_table(small_table, error)._repr_html_()
    line = page[page.index("eyes and inner lips (22, independent)") :]
    assert line.index("3.0") < line.index("all 68")


def test_too_few_pairs_are_named():
    people = np.array(list("abcdef"))
    who = Trial(np.where(np.eye(6, dtype=bool), 0.2, 0.8), people, people)
    page = preprocessing.identity_table(who)._repr_html_()
    assert "too few pairs" in page and "1000 would be needed" in page
    assert len(preprocessing.identity_figures(who)) == 1, "no ROC curve without pairs"


def test_recognition_in_words():
    true, named = (
        ["neutral", "anger"] * 4,
        ["anger", "anger", "neutral", "anger", "neutral", "neutral", "neutral", "anger"],
    )
    found = pd.DataFrame({"expression": true, "named": named, "row": range(8), "person": list("abcdefgh"), "seed": 0})
    test = recognition.CrossValidation("linear", found.assign(fold=[1, 1, 1, 1, 1, 2, 2, 2]))
    page = preprocessing.recognition_table([test], summarise(recognition.scores([test], "t")), 20)._repr_html_()
    page = page.replace("\u00a0", " ")
    assert "73.3 ± 9.4 %" in page and "8 people are fewer than 20" in page and "50.0 %" in page
    assert len(preprocessing.recognition_figures([test])) == 1
    assert re.search(r"neutral 75 %", preprocessing.recognition_figures([test])[0].alt)


def test_a_legend_never_lies_upon_a_curve():
    """It stands below the charts (`charts.key`), wherever lines run."""
    folder = Path(charts.__file__).parent
    others = [file.name for file in folder.glob("*.py") if ".legend(" in file.read_text(encoding="utf-8")]
    assert others == ["charts.py"]
    with charts.drawing(height=3) as (figure, axes):
        axes.plot([0, 1], [0, 1], label="one")
        axes.plot([0, 1], [1, 0], label="a second line")
        charts.key(figure)
        figure.canvas.draw()
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["one", "a second line"]
        assert legend.get_window_extent().y1 <= axes.get_tightbbox().y0 + 1


def test_what_is_one_is_in_the_singular_and_what_is_in_backticks_is_code():
    assert table.agree("1 pairs of 1 people; 11 pairs, 0.1 points, 1 of 2 people, 1 true pictures") == (
        "1 pair of 1 person; 11 pairs, 0.1 points, 1 of 2 people, 1 true picture"
    )
    page = Table([["`a < b`", 1]], ["`what`", "n"], caption="as `c`")._repr_html_()
    assert "<code>a &lt; b</code>" in page and "<code>what</code>" in page and "as <code>c</code>" in page


def test_grids_tell_where_their_labels_are_and_fit_a_page():
    face = np.full((64, 64, 3), 90, np.uint8)
    wide = faces.grid([[face] * 20, [face] * 19 + [None]], ["a", "b"], ["x"] * 20)
    assert wide.width <= faces.WIDEST + 4
    image = np.asarray(Image.open(io.BytesIO(wide.data)).convert("L"), int)
    top, left = round(wide.labels[0] * len(image)), round(wide.labels[1] * image.shape[1])
    assert abs(image[top + 4, left + 4] - 90) < 6 and abs(image[-4, -4] - faces.NOBODY) < 6
    assert wide._repr_mimebundle_()[1]["image/jpeg"]["labels"] == wide.labels
