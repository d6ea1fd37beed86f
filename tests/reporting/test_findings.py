"""The sentences at the top of pages: each claim is worked out again from the JSON that it was made of."""

import re

import pytest

from fersyn.reporting import export, index
from fersyn.reporting.findings import SMOKE, findings, is_smoke, told

METRICS = {
    "ssim": {"title": "SSIM", "better": "higher", "unit": "", "digits": 3, "scale": 1.0},
    "lpips": {"title": "LPIPS", "better": "lower", "unit": "", "digits": 3, "scale": 1.0},
    "right": {"title": "named by the kit's recogniser", "better": "higher", "unit": "%", "digits": 1, "scale": 100.0},
}


def summary(method, metric, value, **more):
    return {"table": "people", "method": method, "metric": metric, "value": value, "low": value, "high": value, **more}


def gap(method, minus, metric, value, low, high, **more):
    about = {"table": "people", "method": method, "minus": minus, "metric": metric}
    return {**about, "value": value, "low": low, "high": high, **more}


def content(**changes):
    scores = [
        ["flow", "people", "right", word, value] for word, value in (("anger", 1.0), ("fear", 0.25), ("fear", 0.0))
    ]
    return {
        "status": "done", "title": "Image quality", "metrics": METRICS,
        "summary": [
            summary("flow", "ssim", 0.8), summary("copy", "ssim", 0.7), summary("gan", "ssim", 0.6),
            summary("flow", "ssim", 0.1, expression="fear"), summary("flow", "lpips", 0.04),
        ],
        "differences": [
            gap("flow", "copy", "ssim", 0.1, 0.08, 0.12), gap("flow", "gan", "ssim", 0.2, 0.1, 0.3),
            gap("flow", "copy", "lpips", -0.1, -0.2, -0.01), gap("flow", "gan", "lpips", -0.3, -0.4, -0.2),
            gap("flow", "copy", "right", 0.5, 0.4, 0.6), gap("flow", "gan", "right", -0.1, -0.2, -0.05),
        ],
        "scores": {"columns": ["method", "table", "metric", "expression", "value"], "data": scores},
        **changes,
    }  # fmt: skip


def check(found, made):
    """Work a claim out again; AssertionError where it is not so."""
    claim, metrics = found.claim, made["metrics"]
    rows = {
        (r["method"], r["minus"], r["metric"], r.get("verifier") or ""): r
        for r in made.get("differences", ())
        if r["table"] == claim.get("table")
    }

    def kind(row):
        sign = 1 if metrics[row["metric"]]["better"] == "higher" else -1
        low, high = sorted((sign * row["low"], sign * row["high"]))
        return "better" if low > 0 else "worse" if high < 0 else "unknown"

    if claim["kind"] == "best":
        for metric in claim["metrics"]:
            own = [row for key, row in rows.items() if key[2] == metric]
            assert {row["minus"] for row in own} == set(claim["beaten"])
            assert all(row["method"] == claim["method"] and kind(row) == "better" for row in own)
    elif claim["kind"] in ("better", "worse", "unknown"):
        own, about = [], {**metrics[claim["metric"]], "unit": ""}
        for pair in claim["pairs"]:
            row = rows[(*pair, claim["metric"], claim["verifier"])]
            assert kind(row) == claim["kind"] and all(name in found.text for name in pair)
            own.append(row["value"])
        said = [min(own), max(own)] if "(differences of" in found.text else own
        assert all(told(value, about, "+") in found.text for value in said)
    elif claim["kind"] == "floor":
        ssim = {
            r["method"]: r["value"]
            for r in made["summary"]
            if r["metric"] == "ssim" and r["table"] == claim["table"] and not r.get("expression")
        }
        inverted = {r["method"] for r in made["summary"] if r["metric"] == "inversion_seconds"}
        assert not inverted & set(claim["methods"])
        ssim = {name: value for name, value in ssim.items() if name not in inverted}
        assert {name for name, value in ssim.items() if name != "copy" and value <= ssim["copy"]} == set(
            claim["methods"]
        )
    elif claim["kind"] == "weakest":
        at = {name: place for place, name in enumerate(made["scores"]["columns"])}
        means = {}
        for line in made["scores"]["data"]:
            if all(line[at[name]] == claim[name] for name in ("method", "table", "metric")):
                means.setdefault(line[at["expression"]], []).append(line[at["value"]])
        means = {word: sum(values) / len(values) for word, values in means.items()}
        assert means[claim["expression"]] == min(means.values())
        assert claim["mean"] == pytest.approx(sum(means.values()) / len(means))
    elif claim["kind"] == "short":
        ssim = {r["method"]: r["value"] for r in made["summary"] if r["metric"] == "ssim"}
        assert {*claim["methods"], "copy"} == set(ssim) and max(ssim.values()) == ssim["copy"]
        assert claim["steps"] == max(run["step"] for run in made["results"]["runs"].values())
    elif claim["kind"] == "referee":
        fared = made["results"][claim["method"]]["discriminators"][claim["name"]]
        assert fared["state"] == claim["state"]
    elif claim["kind"] == "none":
        own = [row for key, row in rows.items() if key[1:3] == (claim["minus"], claim["metric"])]
        assert own and not [row for row in own if kind(row) == "better"]
    else:
        assert claim["kind"] == "figure"
        values = {each["name"]: each["value"] for each in made["key_figures"]}
        for name in claim["names"]:
            said = re.search(rf"(?:^|; ){re.escape(name)} ([-−]?\d+(?:\.\d+)?)", found.text)
            assert float(said[1].replace("−", "-")) == pytest.approx(values[name], abs=0.06)


