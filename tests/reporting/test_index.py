import json
import re

from fersyn.figures.table import unbroken
from fersyn.reporting import index, provenance
from fersyn.reporting.privacy import BANNER
from fersyn.reporting.times import duration


def content(**more):
    return {
        "schema": 1, "title": "Preprocessing: a <b>", "status": "done",
        "seconds": 200.4, "parameters": {"folds": 3}, "seed": 0,
        "commit": "abc1234567", "fingerprints": {"rendered": "9" * 64}, "versions": {"fersyn": "0.1.0"},
        "device": "CPU, 2 cores",
        "started": "2026-01-02T03:04:05+00:00", "notes": ["left out"],
        "key_figures": [
            {"name": "Rank-1", "value": 98.24, "unit": "%", "digits": 1, "spread": 1.26},
            {"name": "faces", "value": 12345, "unit": "", "digits": 1, "spread": None},
            {"name": "TAR", "value": "too few pairs", "unit": "", "digits": 2, "spread": None},
        ],
        "thumbnails": [{"src": "data:image/jpeg;base64,AAAA", "alt": "eight faces"}],
        "credits": [{"dataset": "london", "licence": "CC BY 4.0", "attribution": "DeBruine & Jones."}],
        **more,
    }  # fmt: skip


def page(tmp_path, runs):
    return index.write(tmp_path, runs).read_text()


def put(tmp_path, name, **more):
    (tmp_path / f"{name}.json").write_text(json.dumps(content(**more)))


def test_a_card_has_what_a_reader_needs(tmp_path):
    put(tmp_path, "01-a")
    (tmp_path / "01-a.html").write_text("x")
    (tmp_path / "01-a-code.html").write_text("x")
    text = page(tmp_path, ["01-a"])
    for piece in ("98.2", "± 1.3", "12\u202f345", "too few pairs", "3 min 20 s", "folds = 3",
                  "abc1234567", "9" * 16, "fersyn 0.1.0",
                  "CPU, 2 cores", "left out", "eight faces", "CC BY 4.0", "DeBruine &amp; Jones"):  # fmt: skip
        assert piece in text, piece
    assert "a &lt;b&gt;" in text and "<b>" not in text
    assert 'href="01-a.html"' in text and 'href="01-a-code.html"' in text


def test_a_strip_of_faces_has_their_names(tmp_path):
    put(tmp_path, "01-a")
    assert "<figcaption>" not in page(tmp_path, ["01-a"])
    named = {"src": "data:image/jpeg;base64,BBBB", "alt": "two faces", "names": ["neutral", "warp: anger"]}
    put(tmp_path, "02-b", thumbnails=[named])
    text = page(tmp_path, ["01-a", "02-b"])
    assert "<figcaption><span>neutral</span><span>warp: anger</span></figcaption>" in text
    assert text.index("<figcaption>") < text.index('class="cards"')


def test_failed_and_missing_runs_show(tmp_path):
    (tmp_path / "01-b.failed.json").write_text(
        json.dumps(content(status="failed", error="ValueError: no <x>", key_figures=[]))
    )
    (tmp_path / "01-b.failed.html").write_text("x")
    text = page(tmp_path, ["01-b", "02-c"])
    assert "1 failed" in text and "1 not made" in text
    assert "ValueError: no &lt;x&gt;" in text and 'href="01-b.failed.html"' in text


def test_failure_wins_over_an_older_success(tmp_path):
    put(tmp_path, "01-b")
    (tmp_path / "01-b.failed.json").write_text(json.dumps(content(status="failed", error="E")))
    assert index.card(tmp_path, "01-b")["status"] == "failed"


def test_no_request_and_no_dead_link(tmp_path):
    put(tmp_path, "01-a")
    text = page(tmp_path, ["01-a", "01-b"])
    assert text.count("<script type") == text.count('type="application/json"') == 1
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)
    for target in re.findall(r'href="([^"#]+)"', text):
        assert target.startswith("data:") or (tmp_path / target).is_file(), target


def test_credits_once(tmp_path):
    put(tmp_path, "01-a")
    put(tmp_path, "01-b")
    assert page(tmp_path, ["01-a", "01-b"]).split("<script")[0].count("CC BY 4.0") == 1


def test_old_records_do_not_break_the_page(tmp_path):
    (tmp_path / "01-a.json").write_text(json.dumps({"schema": 1}))
    assert "01-a" in page(tmp_path, ["01-a"])


def test_durations():
    assert [duration(seconds) for seconds in (8.4, 99.4, 200)] == ["8 s", "99 s", "3 min 20 s"]


