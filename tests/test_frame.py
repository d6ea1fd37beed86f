"""The project's own files: pins without addresses, the README's commands, the licence, the citation."""

import os
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
    for reference in content["references"]:
        names = [author.get("name") for author in reference["authors"]]
        assert names == ["anonymous"] and reference["notes"] or not any(names), "no name that nobody bears"
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")


@pytest.mark.parametrize(
    "name", ["README.md", "Makefile", "Snakefile", "pyproject.toml", "environment.yml", "scripts/setup.sh", ".ci/run"]
)
def test_no_machine_path_and_no_host(name):
    text = (ROOT / name).read_text()
    assert not re.search(r"/(?:work|root|home|opt|tmp)/", text) and "://" not in text.replace(
        "https://", "", 0 if name != "README.md" else 99
    )


def test_no_file_of_the_project_names_a_machine():
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        pytest.skip("not a git checkout")
    # Its own pattern, and what the tests and docstrings of fersyn.reporting.privacy make up.
    exempt = {"tests/test_frame.py", "tests/reporting/test_privacy.py", "fersyn/reporting/privacy.py", "LICENSE"}
    paths = re.compile(r"(?<![\w.~}])/(?:work|root|home|opt|tmp|Users|mnt|srv)/\w")
    hosts = re.compile(r"\w+://[\w@.:-]*\w")
    public = re.compile(r"://(?:doi\.org|arxiv\.org|github\.com|creativecommons\.org|www\.w3\.org|example\.org)$")
    # Servers that tests make up or run themselves; where the authors of networks publish their weights.
    made_up = re.compile(r"://(?:127\.0\.0\.1(?::\d+)?|me:secret|\w+\.example)$")
    authors = re.compile(r"://(?:download\.pytorch\.org|www\.robots\.ox\.ac\.uk|storage\.googleapis\.com)$")
    namespaces = re.compile(
        r"://(?:purl\.org|ns\.adobe\.com|iptc\.org|cv\.iptc\.org)$"
    )  # of XMP: names, nobody asks there
    special = {
        "fersyn/marks.py": namespaces,
        "tests/weights": made_up,
        "tests/browser": made_up,
        "fersyn/weights/registry.yaml": authors,
    }
    found = []
    for name in set(done.stdout.splitlines()) - exempt:
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):  # a picture; a file that was deleted and not yet committed
            continue
        found += [f"{name}: {match[0]}" for match in paths.finditer(text)]
        allowed = [public, *(pattern for start, pattern in special.items() if name.startswith(start))]
        found += [
            f"{name}: {match[0]}"
            for match in hosts.finditer(text)
            if not any(pattern.search(match[0]) for pattern in allowed)
        ]
    assert not found


def test_reports_stay_out_of_git_and_the_text_on_them_in_it():
    inside = ["reports/README.md", "reports/index.jpg", "reports/page.jpg"]
    assert set(re.findall(r"\]\((\w+\.jpg)\)", (ROOT / inside[0]).read_text())) == {"index.jpg", "page.jpg"}
    assert all((ROOT / name).stat().st_size < 200_000 for name in inside)
    made = ["reports/laptop/index.html", "reports/laptop-private/a.jpg", "reports/laptop/.failed.json"]
    command = ["git", "check-ignore", "--no-index", *inside, *made]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.stdout.split() == made


def test_setup_hands_pips_settings_to_uv(tmp_path):
    """Find-links are joined by commas, as uv splits them; indexes by blanks."""
    settings = {"install.find-links": r"\nwheels one\nmore", "install.extra-index-url": r"first\nsecond"}
    cases = "".join(f"  *\"get {name}\") printf '{value}\\n'; exit 0;;\n" for name, value in settings.items())
    for name, text in {
        "python9": f'case "$*" in\n{cases}  *"pip config"*) exit 1;;\nesac\nexit 0\n',
        "uv": 'echo "$UV_FIND_LINKS|$UV_INDEX" >> "$SAID"\n',
    }.items():
        (tmp_path / name).write_text("#!/bin/sh\n" + text)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SAID": str(tmp_path / "said")}
    subprocess.run(
        ["sh", str(ROOT / "scripts/setup.sh"), str(tmp_path / "my venv"), "python9"], env=environment, check=True
    )
    assert set((tmp_path / "said").read_text().splitlines()) == {"wheels,one,more|first second"}


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


@pytest.mark.parametrize(("free", "said"), [(3, True), (20, False)])
def test_setup_says_when_the_disk_is_too_full(tmp_path, free, said):
    programs = {
        "df": f"echo Filesystem; echo disk 100000000 1 {free * 1048576 + 5} 1% /",
        "python9": 'case "$*" in *"pip config"*) exit 1;; esac',
        "uv": "exit 0",
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    command = ["sh", str(ROOT / "scripts/setup.sh"), str(tmp_path / "venv"), "python9"]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ("3 GB are free here; the packages take 8 GB" in done.stderr) == said
