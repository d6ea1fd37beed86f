"""Weights of a report: what arrives makes numbers anew, once."""

import json

from fersyn import weights
from fersyn.reporting.weights import fetch, news


def test_weights_that_arrive_are_news_once(tmp_path, monkeypatch):
    """The answer is a parameter of the Snakefile's rule: any change of it reruns every notebook that reads weights."""
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    file = tmp_path / "weights.json"
    assert news(file) == "", "the first report fetches them itself"
    fetch(file, names=())
    assert news(file) == ""
    there = weights.find("dlib-face")
    monkeypatch.setattr(weights, "find", lambda name: there)
    monkeypatch.setattr(weights, "ENTRIES", {name: weights.ENTRIES[name] for name in ("dlib-face", "vgg-face")})
    told = news(file)
    assert told == "vgg-face"
    fetch(file, names=(), news=told.split())
    content = json.loads(file.read_text())
    for entry in content["weights"]:
        entry["file"] = "now it is there"
    file.write_text(json.dumps(content))
    assert news(file) == told, "once written down it is no further change"
    file.write_text("[]")
    assert news(file) == "", "a file of an earlier version, or a damaged one, is written anew"


def test_what_cannot_be_fetched_is_said_and_nothing_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setenv("FERSYN_OFFLINE", "1")
    assert fetch(tmp_path / "weights.json", names=("sface",)) == 0
    said = capsys.readouterr().err
    assert "FERSYN_OFFLINE is set" in said and "goes on without sface" in said
    about = {entry["name"]: entry for entry in json.loads((tmp_path / "weights.json").read_text())["weights"]}
    assert about["sface"]["file"] == "" and about["dlib-face"]["file"]
    assert str(tmp_path) not in (tmp_path / "weights.json").read_text()
