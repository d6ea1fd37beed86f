import json
import re

from fersyn.reporting import index


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
    assert "<script" not in text and not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)
    for target in re.findall(r'href="([^"#]+)"', text):
        assert target.startswith("data:") or (tmp_path / target).is_file(), target


def test_credits_once(tmp_path):
    put(tmp_path, "01-a")
    put(tmp_path, "01-b")
    assert page(tmp_path, ["01-a", "01-b"]).count("CC BY 4.0") == 1


def test_old_records_do_not_break_the_page(tmp_path):
    (tmp_path / "01-a.json").write_text(json.dumps({"schema": 1}))
    assert "01-a" in page(tmp_path, ["01-a"])


def test_durations():
    assert [index.duration(seconds) for seconds in (None, 8.4, 99.4, 200)] == [None, "8 s", "99 s", "3 min 20 s"]
