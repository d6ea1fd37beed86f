"""Real kernels: a few seconds each."""

import json
import os
import re

import nbformat
import pytest

from fersyn.reporting import execute


def test_a_run_leaves_its_four_files(make_notebook, tmp_path, capsys):
    book = make_notebook(
        "x = 1\nresults = ''",
        "import json, pathlib\nprint('x is', x)\n"
        "pathlib.Path(results).write_text(json.dumps({'title': 'T', 'results': {'x': x}}))",
    )
    stem = tmp_path / "out" / "01_probe-a"
    assert execute.main([str(book), str(stem), "--parameters", '{"x": 5}']) == 0
    assert sorted(path.name for path in stem.parent.iterdir()) == [
        "01_probe-a-code.html", "01_probe-a.html", "01_probe-a.ipynb", "01_probe-a.json",
    ]  # fmt: skip
    content = json.loads((stem.parent / "01_probe-a.json").read_text())
    assert content["results"] == {"x": 5} and content["status"] == "done" and content["seconds"] > 0
    page = (stem.parent / "01_probe-a.html").read_text()
    assert "x is 5" in page and "pathlib" not in page
    assert "pathlib" in (stem.parent / "01_probe-a-code.html").read_text()
    for path in stem.parent.iterdir():
        assert str(tmp_path) not in path.read_text(), path.name
    assert "done in" in capsys.readouterr().out
    # Failing later takes the stale pages away, and succeeding again takes the failure away.
    broken = make_notebook(
        "x = 1\nresults = ''", f"print('before')\nopen('{tmp_path}/deep/no/file')\nprint('after')", name="02_broken"
    )
    assert execute.main([str(broken), str(stem)]) == 1
    assert sorted(path.name for path in stem.parent.iterdir()) == [
        "01_probe-a.failed.html", "01_probe-a.failed.ipynb", "01_probe-a.failed.json",
    ]  # fmt: skip
    said = capsys.readouterr().err
    assert "01_probe-a FAILED: FileNotFoundError" in said and str(stem) + ".failed.html" in said
    page = (stem.parent / "01_probe-a.failed.html").read_text()
    assert "before" in page and "FileNotFoundError" in page and str(tmp_path) not in page
    assert not re.search(r"papermill.*ERROR", page)
    assert json.loads((stem.parent / "01_probe-a.failed.json").read_text())["error"].startswith("FileNotFoundError")
    assert execute.main([str(book), str(stem)]) == 0
    assert not list(stem.parent.glob("*.failed.*"))


def test_a_kernel_that_does_not_start_is_started_once_more(make_notebook, tmp_path, monkeypatch, capsys):
    import papermill

    real, calls = papermill.execute_notebook, []

    def unlucky(*arguments, **options):
        calls.append(options)
        if len(calls) == 1:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return real(*arguments, **options)

    monkeypatch.setattr(papermill, "execute_notebook", unlucky)
    book = make_notebook("results = ''", "print('here')")
    monkeypatch.setenv("IPYTHONDIR", "mine")
    monkeypatch.delenv("JUPYTER_RUNTIME_DIR", raising=False)
    assert "here" in nbformat.writes(execute.run_cells(book, {}))
    assert len(calls) == 2 and "once more" in capsys.readouterr().err
    assert os.environ["IPYTHONDIR"] == "mine" and "JUPYTER_RUNTIME_DIR" not in os.environ


def test_a_kernel_that_never_starts_leaves_a_page(make_notebook, tmp_path, monkeypatch):
    import papermill

    def dead(*arguments, **options):
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(papermill, "execute_notebook", dead)
    monkeypatch.setattr(execute.time, "sleep", lambda seconds: None)
    with pytest.raises(execute.NotebookFailed, match="Kernel died"):
        execute.run(make_notebook("results = ''"), tmp_path / "x", {})
    assert "Kernel died" in (tmp_path / "x.failed.html").read_text()


