"""Ten lines on what got better, on scores as the notebooks leave them."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from fersyn.reporting import paired
from fersyn.reporting.compare import command

METRICS = {
    "ssim": {"title": "SSIM", "better": "higher", "digits": 3},
    "lpips": {"title": "LPIPS", "better": "lower", "digits": 3},
    "named": {"title": "named", "better": "higher", "unit": "%", "digits": 1, "scale": 100.0},
}


def content(values, fingerprint="f", items=12):
    """`values`: (method, metric) -> mean; the people scatter alike in every report."""
    scatter = np.random.default_rng(0).normal(0, 0.1, 24)
    data = [
        [method, 0, "people", f"{k}-{k}", f"people/{k % 8}", "anger", metric, mean + scatter[k], None]
        for (method, metric), mean in values.items()
        for k in range(items)
    ]
    columns = ["method", "seed", "table", "item", "person", "expression", "metric", "value", "guide"]
    about = {"schema": 2, "notebook": "03", "run": "03", "status": "done", "fingerprints": {"people": fingerprint}}
    return {**about, "metrics": METRICS, "scores": {"columns": columns, "data": data}}


A = {("flow", "ssim"): 0.70, ("flow", "lpips"): 0.20, ("flow", "named"): 0.50, ("copy", "ssim"): 0.6}


def test_differences_are_those_of_the_same_pairs_in_one_unit():
    b = {**A, ("flow", "ssim"): 0.72, ("flow", "lpips"): 0.23, ("flow", "named"): 0.51}
    found = {(each["name"], each["head"]): each for each in paired.differences("03", content(A), content(b, items=10))}
    ssim = found["flow, people", "SSIM ↑"]
    assert ssim["difference"] == pytest.approx(0.02) and ssim["better"] is True and ssim["people"] == 8
    assert ssim["b"] - ssim["a"] == pytest.approx(0.02), "of the ten pairs that both have"
    assert found["flow, people", "LPIPS ↓"]["better"] is False
    named = found["flow, people", "named, % ↑"]
    assert named["difference"] == pytest.approx(1.0) and named["b"] - named["a"] == pytest.approx(1.0)
    assert found["copy, people", "SSIM ↑"]["difference"] == 0


def test_what_scatters_as_much_as_it_differs_cannot_be_told():
    one, other = content(A), content(A)
    for row in other["scores"]["data"]:
        row[7] += 0.2 if int(row[4][-1]) % 2 else -0.18
    assert all(each["better"] is None for each in paired.differences("03", one, other))


def test_other_data_is_not_compared():
    assert paired.differences("03", content(A), content(A, fingerprint="g")) == []
    assert paired.differences("03", {}, content(A)) == []
    assert paired.lines([])[0].startswith("nothing was measured on the same pairs in both")


def test_the_command_says_it_in_ten_lines(tmp_path):
    better = {key: value + 0.02 for key, value in A.items()}
    for name, own in (("a", A), ("b", better)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "03.json").write_text(json.dumps(content(own)))
    app = typer.Typer()
    app.command()(command)
    said = CliRunner().invoke(app, [str(tmp_path / "a"), str(tmp_path / "b")]).output.splitlines()
    assert len(said) <= 10
    assert "4 numbers on the same pairs: 3 better, 1 worse, 0 cannot be told, 0 equal" in said[2]
    assert any(
        line.startswith("better: flow, people, SSIM ↑: 0.7") and "+0.020 [+0.020, +0.020] (03)" in line for line in said
    )
    assert said[-2].startswith("worse: flow, people, LPIPS ↓")
    assert json.loads(CliRunner().invoke(app, [str(tmp_path / "a"), str(tmp_path / "b"), "--json"]).output)["paired"]
