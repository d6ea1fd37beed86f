"""Methods are found in their files: one file more is one method more."""

import ast
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import fersyn.methods as methods
from fersyn.errors import FersynError
from fersyn.reporting import keys, project

PLAIN = 'class Mine(Method):\n    """Mine."""\n\n    name, Config = "mine", MethodConfig\n\n\nMETHOD = Mine()\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of methods in place of the real one."""
    monkeypatch.setattr(methods, "__file__", str(tmp_path / "__init__.py"))
    return tmp_path


def test_every_file_with_a_method_is_found_by_the_name_that_it_gives_itself():
    assert set(methods.names()) >= {"landmark-label", "c-gan", "landmark-flow", "copy", "warp"}
    assert not {"base", "target", "motion", "resize", "adversaries"} & set(methods.names())
    for name in methods.names():
        assert methods.get(name).name == name
    assert methods.module("copy") == "fersyn.methods.copy_source"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (PLAIN, "mine"),
        (PLAIN.replace('name, Config = "mine", MethodConfig', 'name = "ours"'), "ours"),
        (PLAIN.replace("name, Config", "sizes = (64, 128)\n    name, Config"), "mine"),
        (PLAIN.replace('name, Config = "mine", MethodConfig', 'name: str = "typed"'), "typed"),
        ("METHOD = make()\n", "my-own"),
        ("METHOD = Mine(\n", "my-own"),  # half written
    ],
)
def test_the_name_stands_in_the_class_or_else_in_the_file_s_name(folder, text, name):
    (folder / "my_own.py").write_text(text)
    assert methods.names() == (name,)
    assert methods.module(name) == "fersyn.methods.my_own"


def test_a_file_that_comes_while_a_notebook_is_open_is_found(folder):
    assert methods.names() == ()
    (folder / "my_own.py").write_text(PLAIN)
    assert methods.names() == ("mine",)


def test_a_file_without_method_is_none(folder):
    (folder / "helpers.py").write_text(
        '"""Says METHOD = nothing."""\n\n\ndef f():\n    METHOD = 1\n    return METHOD\n'
    )
    assert methods.names() == ()


def test_two_files_of_one_name_are_told_and_stop_no_other(folder):
    (folder / "first.py").write_text(PLAIN)
    (folder / "second.py").write_text(PLAIN)
    (folder / "third.py").write_text(PLAIN.replace('"mine"', '"other"'))
    assert methods.names() == ("mine", "other") and methods.module("other")
    with pytest.raises(FersynError, match=r"first\.py and second\.py both name their method 'mine'; give one another"):
        methods.module("mine")
    with pytest.raises(FersynError, match=r"no method 'second' \(fersyn/methods/second\.py names its method 'mine'\)"):
        methods.module("second")


def test_a_name_that_only_the_running_code_knows_is_told(folder, monkeypatch):
    (folder / "warp.py").write_text("METHOD = make()\n")
    monkeypatch.setattr(methods.import_module("fersyn.methods.warp").METHOD, "name", "bend", raising=False)
    with pytest.raises(
        FersynError, match=r"fersyn/methods/warp\.py: METHOD calls itself 'bend'; write name = \"bend\""
    ):
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
    assert "copy_source.py" in files and not {"warp.py", "c_gan.py"} & files
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
