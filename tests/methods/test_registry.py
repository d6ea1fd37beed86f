"""Methods are found in their files: one file more is one method more."""

import ast
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import fersyn.methods as methods
from fersyn import weights
from fersyn.errors import FersynError
from fersyn.nets import mobile_stylegan
from fersyn.reporting import keys, project

PLAIN = 'class Mine(Method):\n    """Mine."""\n\n\nMETHOD = Mine()\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of methods in place of the real one."""
    monkeypatch.setattr(methods, "__file__", str(tmp_path / "__init__.py"))
    return tmp_path


def test_every_file_is_a_method_by_its_own_name():
    assert set(methods.names()) >= {"landmark-label", "c-gan", "landmark-flow", "copy", "warp"}
    assert not {"base", "config", "motion"} & set(methods.names())
    for name in methods.names():
        assert methods.get(name).name == name
    assert methods.module("landmark-flow") == "fersyn.methods.landmark_flow"


def test_the_weights_that_a_method_needs_are_known_ones():
    needed = {name: methods.get(name).needs_weights(methods.get(name).preset("paper")) for name in methods.names()}
    assert {each for own in needed.values() for each in own} <= set(weights.ENTRIES)
    assert not needed["landmark-flow"] and not needed["copy"]
    for name in ("emotion-gan", "stylegan-fer", "expression-mapper", "generator-encoder"):
        assert set(mobile_stylegan.NAMES) <= set(needed[name])


@pytest.mark.parametrize("text", [PLAIN, "METHOD = Mine(\n"], ids=["whole", "half written"])
def test_the_name_is_the_file_s(folder, text):
    (folder / "my_own.py").write_text(text)
    assert methods.names() == ("my-own",)
    assert methods.module("my-own") == "fersyn.methods.my_own"
    with pytest.raises(FersynError, match="there is no method 'my_own'; use one of: my-own"):
        methods.module("my_own")


def test_a_file_that_comes_while_a_notebook_is_open_is_found(folder):
    assert methods.names() == ()
    (folder / "my_own.py").write_text(PLAIN)
    assert methods.names() == ("my-own",)


def test_a_file_without_method_is_told(folder, monkeypatch):
    (folder / "warp.py").write_text("")
    monkeypatch.delattr(methods.import_module("fersyn.methods.warp"), "METHOD")
    with pytest.raises(FersynError, match=r"fersyn/methods/warp\.py ends without the line METHOD = "):
        methods.get("warp")


def test_a_method_of_this_process_has_no_file(folder, monkeypatch):
    monkeypatch.setitem(methods._REGISTERED, "mine", object())
    assert methods.names() == ("mine",)
    with pytest.raises(
        FersynError, match="'mine' is known to this process alone; put it into a file of fersyn/methods/"
    ):
        methods.module("mine")


def test_a_name_that_only_the_running_code_knows_is_told(folder, monkeypatch):
    (folder / "warp.py").write_text("METHOD = make()\n")
    monkeypatch.setattr(methods.import_module("fersyn.methods.warp").METHOD, "name", "bend", raising=False)
    with pytest.raises(FersynError, match=r"fersyn/methods/warp\.py: METHOD calls itself 'bend'; leave its name away"):
        methods.get("warp")


def test_the_command_lists_them_and_needs_no_torch():
    from fersyn.cli import app

    said = "".join(CliRunner().invoke(app, ["train", "--help"]).output.split())  # lines are broken at hyphens too
    assert f"Oneof:{','.join(methods.names())}." in said
    code = "import sys, fersyn.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr


def test_a_training_depends_on_the_file_of_its_method_and_on_no_other_s():
    files = {file.name for file in keys.training_files("copy")}
    assert "copy.py" in files and not {"warp.py", "c_gan.py"} & files
    with pytest.raises(FersynError, match="there is no method 'nothing'"):
        keys.training_files("nothing")


def test_no_other_file_lists_the_methods():
    """Else a new method would have to be entered there."""
    for file in project.PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Dict, ast.List, ast.Tuple, ast.Set)):
                parts = node.keys if isinstance(node, ast.Dict) else node.elts
                named = {part.value for part in parts if isinstance(part, ast.Constant)}
                assert not {"landmark-label", "c-gan", "landmark-flow"} <= named, file