def test_what_was_not_asked_for_stays_greyed_with_its_age(tmp_path):
    put(tmp_path, "01-a")
    put(tmp_path, "01-b", started="2026-01-02T08:04:05+00:00")
    assert "As it was" not in page(tmp_path, ["01-a", "01-b"])
    text = index.write(tmp_path, ["01-a", "01-b"], asked=["01-b"]).read_text()
    assert 'class="card done aside" id="01-a"' in text and 'class="card done" id="01-b"' in text
    assert (
        "As it was: not made anew with the others, 5 h older than the newest." in text and text.count("As it was") == 1
    )
    assert index.main([str(tmp_path), "01-a", "01-b", "--asked", "01-a"]) == 0
    assert 'class="card done aside" id="01-b"' in (tmp_path / "index.html").read_text()
    assert index.main([str(tmp_path), "01-a", "01-b", "--asked"]) == 0
    assert "aside" not in (tmp_path / "index.html").read_text().partition("</style>")[2]


def test_a_run_without_a_time_tells_none(tmp_path):
    put(tmp_path, "01-a", seconds=None)
    assert '<p class="sub">01-a</p>' in page(tmp_path, ["01-a"])


def test_weights_stand_on_the_card(tmp_path):
    weights = [{"name": "sface", "sha256": "a" * 64}, {"name": "vgg-face", "sha256": None, "source": "missing"}]
    put(tmp_path, "01-a", weights=weights)
    assert f"sface (SHA-256 {'a' * 16}), vgg-face (missing)" in page(tmp_path, ["01-a"])


def test_what_the_runs_depend_on_can_be_read_from_the_page(tmp_path):
    put(tmp_path, "01-a", title="</script><b>", results={"x": [1] * 1000})
    page(tmp_path, ["01-a", "01-b"])
    found = provenance.of_page(tmp_path / "index.html")
    assert found["profile"] == tmp_path.name and found["runs"]["01-b"] == {}
    own = found["runs"]["01-a"]
    assert own["title"] == "</script><b>" and own["fingerprints"] == {"rendered": "9" * 64}
    assert "results" not in own and "thumbnails" not in own


def test_a_private_report_says_so(tmp_path):
    put(tmp_path, "01-a")
    assert BANNER not in page(tmp_path, ["01-a"])
    put(tmp_path, "01-b", private=True)
    text = page(tmp_path, ["01-a", "01-b"])
    assert f"<title>{BANNER}: " in text and re.search(rf'<p class="banner" role="alert">{BANNER}</p>', text)
    assert BANNER in page(tmp_path / "mine-private", ["01-a"]), "by its folder, whatever ran there"


def test_notebooks_that_a_person_drives_are_named(tmp_path, make_notebook):
    import nbformat

    (tmp_path / "Snakefile").touch()
    (tmp_path / "profiles").mkdir()
    make_notebook("x = 1", name="01_one", folder=tmp_path / "notebooks")
    book = make_notebook("x = 1", name="07_explore", title="# 07 Explore <by hand>", folder=tmp_path / "notebooks")
    content = nbformat.read(book, 4)
    content.metadata["tags"] = ["interactive"]
    nbformat.write(content, book)
    assert index.driven(tmp_path) == ["07 Explore <by hand>"]
    text = page(tmp_path / "reports" / "tiny", [])
    assert "07 Explore &lt;by hand&gt;" in text and "make lab" in text


def test_intervals_and_names_of_methods_are_not_torn():
    assert index.number("+8.5 [+4.4, +12.5]", 1) == "+8.5 [+4.4,\u00a0+12.5]"
    assert unbroken("Training: c-gan & <b>") == 'Training: <span class="whole">c-gan</span> &amp; &lt;b&gt;'
    assert unbroken("landmark-flow's (−8.3)") == '<span class="whole">landmark-flow</span>&#x27;s (−8.3)'
    assert unbroken("reports/a-b/c-d.html") == "reports/a-b/c-d.html", "paths may be broken anywhere"


def test_a_card_says_its_first_finding_where_the_abstract_does_not(tmp_path):
    metrics = {"ssim": {"title": "SSIM", "better": "higher", "unit": "", "digits": 3, "scale": 1.0}}
    gap = {"table": "people", "method": "c-gan", "minus": "copy", "metric": "ssim"}
    gap |= {"low": -0.2, "high": -0.05}
    for run, value in (("03_image_quality", -0.1), ("04_ablations", -0.11)):
        made = {"status": "done", "metrics": metrics, "differences": [{**gap, "value": value}], "summary": []}
        (tmp_path / f"{run}.json").write_text(json.dumps(made))
    text = index.write(tmp_path, ["03_image_quality", "04_ablations"]).read_text()
    assert text.count('<p class="finding">SSIM: <span class="whole">c-gan</span> (−0.110') == 1
    assert text.count('<p class="finding">') == 1 and text.index('<p class="finding">') > text.index(
        'id="04_ablations"'
    )
