"""The project's own files: pins without addresses, the README's commands, the licence, the citation."""

import re
import subprocess

import pytest
import yaml

from fersyn import __version__
from fersyn.reporting import project

ROOT = project.root()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned_and_name_no_address(name):
    lines = [line for line in (ROOT / name).read_text().splitlines() if line.strip()]
    assert len(lines) > 20
    for line in lines:
        assert line == "-r requirements.txt" or re.match(r"^[A-Za-z0-9._-]+==[^\s;]+( ; .+)?$", line), line
        assert "://" not in line and "@" not in line


def test_snakemake_has_a_pin_for_python_310_and_one_for_later():
    text = (ROOT / "requirements.txt").read_text()
    assert re.search(r"^snakemake==7\.32.*< '3\.11'$", text, re.M) and re.search(
        r"^snakemake==9.*>= '3\.11'$", text, re.M
    )
    assert re.search(r"^pulp==2\.[0-7]\b.*< '3\.11'$", text, re.M)


def test_the_readmes_commands_are_make_targets():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    used = set(re.findall(r"^make ([a-z]+)", (ROOT / "README.md").read_text(), re.M))
    assert {"report", "test"} <= used <= targets
    assert {"lab", "bench", "clean"} <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_citation():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert content["version"] == __version__ and len(content["references"]) == 5
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")


@pytest.mark.parametrize(
    "name", ["README.md", "Makefile", "Snakefile", "pyproject.toml", "environment.yml", "scripts/setup.sh", ".ci/run"]
)
def test_no_machine_path_and_no_host(name):
    text = (ROOT / name).read_text()
    assert not re.search(r"/(?:work|root|home|opt|tmp)/", text) and "://" not in text.replace(
        "https://", "", 0 if name != "README.md" else 99
    )


def test_setup_refuses_an_old_python(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.8.1" && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "scripts/setup.sh"), str(tmp_path / "venv"), str(old)], capture_output=True, text=True
    )
    assert done.returncode == 1 and "Python 3.8.1 is too old; Python 3.10 or newer is needed" in done.stderr
    done = subprocess.run(
        ["sh", str(ROOT / "scripts/setup.sh"), str(tmp_path / "venv"), "python9"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "no 'python9' on PATH" in done.stderr
    assert not (tmp_path / "venv").exists()
