import getpass
import platform
import sys
from pathlib import Path

import nbformat.v4 as v4
import pytest

from fersyn.reporting import privacy, project


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("cannot read /data/sets/ckplus/S005.png: truncated", "cannot read …/S005.png: truncated"),
        ("see https://example.org/a/b/c.html", "see https://example.org/a/b/c.html"),
        ("and/or/not", "and/or/not"),
        ("<td>a</td><br/>", "<td>a</td><br/>"),
        ("a ratio of 3/4/5", "a ratio of 3/4/5"),
        (r"C:\Users\anna\faces\a.png", "…/a.png"),
        ("data/laptop/rendered", "data/laptop/rendered"),
        ("--runs=/mnt/clients/anna/x", "--runs=…/x"),
        ("x:/mnt/clients/anna/x.png", "x:…/x.png"),
        ("[/mnt/a/b,/mnt/clients/anna/c]", "[…/b,…/c]"),
        ('"/Volumes/My Disk/Family Miller/faces"', '"…/faces"'),
        ("open('/mnt/fotos (2024)/Familie Müller/anna.jpg')", "open('…/anna.jpg')"),
        ('<a href="https://example.org/a b/c">x</a>', '<a href="https://example.org/a b/c">x</a>'),
        ("\x1b[36m/somewhere/deep/x.py:3\x1b[0m", "\x1b[36m…/x.py:3\x1b[0m"),
    ],
)
def test_scrub(text, clean):
    assert privacy.scrub(text) == clean


def test_a_path_with_spaces_that_is_there_goes_to_its_last_part(tmp_path):
    deep = tmp_path / "My Disk (2024)" / "Familie Müller"
    deep.mkdir(parents=True)
    (deep / "anna b.jpg").touch()
    at = str(deep / "anna b.jpg")
    assert privacy.scrub(f"{at} cannot be read, and/or {deep} neither") == (
        "…/anna b.jpg cannot be read, and/or …/Familie Müller neither"
    )


def test_a_parameter_that_is_a_path_keeps_its_last_part_alone():
    assert privacy.scrub_all({"table": "/Volumes/My Disk/Family Miller/faces"}) == {"table": "…/faces"}
    assert privacy.scrub_all("/tmp is full: a/b") == "/tmp is full: a/b"


def test_known_folders_get_names():
    assert privacy.scrub("/srv/home/x/faces/a.png") == "…/a.png"
    assert privacy.scrub(f'File "{project.root()}/fersyn/table.py", line 3') == 'File "./fersyn/table.py", line 3'
    assert str(sys.prefix) not in privacy.scrub(f"{sys.prefix}/lib/python3/site-packages/x.py")
    home = str(Path.home())
    if len(home) > 1:
        assert privacy.scrub(f"in {home} now") == "in ~ now"


def test_host_goes(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "annas-laptop")
    assert "annas-laptop" not in privacy.scrub("running on annas-laptop.local")


def test_pictures_stay():
    uri = "data:image/jpeg;base64,/9j/4AAQ/abc/def=="
    assert privacy.scrub(f'<img src="{uri}"> /a/b/c') == f'<img src="{uri}"> …/c'


def test_notebook_is_cleaned_but_not_its_pictures():
    secret = f"/home/{getpass.getuser()}x/deep/thing.csv"
    picture = "/9j/4AAQ/abc/def=="
    output = v4.new_output("display_data", data={"image/jpeg": picture, "text/plain": secret})
    stream = v4.new_output("stream", name="stderr", text=secret)
    error = v4.new_output("error", ename="E", evalue=secret, traceback=[secret])
    cell = v4.new_code_cell(f"p = '{secret}'", outputs=[output, stream, error])
    notebook = v4.new_notebook(
        cells=[cell], metadata={"papermill": {"input_path": secret, "parameters": {"p": secret}}}
    )
    cleaned = privacy.scrub_notebook(notebook)
    assert "deep" not in str(cleaned)
    assert cleaned.cells[0].outputs[0].data["image/jpeg"] == picture
    assert cleaned.metadata.papermill.parameters["p"] == "…/thing.csv"


def test_everything_of_a_stranger_s_machine_goes(monkeypatch):
    """A home folder, a user and a host with names of their own, in every place of a notebook and of a record."""
    monkeypatch.setattr(Path, "home", lambda: Path("/srv/people/annabel"))
    monkeypatch.setattr(platform, "node", lambda: "zebra.dept.example.org")
    monkeypatch.setattr(getpass, "getuser", lambda: "annabel")
    privacy._replacements.cache_clear()
    texts = [
        "/srv/people/annabel/faces/a.png", "~annabel on zebra", "zebra.dept.example.org: ready", "../annabel/sets/a.png",
        "annabel's picture", "/scratch/annabel/x/y.csv", "file:///srv/people/annabel/a.html",
    ]  # fmt: skip
    try:
        for text in texts:
            clean = privacy.scrub(text)
            assert "annabel" not in clean and "zebra" not in clean, (text, clean)
            assert "annabel" not in str(privacy.scrub_all({"parameters": {text: [text]}}))
        output = v4.new_output("display_data", data={"text/html": texts[0], "text/plain": texts[1]})
        notebook = v4.new_notebook(cells=[v4.new_code_cell(texts[2], outputs=[output]), v4.new_markdown_cell(texts[3])])
        assert "annabel" not in str(privacy.scrub_notebook(notebook))
    finally:
        privacy._replacements.cache_clear()


@pytest.mark.parametrize("name", ["laptop", "root", "user"])
def test_names_that_tell_nothing_leave_the_text_alone(monkeypatch, name):
    monkeypatch.setattr(platform, "node", lambda: name)
    monkeypatch.setattr(getpass, "getuser", lambda: name)
    assert privacy.scrub(f"data/{name}/rendered") == f"data/{name}/rendered"


def test_a_user_without_a_name(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert privacy.scrub("data/x") == "data/x"


def test_overlong_texts_are_cut():
    """An error that quotes a picture's bytes would carry the face along."""
    bytes_ = repr(bytes(range(256)) * 200)
    error = v4.new_output("error", ename="E", evalue=bytes_, traceback=["short", bytes_])
    stream = v4.new_output("stream", name="stdout", text=bytes_)
    shown = v4.new_output("display_data", data={"text/plain": bytes_, "image/png": "A" * 50_000})
    notebook = privacy.scrub_notebook(v4.new_notebook(cells=[v4.new_code_cell("", outputs=[error, stream, shown])]))
    error, stream, shown = notebook.cells[0].outputs
    for text in (error.evalue, error.traceback[1], stream.text, shown.data["text/plain"]):
        assert len(text) < privacy.MOST_TEXT + 100 and "more characters are left out" in text
    assert error.traceback[0] == "short" and len(shown.data["image/png"]) == 50_000


def test_a_report_that_shows_everybody_lies_apart():
    assert privacy.folder_of("laptop", [{"seed": 0}, {"private": False}]) == "reports/laptop"
    assert privacy.folder_of("laptop", [{"private": True}]) == "reports/laptop-private"
