"""The Snakefile itself, on a small project made here: its rules, what reruns, and what a failure leaves."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fersyn.errors import FersynError
from fersyn.reporting import project
from fersyn.reporting.plan import _alone, report

ROOT = project.root(Path(__file__))

SAVE = "import json, pathlib\npathlib.Path(results).write_text(json.dumps({'title': 'Probe', 'results': {'n': n}}))"


@pytest.fixture
def small_project(tmp_path, make_notebook, monkeypatch):
    """A project without tables and with two notebooks, the second of which fails while n is 13."""
    shutil.copy(ROOT / "Snakefile", tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tiny.yaml").write_text("n: 1\n")
    folder = tmp_path / "notebooks"
    make_notebook("n = 0\nresults = ''", SAVE, name="01_one", folder=folder)
    make_notebook("n = 0\nm = 0\nresults = ''", "assert m != 13, 'unlucky'\n" + SAVE, name="02_two", folder=folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def made(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "reports" / "tiny").iterdir()}


def test_report_reruns_only_what_changed_and_survives_a_failure(small_project, capfd):
    assert report("tiny", cores=2) == 0
    first = made(small_project)
    assert {"index.html", "01_one.html", "02_two.html"} <= set(first)
    said = capfd.readouterr()
    assert "01_one: done" in said.out and re.search(r"^report: reports/tiny/index.html \(\d+ s\)$", said.out, re.M)

    assert report("tiny", cores=2) == 0
    assert made(small_project) == first, "a second call does nothing"
    assert "nothing to do" in capfd.readouterr().out

    (small_project / "reports" / "tiny" / "01_one.failed.html").write_text("of last week")
    assert report("tiny", cores=2, settings=["m=13"]) != 0
    after = made(small_project)
    said = capfd.readouterr()
    assert "notebook 02_two failed; traceback: reports/tiny/02_two.failed.html" in said.err
    assert "01_one failed" not in said.err, "a failure of an earlier run"
    assert after["01_one.html"] == first["01_one.html"], "the other notebook does not depend on m"
    assert "02_two.html" not in after and "02_two.failed.html" in after
    index = (small_project / "reports" / "tiny" / "index.html").read_text()
    assert "1 failed" in index and "02_two.failed.html" in index and "01_one.html" in index

    assert report("tiny", cores=2, only="02") == 0
    assert "02_two.failed.html" not in made(small_project)
    assert "failed" not in (small_project / "reports" / "tiny" / "index.html").read_text().split("<main>")[1]


def test_the_index_of_a_stopped_report_is_no_report(small_project, capfd):
    """A report that is killed leaves an index page that tells what is missing; the next call must make that."""
    (small_project / "reports" / "tiny").mkdir(parents=True)
    (small_project / "reports" / "tiny" / "index.html").write_text("2 not made")
    assert report("tiny", cores=2) == 0
    assert {"01_one.html", "02_two.html"} <= set(made(small_project))
    assert "nothing to do" not in capfd.readouterr().out


def test_a_table_that_fails_stops_what_needs_it(small_project, capfd):
    (small_project / "profiles" / "tiny.yaml").write_text("n: 1\ntables:\n  photos: folder nowhere\n")
    assert report("tiny", cores=1) != 0
    said = capfd.readouterr()
    assert "table photos FAILED" in said.err and "nowhere" in said.err
    assert "2 not made" in (small_project / "reports" / "tiny" / "index.html").read_text()


def test_wrong_names_are_refused_before_anything_runs(small_project):
    with pytest.raises(FersynError, match="no profile 'huge'; there are: tiny|there are: tiny"):
        report("huge")
    with pytest.raises(FersynError, match="no notebook has a parameter `k`"):
        report("tiny", settings=["k=1"])
    (small_project / "profiles" / "tiny.yaml").write_text("n: 1\nepoch: 3\n")
    with pytest.raises(
        FersynError, match="profiles/tiny.yaml: no notebook has a parameter `epoch`; there are: m, n, res"
    ):
        report("tiny")
    (small_project / "profiles" / "tiny.yaml").write_text("n: 1\n")
    with pytest.raises(FersynError, match="no such notebook run"):
        report("tiny", only=["07"])
    assert not (small_project / "reports").exists()


def test_two_reports_at_once_are_refused(small_project):
    with _alone(small_project), pytest.raises(FersynError, match="another report"):
        report("tiny")


def test_the_real_snakefile_plans_every_profile():
    for profile in ("smoke", "laptop", "gpu", "paper"):
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT),
             "--cores", "1",
             "--dry-run", "--nolock", "--forceall", "--config", f"profile={profile}"],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for rule in ("rule table", "rule train", "rule notebook"):
            assert rule in done.stdout + done.stderr


def test_without_cores_the_snakefile_plans_all_the_same(tmp_path):
    """As on a cluster, where a number of jobs is given in place of --cores."""
    (tmp_path / "profiles").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_CORES, str(ROOT / "Snakefile")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1


# Runs the Snakefile's own function with a workflow that raises as Snakemake's does.
_WITHOUT_CORES = """
import re, sys
from fersyn.reporting import provenance
class workflow:
    @property
    def cores(self):
        raise RuntimeError("Workflow requires a total number of cores to be defined")
workflow, config = workflow(), {}
exec(re.search(r"^def cores.*?(?=^\\S)", open(sys.argv[1]).read().replace("def cores", "\\ndef cores"), re.M | re.S)[0])
print(cores())
"""


def test_a_file_system_without_locks_does_without(small_project, monkeypatch):
    import fcntl

    def none(*arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    with _alone(small_project):
        pass


def test_a_report_for_the_drawer_lies_apart_and_trains_nothing_anew(small_project, capfd):
    folder = small_project / "notebooks"
    for name in ("01_one", "02_two"):
        text = (folder / f"{name}.ipynb").read_text().replace("n = 0\\n", "n = 0\\nprivate = False\\n")
        (folder / f"{name}.ipynb").write_text(text)
    assert report("tiny", cores=2, only="01", private=True) == 0
    assert "report: reports/tiny-private/index.html" in capfd.readouterr().out
    assert not (small_project / "reports" / "tiny").exists()
    for name in ("index.html", "01_one.html", "01_one-code.html", "01_one.ipynb"):
        assert "do not pass on" in (small_project / "reports" / "tiny-private" / name).read_text(), name
    # The same by a parameter, so that nothing private ever lies among what may be passed on.
    assert report("tiny", cores=2, only="01", settings=["private=true"]) == 0
    assert "nothing to do" in capfd.readouterr().out and not (small_project / "reports" / "tiny").exists()
    assert report("tiny", cores=2, only="01") == 0
    assert "do not pass on" not in (small_project / "reports" / "tiny" / "01_one.html").read_text()
