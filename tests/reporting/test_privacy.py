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
        ("\x1b[36m/somewhere/deep/x.py:3\x1b[0m", "\x1b[36m…/x.py:3\x1b[0m"),
    ],
)
def test_scrub(text, clean):
    assert privacy.scrub(text) == clean


def test_known_folders_get_names():
    assert privacy.scrub(f"{Path.home()}/faces/a.png") == "~/faces/a.png" or str(project.root()) in str(Path.home())
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