@pytest.mark.skipif(os.name != "posix", reason="kernels talk over ports there")
def test_kernels_leave_the_working_folder_to_its_user(make_notebook, tmp_path, monkeypatch):
    """Sockets in the working folder would be those of the other notebook that runs there at the same time."""
    monkeypatch.chdir(tmp_path)
    look = (
        "import os, pathlib\nseen = sorted(os.listdir('.'))\npathlib.Path(results).write_text(__import__('json').dumps("
    )
    book = make_notebook(
        "results = ''", look + "{'title': 'T', 'results': {'seen': seen}}))", folder=tmp_path / "books"
    )
    assert execute.main([str(book), str(tmp_path / "out" / "a"), "--parameters", "{}"]) == 0
    seen = json.loads((tmp_path / "out" / "a.json").read_text())["results"]["seen"]
    assert set(seen) <= {"books", "out"}, seen


def show(alt, side=8):
    """Code of a cell that shows a noisy picture."""
    return (
        "import numpy as np\nfrom IPython.display import display\nfrom fersyn.figures import Picture\n"
        f"noise = np.random.default_rng(0).integers(0, 255, ({side}, {side}, 3), np.uint8)\n"
        f"display(Picture.of_array(noise, {alt!r}))"
    )


def test_private_pages_carry_their_banner_and_links_their_pages(make_notebook, tmp_path, capsys):
    from fersyn.reporting import provenance
    from fersyn.reporting.privacy import BANNER

    book = make_notebook(
        "private = False\nresults = ''",
        show("noise", 2800),
        title="# A probe\n\n[Other](02_other.ipynb), [Nobody](09_x.ipynb)",
    )
    stem = tmp_path / "out" / "01_probe"
    execute.run(book, stem, {"private": True}, ["01_probe", "02_other"])
    for suffix in (".html", "-code.html", ".ipynb"):
        assert BANNER in (stem.parent / f"01_probe{suffix}").read_text(), suffix
    page = (stem.parent / "01_probe.html").read_text()
    assert '<a href="02_other.html">Other</a>, Nobody' in page
    assert '<a href="02_other-code.html">Other</a>' in (stem.parent / "01_probe-code.html").read_text()
    about = provenance.of_page(stem.parent / "01_probe.html")
    assert about["private"] is True and about["notebook"] == "01_probe" and about["started"] and about["seconds"] > 0
    said = capsys.readouterr().err
    assert "01_probe: the page 01_probe.html has" in said and "more than 5 MB" in said
    execute.run(book, stem, {}, ["01_probe"])
    for path in stem.parent.iterdir():
        assert BANNER not in path.read_text(), path.name


def test_a_failure_of_a_private_notebook_is_private_too(make_notebook, tmp_path):
    from fersyn.reporting.privacy import BANNER

    book = make_notebook("private = True\nresults = ''", show("x") + "\nraise ValueError(repr(bytes(100_000)))")
    with pytest.raises(execute.NotebookFailed):
        execute.run(book, tmp_path / "out" / "x", {})
    page = (tmp_path / "out" / "x.failed.html").read_text()
    assert f"<title>{BANNER}" in page and BANNER in (tmp_path / "out" / "x.failed.ipynb").read_text()
    assert "more characters are left out" in page
    content = json.loads((tmp_path / "out" / "x.failed.json").read_text())
    assert content["private"] is True and len(content["error"]) < 3000


def test_a_foreign_picture_is_named_on_stderr(make_notebook, tmp_path, capsys):
    book = make_notebook(
        "results = ''", "from PIL import Image\nfrom IPython.display import display\ndisplay(Image.new('RGB', (4, 4)))"
    )
    execute.run(book, tmp_path / "out" / "x", {})
    assert "x: 1 pictures without a description" in capsys.readouterr().err
    assert 'alt=""' not in (tmp_path / "out" / "x.html").read_text()