def test_every_sentence_is_true_and_says_its_numbers():
    made = content()
    found = findings(made)
    for one in found:
        check(one, made)
    assert [one.text for one in found] == [
        "On people, flow is best in SSIM (0.800) and LPIPS (0.040): more than chance against copy and gan.",
        "The weakest expression of flow is fear: named by the kit's recogniser, 12.5 %, while the mean over all says 56.2 %.",
        "By SSIM no nearer to the truth than the source itself (copy, 0.700): gan (0.600).",
        "Named by the kit's recogniser: flow (−10.0 points [−20.0, −5.0]) is worse than gan.",
    ]


def test_a_judge_that_had_no_hand_in_it_is_asked_first():
    columns = ["method", "table", "metric", "expression", "value", "guide"]
    lines = [
        ["flow", "people", metric, word, value, guide]
        for metric, guide, values in (("named_fer", True, (1, 0)), ("named_facex", None, (0.2, 0.6)), ("right", None, (0, 1)))
        for word, value in zip(("anger", "fear"), values, strict=True)
    ]  # fmt: skip
    judges = {name: {**METRICS["right"], "title": f"named by {name[6:]}"} for name in ("named_fer", "named_facex")}
    made = content(scores={"columns": columns, "data": lines}, metrics={**METRICS, **judges})
    weakest = next(one for one in findings(made) if one.claim["kind"] == "weakest")
    check(weakest, made)
    assert (
        weakest.text
        == "The weakest expression of flow is anger: named by facex, 20.0 %, while the mean over all says 40.0 %."
    )
    own = content(differences=[], scores={"columns": columns, "data": lines[:2]}, metrics={**METRICS, **judges},
                  summary=[summary("flow", "named_fer", 0.5), summary("true picture", "named_fer", 1.0)])  # fmt: skip
    assert "named by fer (a guide of these faces' making), 0.0 %" in findings(own)[0].text


def test_too_few_steps_have_no_best():
    runs = {f"{name}, seed 0": {"step": 300} for name in ("full", "no-label")}
    rows = [summary(name, "ssim", value) for name, value in (("copy", 0.7), ("full", 0.59), ("no-label", 0.6))]
    made = content(
        summary=rows, results={"runs": runs}, differences=[gap("full", "no-label", "ssim", -0.1, -0.2, -0.01)]
    )
    (only,) = findings(made)
    check(only, made)
    assert only.text == (
        "Too few steps to conclude anything (300 of each training). By SSIM no nearer to the truth than the source itself (copy, "
        "0.700): full (0.590) and no-label (0.600). Which of them is better says nothing yet."
    )
    enough = content(**{**made, "summary": [*rows[:2], summary("no-label", "ssim", 0.71)]})
    assert not [one for one in findings(enough) if one.claim["kind"] == "short"]


@pytest.mark.parametrize(("state", "words"), [("won", "has won"), ("asleep", "sleeps"), ("", "")])
def test_a_discriminator_that_won_or_sleeps_is_named(state, words):
    fared = {"image_discriminator": {"loss": 0.01, "accuracy": 1.0, "state": state}}
    made = content(results={"gan": {"steps": 9, "discriminators": fared}, "settings": "a sentence"})
    found = [one for one in findings(made) if one.claim["kind"] == "referee"]
    assert len(found) == bool(state)
    for one in found:
        check(one, made)
        assert one.text.startswith(f"The image discriminator of gan {words} (loss 0.01, accuracy 1.00 at the end)")


def test_a_claim_that_is_not_so_is_seen_by_the_check():
    made = content()
    one = findings(made)[0]
    with pytest.raises(AssertionError):
        check(one._replace(claim={**one.claim, "metrics": ["right"]}), made)


