"""What a notebook is given, by papermill and by profiles: misspelt names and values of the wrong kind are refused at once."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
import yaml

from fersyn.errors import FersynError
from fersyn.reporting import parameters, project
from fersyn.reporting.plan import notebooks

ROOT = project.root(Path(__file__))
OWN = "# Parameters: profiles/*.yaml and papermill's -p replace these values.\n"
DECLARED = 'methods = ["copy", "warp"]\nmethod = ""\nseed = 0\nsigma = 2.0\nprivate = False\nresults = ""\n'


@pytest.fixture
def small(tmp_path, make_notebook):
    """A project of two notebooks and a profile with what both need."""
    make_notebook(OWN + DECLARED, name="02_train", folder=tmp_path / "notebooks")
    make_notebook(OWN + "factors = [0, 1]\nseed = 0\nresults = ''", name="06_more", folder=tmp_path / "notebooks")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tiny.yaml").write_text("seed: 3\nfactors: [0, 2]\ntables:\n  mine: folder photos\n")
    return tmp_path


def given(small, cell, more=()):
    """Runs notebook 02's parameters cell, then papermill's with `cell` in it, then the check."""
    cells = [OWN + DECLARED, "# Parameters\n" + cell if cell else "x = 1", *more]
    namespace = {"In": ["", *cells, "given = parameters.check()"]}
    for source in cells:
        exec(source, namespace)
    return parameters.check(namespace, small)


def test_the_values_that_hold(small):
    found = given(small, "")
    assert found == {"methods": ["copy", "warp"], "method": "", "seed": 0, "sigma": 2.0, "private": False}
    found = given(small, 'method = "warp"\nsigma = 3\nmethods = []\nresults = "out.json"\n')
    assert found["method"] == "warp" and found["sigma"] == 3 and found["methods"] == [] and "results" not in found


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('metod = "warp"', "there is no parameter 'metod'; did you mean 'method'?"),
        ("factos = [1]", "there is no parameter 'factos'; did you mean 'factors'?"),
        ("zzz = 1", "there is no parameter 'zzz'; there are: methods, method, seed"),
        ("zzz = float('nan')", "no parameter 'zzz'"),
        ("factors = [1]", "this notebook has no parameter 'factors', but 06_more has; here there are: methods, method"),
        ('methods = "warp"', "methods = 'warp': a list is needed; give it as   -y 'methods: [warp]'"),
        ('methods = "[copy, warp]"', "-y 'methods: [copy, warp]'"),
        ("methods = [1]", "methods = [1]: text is needed in place of 1"),
        ("method = 5", "method = 5: text is needed; give it as   -r method 5"),
        ("method = None", "for none give   -r method ''"),
        ("seed = 1.5", "seed = 1.5: a whole number is needed; such as   -p seed 0"),
        ("seed = True", "seed = True: a whole number is needed"),
        ('private = "yes"', "private = 'yes': True or False is needed; such as   -p private False"),
        ('sigma = "2"', "sigma = '2': a number is needed"),
    ],
)
def test_what_is_refused(small, cell, message):
    with pytest.raises(FersynError) as error:
        given(small, cell)
    assert message in str(error.value)


def test_a_profile_file_brings_what_other_notebooks_need(small):
    content = yaml.safe_load((small / "profiles" / "tiny.yaml").read_text())
    whole = "\n".join(f"{name} = {value!r}" for name, value in content.items())
    assert given(small, whole)["seed"] == 3
    assert given(small, whole + '\nmethod = "copy"')["method"] == "copy"
    with pytest.raises(FersynError, match="no parameter 'factor'"):
        given(small, whole + "\nfactor = 3")
    (small / "profiles" / "tiny.yaml").write_text("seed: 3\ntables:\n  mine: folder photos\n")
    with pytest.raises(FersynError, match="'factors', but 06_more has"):
        given(small, whole)  # given by -p besides a profile without it
    elsewhere = whole.replace("folder photos", "folder others")  # a profile file in another folder
    assert given(small, elsewhere)["seed"] == 3


def test_a_cell_that_was_edited_in_jupyterlab(small):
    with pytest.raises(FersynError, match="a list is needed"):
        given(small, "", [OWN + DECLARED.replace('["copy", "warp"]', '"warp"')])


def test_a_cell_that_was_run_twice_counts_once(small):
    assert given(small, 'metod = "warp"', ['# Parameters\nmethod = "warp"'])["method"] == "warp"


def test_without_ipython_nothing_is_refused():
    assert parameters.check({"seed": 3}) == {}


def test_every_profile_fits_the_notebooks():
    books = sorted((ROOT / "notebooks").glob("*.ipynb"))
    names = [file.stem for file in sorted((ROOT / "profiles").glob("*.yaml"))]
    assert {"smoke", "laptop", "gpu", "paper"} <= set(names)
    for name in names:
        parameters.check_profile(parameters.load_profile(name, folder=ROOT), books)


def test_by_set_of_the_report(make_notebook):
    book = make_notebook('methods = ["copy"]\nseed = 0')
    with pytest.raises(FersynError, match=r"or --set: methods = 'warp': .* give it as   --set 'methods=\[warp\]'"):
        parameters.check_profile(parameters.Profile("tiny", {"methods": "warp"}), [book])
    with pytest.raises(FersynError, match="seed = 'x': a whole number is needed; such as   --set seed=0"):
        parameters.check_profile(parameters.Profile("tiny", {"seed": "x"}), [book])


PROBE = """
import json, pathlib
from fersyn.reporting import parameters
given = parameters.check()
pathlib.Path(results).write_text(json.dumps(given))
"""


def test_papermill_itself(small):
    """The commands that a papermill user types, in the folder of the notebooks and in that of the project."""
    path = small / "notebooks" / "02_train.ipynb"
    book = nbformat.read(path, 4)
    book.cells.append(nbformat.v4.new_code_cell(textwrap.dedent(PROBE).strip()))
    nbformat.write(book, path)
    (small / "Snakefile").touch()

    def run(where, *arguments):
        command = [sys.executable, "-m", "papermill", str(path), str(small / "out.ipynb"), "--no-progress-bar"]
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": paths, "JUPYTER_PREFER_ENV_PATH": "1"}
        return subprocess.run(
            [*command, *arguments], cwd=small / where, env=environment, capture_output=True, text=True, timeout=120
        )

    profile, results = str(small / "profiles" / "tiny.yaml"), small / "given.json"
    done = run("notebooks", "-f", profile, "-p", "method", "warp", "-p", "results", str(results))
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(results.read_text())
    assert found["method"] == "warp" and found["seed"] == 3
    done = run(".", "-p", "metod", "warp")
    assert done.returncode != 0
    assert "FersynError: there is no parameter 'metod'; did you mean 'method'?" in done.stderr


# Profiles


def write(tmp_path, text):
    (tmp_path / "profiles").mkdir(exist_ok=True)
    (tmp_path / "profiles" / "mine.yaml").write_text(text)
    return tmp_path


def test_load(tmp_path):
    folder = write(tmp_path, "seed: 3\nfolds: 2\ntables:\n  a: folder 'my photos' --publishable\n")
    profile = parameters.load_profile("mine", {"folds": 5}, folder)
    assert profile.parameters == {"seed": 3, "folds": 5}
    assert profile.tables == {"a": ["folder", "my photos", "--publishable"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "parameter: value"),
        ("a: {b: 1}\n", "`a` is a mapping"),
        ("tables: rendered\n", "maps names to arguments"),
        ("tables: {a: 3}\n", "maps names to arguments"),
        ("a: [1\n", "no YAML"),
    ],
)
def test_wrong_profiles_are_refused(tmp_path, text, message):
    with pytest.raises(FersynError, match=message):
        parameters.load_profile("mine", folder=write(tmp_path, text))


def test_unknown_profile_names_those_there_are(tmp_path):
    with pytest.raises(FersynError, match="there are: mine"):
        parameters.load_profile("yours", folder=write(tmp_path, "a: 1\n"))


def test_declared_and_taken(make_notebook):
    book = make_notebook("# comment\nseed = 0\nrate: float = 1e-3\nmethods = ['a', 'b']\n", "x = 1")
    assert parameters.declared(book) == {"seed": 0, "rate": 1e-3, "methods": ["a", "b"]}
    assert parameters.taken(book, {"seed": 4, "unknown": 1}) == {"seed": 4}


def test_parameters_must_be_plain(make_notebook):
    with pytest.raises(FersynError, match="`path` is not a plain value"):
        parameters.declared(make_notebook("path = open('x')"))
    with pytest.raises(FersynError, match="more than"):
        parameters.declared(make_notebook("import os\nseed = 0"))


def test_settings(make_notebook):
    book = make_notebook("folds = 3\nprivate = False\nmethods = []")
    found = parameters.parse_settings(["folds=5", "private=true", "methods=[a, b]"], [book])
    assert found == {"folds": 5, "private": True, "methods": ["a", "b"]}
    with pytest.raises(FersynError, match="no notebook has a parameter `fold`; there are: folds"):
        parameters.parse_settings(["fold=5"], [book])
    with pytest.raises(FersynError, match="expected name=value"):
        parameters.parse_settings(["folds"], [book])


def test_the_projects_profiles_are_flat_and_fit_the_notebooks():
    folder = project.root()
    known = {name for book in notebooks(folder) for name in parameters.declared(book)}
    assert parameters.profile_names(folder) == ["gpu", "laptop", "paper", "smoke"]
    for name in parameters.profile_names(folder):
        profile = parameters.load_profile(name, folder=folder)
        assert set(profile.parameters) <= known, "a parameter that no notebook declares"
        assert profile.tables
        content = yaml.safe_load((folder / "profiles" / f"{name}.yaml").read_text())
        content.pop("tables")
        assert all(isinstance(value, (int, float, str, bool, list)) for value in content.values())


@pytest.mark.parametrize("file", sorted((ROOT / "profiles").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_profile_says_each_parameter_once(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[0] for line in lines if line[:1].isalpha()]  # YAML would take the last one, silently
    assert sorted(names) == sorted(set(names))
