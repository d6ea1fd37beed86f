"""Each notebook: one parameters cell with plain values, no outputs, ids that stay, no function or class of its own."""

import ast

import nbformat
import pytest

from fersyn.reporting import profiles, project, sources

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
    declared = profiles.declared(notebook)
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
    assert sources.module_files(sources.notebook_imports(notebook))
