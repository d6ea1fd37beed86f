#!/usr/bin/env bash
# Tries the kit on a machine with a GPU, in six minutes or less: installs what was carried along, trains each method of the profile gpu
# for some steps, kills one and resumes it, edits, runs notebooks 02 and 03, measures, and leaves one JSON. docs/gpu.md says how.
#
#   scripts/try_gpu.sh --data data/gpu/generated [--wheels wheels] [--out try_gpu] [--steps N] [--accelerator cpu]
#
# PYTHON (default: python3) has torch already. --data: a finished face table, landmarks in it. --steps: of each training (default: 300).
# With --accelerator cpu everything is small, to see that the script itself holds: some minutes on one core with data/smoke/generated.
set -uo pipefail
cd "$(dirname "$0")/.."
accelerator=cuda wheels="" data="" out=try_gpu steps=""
while [ $# -gt 0 ]; do
    case $1 in
        --accelerator) accelerator=$2 ;; --wheels) wheels=$2 ;; --data) data=$2 ;; --out) out=$2 ;; --steps) steps=$2 ;;
        *) echo "try_gpu: unknown option $1; see the first lines of $0" >&2; exit 2 ;;
    esac
    shift 2
done
[ -f "$data/table.json" ] || { echo "try_gpu: --data '$data' is no finished face table; make one: fersyn data generated --out TABLE" >&2; exit 2; }
python=${PYTHON:-python3}
mkdir -p "$out" && out=$(cd "$out" && pwd) && rm -rf "$out"/runs "$out"/*.json "$out"/*.log "$out"/*.ipynb
if [ -n "$wheels" ]; then
    "$python" -m venv --system-site-packages "$out/venv" && python=$out/venv/bin/python
    "$python" -m pip install --quiet --no-index --no-deps "$wheels"/*.whl || { echo "try_gpu: the wheels do not fit" >&2; exit 1; }
fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} FERSYN_OFFLINE=1 FERSYN_PROGRESS=plain FERSYN_ACCELERATOR=$accelerator
if [ "$accelerator" = cpu ]; then
    export CUDA_VISIBLE_DEVICES=""
    preset=smoke steps=${steps:-8} killed=400 bench="--profile smoke --steps 5" ratio="2, 1" limit=900
else
    "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || { echo "try_gpu: torch finds no GPU" >&2; exit 1; }
    preset=paper steps=${steps:-300} killed=300 bench="--profile paper --steps 30" ratio="2, 30" limit=360
fi

# part NAME COMMAND...: runs it, keeps what it says, notes seconds and exit code; what fails, or finds no time left, does not stop the rest.
part() {
    local name=$1 began=$SECONDS code=0 left=$((limit - SECONDS))
    shift
    timeout $((left > 1 ? left : 1)) "$@" >"$out/$name.log" 2>&1 || code=$?
    echo "{\"part\": \"$name\", \"seconds\": $((SECONDS - began)), \"code\": $code}" >>"$out/parts.jsonl"
    echo "$name: $((SECONDS - began)) s$([ $code = 0 ] || echo ", FAILED ($code): $(tail -n 1 "$out/$name.log")")"
}
: >"$out/parts.jsonl"
train=("$python" -m fersyn.cli train)
common=(--data "$data" --profile "$preset" --accelerator "$accelerator")
for method in landmark-label c-gan landmark-flow; do
    part "train-$method" "${train[@]}" "$method" "${common[@]}" --steps $steps --out "$out/runs/$method"
done

# Killed after its first checkpoint, however far it is, and resumed.
kill_and_resume() {
    local run=$out/runs/killed
    "${train[@]}" c-gan "${common[@]}" --steps $killed --checkpoint-every 20 --out "$run" &
    local child=$!
    for _ in $(seq 1200); do
        [ -f "$run/checkpoint.pt" ] || ! kill -0 $child 2>/dev/null && break
        sleep 0.1
    done
    kill -9 $child || return 1
    wait $child 2>/dev/null
    "${train[@]}" c-gan "${common[@]}" --steps $killed --checkpoint-every 20 --out "$run" --resume && grep -q '"finished": true' "$run/run.json"
}
began=$SECONDS code=0
kill_and_resume >"$out/resume.log" 2>&1 || code=$?
echo "{\"part\": \"resume after SIGKILL\", \"seconds\": $((SECONDS - began)), \"code\": $code}" >>"$out/parts.jsonl"
echo "resume after SIGKILL: $((SECONDS - began)) s$([ $code = 0 ] || echo ", FAILED")"

part edit "$python" - "$out" "$data" "$accelerator" <<'PYTHON'
import json, sys, time
from pathlib import Path

import torch

from fersyn.pixels import to_floats
from fersyn.table import FaceTable
from fersyn.training import runs

out, table, device = Path(sys.argv[1]), FaceTable.open(sys.argv[2]), sys.argv[3]
rows = range(min(32, len(table)))
faces, points = to_floats(table.tensor(list(rows))).to(device), torch.from_numpy(table.landmarks(list(rows))).float().to(device)
found = {}
for name in ("landmark-label", "c-gan", "landmark-flow"):
    synthesiser = runs.load(out / "runs" / name, device)
    for _ in range(2):  # the first call loads
        began = time.perf_counter()
        made = synthesiser.edit(faces, "happiness", 1.0, landmarks=points + 1, source_landmarks=points).cpu()
        took = time.perf_counter() - began
    assert torch.isfinite(made).all() and float((made - faces.cpu()).abs().mean()) > 1e-4, name
    found[name] = len(faces) / took
(out / "edit.json").write_text(json.dumps(found))
PYTHON

part bench "$python" scripts/bench_devices.py --accelerator "$accelerator" $bench --json "$out/bench.json"
part training "$python" -c "
import json, sys; sys.path.insert(0, 'scripts')
import bench_training
json.dump(bench_training.bench($ratio, compiled=False), open('$out/training.json', 'w'))"

few="{methods: [landmark-flow], settings: [steps=$steps]}"
for book in 02_training 03_image_quality; do
    [ $book = 02_training ] || few="{methods: [landmark-flow], settings: [steps=$steps], slow: [], judge_epochs: 2, sweeps: 2}"
    part $book "$python" -m papermill notebooks/$book.ipynb "$out/$book.ipynb" --no-progress-bar -p profile $preset -p faces "$data" \
        -p photos "" -p rendered "" -p examples 2 -p runs "$out/runs" -p results "$out/$book.json" -y "$few"
done
if "$python" -c "import pytest" 2>/dev/null; then
    part watch "$python" -m pytest -q -p no:cacheprovider tests/methods/test_no_waits.py tests/training/test_capture.py
else
    echo "watch: left out, pytest is not there"
fi

"$python" - "$out" "$accelerator" <<'PYTHON'
import json, sys
from pathlib import Path

import torch

from fersyn.system import commit, machine, versions

out = Path(sys.argv[1])
parts = [json.loads(line) for line in (out / "parts.jsonl").read_text().splitlines()]
read = lambda name: json.loads(path.read_text()) if (path := out / name).is_file() else None
trainings = {run.parent.name: json.loads(run.read_text()) for run in sorted(out.glob("runs/*/run.json"))}
kept = ("device", "precision", "tf32", "graph", "steps", "seconds", "images_per_s", "finished", "losses")
bench, ratio = read("bench.json"), read("training.json")
steps = {(row["method"], "bf16" in row["precision"]): row for row in (bench or {}).get("steps", ()) if row["precision"] != "tf32"}
of = lambda name, key, bf16=True: steps.get((name, bf16), {}).get(key)
pace = {name: (of(name, "ms"), of(name, "ms", False)) for name in ("landmark-label", "c-gan", "landmark-flow")}
bf16 = (ratio or {}).get("fersyn, bf16")
aims = {  # what is asked of a card: the figure, and the least that it should be; on a CPU, with all small, nothing
    "landmark-label bf16 / plain": (bf16 and bf16 / ratio["plain eager loop, float32"], 2.0),
    "landmark-label bf16, steps/s": (of("landmark-label", "steps_per_s"), 30.0),
    "landmark-flow, the faster precision, steps/s": (max((1000 / ms for ms in pace["landmark-flow"] if ms), default=None), 40.0),
    **{f"{name}, GPU busy": (of(name, "busy"), 0.7) for name in ("landmark-label", "landmark-flow")},
    **{f"{name}, float32 / bf16 time": (both[1] / both[0] if all(both) else None, 1.0) for name, both in pace.items()},
}  # fmt: skip
asked = sys.argv[2] == "cuda"
held = {
    name: {"is": value, "least": least, "holds": value >= least if asked and value else None}
    for name, (value, least) in aims.items()
}
found = {
    "machine": machine(), "commit": commit(), "versions": versions(("torch", "lightning-fabric", "numpy")), "cuda": torch.version.cuda,
    "seconds": sum(part["seconds"] for part in parts), "failed": [part["part"] for part in parts if part["code"]], "parts": parts,
    "trainings": {name: {key: run.get(key) for key in kept} for name, run in trainings.items()},
    "edit, faces/s": read("edit.json"), "bench": bench, "plain and ours, steps/s": ratio, "aims": held,
}  # fmt: skip
(out / "try_gpu.json").write_text(json.dumps(found, indent=1) + "\n")
print(f"{out / 'try_gpu.json'}: {found['seconds']} s, failed: {', '.join(found['failed']) or 'nothing'}")
for name, one in held.items() if asked else ():
    told = "not measured" if one["is"] is None else f"{one['is']:.3g} ({'holds' if one['holds'] else 'does not hold'})"
    print(f"  {name}: at least {one['least']:g}; {told}")
sys.exit(bool(found["failed"]))
PYTHON
