"""A notebook as one self-contained HTML file: pictures embedded, equations as MathML, no request to anywhere, and no script but
the lines that open a picture at full size (``templates/zoom.js``). What the numbers depend on stands in it as a data block (`fersyn.reporting.provenance.element`).

nbconvert does the work; its own page templates load MathJax and require.js from the network, hence
``templates/report``.
"""

import copy
import html as markup
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import latex2mathml.converter
import nbformat
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from fersyn.figures.table import coded, unbroken
from fersyn.reporting import provenance
from fersyn.reporting.privacy import BANNER

TEMPLATES = Path(__file__).parent / "templates"
# A page that is larger does not go through many a mail server, and is slow on a phone.
MOST_BYTES = 5_000_000
COST = "**Time and cost.**"  # begins what a notebook says of both


def slug(text: str) -> str:
    """An HTML id made of a heading: ``Who is it? (Rank-1)`` -> ``who-is-it-rank-1``."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"<[^>]+>|&\w+;", "", text).lower()).strip("-") or "section"


def mathml(latex: str, display: str) -> str:
    """An equation as MathML; what latex2mathml cannot read stays visible as code rather than vanishing. Several on one line (between
    them a ``\\qquad``) are several, so that they may stand below each other.
    """
    if display == "block":
        parts = latex.split(r"\qquad") if r"\begin" not in latex else [latex]
        return f'<div class="equations">{"".join(_mathml(part, display) for part in parts)}</div>'
    return _mathml(latex, display)


def _mathml(latex: str, display: str) -> str:
    try:
        return latex2mathml.converter.convert(latex.strip(), display=display)
    except Exception:  # it raises many kinds, some of them bare
        return f"<code>{markup.escape(latex)}</code>"


def linked(text: str, url: str, runs: Sequence[str], suffix: str = ".html") -> str:
    """A notebook's link as it stands on a page: to the page of that notebook, or of each of its runs.

    Args:
        text: what is shown, as HTML.
        url: where it leads in the notebook.
        runs: names of the report's runs (``02_training``, ``01_preprocessing-rendered``).
        suffix: what the pages of these runs end in.

    Returns:
        ``text`` without a link where the report has no such page.
    """

    def anchor(href: str, inside: str) -> str:
        return f'<a href="{markup.escape(href)}">{inside}</a>'

    if re.match(r"[\w+.-]+:|#", url):
        return anchor(url, text)
    name, _, part = url.partition("#")
    book = Path(name).name.removesuffix(".ipynb")
    if not name.endswith(".ipynb"):
        return text
    part = f"#{slug(part)}" if part else ""
    if book in runs:
        return anchor(f"{book}{suffix}{part}", text)
    several = [run for run in runs if run.startswith(f"{book}-")]
    if len(several) == 1:
        return anchor(f"{several[0]}{suffix}{part}", text)
    pages = ", ".join(anchor(f"{run}{suffix}{part}", markup.escape(run.removeprefix(f"{book}-"))) for run in several)
    return f"{text} ({pages})" if pages else text


class ReportRenderer(IPythonRenderer):
    """Markdown to HTML with MathML, headings that can be linked to, tables that scroll on a narrow screen, and links
    between notebooks that lead from page to page.
    """

    def __init__(self, runs: Sequence[str] = (), suffix: str = ".html", **options: Any):
        super().__init__(**options)
        self.runs, self.suffix = runs, suffix

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """``[text](url)``."""
        return linked(text or markup.escape(url), url, self.runs, self.suffix)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """``![text](url)``: a picture inside the notebook, or its description; never a request."""
        if url.startswith(("data:image/", "attachment:")):
            return super().image(text, url, title)
        return markup.escape(text)

    def block_math(self, body: str) -> str:
        """``$$...$$``."""
        return mathml(body, "block")

    def inline_math(self, body: str) -> str:
        """``$...$``."""
        return mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        r"""``\begin{align}...\end{align}``."""
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """A heading with an id."""
        return f'<h{level} id="{slug(text)}">{text}</h{level}>\n'

    def table(self, text: str) -> str:
        """A Markdown table inside a box that scrolls sideways."""
        return f'<div class="scroll"><table>{text}</table></div>\n'


class ReportExporter(HTMLExporter):
    """nbconvert's exporter with the kit's template. Construct it with :func:`html`."""

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Replaces nbconvert's Markdown filter."""
        resources = context.get("resources", {})
        renderer = ReportRenderer(
            resources.get("runs", ()), resources.get("suffix", ".html"), escape=False, exclude_anchor_links=True,
            attachments=context.get("cell", {}).get("attachments", {}),
        )  # fmt: skip
        return MarkdownWithMath(renderer=renderer).render(source)


