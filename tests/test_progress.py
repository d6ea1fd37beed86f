import pytest

from fersyn.progress import Progress, say


def test_plain_lines_now_and_then_and_at_the_end(capsys, monkeypatch):
    monkeypatch.setenv("FERSYN_PROGRESS", "plain")
    with Progress(10, "faces", done=2, every=0) as progress:
        progress.advance(4)
    with Progress(10, "quiet", every=60) as progress:
        for _ in range(10):
            progress.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("faces: 6/10, ") and lines[0].endswith(" s left")
    assert [line for line in lines if line.startswith("quiet")] == [lines[-1]] and "quiet: 10/10" in lines[-1]


def test_a_bar_and_silence(capsys, monkeypatch):
    monkeypatch.setenv("FERSYN_PROGRESS", "bar")
    with Progress(3, "faces") as progress:
        progress.advance(3)
    assert "3/3" in capsys.readouterr().err
    monkeypatch.setenv("FERSYN_PROGRESS", "off")
    with Progress(3, "faces", every=0) as progress:
        progress.advance(3)
    say("nothing")
    assert capsys.readouterr().err == ""


def test_an_error_inside_passes_through(monkeypatch):
    monkeypatch.setenv("FERSYN_PROGRESS", "plain")
    with pytest.raises(KeyError), Progress(3, "faces"):
        raise KeyError
