"""Two reports side by side, on JSON as the notebooks write it."""

import json

import pytest
import typer
from typer.testing import CliRunner

from fersyn.errors import FersynError
from fersyn.reporting.compare import Number, command, compare, compare_runs, text
from fersyn.reporting.record import Record


def content(results=None, figures=(), **changes):
    return {
        "schema": 2, "notebook": "02_training", "run": "02_training", "status": "done", "seed": 0, "commit": "aaaa",
        "parameters": {"seed": 0, "methods": ["copy"]}, "fingerprints": {"rendered": "f" * 64},
        "versions": {"torch": "2.6"}, "key_figures": list(figures), "results": results or {}, **changes,
    }  # fmt: skip


def score(method, value, low=None, high=None, deviation=None, metric="ssim", **more):
    row = {"table": "rendered", "method": method, "metric": metric, "value": value, "low": low, "high": high}
    return {**row, "deviation": deviation, **more}


def numbers(a, b):
    return {" / ".join(line["name"]): line for line in compare_runs(a, b)["numbers"]}


def test_rows_are_matched_by_name_not_by_position():
    one = content(summary=[score("copy", 0.5), score("warp", 0.6)])
    other = content(summary=[score("c-gan", 0.1), score("warp", 0.8), score("copy", 0.5)])
    found = compare_runs(one, other)
    assert {line["name"]: line["difference"] for line in found["numbers"]} == {
        ("summary", "rendered", "copy", "ssim"): 0.0,
        ("summary", "rendered", "warp", "ssim"): pytest.approx(0.2),
    }
    assert found["only_a"] == []
    assert found["only_b"] == [{"name": ("summary", "rendered", "c-gan"), "entries": 1}]


def test_further_columns_name_a_row_or_are_numbers_of_their_own():
    rows = [score("copy", k, people=4, verifier=name, factor=k) for k, name in enumerate(("dlib", "SFace"))]
    found = numbers(content(summary=rows), content(summary=rows[::-1]))
    assert len(found) == 4 and all(line["a"] == line["b"] for line in found.values())
    assert found["summary / rendered / copy / ssim / SFace / factor 1"]["a"] == Number(1)
    assert found["summary / rendered / copy / ssim / dlib / factor 0 / people"]["a"] == Number(4)
    gap = {**score("flow", 0.1), "minus": "copy"}
    assert list(numbers(content(differences=[gap]), content(differences=[gap])))[0].startswith(
        "differences / rendered / flow"
    )


def test_lines_of_a_list_of_facts_are_told_apart_by_their_texts_and_twins_by_a_counter():
    twins = {"each": [{"method": "copy", "x": 1}, {"method": "copy", "x": 2}, {"x": 3}]}
    found = numbers(content(twins), content({"each": [{"method": "copy", "x": 1}]}))
    assert list(found) == ["each / copy / x"]
    assert list(numbers(content(twins), content(twins))) == ["each / copy / x", "each / copy #2 / x", "each / #1 / x"]


def test_an_interval_stands_with_its_number():
    rows = content(summary=[score("copy", 0.5, 0.4, 0.6, 0.1)])
    (line,) = numbers(rows, rows).values()
    assert line["a"] == Number(0.5, 0.4, 0.6, 0.1) and line["intervals_apart"] is False
    few = numbers(content(summary=[score("copy", 0.5)]), rows)
    assert list(few) == ["summary / rendered / copy / ssim"], "the same name where people were too few for an interval"
    assert next(iter(few.values()))["intervals_apart"] is None


def test_intervals_apart_are_marked_and_those_that_touch_are_not():
    def one(*bounds):
        return content(summary=[score("copy", sum(bounds) / 2 if bounds else 0.4, *bounds)])

    for b, apart in ((one(0.5, 0.6), False), (one(0.51, 0.6), True), (one(0.1, 0.29), True), (one(), None)):
        found = compare_runs(one(0.3, 0.5), b)
        assert found["numbers"][0]["intervals_apart"] is apart
        assert ("*" in text_of(found)) is bool(apart)


def text_of(comparison):
    return text({"a": "A", "b": "B", "only_a": [], "only_b": [], "runs": {"run": comparison}})


def test_what_only_one_has_is_named_once_and_from_outside():
    one = content(
        {"facts": {"c-gan": {"a": 1, "b": 2}}}, summary=[score("copy", 1.0, metric="psnr"), score("copy", 2.0)]
    )
    found = compare_runs(one, content(summary=[score("copy", 1.0, metric="psnr")]))
    assert [(line["name"], line["entries"]) for line in found["only_a"]] == [
        (("summary", "rendered", "copy", "ssim"), 1), (("facts",), 2),
    ]  # fmt: skip
    page = text_of(found)
    assert "only A has summary / rendered / copy / ssim\n" in page and "only A has facts (2 entries)" in page


