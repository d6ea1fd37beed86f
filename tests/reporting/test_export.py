import base64
import io
import json
import re

import nbformat.v4 as v4
import pytest
from PIL import Image
from typer.testing import CliRunner

from fersyn.cli import app
from fersyn.reporting import export, provenance
from fersyn.reporting.privacy import BANNER


def png():
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture
def notebook():
    picture = v4.new_output(
        "execute_result",
        data={"image/png": png(), "text/plain": "Fig"},
        metadata={"image/png": {"alt": "A red patch", "width": 4}},
    )
    error = v4.new_output("error", ename="ValueError", evalue="no", traceback=["\x1b[31mValueError\x1b[0m: no <b>"])
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell(
                "# Faces & *more*\n\nInline $x_k^2$.\n\n$$\\frac{1}{n}\\sum_i x_i$$\n\n| a | b |\n|---|---|\n| 1 | 2 |"
            ),
            v4.new_markdown_cell("## First `part`"),
            v4.new_code_cell("secret_code = 1", outputs=[picture]),
            v4.new_code_cell("print(1)", outputs=[v4.new_output("stream", name="stdout", text="1 < 2\n"), error]),
            v4.new_code_cell(
                "t", outputs=[v4.new_output("execute_result", data={"text/html": "<table><tr><td>x</td></tr></table>"})]
            ),
        ]
    )


def test_no_request_to_anywhere(notebook):
    for with_code in (False, True):
        page = export.html(notebook, with_code)
        assert page.count("<script") == 1, "that which opens pictures; no data block where there is no record"
        assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
        assert not re.search(r"url\(\s*[\"']?(?!data:)", page) and "@import" not in page
        sources = re.findall(r"<img[^>]*src=\"([^\"]{0,12})", page)
        assert sources and all(source.startswith("data:image") for source in sources)


def test_code_is_shown_only_where_asked(notebook):
    assert "secret_code" not in export.html(notebook)
    page = export.html(notebook, True)
    assert "secret_code" in page and 'class="pygments"' in page


def test_equations_become_mathml(notebook):
    page = export.html(notebook)
    assert (
        page.count("<math") == 2
        and "<mfrac>" in page
        and "$" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    )


def test_wrong_latex_stays_visible():
    assert "x" in export.mathml("\\frac{x", "block")


def test_pictures_keep_description_and_width(notebook):
    picture = r'<img alt="A red patch" aria-haspopup="dialog" role="button" src="data:image/png;base64,[^"]+" tabindex="0" width="4"'
    assert re.search(picture, export.html(notebook))


def test_title_contents_and_links(notebook):
    page = export.html(notebook, links=[{"href": "index.html", "text": "All"}], footer="The <end>")
    assert "<title>Faces &amp; more</title>" in page
    assert '<a href="#first-part">First part</a>' in page and 'id="first-part"' in page
    assert '<a href="index.html">All</a>' in page and "The &lt;end&gt;" in page


def test_tables_scroll(notebook):
    assert export.html(notebook).count('<div class="scroll">') == 2


def test_outputs_are_escaped_and_the_traceback_is_there(notebook):
    page = export.html(notebook)
    assert "1 &lt; 2" in page and "no &lt;b&gt;" in page and 'class="error"' in page


def test_the_notebook_is_left_alone(notebook):
    before = str(notebook)
    export.html(notebook, True)
    assert str(notebook) == before


RUNS = ["01_preprocessing-photos", "01_preprocessing-rendered", "02_training", "04_ablations-x"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("02_training.ipynb", '<a href="02_training.html">T</a>'),
        ("../notebooks/02_training.ipynb#The-Curves", '<a href="02_training.html#the-curves">T</a>'),
        ("04_ablations.ipynb", '<a href="04_ablations-x.html">T</a>'),
        (
            "01_preprocessing.ipynb",
            'T (<a href="01_preprocessing-photos.html">photos</a>, '
            '<a href="01_preprocessing-rendered.html">rendered</a>)',
        ),
        ("07_explore.ipynb", "T"),
        ("../README.md", "T"),
        ("https://example.org/a.ipynb", '<a href="https://example.org/a.ipynb">T</a>'),
        ("#curves", '<a href="#curves">T</a>'),
    ],
)
def test_links_lead_from_page_to_page(url, shown):
    assert export.linked("T", url, RUNS) == shown
    book = v4.new_notebook(cells=[v4.new_markdown_cell(f"Next: [T]({url})")])
    assert f"Next: {shown}" in export.html(book, runs=RUNS)
    assert f"Next: {shown.replace('.html', '-code.html')}" in export.html(book, True, runs=RUNS)


def test_pictures_outside_the_notebook_are_not_asked_for():
    book = v4.new_notebook(cells=[v4.new_markdown_cell("![A face](https://example.org/a.png)")])
    assert "A face" in export.html(book) and "example.org" not in export.html(book)


def test_the_record_can_be_read_from_the_page(notebook, tmp_path):
    about = {"schema": 1, "title": "</script><!-- &", "seed": 3, "thumbnails": [{"src": "data:image/png;base64,AA"}]}
    (tmp_path / "a.html").write_text(export.html(notebook, about=about), encoding="utf-8")
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert provenance.of_page(tmp_path / "a.html") == {"schema": 1, "title": "</script><!-- &", "seed": 3}


def test_the_command_prints_the_record_or_refuses_a_page_without_one(notebook, tmp_path):
    (tmp_path / "a.html").write_text("<html></html>")
    for name, message in (("a.html", "a.html holds no provenance; name a page that"), ("none.html", "cannot be read")):
        done = CliRunner().invoke(app, ["provenance", str(tmp_path / name)])
        assert done.exit_code == 2 and message in done.output
    (tmp_path / "b.html").write_text(export.html(notebook, about={"schema": 1, "seed": 3}), encoding="utf-8")
    done = CliRunner().invoke(app, ["provenance", str(tmp_path / "b.html")])
    assert done.exit_code == 0 and json.loads(done.output) == {"schema": 1, "seed": 3}


def test_private_pages_say_so(notebook):
    page = export.html(notebook, private=True)
    assert f"<title>{BANNER}: Faces" in page and f'role="alert">{BANNER}</p>' in page
    assert BANNER not in export.html(notebook)


def test_a_picture_without_description_is_counted_and_gets_its_text(notebook):
    assert export.undescribed(notebook) == 0
    notebook.cells[2].outputs[0].metadata = {}
    assert export.undescribed(notebook) == 1
    assert 'alt="Fig"' in export.html(notebook)
