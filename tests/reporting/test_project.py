import pytest

from fersyn.reporting import project


@pytest.fixture
def package(tmp_path):
    root = tmp_path / "fersyn"
    (root / "faces").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "table.py").write_text("import numpy\nfrom fersyn import errors\n")
    (root / "errors.py").write_text("")
    (root / "other.py").write_text("")
    (root / "faces" / "__init__.py").write_text("from .align import fit\n")
    (root / "faces" / "align.py").write_text("def fit():\n    from fersyn.late import x\n")
    (root / "late.py").write_text("")
    return root


def files(package, *modules):
    return {path.relative_to(package).as_posix() for path in project.module_files(modules, package)}


def test_follows_imports_and_no_others(package):
    assert files(package, "fersyn.table") == {"__init__.py", "table.py", "errors.py"}


def test_follows_relative_and_late_imports(package):
    assert files(package, "fersyn.faces") == {"__init__.py", "faces/__init__.py", "faces/align.py", "late.py"}


def test_a_module_counts_with_its_package(package):
    assert "faces/__init__.py" in files(package, "fersyn.faces.align")


def test_digest_changes_with_contents_alone(package):
    before = project.digest(project.module_files(["fersyn.table"], package), package)
    (package / "other.py").write_text("x = 1\n")
    assert project.digest(project.module_files(["fersyn.table"], package), package) == before
    (package / "errors.py").write_text("x = 1\n")
    assert project.digest(project.module_files(["fersyn.table"], package), package) != before


def test_notebook_imports(make_notebook):
    book = make_notebook("x = 1", "%matplotlib inline\nfrom fersyn.table import FaceTable\nimport torch\n!ls")
    assert project.notebook_imports(book) == {"fersyn.table", "fersyn.table.FaceTable"}


def test_notebook_digest_covers_the_real_package(make_notebook):
    light = project.module_files(project.notebook_imports(make_notebook("x = 1", "from fersyn.splits import kfold")))
    assert {path.name for path in light} >= {"splits.py", "errors.py"}
    assert "cli.py" not in {path.name for path in light}


@pytest.mark.parametrize("module", ["fersyn.reporting.execute", "fersyn.reporting.index", "fersyn.reporting"])
def test_what_every_notebook_needs_knows_no_other_notebook(module):
    """Else a change in a training would rerun notebook 01."""
    found = {path.relative_to(project.PACKAGE).as_posix() for path in project.module_files([module])}
    assert {file for file in found if file.startswith("evaluation")} <= {
        f"evaluation/{name}.py"
        for name in ("__init__", "scores", "bootstrap")  # how a score is told
    }
    rooms = {file.partition("/")[0] for file in found}
    assert "reporting" in rooms and not {"training", "methods", "weights", "table.py"} & rooms
