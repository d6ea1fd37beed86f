# The report as a graph of jobs: face tables -> trainings -> notebooks -> index page. `make report` and `fersyn report` call it;
# by hand: snakemake --cores all --config profile=laptop set="folds=5;seed=1" only=01
# Runs unchanged with Snakemake 7.32 (Python 3.10) and 9. On a cluster: snakemake --profile cluster/slurm (docs/cluster.md)
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir)))
from fersyn.reporting import privacy, project, provenance
from fersyn.reporting.plan import plan
from fersyn.reporting.record import SUFFIXES

PYTHON = shlex.quote(sys.executable)
ONLY = config.get("only", "")  # only=05 is a number to Snakemake
ONLY = [f"{ONLY:02}"] if isinstance(ONLY, int) else [part for part in str(ONLY).split(";") if part]
PLAN = plan(
    config.get("profile", "laptop"),
    settings=[line for line in str(config.get("set", "")).split(";") if line],
    only=ONLY,
    folder=Path(workflow.basedir),
)
DATA = f"data/{PLAN.profile}"
# A report with `private` set shows everybody: it lies beside the one that may be passed on.
REPORTS = privacy.folder_of(PLAN.profile, (run.parameters for run in PLAN.runs.values()))
RUNS = PLAN.training_folder or f"runs/{PLAN.profile}"
WEIGHTS = f"{DATA}/weights.json"
# --config gpus=1: each training asks for a GPU. Without it, this machine's own GPU counts, which no job has to ask for.
GPUS = int(config.get("gpus", 0))
GPU = bool(GPUS) if "gpus" in config else shutil.which("nvidia-smi") is not None
ALL_RUNS = " ".join(map(shlex.quote, PLAN.all_runs))
# --only: the other cards stay as they were, and say so.
ASKED = " ".join(map(shlex.quote, PLAN.runs)) if ONLY else ""
INDEX = f"{PYTHON} -m fersyn.reporting.index {REPORTS} {ALL_RUNS} --asked {ASKED}"


def cores():
    """Cores that one job may take: --config cores=8, or CORES=, or those of this machine. Where a cluster runs the jobs,
    this machine is the wrong one to look at: there the profile sets threads (set-threads).
    """
    if "cores" in config:
        return int(config["cores"])
    try:
        return workflow.cores or provenance.cores()
    except Exception:  # Snakemake 9 raises where --cores is not given
        return provenance.cores()


def share():
    """Threads of a training or a notebook: two jobs of one thread are faster than one after the other with two (by a
    fifth to a half). A GPU takes one training at a time.
    """
    return cores() if GPU else max(1, cores() // 4)


def table_threads(table):
    """All cores for a table that trainings wait for. Another one runs beside the trainings: wanting all cores, it would
    have to wait until they are through.
    """
    awaited = {name for job in PLAN.trainings.values() for name in (job.table, job.photos) if name}
    return cores() if table in awaited or not awaited else share()


def weights_news():
    if not any(run.weights for run in PLAN.runs.values()):
        return ""
    from fersyn.reporting import jobs

    return jobs.news(Path(WEIGHTS))


wildcard_constraints:
    table="|".join(map(re.escape, PLAN.tables)),
    run="|".join(map(re.escape, PLAN.runs)),
    training="|".join(map(re.escape, PLAN.trainings)),


localrules:
    report,
    index,
    weights,


rule report:
    input:
        f"{REPORTS}/index.html",
        # The index of a report that was stopped is there too (onerror): it alone is no report.
        [f"{REPORTS}/{run}.json" for run in PLAN.runs],


rule table:
    output:
        # Small and the same as long as the table is: Snakemake then takes it for unchanged, whatever its time.
        DATA + "/{table}.fingerprint.json",
    params:
        key=lambda w: PLAN.tables[w.table].key,
        # Files in the folders that the arguments name: an added photograph is a reason to look again.
        sources=lambda w: PLAN.tables[w.table].sources,
        arguments=lambda w: PLAN.tables[w.table].command,
    threads: lambda w: table_threads(w.table)
    resources:
        # Asked of a cluster only; --set-resources and profiles change them.
        mem_mb=lambda w, threads: 2000 + 1000 * threads,
        runtime=240,  # minutes
    shell:
        "{PYTHON} -m fersyn.reporting.jobs table {DATA}/{wildcards.table} {output} {params.key} {threads} {params.arguments}"


rule train:
    input:
        lambda w: [
            f"{DATA}/{table}.fingerprint.json"
            for table in (PLAN.trainings[w.training].table, PLAN.trainings[w.training].photos)
            if table
        ],
    output:
        # Beside the run's folder, not in it: an interrupted training goes on where it stopped.
        RUNS + "/{training}.json",
    params:
        # Code of the method and of the loop, settings, seed: a change repeats this training and no other.
        key=lambda w: PLAN.trainings[w.training].key,
        method=lambda w: PLAN.trainings[w.training].method,
        table=lambda w: f"{DATA}/{PLAN.trainings[w.training].table}",
        arguments=lambda w: PLAN.trainings[w.training].arguments,
    threads: share()
    resources:
        gpu=GPUS,
        mem_mb=16000,
        runtime=720,  # one that takes longer goes on where it stopped (retries)
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} -m fersyn.reporting.jobs training {RUNS}/{wildcards.training} {output}"
        " {params.key} {params.method} {params.table} {params.arguments}"


rule weights:
    output:
        WEIGHTS,
    params:
        # Weights that were fetched by hand since are a reason to look again.
        news=weights_news(),
    shell:
        "{PYTHON} -m fersyn.reporting.jobs weights {output} {params.news}"


rule notebook:
    input:
        notebook=lambda w: PLAN.runs[w.run].notebook,
        tables=lambda w: [f"{DATA}/{table}.fingerprint.json" for table in PLAN.runs[w.run].tables],
        trainings=lambda w: [f"{RUNS}/{name}.json" for name in PLAN.runs[w.run].trainings],
        weights=lambda w: [WEIGHTS] if PLAN.runs[w.run].weights else [],
    output:
        [REPORTS + "/{run}" + suffix for suffix in SUFFIXES],
    params:
        parameters=lambda w: json.dumps(PLAN.runs[w.run].parameters, sort_keys=True),
        # A change in the modules that this notebook imports reruns it; one elsewhere in fersyn does not.
        code=lambda w: PLAN.runs[w.run].code,
    threads: 2 if GPU else share()
    resources:
        mem_mb=12000,
        runtime=480,
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} -m fersyn.reporting.execute {input.notebook} {REPORTS}/{wildcards.run}"
        " --parameters {params.parameters:q} --runs {ALL_RUNS}"


rule index:
    input:
        [f"{REPORTS}/{run}.json" for run in PLAN.runs],
    output:
        f"{REPORTS}/index.html",
    params:
        runs=PLAN.all_runs,
        asked=ASKED,
        code=project.digest(project.module_files(["fersyn.reporting.index"])),
    shell:
        "{INDEX}"


onerror:
    # The page is worth opening after a failure too: it shows what failed, with a link to the traceback.
    shell(INDEX)
