"""What a report took, in words."""

import json

import nbformat

from fersyn.reporting import export, times


def test_a_page_says_what_was_measured_in_place_of_the_estimates():
    runs = {"full, seed 0": {"steps": 300, "seconds": 55.3}, "copy": {"steps": 0, "seconds": 0}}
    made = {
        "seconds": 130.2,
        "device": "CPU, 2 cores",
        "results": {"gan": {"steps": 9, "seconds": 8}, "runs": runs, "x": 3},
    }
    cost = times.told(made)
    assert cost == (
        "Measured: this notebook took 2 min 10 s on CPU, 2 cores; its trainings, before it, 63 s (gan 8 s, full, seed 0 55 s)."
    )
    assert times.told({}) == "" and times.told({"seconds": 3}) == "Measured: this notebook took 3 s."
    source = "# A\n\n**Question.** Why?\n\n**Time and cost.** Estimates.\n\n| smoke | 3 h |"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
    page = export.html(book, cost=cost)
    assert "Why?" in page and "63 s (gan 8 s" in page and "Estimates" not in page and "3 h" not in page
    assert "Estimates" in export.html(book) and "3 h" in book.cells[0].source


def test_ages():
    began = "2026-01-02T03:00:00+00:00"
    assert times.age(began, "2026-01-02T03:30:00+00:00") == "30 min 0 s" and times.age(began, began) == "0 s"
    assert (
        times.age(began, "2026-01-02T08:10:00+00:00") == "5 h"
        and times.age(began, "2026-01-08T03:00:00+00:00") == "6 days"
    )
    assert times.age("", began) == "" and times.age(began, "") == ""


def test_a_report_in_a_line(tmp_path):
    assert times.of_report(tmp_path) == ""
    about = {"schema": 2, "device": "CPU", "seconds": 60}
    run = {"gan": {"steps": 9, "seconds": 600}}
    (tmp_path / "02_training.json").write_text(json.dumps({**about, "results": run}))
    (tmp_path / "03_image_quality.json").write_text(json.dumps({**about, "seconds": 240}))
    (tmp_path / "04_x.failed.json").write_text(json.dumps(about))
    assert times.of_report(tmp_path) == (
        "- times, measured on CPU: notebooks 5 min 0 s (02 training 60 s, 03 image quality 4 min 0 s); trainings 10 min 0 s; "
        "several run at once"
    )
