"""How long jobs took here, and the table of `fersyn report --dry-run`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fersyn.reporting import dry_run, measured, project
from fersyn.reporting.dry_run import Job, parse, table
from fersyn.reporting.plan import report
from fersyn.reporting.times import duration

ROOT = project.root(Path(__file__))

SAID = """Building DAG of jobs...
Job stats:
job         count
--------  -------
notebook        1

[Sat Nov 28 00:00:00 2026]
rule table:
    output: data/laptop/people.fingerprint.json
    jobid: 3
    reason: Missing output files: data/laptop/people.fingerprint.json; Code has changed since last execution
    wildcards: table=people

rule train:
    input: data/laptop/people.fingerprint.json
    output: runs/laptop/c-gan.seed1.json
    jobid: 2
    reason: Input files updated by another job: data/laptop/people.fingerprint.json
    wildcards: training=c-gan.seed1

rule notebook:
    input: notebooks/03_image_quality.ipynb, runs/laptop/c-gan.seed1.json
    output: reports/laptop/03_image_quality.ipynb, reports/laptop/03_image_quality.html
    jobid: 1
    reason: Params have changed since last execution: params; Something that nobody knows

localrule index:
    input: reports/laptop/03_image_quality.json
    output: reports/laptop/index.html
    jobid: 0
    reason: Missing output files: reports/laptop/index.html

Reasons:
    (check individual jobs above for details)
    code has changed since last execution:
        table
"""
JOBS = [
    Job("table", "data/laptop/people", "not there yet; its rule changed"),
    Job("train", "runs/laptop/c-gan.seed1", "after people"),
    Job("notebook", "reports/laptop/03_image_quality", "code, settings or data changed; Something that nobody knows"),
]


def test_what_snakemake_says_is_read():
    assert parse(SAID) == JOBS
    assert parse("Nothing to be done (all requested files are present and up to date).") == []
    assert table([], {}, {}) == "nothing to do"


def test_the_table_has_measured_times_and_says_which_are_not():
    kinds = {"data/laptop/people": "folder", "runs/laptop/c-gan.seed1": "c-gan"}
    known = {"data/laptop/people": (63.4, "folder"), "runs/laptop/c-gan": (100.0, "c-gan")}
    known["runs/laptop/c-gan.seed2"] = (300.0, "c-gan")
    said = table(JOBS, known, kinds).splitlines()
    assert [line.split("  ")[0] for line in said[:4]] == ["rule", "table", "train", "notebook"]
    assert " 63 s " in said[1] and " about 3 min 20 s " in said[2] and " not run yet " in said[3]
    assert said[1].endswith("not there yet; its rule changed")
    assert said[-1].startswith("3 jobs; 4 min 23 s where one runs after the other") and "1 not run" in said[-1]
    assert table(JOBS[:1], {}, {}).splitlines()[-1] == "1 job; 1 not run on this machine yet"


def last(job, folder=None):
    return measured.known(folder).get(job, (None,))[0]


def test_a_time_is_that_of_this_machine(tmp_path, monkeypatch):
    for mark in project.MARKS:
        (tmp_path / mark).mkdir()
    monkeypatch.chdir(tmp_path)
    assert last("runs/laptop/c-gan") is None and measured.known() == {}
    measured.keep(Path("runs/laptop/c-gan"), "c-gan", 12.34)
    measured.keep(tmp_path / "data" / "x", "folder", 2)
    assert last("runs/laptop/c-gan") == 12.3
    assert measured.known(tmp_path) == {"data/x": (2.0, "folder"), "runs/laptop/c-gan": (12.3, "c-gan")}
    measured.keep(Path("runs/laptop/c-gan"), "c-gan", 5)
    assert last("runs/laptop/c-gan") == 5.0, "the last one counts"
    (tmp_path / measured.FOLDER / "runs%2Flaptop%2Fc-gan.json").write_text("{")
    assert last("runs/laptop/c-gan") is None and last("data/x") == 2.0
    monkeypatch.setattr(measured, "machine", lambda: "another")
    assert last("data/x") is None


def test_a_job_that_cannot_write_its_time_has_not_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(measured.project, "root", lambda: tmp_path)
    (tmp_path / ".snakemake").write_text("no folder")
    measured.keep(tmp_path / "runs" / "x", "c-gan", 1.0)
    assert measured.known(tmp_path) == {}


@pytest.fixture
def one_notebook(tmp_path, make_notebook, monkeypatch):
    """A project of one short notebook."""
    shutil.copy(ROOT / "Snakefile", tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tiny.yaml").write_text("n: 1\n")
    save = "import json, pathlib\npathlib.Path(results).write_text(json.dumps({'title': 'Probe', 'results': {}}))"
    make_notebook("n = 0\nresults = ''", save, name="01_one", folder=tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def test_a_dry_run_tells_what_the_report_then_does(one_notebook, capfd):
    assert report("tiny", dry_run=True) == 0
    said = capfd.readouterr().out
    assert "reports/tiny/01_one" in said and "not there yet" in said and "1 not run on this machine yet" in said
    assert not (one_notebook / "reports").exists()
    assert report("tiny", cores=1) == 0
    capfd.readouterr()
    assert report("tiny", dry_run=True) == 0 and "nothing to do" in capfd.readouterr().out
    took = last("reports/tiny/01_one", one_notebook)
    assert took and took > 0.5
    assert report("tiny", dry_run=True, settings=["n=2"]) == 0
    said = capfd.readouterr().out
    assert f" {duration(took)} " in said and "code, settings or data changed" in said and "1 job; " in said


def test_what_snakemake_refuses_is_shown(one_notebook, capfd):
    failing = [sys.executable, "-c", "import sys; print('broken'); sys.exit(3)"]
    assert dry_run.planned(failing, dict(os.environ), {}, one_notebook) == 3
    assert "broken" in capfd.readouterr().err


def test_a_stopped_job_keeps_the_time_of_the_whole(tmp_path, monkeypatch):
    """A training counts what it took before; of a table that was begun nobody knows, and one that was finished took nothing."""
    from fersyn.reporting import jobs

    kept = []
    monkeypatch.setattr(measured, "keep", lambda made, kind, seconds: kept.append((made.name, kind, round(seconds))))
    monkeypatch.setattr(jobs, "_run", lambda words, **more: 0)
    for folder in ("t", "r", "s"):
        (tmp_path / folder).mkdir()
    (tmp_path / "t" / "table.json").write_text('{"fingerprint": "a"}')
    assert jobs.table(tmp_path / "t", tmp_path / "t.json", "key", 1, ["folder", "x"]) == 0 and kept == []
    for name, finished in (("r", False), ("s", True)):
        (tmp_path / name / "run.json").write_text(json.dumps({"finished": finished, "seconds": 40.0}))
        assert jobs.training(tmp_path / name, tmp_path / f"{name}.json", "key", "c-gan", tmp_path / "t") == 0
    assert kept == [("r", "c-gan", 40)]
    assert jobs.training(tmp_path / "new", tmp_path / "new.json", "key", "c-gan", tmp_path / "t") == 0
    assert kept[-1] == ("new", "c-gan", 0)


def test_the_machine_names_no_host():
    done = subprocess.run(
        [sys.executable, "-c", "from fersyn.system import machine; import sys; print(machine(), 'torch' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert " cores" in done.stdout and done.stdout.split()[-1] == "False"
