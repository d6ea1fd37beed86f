"""The script that compares two reports, on an old JSON and a new one of the same numbers."""

import importlib.util
import json
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[1] / "scripts" / "same_numbers.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("same_numbers", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def score(value, **more):
    return {"value": value, "low": None, "high": None, "people": 3, "seeds": 1, "deviation": None, **more}


@pytest.fixture
def reports(tmp_path):
    about = {"notebook": "03_image_quality", "fingerprints": {"rendered": "f", "photos": "e"}, "seconds": 3}
    keys = [{"name": "SSIM", "value": 0.51, "spread": None}, {"name": "speed", "value": 9, "unit": "images/s"}]
    old = {
        "quality": {"pairs": 7, "methods": {"copy": {"psnr": score(20.5)}}},
        "true_pictures_right": score(0.9),
        "differences": {"editor": "flow", "methods": {"copy": {"psnr": score(1.5, better=2)}}},
        "half_right_differences": {"copy": {"flow": {"psnr": score(-1.5, better=1)}}, "flow": {}},
        "intensity": {"copy": {"rank": {"value": None, "low": None, "high": None, "people": 0}}},
        "facts": {"seconds": 5, "config": {"pixel_weight": 100.0, "betas": [0.5, 0.9]}},
    }
    rows = [
        {"table": "rendered", "method": "copy", "metric": "psnr", **score(20.5)},
        {"table": "rendered", "method": "true picture", "metric": "right", **score(0.9)},
    ]
    gaps = [
        {"table": "rendered", "method": "flow", "minus": "copy", "metric": "psnr", **score(1.5, better=2)},
        {"table": "photos", "method": "copy", "minus": "flow", "metric": "psnr", **score(-1.5, better=1)},
    ]
    new = {"quality": {"pairs": 7}, "facts": {"seconds": 6, "config": {"weight_pixel": 100.0, "betas": [0.5, 0.9]}}}
    contents = (
        {**about, "schema": 1, "key_figures": keys, "results": old},
        {**about, "schema": 2, "key_figures": keys, "summary": rows, "differences": gaps, "results": new, "seconds": 9},
    )
    page = "<table><tr><th>method</th><th>PSNR</th></tr>{}<tr><td>speed</td><td>{}</td></tr></table>"
    cells = (
        "<tr><td>copy</td><td><strong>20.50 [−1.0,\u00a03.0]</strong></td></tr>",
        "<tr><td>copy</td><td>20.50 [-1.0, 3.0]</td></tr>",
    )
    for name, content, cell in zip("ab", contents, cells, strict=True):
        (tmp_path / name).mkdir()
        (tmp_path / name / "03_image_quality.json").write_text(json.dumps(content))
        (tmp_path / name / "03_image_quality.html").write_text(page.format(cell, name))
    return tmp_path / "a", tmp_path / "b"


def change(folder, edit):
    file = folder / "03_image_quality.json"
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def test_an_old_report_says_what_a_new_one_says(script, reports, capsys):
    assert script.main(*reports) == 0
    assert "0 differ" in capsys.readouterr().out
    assert script.main(reports[1], reports[1]) == 0


def test_a_number_that_differs_or_vanished_is_named(script, reports, capsys):
    change(reports[1], lambda content: content["summary"][0].update(value=20.6))
    assert script.main(*reports) == 1
    assert "summary / copy / psnr / rendered / value: 20.5 → 20.6" in capsys.readouterr().out
    change(reports[1], lambda content: content["differences"].pop())
    assert script.main(*reports) == 1
    assert "differences / copy − flow / photos / psnr / value: -1.5 → not there" in capsys.readouterr().out


def test_the_tables_of_the_pages_count(script, reports, capsys):
    page = reports[1] / "03_image_quality.html"
    page.write_text(page.read_text().replace("3.0", "3.1"))
    assert script.main(*reports) == 1
    assert "page / table 1 / line 1 (copy) / column 1 / #2: 3.0 → 3.1" in capsys.readouterr().out
    page.unlink()
    (reports[1] / "03_image_quality.json").unlink()
    assert script.main(*reports) == 1 and "03_image_quality: not there" in capsys.readouterr().out