def test_chance_is_no_finding():
    rows = [gap("10 ×", "0 ×", "right", -0.012, -0.03, 0.004), gap("5 ×", "0 ×", "right", 0.02, 0.01, 0.03)]
    made = content(differences=rows, scores={}, summary=[])
    told = [one.text for one in findings(made)]
    assert told[0].endswith("5 × (+2.0 points [+1.0, +3.0]) is better than 0 ×.")
    assert told[1].endswith("10 × (−1.2 points [−3.0, +0.4]) cannot be told from 0 ×.")
    for one in findings(made):
        check(one, made)


def test_one_that_fares_alike_against_several_is_said_once():
    rows = [gap("flow", "copy", "right", 0.1, 0.05, 0.2)]
    rows += [
        gap("flow", name, "right", value, value - 0.1, -0.01) for name, value in (("gan", -0.08), ("label", -0.02))
    ]
    made = content(differences=rows, scores={}, summary=[])
    (worse,) = findings(made)
    check(worse, made)
    assert worse.text.endswith(
        "flow is worse than gan (−8.0 points [−18.0, −1.0]) and label (−2.0 points [−12.0, −1.0])."
    )


def test_what_was_inverted_is_not_held_against_the_source():
    rows = [summary(name, "ssim", value) for name, value in (("encoder", 0.6), ("copy", 0.7), ("gan", 0.65))]
    made = content(summary=[*rows, summary("encoder", "inversion_seconds", 1.0)], differences=[], scores={})
    (floor,) = [one for one in findings(made) if one.claim["kind"] == "floor"]
    check(floor, made)
    assert floor.claim["methods"] == ["gan"]


def test_on_another_set_it_is_said_where_the_best_is_worse():
    worse = gap("flow", "copy", "ssim", -0.02, -0.03, -0.01)
    better = [gap("flow", name, "lpips", -0.1, -0.2, -0.01) for name in ("copy", "gan")]
    for rows, text in (
        ([worse, *better], "On photos, SSIM: flow (−0.020 [−0.030, −0.010]) is worse than copy."),
        (better, "On photos, flow is best in LPIPS (0.050): more than chance against copy and gan."),
    ):
        away = [{**row, "table": "photos"} for row in rows]
        known = [*content()["summary"], {**summary("flow", "lpips", 0.05), "table": "photos"}]
        made = content(differences=[*content()["differences"], *away], summary=known)
        found = findings(made)[1]
        check(found, made)
        assert found.text == text


def test_of_several_sets_it_is_said_which():
    rows = [gap(name, "0 ×", "right", -0.1, -0.2, -0.05) for name in "ab"]
    made = content(differences=[*rows, {**rows[0], "table": "photos"}], scores={}, summary=[])
    assert findings(made)[0].text.startswith("On people, named by the kit's recogniser: a (−10.0 points")
    (alone,) = findings(content(differences=rows, scores={}, summary=[]))
    assert alone.text.startswith("Named by")
    check(alone, content(differences=rows))


def test_of_many_that_cannot_be_told_apart_the_range_is_said():
    values = {"a": 0.0, "b": 0.012, "c": -0.024, "d": 0.0}
    rows = [gap(name, "0 ×", "right", value, value - 0.1, value + 0.1) for name, value in values.items()]
    (only,) = findings(content(differences=rows, scores={}, summary=[]))
    check(only, content(differences=rows))
    assert only.text.endswith("a, b, c and d cannot be told from 0 × (differences of −2.4 to +1.2 points).")
    (same,) = findings(content(differences=[{**row, "value": 0.0} for row in rows], scores={}, summary=[]))
    assert same.text.endswith("from 0 × (differences of +0.0 points).")


def test_what_a_judge_says_who_had_a_hand_in_it_is_no_difference():
    rows = [gap("flow", name, "ssim", 0.1, 0.05, 0.2, guide=True) for name in ("copy", "gan")]
    assert not [one for one in findings(content(differences=rows)) if one.claim["kind"] == "best"]


def test_without_methods_the_key_figures_answer():
    figures = [
        {"name": "Rank-1", "value": 99.84, "unit": "%", "digits": 1},
        {"name": "speed", "value": 3.0, "unit": "images/s"},
    ]
    made = {"status": "done", "key_figures": figures}
    assert [one.text for one in findings(made)] == ["Rank-1 99.8 %."]
    assert findings({"status": "failed"}) == [] and findings({"status": "done"}) == []


