import nbformat
import nbformat.v4 as v4
import pytest


@pytest.fixture
def make_notebook(tmp_path):
    """Writes a notebook of code cells; the first string is the parameters cell. Returns its path."""

    def make(*cells, name="01_probe", title="# A probe", folder=None):
        nodes = [v4.new_markdown_cell(title)]
        for number, source in enumerate(cells):
            tags = {"tags": ["parameters"]} if number == 0 else {}
            nodes.append(v4.new_code_cell(source, metadata=tags))
        kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        path = (folder or tmp_path) / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(v4.new_notebook(cells=nodes, metadata=kernel), path)
        return path

    return make
