"""Each notebook: one parameters cell with plain values, no outputs, ids that stay, no function or class of its own; all
of them together: a course with one form and one vocabulary.
"""

import ast
import re

import nbformat
import papermill
import pytest

from fersyn.methods.config import PROFILES
from fersyn.reporting import execute, parameters, project, record

NOTEBOOKS = sorted((project.root() / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_valid_with_unique_ids(notebook):
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    ids = [cell.id for cell in content.cells]
    assert len(set(ids)) == len(ids) and (content.nbformat, content.nbformat_minor) >= (4, 5)


def test_one_parameters_cell_of_plain_values(notebook):
    declared = parameters.declared(notebook)
    assert declared["results"] == "" and "seed" in declared
    assert all(isinstance(value, (int, float, str, bool, list)) for value in declared.values())


def test_no_outputs(notebook):
    for cell in code_cells(notebook):
        assert not cell.outputs and cell.execution_count is None


def test_no_function_and_no_class(notebook):
    for cell in code_cells(notebook):
        kinds = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.Lambda)
        assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, kinds)]


def test_it_begins_as_a_document(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    assert cells[1].metadata.get("tags") == ["parameters"]


def test_imports_exist(notebook):
    assert project.module_files(project.notebook_imports(notebook))


def parameter_lines(path):
    """The lines of the parameters cell that begin one."""
    return [line for line in code_cells(path)[0].source.splitlines() if re.match(r"\w+ = ", line)]


def test_each_parameter_is_a_line_with_a_comment(notebook):
    assert code_cells(notebook)[0].source.startswith("# Parameters: ")
    for line in parameter_lines(notebook):
        assert re.fullmatch(r"\w+ = .+  # .+", line), line
    names = [line.split(" = ")[0] for line in parameter_lines(notebook)]
    assert names == list(parameters.declared(notebook))


def test_papermill_knows_each_parameter(notebook, caplog):
    """It reads lines, not Python: a list with a `=` in its text stands below its name."""
    assert set(papermill.inspect_notebook(str(notebook))) == set(parameters.declared(notebook))
    assert not [line for line in caplog.messages if "Passed unknown" in line]


def test_a_parameter_means_the_same_everywhere():
    meant, kind = {}, {}
    for notebook in NOTEBOOKS:
        for line in parameter_lines(notebook):
            name, comment = line.split(" = ")[0], line.rpartition("  # ")[2]
            assert meant.setdefault(name, comment) == comment, f"{notebook.name}: {name}"
        for name, value in parameters.declared(notebook).items():
            assert kind.setdefault(name, type(value)) is type(value), f"{notebook.name}: {name}"


def test_it_refuses_parameters_that_it_does_not_have(notebook):
    """As the first thing after the imports, so that a misspelt name costs no minutes."""
    tree = ast.parse(code_cells(notebook)[1].source)
    first = next(line for line in tree.body if not isinstance(line, (ast.Import, ast.ImportFrom)))
    assert ast.unparse(first) == "given = parameters.check()"


def test_the_head_of_a_chapter(notebook):
    """Question, method with an equation, and what each profile costs; of a notebook that a person drives the panel stands between
    question and method, in sight.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    head = cells[0].source
    if project.is_driven(notebook):
        assert [cell.cell_type for cell in cells[:4]] == ["markdown", "code", "code", "markdown"] and len(head) < 500
        assert all(cell.metadata["jupyter"]["source_hidden"] for cell in cells[1:3])
        head = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    places = [head.index(word) for word in ("**Question.**", "**Method.**", "**Time and cost.**")]
    assert places == sorted(places)
    assert head[places[1] : places[2]].count("$$") == 2
    rows = re.findall(r"^\| `(\w+)`(.*)", head[places[2] :].partition("\n## ")[0], re.MULTILINE)
    assert [name for name, _ in rows] == list(PROFILES)
    assert "estimate" in rows[-1][1], "nobody has measured the published settings"


def test_the_end_of_a_chapter(notebook):
    """What to try next, and where the course goes on."""
    last = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "markdown"][-1]
    assert last.startswith("## What to try next")
    links = dict(re.findall(r"\b(Previous|Next): \[.*?\]\((.*?)\)", last.splitlines()[-1]))
    place = NOTEBOOKS.index(notebook)
    if place:
        assert links["Previous"] == NOTEBOOKS[place - 1].name
    if notebook != NOTEBOOKS[-1]:
        assert links["Next"] == NOTEBOOKS[place + 1].name


def test_its_links_lead_somewhere(notebook):
    for cell in nbformat.read(notebook, as_version=4).cells:
        for title, target in re.findall(r"\[([^\]]+)\]\((\w+\.ipynb)\)", cell.source):
            there = nbformat.read(notebook.parent / target, as_version=4).cells[0].source
            assert there.startswith(f"# {title}"), f"{target} is not called {title}"


def test_what_it_says_of_parameters_is_true(notebook):
    """`name = value` in the text names a parameter that it has."""
    known = parameters.declared(notebook)
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "markdown":
            for name in re.findall(r"`(\w+) = ", cell.source):
                assert name in known, name


@pytest.mark.slow
def test_08_ends_without_the_generator_and_says_what_is_missing(tmp_path, monkeypatch):
    """No weights at all, no tables: every section has a sentence, and the record is written."""
    monkeypatch.setenv("FERSYN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    nowhere = dict.fromkeys(("faces", "rendered", "photos"), str(tmp_path / "none"))
    execute.run(project.root() / "notebooks" / "08_generator.ipynb", tmp_path / "08", nowhere)
    page, found = (tmp_path / "08.html").read_text(encoding="utf-8"), record.read(tmp_path / "08.json")
    assert page.count("Nothing is shown here: weights are missing") >= 9
    assert (
        "fersyn weights fetch stylegan-mapping" in page and "fersyn weights fetch stylegan-mapping" in found["notes"][0]
    )
    assert found["key_figures"] == [] and found["scores"]["data"] == []
