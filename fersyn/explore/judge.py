"""The recogniser of notebook 03, kept beside its table so that the next opening needs no training."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from fersyn.evaluation import fidelity, recogniser
from fersyn.evaluation.fidelity import Judge
from fersyn.files import write_atomic
from fersyn.table import FaceTable


def path_of(table: FaceTable) -> Path:
    """Where it is kept: in the table's hidden folder, which is no part of the data."""
    return table.path / ".fersyn" / "recogniser.safetensors"


def judge_of(table: FaceTable, epochs: int = 30, seed: int = 0) -> tuple[Judge | None, str]:
    """Read the kept recogniser, or train it as `fidelity.train_judge` does and keep it.

    Args:
        table: FaceTable; its training people are learnt from.
        epochs, seed: of the training.

    Returns:
        the judge (None: fewer than two expressions), and a sentence on where it is from.
    """
    stamp = _stamp(table, epochs, seed)
    kept = _read(path_of(table), stamp)
    if kept is not None:
        return kept, f"read from {path_of(table).parent.name} in the table's folder"
    judge = fidelity.train_judge(table, epochs, seed)
    if judge is None:
        return None, "the training people of the table show fewer than two expressions"
    from safetensors import SafetensorError

    try:
        _write(path_of(table), judge, stamp)
    except (OSError, SafetensorError) as error:  # a folder that one may only read, a full disk
        return judge, f"trained now; it could not be kept for the next time ({getattr(error, 'strerror', error)})"
    return judge, "trained now, and kept for the next time"


def _stamp(table: FaceTable, epochs: int, seed: int) -> dict[str, str]:
    """What the weights depend on."""
    sources = b"".join(Path(module.__file__).read_bytes() for module in (recogniser, fidelity))
    own = hashlib.sha256(sources).hexdigest()
    people = hashlib.sha256("\n".join(sorted(table.people_of("train"))).encode()).hexdigest()
    return {"table": table.fingerprint, "people": people, "epochs": str(epochs), "seed": str(seed), "code": own}


def _read(path: Path, stamp: dict[str, str]) -> Judge | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if any(about.get(name) != value for name, value in stamp.items()):
                return None
            classes = tuple(json.loads(about["classes"]))
            network = recogniser.Recogniser(len(classes))
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
            return Judge(network.eval(), classes, int(about["of_people"]), int(about["of_faces"]))
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError):
        return None  # none, or damaged: it is trained anew


def _write(path: Path, judge: Judge, stamp: dict[str, str]) -> None:
    from safetensors.torch import save_file

    path.parent.mkdir(exist_ok=True)
    about = stamp | {
        "classes": json.dumps(judge.classes), "of_people": str(judge.people), "of_faces": str(judge.faces),
    }  # fmt: skip
    weights = {name: value.contiguous() for name, value in judge.network.state_dict().items()}
    write_atomic(path, lambda draft: save_file(weights, draft, about))
