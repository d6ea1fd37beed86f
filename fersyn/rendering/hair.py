"""Hair as a sheet of locks: it grows from the crown over the skull and, where it is long, falls free.

Rows run from the crown to the tips, columns round the head. Coordinates: (turn round the head, share of the way to the tip).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter

from fersyn.files import data_of
from fersyn.rendering import facemap
from fersyn.rendering.paint import hairline
from fersyn.rendering.parts import Mesh, sheet
from fersyn.rendering.person import Person
from fersyn.rendering.rays import embree
from fersyn.rendering.rig import PARTS, load_rig

CENTRE = np.array([0.0, 60.0, 22.0])  # inside the skull, mm from the point between the eyes
COLUMNS, ROWS = 132, 26


@dataclass(frozen=True)
class Cut:
    """thickness over the skull (mm), at the hairline (mm), fringe below the hairline (mm), length below the ear (mm),
    waviness (mm), how ragged the tips are (mm), where it is parted (degrees from the middle, None = not)."""

    volume: float
    edge: float
    fringe: float
    fall: float
    wave: float
    ragged: float
    parting: float | None = None


CUTS = {name: Cut(**cut) for name, cut in data_of(__file__).items()}


def _directions(polar: np.ndarray, azimuth: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 3): polar angle from the crown, azimuth from the face (radians)."""
    across, up = np.sin(polar), np.broadcast_to(np.cos(polar), np.broadcast_shapes(polar.shape, azimuth.shape))
    return np.stack([across * np.sin(azimuth), -across * np.cos(azimuth), up], -1)


