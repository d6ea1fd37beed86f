"""The mesh's own 68 landmarks (iBUG/300-W order, Sagonas et al. 2013), as fixed points on the rig's surface.

Eyes and inner lips are points of the lid and lip rims, so they are exact. Jaw, brows, nose and outer lips have no edge in the mesh:
their places (landmarks.yaml) were set once on the template, at the symmetrised median of where dlib finds them on 60 frontal neutral faces. For
those points the comparison with dlib shows its scatter and its drift with pose and expression, not its bias.
"""

from functools import lru_cache

import numpy as np

from fersyn.faces import landmarks as ibug
from fersyn.files import data_of
from fersyn.rendering.parts import rims
from fersyn.rendering.rays import embree
from fersyn.rendering.rig import PARTS, load_rig

_INNER_CORNER, _INNER_SIDE = 19.6, 6.6  # |x| of points 60/64 and of 61, 63, 65, 67

MIRROR = np.array(ibug.MIRROR)  # index of each point's mirror image


@lru_cache(maxsize=1)
def weights() -> tuple[np.ndarray, np.ndarray]:
    """Vertices (68, 3) and weights (68, 3) whose weighted sum is each landmark; points 0-16 run from the subject's right."""
    vertices, share = np.zeros((68, 3), int), np.zeros((68, 3))

    def put(point: int, found: tuple[np.ndarray, np.ndarray]) -> None:
        vertices[point], share[point] = found

    for group in data_of(__file__).values():
        for k, (x, z) in enumerate(group["places"]):
            point = group["first"] + group["step"] * k
            put(point, _on_surface(x, z))
            if x:
                put(int(MIRROR[point]), _on_surface(-x, z))
    for side, first in (("right", 36), ("left", 42)):
        upper, lower = rims()[f"lid_upper_{side}"], rims()[f"lid_lower_{side}"]
        a, b = load_rig().template[upper[[0, -1]], 0]
        for k, (rim, part) in enumerate(zip([upper] * 4 + [lower] * 2, (0, 0.33, 0.67, 1, 0.67, 0.33), strict=True)):
            put(first + k, _on_rim(rim, b if part == 1 else a + (b - a) * part))
    upper, lower = rims()["lip_upper"], rims()["lip_lower"]
    put(48, _on_rim(upper, -99.0))
    put(54, _on_rim(upper, 99.0))
    inner = (-_INNER_CORNER, -_INNER_SIDE, 0, _INNER_SIDE, _INNER_CORNER, _INNER_SIDE, 0, -_INNER_SIDE)
    for k, x in enumerate(inner):
        put(60 + k, _on_rim(upper if k < 5 else lower, x))
    return vertices, share


def points(vertices: np.ndarray) -> np.ndarray:
    """The 68 landmarks (68, 3) in mm of posed rig vertices (V, 3)."""
    corners, share = weights()
    return (vertices[corners] * share[..., None]).sum(1)


def _on_surface(x: float, z: float) -> tuple[np.ndarray, np.ndarray]:
    """Where a ray from straight ahead meets the template's skin."""
    rig = load_rig()
    skin = rig.triangles[rig.part == PARTS.index("skin")]
    start, ahead = np.array([[x, -200, z]], np.float32), np.array([[0, 1, 0]], np.float32)
    hit = embree(rig.template, skin).run(start, ahead, query="INTERSECT", output=True)
    if hit["geomID"][0] < 0:  # past the silhouette: the nearest vertex
        nearest = np.unique(skin)[np.argmin(np.linalg.norm(rig.template[np.unique(skin)][:, [0, 2]] - [x, z], axis=1))]
        return np.full(3, nearest), np.array([1.0, 0, 0])
    u, v = float(hit["u"][0]), float(hit["v"][0])
    return skin[hit["primID"][0]], np.array([1 - u - v, u, v])


def _on_rim(rim: np.ndarray, x: float) -> tuple[np.ndarray, np.ndarray]:
    """The point of a rim (vertices ordered by x) that has this x on the template."""
    along = load_rig().template[rim, 0]
    x = float(np.clip(x, along[0], along[-1]))
    k = int(np.clip(np.searchsorted(along, x), 1, len(rim) - 1))
    share = (x - along[k - 1]) / max(along[k] - along[k - 1], 1e-6)
    return np.array([rim[k - 1], rim[k], rim[k]]), np.array([1 - share, share, 0.0])
