"""`fersyn results`: the main numbers of a report as a Markdown table."""

import json

import pytest
from typer.testing import CliRunner

from fersyn.cli import app
from fersyn.errors import FersynError
from fersyn.reporting import results
from fersyn.reporting.results import table


@pytest.fixture
def report(tmp_path):
    def score(method, metric, value, low=None, high=None, **more):
        return {
            "table": "rendered",
            "method": method,
            "metric": metric,
            "value": value,
            "low": low,
            "high": high,
            **more,
        }

    about = {"schema": 2, "commit": "0123456789abcdef", "seed": 3, "device": "CPU", "fingerprints": {"faces": "f" * 64}}
    metrics = {
        name: {"scale": scale, "digits": digits}
        for name, scale, digits in (
            ("psnr", 1, 2),
            ("ssim", 1, 3),
            ("lpips", 1, 3),
            ("right", 100, 1),
            ("rank1", 100, 1),
        )
    }
    quality = [
        score("copy", "psnr", 21.394, 19.781, 22.349),
        score("copy", "right", 0.0596, 0.0119, 0.124),
        score("copy", "lpips", None),
        score("warp", "psnr", 23.054),
        score("warp", "ssim", 0.7807, 0.7218, 0.8166),
        score("true picture", "right", 0.9),
        {**score("copy", "psnr", 1.0), "table": "photographs"},
    ]
    ranks = [
        score("untouched", "rank1", 0.96, 0.9, 1, verifier="dlib ResNet"),
        score("untouched", "rank1", 0.5, 0.4, 1, verifier="SFace"),
        {**score("untouched", "rank1", 0.1, verifier="dlib ResNet"), "table": "photographs"},
    ]
    files = {
        "03_image_quality": {"metrics": metrics, "summary": quality},
        "05_identity": {"metrics": metrics, "summary": ranks},
        "06_augmentation": {
            "key_figures": [{"name": "10 x", "value": "+8.5 [+4.4, +12.5]", "unit": "points"}],
            "parameters": {"seeds": 3},
        },
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({**about, **content}))
    return tmp_path


def test_rows_are_methods_and_cells_have_intervals(report):
    lines = table(report).splitlines()
    head = [cell.strip() for cell in lines[0].split("|")[1:-1]]
    rows = {
        row[0]: dict(zip(head, row, strict=True))
        for row in ([c.strip() for c in x.split("|")[1:-1]] for x in lines[2:5])
    }
    assert rows["copy"]["PSNR, dB ↑"] == "21.39 [19.78, 22.35]" and rows["copy"]["LPIPS ↓"] == "–"
    assert (
        rows["copy"]["expression named (the kit's recogniser), % ↑"] == "6.0 [1.2, 12.4]"
        and rows["warp"]["PSNR, dB ↑"] == "23.05"
    )
    assert rows["untouched"]["Rank-1 (dlib), % ↑"] == "96.0 [90.0, 100.0]" and rows["untouched"]["SSIM ↑"] == ""
    assert "- 10 x: +8.5 [+4.4, +12.5] points of balanced accuracy" in lines
    assert lines[-1] == "- 03, 05, 06: commit 0123456789ab; data faces ffffffffffff; seed 3; CPU"


def test_what_recognisers_gain_is_told_of_three_seeds_or_more(report):
    file = report / "06_augmentation.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "parameters": {"seeds": 2}}))
    assert "10 x" not in table(report)
    kinds = {
        name: {"title": name, "better": "higher", "scale": 100.0, "digits": 1}
        for name in ("person_balanced", "person_plain")
    }
    summary = [
        {"table": "lab", "method": "+ a", "metric": name, "value": value, "low": low, "high": high, "deviation": spread}
        for name, value, low, high, spread in (
            ("person_balanced", 0.6, 0.5, 0.7, 0.1), ("person_plain", 0.8, 0.7, 0.9, 0.1), ("balanced", 0.6, None, None, 0.025),
            ("accuracy", 0.8, None, None, 0.011),
        )
    ]  # fmt: skip
    own = {**content, "metrics": kinds, "summary": summary, "key_figures": []}
    (report / "09_recognition.json").write_text(json.dumps({**own, "parameters": {"deals": 3}}))
    text = table(report)
    assert "| learnt from | lab: balanced, % | lab: plain, % |" in text
    assert "| + a | 60.0 [50.0, 70.0] ± 2.5 | 80.0 [70.0, 90.0] ± 1.1 |" in text
    (report / "09_recognition.json").write_text(json.dumps({**own, "parameters": {"deals": 1}}))
    assert "+ a" not in table(report)


def test_notebooks_of_two_seeds_are_told_apart(report):
    file = report / "05_identity.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "seed": 4}))
    last = table(report).splitlines()[-2:]
    assert [line.split(":")[0] for line in last] == ["- 03, 06", "- 05"] and "seed 4" in last[1]


def test_its_names_are_those_of_the_notebooks():
    from fersyn.evaluation import measure, verifiers

    assert set(results.QUALITY) <= set(measure.METRICS)
    assert verifiers.get("dlib").title == results.VERIFIER


def test_a_notebook_that_did_not_run_leaves_its_columns_out(report):
    (report / "03_image_quality.json").unlink()
    (report / "06_augmentation.json").unlink()
    assert table(report).splitlines()[0] == "| method | Rank-1 (dlib), % ↑ |"


def test_no_report(tmp_path):
    with pytest.raises(FersynError, match="no numbers of notebook 03 or 05 here; make them with: make report"):
        table(tmp_path)
    (tmp_path / "03_image_quality.json").write_text("{")
    with pytest.raises(FersynError, match="03_image_quality.json cannot be read as JSON"):
        table(tmp_path)


def test_the_command(report):
    found = CliRunner().invoke(app, ["results", str(report)])
    assert found.exit_code == 0 and found.output == table(report)


def test_what_strangers_see_by_expression_the_weakest_bold(report):
    def row(metric, expression, value, **more):
        about = {"table": "photos", "method": "true picture", "metric": metric, "expression": expression}
        return {**about, "value": value, "low": None, "high": None, **more}

    summary = [
        row("named_fer", "anger", 0.9),
        row("named_fer", "fear", 0.6),
        row("named_fer", "all", 0.75, low=0.7, high=0.8),
        row("named_facex", "fear", 1.0, guide=True),
        row("named_facex", "all", 1.0, guide=True),
        {**row("psnr", "", 20.0), "expression": None},
    ]
    content = {"schema": 2, "metrics": {name: {"scale": 100, "digits": 1} for name in results.JUDGES}}
    (report / "02_training.json").write_text(json.dumps({**content, "summary": summary}))
    lines = table(report).splitlines()
    at = lines.index("| faces | named by, % | anger | fear | all |")
    assert lines[at + 2] == "| photos, true picture | fer | 90 | **60** | 75.0 [70.0, 80.0] |"
    assert lines[at + 3] == "| photos, true picture | facex (guide) |  | 100 | 100.0 |"
