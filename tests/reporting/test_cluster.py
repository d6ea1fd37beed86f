"""What the Snakefile asks of a cluster, the profile for SLURM, and the script that tries it. No SLURM is needed here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fersyn.reporting import project

ROOT = project.root(Path(__file__))
PROFILE = ROOT / "cluster" / "slurm"
SCRIPT = ROOT / "scripts" / "try_slurm.sh"


def dry_run(*arguments):
    """The jobs of notebook 02 as Snakemake would start them: {rule: its text} of the last job of each rule."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(ROOT),
         "--dry-run", "--forceall", "--nolock", *arguments],
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = re.split(r"^(?:local)?rule ", done.stdout + done.stderr, flags=re.MULTILINE)[1:]
    return {job.partition(":")[0]: job for job in jobs}


def asked(job, name):
    found = re.search(rf"\b{name}[=:] ?(\d+)", job)
    return int(found[1]) if found else None


def test_values_of_the_config_win_over_this_machine():
    """The login machine of a cluster may have no GPU and few cores."""
    jobs = dry_run("--cores", "64", "--config", "profile=smoke", "only=02", "gpus=1", "cores=8")
    assert [asked(jobs[rule], "threads") for rule in ("table", "train", "notebook")] == [8, 8, 2]
    assert asked(jobs["train"], "gpu") == 1
    assert not asked(jobs["table"], "gpu") and not asked(jobs["notebook"], "gpu")
    assert asked(jobs["table"], "mem_mb") == 10_000
    for rule in ("table", "train", "notebook"):
        assert asked(jobs[rule], "mem_mb") >= 4000 and asked(jobs[rule], "runtime") >= 60
    assert asked(jobs["index"], "runtime") is None, "it stays on the login machine"


def test_a_gpu_of_the_login_machine_is_not_one_of_the_cluster(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    jobs = dry_run("--cores", "64", "--config", "profile=smoke", "only=02", "gpus=0", "cores=8")
    assert not asked(jobs["train"], "gpu") and asked(jobs["train"], "threads") == 2
    one_machine = dry_run("--cores", "8", "--config", "profile=smoke", "only=02")
    assert not asked(one_machine["train"], "gpu") and asked(one_machine["train"], "threads") == 8


def test_the_profile_speaks_of_rules_that_there_are():
    profile = yaml.safe_load((PROFILE / "config.yaml").read_text(encoding="utf-8"))
    rules = re.findall(r"^rule (\w+):", (ROOT / "Snakefile").read_text(encoding="utf-8"), re.MULTILINE)
    local = {"report", "index", "weights"}
    assert profile["executor"] == "slurm" and "config" not in profile, "--config of the command line would replace it"
    threads = dict(line.split("=") for line in profile["set-threads"])
    assert set(threads) == set(rules) - local and all(int(count) > 0 for count in threads.values())
    assert profile["set-resources"] == ["train:gpu=1"]


def test_the_profile_is_one_for_this_snakemake():
    pytest.importorskip("snakemake_executor_plugin_slurm")
    jobs = dry_run("--profile", str(PROFILE), "--config", "profile=smoke", "only=02")
    assert asked(jobs["train"], "gpu") == 1 and not asked(jobs["notebook"], "gpu")


def test_the_document_names_what_there_is():
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    for path in re.findall(r"--profile (\S+)|^(scripts/\S+)", text, re.MULTILINE):
        assert (ROOT / next(filter(None, path))).exists(), path


def test_the_script_says_what_it_lacks():
    done = subprocess.run(
        ["bash", SCRIPT], env={"PATH": "/usr/bin:/bin", "PYTHON": "false"}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert re.search("daemons need root|false has no SLURM executor: false -m pip install", done.stderr)