def test_smoke_says_that_its_numbers_mean_nothing(tmp_path):
    import nbformat

    assert (
        is_smoke({"parameters": {"profile": "smoke"}}) and is_smoke({}, "smoke-private") and not is_smoke({}, "laptop")
    )
    page = export.html(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A")]), warning=SMOKE)
    assert f'<p class="warning" role="note">{SMOKE}</p>' in page
    (tmp_path / "smoke").mkdir()
    assert SMOKE in index.write(tmp_path / "smoke", []).read_text()
    assert SMOKE not in index.write(tmp_path, []).read_text()


def test_the_box_stands_below_the_title_and_what_it_depends_on_last():
    import nbformat

    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A\n\nWhy?"), nbformat.v4.new_code_cell("1")]
    )
    shown = {"text/html": '<div class="provenance">seed 3</div>'}
    made.cells[1].outputs = [
        nbformat.v4.new_output("display_data", shown),
        nbformat.v4.new_output("stream", text="two"),
    ]
    page = export.html(made, answer=["5 < 6"])
    places = [page.index(text) for text in ("</h1>", 'class="answer"', "5 &lt; 6", "Why?", "two", "seed 3", "<footer")]
    assert places == sorted(places) and page.count("seed 3") == 1
    assert 'class="answer"' not in export.html(made)


def test_the_index_answers_first(tmp_path):
    import json

    both = {"schema": 2, "notebook": "03_image_quality", "started": "2026-01-02T03:04:05+00:00"}
    summary_rows = [summary("flow", "psnr", 25.0), summary("copy", "psnr", 22.0), *content()["summary"]]
    psnr = {"title": "PSNR", "better": "higher", "unit": "dB", "digits": 2, "scale": 1.0}
    made = {**content(summary=summary_rows), **both, "metrics": {**METRICS, "psnr": psnr}}
    (tmp_path / "03_image_quality.json").write_text(json.dumps(made))
    page = index.write(tmp_path, ["03_image_quality"], "A. Author").read_text()
    places = [
        page.index(text) for text in ("A. Author · 2026-01-02", "flow is best in SSIM", 'id="board"', 'class="cards"')
    ]
    assert places == sorted(places)
    assert (
        "<strong>0.800 [0.800,\u00a00.800]</strong>" in page and "<strong>0.700" not in page and 'src="http' not in page
    )


def test_any_executed_notebook_becomes_a_page(tmp_path):
    import nbformat
    from typer.testing import CliRunner

    from fersyn.cli import app

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Mine"), nbformat.v4.new_code_cell("1")])
    nbformat.write(made, tmp_path / "out.ipynb")
    refused = CliRunner().invoke(app, ["report", str(tmp_path / "out.ipynb")])
    assert refused.exit_code == 2 and "was not executed; run it first: papermill out.ipynb" in refused.output
    made.cells[1].outputs = [
        nbformat.v4.new_output("display_data", {"text/html": '<div class="provenance">seed 3</div>'})
    ]
    made.metadata["papermill"] = {"parameters": {"seed": 3}, "duration": 2.0, "start_time": "2026-01-02T03:04:05"}
    nbformat.write(made, tmp_path / "out.ipynb")
    before = (tmp_path / "out.ipynb").read_bytes()
    done = CliRunner().invoke(app, ["report", str(tmp_path / "out.ipynb")])
    assert done.exit_code == 0 and done.output.split() == [str(tmp_path / f"out{end}.html") for end in ("", "-code")]
    page = (tmp_path / "out.html").read_text()
    assert "<h1" in page and "seed 3" in page and '"seed":3' in page and "index.html" not in page
    assert (tmp_path / "out.ipynb").read_bytes() == before
    assert "no notebook that can be read" in CliRunner().invoke(app, ["report", str(tmp_path / "out.html")]).output


def recognised(*rows):
    gaps = [gap(method, minus, "person_balanced", *values, table=table) for table, method, minus, values in rows]
    title = {"title": "balanced accuracy over people", "better": "higher", "unit": "%", "digits": 1, "scale": 100.0}
    return {"status": "done", "metrics": {"person_balanced": title}, "differences": gaps, "summary": []}


def test_what_helps_recognisers_is_told_of_each_set():
    better, chance = (0.05, 0.01, 0.09), (0.05, -0.01, 0.09)
    made = recognised(
        ("lab", "+ a", "varied", chance), ("lab", "+ b", "varied", chance), ("photos", "+ a", "varied", better),
        ("photos", "+ b", "varied", (0.09, 0.01, 0.2)), ("photos", "+ b", "real", better),
    )  # fmt: skip
    lab, photos = findings(made)[:2]
    check(lab, made), check(photos, made)
    with pytest.raises(AssertionError):
        check(lab._replace(claim={**lab.claim, "table": "photos"}), made)
    assert (
        lab.text == "On lab nothing names faces better than varied by more than chance." and lab.claim["kind"] == "none"
    )
    assert [method for method, _ in photos.claim["pairs"]] == ["+ b", "+ a"] and photos.claim["table"] == "photos"
    assert len({one.text for one in findings(made)}) == len(findings(made)), "and nothing twice"
    assert "On photos, balanced accuracy over people: + b (+9.0 points [+1.0, +20.0]) and + a" in photos.text
    one_set = recognised(("lab", "+ a", "varied", better), ("lab", "+ a", "real", better))
    assert not [found for found in findings(one_set) if found.text.startswith("On lab")]