def _code_style() -> str:
    """Colours for highlighted code, light and dark."""
    light = HtmlFormatter(style="default").get_style_defs(".pygments")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".pygments")
    # The formatter's own background and line-number rules would fight the page's.
    keep = re.compile(r"^\.pygments \.\w+ \{.*?\}", re.M)
    query = "@media screen and (prefers-color-scheme: dark) {"
    return "\n".join([*keep.findall(light), query, *keep.findall(dark), "}"])


def _headings(notebook: nbformat.NotebookNode, marks: str, inside: str) -> list[str]:
    """The headings of the text cells that begin with `marks`, without the Markdown signs `inside`."""
    cells = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = (text for source in cells for text in re.findall(rf"^{marks}\s+(.+)$", source, re.M))
    return [re.sub(inside, "", text).strip() for text in found]


def title_of(notebook: nbformat.NotebookNode) -> str:
    """The notebook's first heading, without Markdown marks; empty if it has none."""
    return next(iter(_headings(notebook, "#", "[*_`]")), "")


def undescribed(notebook: nbformat.NotebookNode) -> int:
    """How many pictures in the outputs have no description; `fersyn.figures.Picture` always brings one."""
    found = 0
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        kinds = [mime for mime in output.get("data", {}) if mime.startswith("image/")]
        about = [(output.get("metadata", {}).get(mime) or {}).get("alt", "") for mime in kinds]
        found += bool(kinds) and not any(text.strip() for text in about)
    return found


def _take_provenance(notebook: nbformat.NotebookNode) -> str:
    """Takes what a `Record` shows of itself out of the outputs, and returns its HTML; empty where there is none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            shown = output.get("data", {}).get("text/html", "")
            if shown.lstrip().startswith('<div class="provenance">'):
                cell.outputs.remove(output)
                return shown
    return ""


def _prepare(notebook: nbformat.NotebookNode, cost: str) -> None:
    for cell in notebook.cells:
        if cost and cell.cell_type == "markdown" and COST in cell.source:
            cell.source = f"{cell.source.partition(COST)[0]}{COST} {cost}"
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":  # one kind less for the template: they look the same
                output.output_type = "display_data"


def html(
    notebook: nbformat.NotebookNode,
    with_code: bool = False,
    links: list[dict[str, str]] | None = None,
    footer: str = "",
    runs: Sequence[str] = (),
    about: dict[str, Any] | None = None,
    private: bool = False,
    answer: Sequence[str] = (),
    warning: str = "",
    cost: str = "",
) -> str:
    """The notebook as an HTML page: its answer first, what its numbers depend on last.

    Args:
        notebook: an executed notebook; it is not changed.
        with_code: show the code cells, highlighted.
        links: ``{"href", "text"}`` shown at the top of the page.
        footer: one line at the end of the page.
        runs: names of the report's runs: links to their notebooks become links to their pages.
        about: the run's record, embedded as JSON; without its thumbnails.
        private: say on the page and in its title that it must not be passed on.
        answer: sentences of the box below the title.
        warning: a line above everything.
        cost: what it took, in place of the estimates that the notebook brings (`COST` and what follows in its cell).
    """
    config = Config()
    config.TemplateExporter.exclude_input_prompt = True
    config.TemplateExporter.exclude_output_prompt = True
    # A widget's or script's output would want its JavaScript from the network: its still picture or text is shown.
    config.NbConvertBase.display_data_priority = [
        "image/svg+xml", "image/png", "image/jpeg", "text/html", "text/markdown", "text/latex", "text/plain",
    ]  # fmt: skip
    exporter = ReportExporter(config=config, template_name="report", extra_template_basedirs=[str(TEMPLATES)])
    resources = {
        "page_title": (f"{BANNER}: " if private else "")
        + ((about or {}).get("title") or title_of(notebook) or "fersyn"),
        "banner": BANNER if private else "",
        "provenance": provenance.element(about) if about is not None else "",
        "runs": list(runs),
        "suffix": "-code.html" if with_code else ".html",
        "contents": [{"id": slug(text), "text": text} for text in _headings(notebook, "##", "[*`]")],
        "style": (TEMPLATES / "style.css").read_text(encoding="utf-8"),
        "zoom": (TEMPLATES / "zoom.js").read_text(encoding="utf-8"),
        "code_style": _code_style(),
        "with_code": with_code,
        "links": links or [],
        "footer": coded(footer),
        "warning": warning,
        "answer": [unbroken(text) for text in answer],
    }
    notebook = copy.deepcopy(notebook)
    resources["made_of"] = _take_provenance(notebook)
    if resources["made_of"]:
        resources["contents"].append({"id": "provenance", "text": "What these numbers depend on"})
    _prepare(notebook, cost)
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    return page
