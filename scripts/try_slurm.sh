#!/usr/bin/env bash
# Runs the report through a real SLURM that lives on this one machine for as long as this script does, and checks that
# SLURM ran it: in a container or virtual machine of Debian or Ubuntu, as root (slurm-wlm and munge are installed where
# they are missing).
#   scripts/try_slurm.sh                                  profile smoke, notebook 02
#   scripts/try_slurm.sh profile=smoke                    all of it; words are settings of Snakemake's --config
#   PYTHON=python3.12 scripts/try_slurm.sh                default: .venv/bin/python
# It works in a temporary copy of the project and writes nothing else; the copy stays if something fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
project=$PWD
python=${PYTHON:-$project/.venv/bin/python}
settings=("$@")
[ $# -gt 0 ] || settings=(profile=smoke only=02)
fail() { echo "try_slurm: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "SLURM's daemons need root: run this in a container or a virtual machine, as root"
"$python" -c 'import snakemake_executor_plugin_slurm' 2>/dev/null ||
    fail "$python has no SLURM executor: $python -m pip install snakemake-executor-plugin-slurm (or .[cluster])"
if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
    command -v apt-get >/dev/null || fail "slurmctld and munged are missing, and there is no apt-get to install them"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge >/dev/null
fi
! pidof slurmctld slurmd >/dev/null || fail "a SLURM runs here already: snakemake --profile cluster/slurm uses it"

home=$(mktemp -d -t fersyn-slurm.XXXXXX)
chmod 755 "$home" # mktemp makes it 700; munged asks that others may pass to its socket
mkdir "$home/state" "$home/spool" "$home/copy"
export SLURM_CONF=$home/slurm.conf # from here on no command can reach another SLURM

stop() {
    code=$?
    trap - EXIT INT TERM
    if [ -s "$home/slurmctld.pid" ]; then
        squeue --noheader --format=%i 2>/dev/null | xargs --no-run-if-empty scancel 2>/dev/null || true
    fi
    for daemon in slurmd slurmctld munged; do
        [ -s "$home/$daemon.pid" ] || continue
        number=$(cat "$home/$daemon.pid")
        kill "$number" 2>/dev/null || continue
        for _ in $(seq 100); do
            kill -0 "$number" 2>/dev/null || break
            sleep 0.1
        done
        kill -0 "$number" 2>/dev/null || continue
        kill -9 "$number"
        code=1
        echo "try_slurm: $daemon had to be killed" >&2
    done
    if [ "$code" = 0 ]; then rm -rf "$home"; else echo "try_slurm: FAILED; logs and the copy: $home" >&2; fi
    exit "$code"
}
trap stop EXIT
trap 'exit 130' INT TERM

# A munge and ports of its own: whatever else runs on the machine is left alone.
dd if=/dev/urandom of="$home/munge.key" bs=1024 count=1 status=none
chmod 400 "$home/munge.key"
munged --force --key-file="$home/munge.key" --socket="$home/munge.socket" --pid-file="$home/munged.pid" \
    --log-file="$home/munged.log" --seed-file="$home/munged.seed" 2>"$home/munged.out" ||
    fail "$(cat "$home/munged.out")"

name=$(hostname -s)
cpus=$(env -u OMP_NUM_THREADS nproc)
# One GPU in name alone: that the trainings ask for it is what is tried. Memory that is promised and may not be there, so
# that the requests of the Snakefile fit into a small machine. MinJobAge: squeue must know finished jobs, for there is no
# accounting.
cat >"$home/slurm.conf" <<CONF
ClusterName=fersyn
SlurmctldHost=$name(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$home/munge.socket
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/spool
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd.pid
SlurmctldLogFile=$home/slurmctld.log
SlurmdLogFile=$home/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
ReturnToService=2
MinJobAge=86400
GresTypes=gpu
NodeName=$name NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=64000 Gres=gpu:1 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES State=UP
CONF
echo "NodeName=$name Name=gpu File=/dev/null" >"$home/gres.conf"
# Snakemake's executor takes all SLURM_ variables out of a job's environment, the way to this slurm.conf among them.
mkdir "$home/bin"
printf '#!/bin/sh\nSLURM_CONF=%s exec %s "$@"\n' "$SLURM_CONF" "$(command -v srun)" >"$home/bin/srun"
chmod 755 "$home/bin/srun"
export PATH=$home/bin:$PATH

slurmctld
slurmd
for _ in $(seq 60); do
    [ "$(sinfo --noheader --format=%t 2>/dev/null)" != idle ] || break
    sleep 0.5
done
sinfo --Node --format="%N %t %c CPUs %m MB %G"
[ "$(sinfo --noheader --format=%t)" = idle ] || fail "the node did not come up; see $home/slurmd.log"

if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    # A file that was deleted and not committed is still in git's list.
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [ ! -e "$file" ] || printf '%s\0' "$file"
    done
else
    find . -mindepth 1 -maxdepth 1 ! -name .venv ! -name data ! -name runs ! -name reports -print0
fi | tar --null --files-from=- --create --file=- | tar --extract --file=- --directory="$home/copy"
cd "$home/copy"

# The profile as it is, but for threads (this machine may have fewer than 16), shorter waits, and squeue for sacct.
export PYTHONPATH=$home/copy${PYTHONPATH:+:$PYTHONPATH}
"$python" -m snakemake --profile cluster/slurm --set-threads table="$cpus" train=1 notebook=1 --retries 0 \
    --latency-wait 5 --seconds-between-status-checks 5 --slurm-init-seconds-before-status-checks 5 --slurm-no-account \
    --slurm-status-command squeue --slurm-keep-successful-logs --config "${settings[@]}" 2>&1 | tee "$home/snakemake.log"

# What SLURM itself says of the jobs: all ran, trainings held the GPU, and nothing but index and weights ran outside.
scontrol --oneliner show jobs >"$home/jobs.txt"
"$python" - "$home/jobs.txt" "$home/snakemake.log" <<'CHECK'
import re, sys

jobs = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in open(sys.argv[1])]
log = open(sys.argv[2]).read()
print(f"\n{'job':>4}  {'rule':40} {'state':10} {'time':8} asked for")
for job in jobs:
    held = f"{job['TRES']} {job.get('TresPerJob', '')}"
    print(f"{job['JobId']:>4}  {job['Comment']:40.40} {job['JobState']:10} {job['RunTime']:8} {held}")
submitted = re.findall(r"SLURM jobid (?:'|\")?(\d+)", log)
counts = re.findall(r"^(table|train|notebook) +(\d+)$", log.split("total")[0], re.MULTILINE)
planned = {rule: int(count) for rule, count in counts}
of = {rule: [job for job in jobs if job["Comment"].startswith(f"rule_{rule}")] for rule in planned}
trained = of.get("train", [])
assert trained and planned.get("notebook"), f"choose notebooks that train: {planned}"
assert {rule: len(own) for rule, own in of.items()} == planned, (planned, "jobs of SLURM are others")
assert {job["JobId"] for job in jobs} == set(submitted), (submitted, "jobs in Snakemake's log are others")
assert all(job["JobState"] == "COMPLETED" for job in jobs), "a job did not complete"
assert all("gpu:1" in job.get("TresPerJob", "") for job in trained), "a training did not ask for a GPU"
assert not [job for job in jobs if "gpu" in job.get("TresPerJob", "") and job not in trained], "another job has a GPU"
print(f"\n{len(jobs)} jobs ran in SLURM, {len(trained)} of them trainings with a GPU")
CHECK
report=$(ls -d reports/*/)
ls -s --block-size=K "$report"
for file in "$report"index.html "$report"0*.html; do
    [ -s "$file" ] || fail "$file is missing"
done
! ls "$report"*.failed.html 2>/dev/null || fail "a notebook failed"
echo "try_slurm: done"