def _radius(rest: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Distance from CENTRE to the skull in each direction (mm), ears shaved off."""
    rig = load_rig()
    skull = rig.triangles[np.isin(rig.part, [PARTS.index("skin"), PARTS.index("body")])]
    flat = direction.reshape(-1, 3).astype(np.float32)
    start = np.broadcast_to(CENTRE.astype(np.float32), flat.shape).copy()
    hit = embree(rest, skull).run(start, flat, query="INTERSECT", output=True)
    distance = np.where(hit["geomID"] >= 0, hit["tfar"], np.nan).reshape(direction.shape[:-1])
    temple = np.nanpercentile(np.abs(rest[(np.abs(rest[:, 2] - 25) < 12) & (rest[:, 1] > 20), 0]), 96)
    with np.errstate(divide="ignore"):
        sideways = (temple + 2) / np.abs(direction[..., 0])
    distance = np.fmin(np.where(np.isnan(distance), 200, distance), sideways)
    return gaussian_filter(distance, (1.0, 2.0), mode=("nearest", "wrap"))


@lru_cache(maxsize=3)
def hair(person: Person) -> list[Mesh]:
    """The hair of a person in the head's rest position; an empty list for a shaved head."""
    if person.hair_style not in CUTS:
        return []
    cut, rng = CUTS[person.hair_style], person.rng(6)
    turn = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    share = np.linspace(0, 1, ROWS)[:, None]
    # Where the hairline lies: the polar angle at which the face map's hairline stands, azimuth by azimuth.
    side = np.abs(turn) * facemap.RADIUS
    height = hairline(side) - CENTRE[2] - cut.fringe * np.exp(-((turn / 0.62) ** 4)) * (1 + 0.1 * rng.standard_normal())
    height = np.where(side > 100, np.minimum(height, -70.0), height)
    if cut.fall == 0 and person.hair_style != "curly":
        height = np.where((side > 66) & (side < 112), np.maximum(height, -22), height)  # round the ear
    reach = np.arctan2(82.0 + 10 * np.abs(np.sin(turn)), height)
    strands = np.repeat(rng.standard_normal(COLUMNS // 3), 3) + 0.5 * rng.standard_normal(COLUMNS)
    reach = reach + cut.ragged / 90 * 0.5 * strands
    polar = 0.02 + (reach - 0.02) * share
    distance = _radius(person.rest, _directions(polar, turn))
    thickness = cut.edge + (cut.volume - cut.edge) * np.clip(1.25 * (1 - share**3.5), 0, 1) ** 0.7
    if cut.parting is not None:
        off = np.rad2deg(turn) - cut.parting * (1 if rng.random() < 0.5 else -1)
        groove = np.exp(-((off * np.clip(share, 0.15, 1) / 5) ** 2)) * (np.abs(off) < 60)
        thickness = thickness * (1 - 0.75 * groove)
    locks = gaussian_filter(rng.standard_normal((ROWS, COLUMNS)), (4, 0.9), mode=("nearest", "wrap"))
    thickness = thickness + cut.wave * locks / locks.std() * np.clip(share * 3, 0, 1)
    if person.hair_style == "curly":
        curls = gaussian_filter(rng.standard_normal((ROWS, COLUMNS)), (1.1, 1.7), mode=("nearest", "wrap"))
        thickness = thickness + 4.5 * curls / curls.std()
    r = distance + np.maximum(thickness, 0.8)
    points = CENTRE + _directions(polar, turn) * r[..., None]
    coords = np.stack(np.broadcast_arrays(turn, share), -1)
    seen = np.abs(turn) < np.deg2rad(130)  # the back of the head is never in the picture
    meshes = [sheet(points[:, seen], "hair", coords[:, seen])]
    if cut.fall:
        meshes.append(_falling(points, turn, cut, rng))
    if person.hair_style == "tied" and rng.random() < 0.7:
        meshes.append(_bun(rng))
    return meshes


@lru_cache(maxsize=4)
def tips(person: Person) -> np.ndarray:
    """Where the locks end, (720,) share of the way to the tip, lock by lock round the head: edges of hair are feathered."""
    rng = person.rng(10)
    depth = {"crop": 0.16, "tied": 0.12, "fringe": 0.22, "parted": 0.14}.get(person.hair_style, 0.10)
    locks = np.repeat(rng.random(180), 4) * 0.5 + rng.random(720) * 0.5
    return 1 - depth * locks


def _falling(cap: np.ndarray, turn: np.ndarray, cut: Cut, rng: np.random.Generator) -> Mesh:
    """Free hair from the widest ring of the cap downwards, open over the face."""
    behind = np.abs(turn) > np.deg2rad(rng.uniform(66, 80))
    columns = np.flatnonzero(behind)
    columns = columns[np.argsort(np.where(turn[columns] > 0, turn[columns], turn[columns] + 2 * np.pi))]
    start = cap[ROWS // 2, columns]
    length = (start[:, 2:3] + 55 + cut.fall) * (1 + 0.05 * rng.standard_normal((len(columns), 1)))
    t = np.linspace(0, 1, 20)[:, None, None]
    down = np.concatenate([np.zeros((len(columns), 2)), -length], 1)
    wave = gaussian_filter(rng.standard_normal((20, len(columns))), (2, 1.5)) * cut.wave * 6
    outwards = (start - CENTRE) * [1, 1, 0]
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    belly = 10 * np.sin(np.pi * np.clip(t * 1.15, 0, 1)) - 9 * t
    points = start + t * down + (belly + wave[..., None]) * outwards
    coords = np.stack(np.broadcast_arrays(turn[columns], 0.5 + 0.5 * t[..., 0]), -1)
    return sheet(points, "hair", coords)


def _bun(rng: np.random.Generator) -> Mesh:
    around = np.linspace(-np.pi, np.pi, 32, endpoint=False)
    polar, turn = np.meshgrid(np.linspace(0.05, np.pi - 0.05, 16), around, indexing="ij")
    size = rng.uniform(26, 34) * (1 + 0.04 * rng.standard_normal(polar.shape))
    centre = np.array([0, rng.uniform(95, 125), rng.uniform(105, 125)])
    points = centre + size[..., None] * _directions(polar, turn)
    return sheet(points, "hair", np.stack([turn * 1.7, polar / np.pi], -1), closed=True)
