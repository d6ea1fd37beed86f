"""What is measured of an edited face while it is edited: is it still the person, what does it show, and what does it do? The
kit's recogniser that is asked is notebook 03's, kept beside its table so that the next opening needs no training.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fersyn import weights
from fersyn.devices import default_device
from fersyn.evaluation import fidelity, judging, verifiers
from fersyn.evaluation.fidelity import OwnJudge
from fersyn.expressions import EXPRESSIONS
from fersyn.files import write_atomic
from fersyn.nets import instruments, recogniser
from fersyn.pixels import to_floats, to_tensor
from fersyn.table import FaceTable

DLIB_SAME = 0.6  # distance below which two pictures are mostly of one person (dlib's own example)
SFACE_SAME = 0.363  # cosine above which they are (OpenCV's documentation of SFace)
MOST = 8  # actions that are shown


@dataclass
class Measured:
    """Of one edited face.

    Attributes:
        dlib: distance of dlib's descriptors from the source's, 0 for the same picture.
        sface: cosine of SFace's descriptors, 1 for the same picture; None: its weights are not on this machine.
        named: who names it -> expression -> probability 0..1: the kit's recogniser, and the judges that have learnt from
            photographs; those that are there.
        actions: of the face, name -> (how far it has gone in the source, and now), 0..1, those that moved most, first;
            empty: nobody measures them.
    """

    dlib: float | None = None
    sface: float | None = None
    named: dict[str, dict[str, float]] = field(default_factory=dict)
    actions: dict[str, tuple[float, float]] = field(default_factory=dict)


class Measures:
    """The instruments, with what they said of the source kept, as long as it is the same.

    Args:
        judge: the kit's recogniser; None: there is none.
    """

    def __init__(self, judge: OwnJudge | None = None):
        self.judge = judge
        self._verifiers = {name: each for name in ("dlib", "sface") if (each := verifiers.get(name)).available()}
        self._judges = {name: judge for name in instruments.JUDGES if (judge := judging.there(name)) is not None}
        self._meter = instruments.get("actions") if instruments.available("actions") else None
        self._source: tuple[np.ndarray, dict[str, np.ndarray]] | None = None

    def missing(self) -> list[str]:
        """A sentence for each instrument that is not there, with the cure."""
        absent = [verifiers.get(name) for name in ("dlib", "sface") if name not in self._verifiers]
        found = {each.title: each.how for each in absent}
        lacking = (
            *(name for name in instruments.JUDGES if name not in self._judges),
            *(() if self._meter else ["actions"]),
        )
        found |= {instruments.TITLES[name]: weights.cure(name) for name in lacking}
        return [f"{title} is not on this machine: {how}" for title, how in found.items()]

    def of(self, source: np.ndarray, source_points: np.ndarray, made: np.ndarray, points: np.ndarray) -> Measured:
        """Measure an edited face uint8 RGB (S, S, 3) against the source; landmarks (68, 2) px of each."""
        if self._source is None or self._source[0] is not source:
            self._source = (source, self._describe(source, source_points))
        before, after = self._source[1], self._describe(made, points)
        found = Measured()
        if "dlib" in after:
            found.dlib = float(np.linalg.norm(before["dlib"].astype(float) - after["dlib"]))
        if "sface" in after:
            found.sface = 1 - float(verifiers.distances("cosine", before["sface"][None], after["sface"][None])[0, 0])
        face = to_floats(to_tensor(made[None]))
        if self.judge is not None:
            found.named["kit"] = _by_name(self.judge.classes, recogniser.predict(self.judge.network, face))
        found.named |= {name: _by_name(each.classes, each.probabilities(face)) for name, each in self._judges.items()}
        if "actions" in after:
            most = np.argsort(-np.abs(after["actions"] - before["actions"]), kind="stable")[:MOST]
            both = np.stack([before["actions"], after["actions"]], 1).tolist()
            found.actions = {instruments.ACTIONS[k]: tuple(both[k]) for k in most}
        return found

    def _describe(self, image: np.ndarray, points: np.ndarray) -> dict[str, np.ndarray]:
        found = {name: each.embed(image[None], points[None])[0] for name, each in self._verifiers.items()}
        if self._meter is not None:
            found["actions"] = self._meter.measured(to_floats(to_tensor(image[None])))[0]
        return found


def _by_name(classes: Sequence[int], shares: Tensor) -> dict[str, float]:
    return {EXPRESSIONS[label]: share for label, share in zip(classes, shares[0].tolist(), strict=True)}


def path_of(table: FaceTable) -> Path:
    """Where the recogniser is kept: in the table's hidden folder, which is no part of the data."""
    return table.path / ".fersyn" / "recogniser.safetensors"


def judge_of(table: FaceTable, epochs: int = 30, seed: int = 0) -> tuple[OwnJudge | None, str]:
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
    try:
        _write(path_of(table), judge, stamp)
    except (OSError, SafetensorError) as error:  # a folder that one may only read, a full disk
        return judge, f"trained now; it could not be kept for the next time ({getattr(error, 'strerror', error)})"
    return judge, "trained now, and kept for the next time"


def ready(table: FaceTable | None, path: str, epochs: int, seed: int) -> tuple[Measures, list[str]]:
    """The instruments, and sentences on where the kit's recogniser is from and what is missing.

    Args:
        table: that it learns from; None: it is not there.
        path: of it, for the sentence.
        epochs: 0: there is to be no recogniser.
        seed: of its training.
    """
    judge, how = None, f"it would learn from {path or 'the first table'}, which is not there"
    if epochs > 0 and table is not None:
        judge, how = judge_of(table, epochs, seed)
    told = f"There is no recogniser: {how}"
    if judge is not None:
        told = f"The recogniser knows the faces of {judge.people} training people of {table.path.name}; {how}"
    measures = Measures(judge)
    return measures, [f"{sentence}." for sentence in [*([told] if epochs > 0 else []), *measures.missing()]]


def _stamp(table: FaceTable, epochs: int, seed: int) -> dict[str, str]:
    """What the weights depend on."""
    sources = b"".join(Path(module.__file__).read_bytes() for module in (recogniser, fidelity))
    own = hashlib.sha256(sources).hexdigest()
    people = hashlib.sha256("\n".join(sorted(table.people_of("train"))).encode()).hexdigest()
    return {"table": table.fingerprint, "people": people, "epochs": str(epochs), "seed": str(seed), "code": own}


def _read(path: Path, stamp: dict[str, str]) -> OwnJudge | None:
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if any(about.get(name) != value for name, value in stamp.items()):
                return None
            classes = tuple(json.loads(about["classes"]))
            network = recogniser.Recogniser(len(classes))
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
            return OwnJudge(
                network.eval().to(default_device()), classes, int(about["of_people"]), int(about["of_faces"])
            )
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError):
        return None  # none, or damaged: it is trained anew


def _write(path: Path, judge: OwnJudge, stamp: dict[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    about = {"classes": json.dumps(judge.classes), "of_people": str(judge.people), "of_faces": str(judge.faces)}
    weights = {name: value.contiguous() for name, value in judge.network.state_dict().items()}
    write_atomic(path, lambda draft: safetensors.torch.save_file(weights, draft, stamp | about))