def test_provenance_that_differs_and_no_other():
    weights = [{"name": "fid-inception", "sha256": "c" * 64}]
    other = content(
        {}, commit="bbbb", versions={"torch": "2.7", "numpy": "2"}, parameters={"seed": 1, "methods": ["copy"]}, seed=1,
        weights=weights,
    )  # fmt: skip
    found = compare_runs(content({}), other)["provenance"]
    assert [(what, both["a"], both["b"]) for what, both in found.items()] == [
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
    by_name = {line["name"]: line for line in found["numbers"]}
    assert by_name[("tar",)]["difference"] is None and by_name[("tar",)]["a"] != by_name[("tar",)]["b"]
    assert by_name[("rank1",)]["difference"] == 0
    assert [tuple(line.values()) for line in found["words"]] == [
        (("key figures", "TAR"), "too few pairs", "0.9 ± 0.1"), (("loss",), "VGG-16", "VGG-19"),
    ]  # fmt: skip


def test_matrices_and_the_scores_of_pictures_are_compared_as_a_whole():
    one, other = {"confusion": [[9, 1], [2, 8], [0, 0]]}, {"confusion": [[9, 1], [5, 5], [0, None]]}
    (found,) = compare_runs(content(one), content(other))["arrays"]
    assert found == {"name": ("confusion",), "numbers": 6, "differ": 3, "largest_difference": 3}
    (words,) = compare_runs(content(one), content({"confusion": [[1] * 3] * 3}))["words"]
    assert (words["a"], words["b"]) == ("6 numbers", "9 numbers")
    a, b = ({"columns": ["method", "value"], "data": data} for data in ([["x", 1], ["y", 2]], [["y", 2.5], ["z", 3]]))
    (found,) = compare_runs(content(scores=a), content(scores=b))["arrays"]
    assert found == {"name": ("scores",), "numbers": 2, "differ": 3, "largest_difference": 0.5}


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
    assert (list(found["runs"]), found["only_a"], found["only_b"]) == (["02_y"], ["01_x"], ["03_z"])
    assert found["runs"]["02_y"]["numbers"][0]["difference"] == 3
    assert "only A has the run 01_x" in text(found) and "only B has the run 03_z" in text(found)
    assert compare(a / "01_x.json", b / "03_z.json")["runs"]["01_x | 03_z"]["numbers"][0]["difference"] == 2
    assert list(compare(a / "02_y.json", b)["runs"]) == ["02_y"] and compare(a / "02_y.json", b)["only_b"] == []
    assert compare(a / "01_x.json", b)["only_a"] == ["01_x"]


def test_a_real_record_compares_with_itself(tmp_path):
    record = Record("Probe", {"seed": 3})
    record.key("SSIM", 0.5, spread=0.25)
    record.result("quality", {"methods": [{"method": "copy", "ssim": float("nan")}], "curve": [0.1] * 9})
    record.save(tmp_path / "run.json")
    run = compare(tmp_path / "run.json", tmp_path / "run.json")["runs"]["run"]
    assert run["provenance"] == {} and len(run["numbers"]) == 2
    assert all(line["a"] == line["b"] for line in run["numbers"])
    assert run["arrays"] == [{"name": ("quality", "curve"), "numbers": 9, "differ": 0, "largest_difference": 0}]


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
    every, changed = (CliRunner().invoke(app, [str(a), str(b), *more]).output for more in (["--all"], ["--changed"]))
    assert "m " in every and "2 numbers in both, 1 of them equal" in every and "+3" in every
    assert not any(line.startswith("m ") for line in changed.splitlines()) and "+3" in changed
    found = json.loads(CliRunner().invoke(app, [str(a), str(b), "--json"]).output)
    assert {"name": ["n"], "difference": 3}.items() <= found["runs"]["02_y"]["numbers"][0].items()


def test_a_page_compares_like_its_json(tmp_path):
    from fersyn.reporting import provenance

    content = {
        "schema": 2,
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
    (line,) = found["runs"]["a"]["numbers"]
    assert line["name"] == ("ssim",) and line["difference"] == 0.25
    with pytest.raises(FersynError, match="holds no provenance"):
        (tmp_path / "b.html").write_text("<html></html>")
        compare(tmp_path / "a.json", tmp_path / "b.html")
