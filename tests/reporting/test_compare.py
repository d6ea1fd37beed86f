"""Two reports side by side, on JSON as the notebooks write it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from fersyn.errors import FersynError
from fersyn.reporting.compare import Array, Number, command, compare, compare_runs, text
from fersyn.reporting.record import Record


def content(results, figures=(), **changes):
    return {
        "schema": 1, "notebook": "02_training", "run": "02_training", "status": "done", "seed": 0, "commit": "aaaa",
        "parameters": {"seed": 0, "methods": ["copy"]}, "fingerprints": {"rendered": "f" * 64},
        "versions": {"torch": "2.6"}, "key_figures": list(figures), "results": results, **changes,
    }  # fmt: skip


def lines(a, b):
    return {" / ".join(line.name): line for line in compare_runs(content(a), content(b)).lines}


def test_lines_of_a_list_are_matched_by_name_not_by_position():
    one = {"summary": [{"method": "copy", "ssim": 0.5}, {"method": "warp", "ssim": 0.6}]}
    other = {
        "summary": [{"method": name, "ssim": ssim} for name, ssim in (("c-gan", 0.1), ("warp", 0.8), ("copy", 0.5))]
    }
    found = compare_runs(content(one), content(other))
    assert {line.name: line.difference for line in found.lines} == {
        ("summary", "copy", "ssim"): 0.0,
        ("summary", "warp", "ssim"): pytest.approx(0.2),
    }
    assert found.only_a == [] and found.only_b == [(("summary", "c-gan"), 1)]


def test_several_fields_name_a_line_and_a_counter_tells_twins_apart():
    rows = [
        {"method": "copy", "seed": seed, "fold": fold, "accuracy": seed + fold} for seed in (0, 1) for fold in (0, 1)
    ]
    found = lines({"each": rows}, {"each": rows[::-1]})
    assert len(found) == 4 and all(line.equal for line in found.values())
    assert found["each / copy, seed 1, fold 1 / accuracy"].a.value == 2
    twins = lines(
        {"each": [{"method": "copy", "x": 1}, {"method": "copy", "x": 2}]}, {"each": [{"method": "copy", "x": 1}]}
    )
    assert list(twins) == ["each / copy / x"]


@pytest.mark.parametrize(
    "row",
    [
        {"ssim": 0.5, "ssim_interval": [0.4, 0.6], "ssim_deviation": 0.1},
        {"ssim": 0.5, "ssim_low": 0.4, "ssim_high": 0.6, "ssim_deviation": 0.1},
        {"ssim": {"mean": 0.5, "low": 0.4, "high": 0.6, "deviation": 0.1}},
        {"ssim": {"value": 0.5, "interval": [0.4, 0.6], "deviation": 0.1}},
        {"ssim": {"estimate": 0.5, "interval": [0.4, 0.6], "deviation": 0.1}},
    ],
)
def test_an_interval_stands_with_its_number(row):
    found = lines({"summary": [{"method": "copy", **row}]}, {"summary": [{"method": "copy", **row}]})
    assert {name: line.a for name, line in found.items()} == {"summary / copy / ssim": Number(0.5, 0.4, 0.6, 0.1)}
    assert found["summary / copy / ssim"].apart is False


def test_a_number_keeps_its_name_where_people_were_too_few_for_an_interval():
    few, many = {"ssim": {"value": 0.5, "low": None, "high": None}}, {"ssim": {"value": 0.5, "low": 0.4, "high": 0.6}}
    found = lines({"copy": few}, {"copy": many})
    assert list(found) == ["copy / ssim"] and found["copy / ssim"].apart is None


def test_intervals_apart_are_marked_and_those_that_touch_are_not():
    def one(low, high):
        return {"x": (low + high) / 2, "x_interval": [low, high]}

    for b, apart in ((one(0.5, 0.6), False), (one(0.51, 0.6), True), (one(0.1, 0.29), True), ({"x": 0.4}, None)):
        found = compare_runs(content({"r": one(0.3, 0.5)}), content({"r": b}))
        assert found.lines[0].apart is apart
        assert ("*" in text_of(found)) is bool(apart)


def text_of(comparison):
    from fersyn.reporting.compare import Comparisons

    return text(Comparisons("A", "B", {"run": comparison}))


def test_what_only_one_has_is_named_once_and_from_outside():
    one = {"quality": {"summary": [{"method": "copy", "psnr": 1.0, "ssim": 2.0}]}, "facts": {"c-gan": {"a": 1, "b": 2}}}
    found = compare_runs(content(one), content({"quality": {"summary": [{"method": "copy", "psnr": 1.0}]}}))
    assert found.only_a == [(("quality", "summary", "copy", "ssim"), 1), (("facts",), 2)]
    page = text_of(found)
    assert "only A has quality / summary / copy / ssim\n" in page and "only A has facts (2 entries)" in page


def test_provenance_that_differs_and_no_other():
    weights = [{"name": "fid-inception", "sha256": "c" * 64}]
    other = content(
        {}, commit="bbbb", versions={"torch": "2.7", "numpy": "2"}, parameters={"seed": 1, "methods": ["copy"]}, seed=1,
        weights=weights,
    )  # fmt: skip
    assert compare_runs(content({}), other).provenance == [
        ("seed", 0, 1), ("commit", "aaaa", "bbbb"), ("parameters.seed", 0, 1), ("versions.torch", "2.6", "2.7"),
        ("versions.numpy", None, "2"), ("weights.fid-inception", None, "c" * 64),
    ]  # fmt: skip
    assert "same code, data, parameters and versions" in text_of(compare_runs(content({}), content({})))


def test_numbers_texts_and_none_do_not_mix():
    found = compare_runs(
        content({"tar": None, "loss": "VGG-16", "same": "x", "rank1": 1}, [{"name": "TAR", "value": "too few pairs"}]),
        content(
            {"tar": 0.9, "loss": "VGG-19", "same": "x", "rank1": 1}, [{"name": "TAR", "value": 0.9, "spread": 0.1}]
        ),
    )
    by_name = {line.name: line for line in found.lines}
    assert by_name[("tar",)].difference is None and not by_name[("tar",)].equal and by_name[("rank1",)].equal
    assert found.words == [(("key figures", "TAR"), "too few pairs", "0.9 ± 0.1"), (("loss",), "VGG-16", "VGG-19")]


def test_matrices_are_compared_as_a_whole():
    one, other = {"confusion": [[9, 1], [2, 8], [0, 0]]}, {"confusion": [[9, 1], [5, 5], [0, 0]]}
    assert compare_runs(content(one), content(other)).arrays == [(("confusion",), "3 × 2 numbers", 2, 3)]
    short = {"confusion": [[9, 1], [5, 5]]}
    assert [line.name[-1] for line in compare_runs(content(short), content(short)).lines] == ["#1", "#2", "#1", "#2"]
    larger = {"confusion": [[1] * 3] * 3}
    assert compare_runs(content(one), content(larger)).words == [(("confusion",), "3 × 2 numbers", "3 × 3 numbers")]
    assert Array((2,), (1.0, None)).against(Array((2,), (1.0, 3.0))) == (1, 0)


def report(folder, runs):
    folder.mkdir()
    for name, results in runs.items():
        (folder / f"{name}.json").write_text(json.dumps(content(results)))
    return folder


def test_folders_are_matched_by_run_and_files_directly(tmp_path):
    a = report(tmp_path / "a", {"01_x": {"n": 1}, "02_y": {"n": 2}})
    b = report(tmp_path / "b", {"02_y": {"n": 5}, "03_z": {"n": 3}})
    (b / "other.json").write_text('{"no": "run"}')
    found = compare(a, b)
    assert (list(found.runs), found.only_a, found.only_b) == (["02_y"], ["01_x"], ["03_z"])
    assert found.runs["02_y"].lines[0].difference == 3
    assert "only A has the run 01_x" in text(found) and "only B has the run 03_z" in text(found)
    assert compare(a / "01_x.json", b / "03_z.json").runs["01_x | 03_z"].lines[0].difference == 2
    assert list(compare(a / "02_y.json", b).runs) == ["02_y"] and compare(a / "02_y.json", b).only_b == []
    assert compare(a / "01_x.json", b).only_a == ["01_x"]


def test_a_real_record_compares_with_itself(tmp_path):
    record = Record("Probe", {"seed": 3})
    record.key("SSIM", 0.5, spread=0.25)
    record.result("quality", {"summary": [{"method": "copy", "ssim": float("nan")}], "curve": [0.1] * 9})
    record.save(tmp_path / "run.json")
    run = compare(tmp_path / "run.json", tmp_path / "run.json").runs["run"]
    assert run.provenance == [] and all(line.equal for line in run.lines) and len(run.lines) == 2
    assert run.arrays == [(("quality", "curve"), "9 numbers", 0, 0)]


@pytest.mark.parametrize(
    ("name", "written", "message"),
    [
        ("missing", None, "there is no such report"),
        ("file.json", "{", "cannot be read as JSON"),
        ("file.json", "[]", "holds no run"),
        ("file.json", '{"schema": 99}', "schema 99"),
        ("folder", "", "make report"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, name, written, message):
    path = tmp_path / name
    if written == "":
        path.mkdir()
    elif written is not None:
        path.write_text(written)
    with pytest.raises(FersynError, match=message):
        compare(path, path)


def test_the_command(tmp_path):
    a = report(tmp_path / "a", {"02_y": {"n": 2, "m": 7}})
    b = report(tmp_path / "b", {"02_y": {"n": 5, "m": 7}})
    app = typer.Typer()
    app.command()(command)
    every, changed = (CliRunner().invoke(app, [str(a), str(b), *more]).output for more in ([], ["--changed"]))
    assert "m " in every and "2 numbers in both, 1 of them equal" in every and "+3" in every
    assert not any(line.startswith("m ") for line in changed.splitlines()) and "+3" in changed
    found = json.loads(CliRunner().invoke(app, [str(a), str(b), "--json"]).output)
    assert {"name": ["n"], "difference": 3}.items() <= found["runs"]["02_y"]["numbers"][0].items()


def test_a_page_compares_like_its_json(tmp_path):
    from fersyn.reporting import provenance

    content = {
        "schema": 1,
        "notebook": "02_training",
        "seed": 0,
        "results": {"ssim": 0.5},
        "weights": [],
        "key_figures": [],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    page = tmp_path / "a-code.html"
    page.write_text(f"<html>{provenance.element({**content, 'results': {'ssim': 0.75}})}</html>")
    found = compare(tmp_path / "a.json", page)
    (line,) = found.runs["a"].lines
    assert line.name == ("ssim",) and line.difference == 0.25
    with pytest.raises(FersynError, match="holds no provenance"):
        (tmp_path / "b.html").write_text("<html></html>")
        compare(tmp_path / "a.json", tmp_path / "b.html")
