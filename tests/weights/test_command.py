import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fersyn import weights
from fersyn.errors import FersynError
from fersyn.weights.command import app
from fersyn.weights.registry import Address


@pytest.fixture
def run(monkeypatch):
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
def two(toy, register, monkeypatch, server):
    """Two networks, the default ones: the first cannot be had."""
    register(Address(f"{server.url}/none"), name="lost")
    for name in list(weights.ENTRIES):
        if name not in ("toy", "lost", "vgg-face"):
            monkeypatch.delitem(weights.ENTRIES, name)
    monkeypatch.setattr(weights, "DEFAULT", ("lost", "toy"))


@pytest.mark.parametrize("arguments", [[], ["--all"], ["lost", "toy"]])
def test_fetch_tries_all_and_tells_of_a_failure(run, two, arguments):
    done = run("fetch", *arguments)
    assert done.exit_code == 1
    assert "fersyn: lost cannot be fetched" in done.stderr and done.stdout.startswith("toy\t")
    assert weights.find("toy")
    assert run("fetch", "toy").exit_code == 0


def test_a_misspelt_name_ends_it_before_the_first_download(run, two, server):
    done = run("fetch", "toy", "tyo")
    assert isinstance(done.exception, FersynError) and not server.asked


def test_the_list_says_what_is_there_and_what_stands_in(run, two):
    weights.fetch("toy")
    (weights.find("toy").parent / "lost.bin").write_bytes(b"x")
    done = run()
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert any(line.split()[:2] == ["toy", "there"] for line in lines)
    assert any(line.split()[:2] == ["lost", "missing"] for line in lines)
    for part in ("instead: something else", "damaged, not used: ", "fersyn weights fetch lost", "1 of 3 there",
                 "fersyn weights add vgg-face FILE"):  # fmt: skip
        assert part in done.stdout


def test_add(run, two, tmp_path, content):
    (tmp_path / "mine").write_bytes(content)
    assert run("add", "toy", str(tmp_path / "mine")).exit_code == 0
    assert weights.find("toy")


def test_the_list_does_not_wait_for_torch():
    code = "import sys; from fersyn.weights import find; find('sface'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
