"""Shades what the rays met, in linear light: skin, eyes, teeth, hair and glasses, each as its own surface."""

from functools import lru_cache

import cv2
import numpy as np

from fersyn.rendering import facemap, parts, wrinkles
from fersyn.rendering.paint import paint
from fersyn.rendering.parts import MATERIAL
from fersyn.rendering.person import Person
from fersyn.rendering.rays import Hits, World, dot, unit
from fersyn.rendering.rig import load_rig
from fersyn.rendering.scene import Scene, direction, turn_head

LAMP = 0.13  # radius of the key light over its distance


class Surface:
    """What the light falls on, one row a hit.

    Attributes:
        normal: (n, 3), bent by pores and wrinkles.
        albedo: (n, 3) linear RGB.
        gloss, sharp: (n,) strength and exponent of the mirror-like part.
        soft: (n,) how far light bleeds round the terminator (skin).
        open: (n,) share of the sky that is seen.
    """

    def __init__(self, hits: Hits):
        count = len(hits.normal)
        self.normal, self.open = hits.normal.copy(), hits.open.copy()
        self.albedo = np.zeros((count, 3), np.float32)
        self.gloss, self.soft = np.zeros(count, np.float32), np.zeros(count, np.float32)
        self.sharp = np.full(count, 24.0, np.float32)


def shade(
    person: Person, actions: dict[str, float], scene: Scene, world: World, hits: Hits, head: np.ndarray, size: int
) -> np.ndarray:
    """Radiance (n, 3) of every hit of a picture of `size` px a side, linear light; head: (V, 3) mm, the rig as it is turned."""
    neck, crown = turn_head(np.array([[0, 0, 0], [0, 0, 1.0]]), scene, stiff=True)
    up = (crown - neck).astype(np.float32)
    surface = _surface(person, actions, scene, hits, head, up)
    n, gloss, sharp, open_ = surface.normal, surface.gloss, surface.sharp, surface.open
    key = direction(scene.light_azimuth, scene.light_elevation).astype(np.float32)
    shadow = _shadow(world, hits, key, size)
    lambert = n @ key
    out = surface.albedo * _light(surface, scene, lambert, shadow)

    half = unit(key + hits.view)
    fresnel = 0.04 + 0.96 * np.clip(1 - dot(half, hits.view), 0, 1) ** 5
    mirror = gloss * fresnel * (sharp + 8) / 8 * np.clip(dot(n, half), 0, 1) ** sharp
    mirror = mirror * np.clip(lambert, 0, 1) * (1 - shadow)
    rim = 0.25 * gloss * np.clip(1 - dot(n, hits.view), 0, 1) ** 4 * open_
    out += mirror[:, None] * scene.key + rim[:, None] * scene.sky
    _hair_shine(person, hits, key, up, scene, shadow, out)
    return out


def _light(surface: Surface, scene: Scene, lambert: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """What falls on each hit, (n, 3), of key light, fill light and surroundings."""
    fill = direction(-scene.light_azimuth * 0.8 - 15, 12).astype(np.float32)
    # Light bleeds further in red: the terminator of skin is warm.
    bleed = surface.soft[:, None] * np.array([1.35, 0.85, 0.7], np.float32)
    wrapped = np.clip((lambert[:, None] + bleed) / (1 + bleed), 0, None)
    wrapped *= 1 - shadow[:, None] * (1 - 0.18 * bleed)
    ambient = scene.ground + (scene.sky - scene.ground) * (0.5 + 0.5 * surface.normal[:, 2:3])
    occluded = surface.open[:, None] ** np.array([0.85, 1.0, 1.05], np.float32)
    filled = np.clip((surface.normal @ fill)[:, None] + 0.25, 0, None) / 1.25 * scene.fill * occluded
    return wrapped * scene.key + filled + ambient * occluded


def _surface(
    person: Person, actions: dict[str, float], scene: Scene, hits: Hits, head: np.ndarray, up: np.ndarray
) -> Surface:
    """Every hit as what it is: skin, cloth, cavities, eyes, teeth, hair, lashes, glasses."""
    out = Surface(hits)
    albedo, gloss, sharp, soft = out.albedo, out.gloss, out.sharp, out.soft
    skin = (hits.material == MATERIAL["skin"]) | (hits.material == MATERIAL["body"])
    _skin(person, actions, hits, skin, up, out)
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
    out.open[mouth] *= out.open[mouth]
    _eyes(person, hits, head, out)
    _teeth(person, hits, out)
    strands = hits.material == MATERIAL["hair"]
    if strands.any():
        root = np.interp(hits.coords[strands, 1], [0, 0.8, 1], [0.95, 1.0, 0.8])[:, None]
        albedo[strands] = person.hair * _hair_lookup(person, hits, strands) * root
    lash = hits.material == MATERIAL["lash"]
    albedo[lash] = np.minimum(person.hair, 0.06) * 0.6
    frame = hits.material == MATERIAL["frame"]
    albedo[frame], gloss[frame], sharp[frame] = _frame_colour(person), 0.5, 60
    return out


def _shadow(world: World, hits: Hits, key: np.ndarray, size: int) -> np.ndarray:
    """Share of the key light that is blocked; the lamp is a disc, sampled by a ray whose place changes from pixel to pixel."""
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
    picture, weight = (cv2.blur(flat.reshape(size, size), (5, 5)) for flat in (picture, weight))
    return (picture / np.maximum(weight, 1e-3)).reshape(-1)[hits.pixel]


def _skin(person, actions, hits, skin, up, out: Surface) -> None:
    painted = paint(person)
    furrows = wrinkles.relief(person, actions)
    relief = furrows + painted.relief
    slope_x = cv2.Sobel(relief, cv2.CV_32F, 1, 0, ksize=3) / 8 * facemap.SCALE
    slope_z = -cv2.Sobel(relief, cv2.CV_32F, 0, 1, ksize=3) / 8 * facemap.SCALE
    # A furrow is darker than its shape alone would make it: light hardly gets in.
    cavity = np.clip(1 + 0.42 * np.minimum(furrows, 0), 0.45, 1)
    first = _sample(cv2.merge([*cv2.split(painted.albedo), slope_x]), hits.coords[skin])
    second = _sample(cv2.merge([slope_z, painted.gloss, cavity]), hits.coords[skin])
    out.albedo[skin] = first[:, :3] * second[:, 2:3] ** np.array([0.8, 1.1, 1.15], np.float32)
    out.gloss[skin] = second[:, 1] * 0.55
    normal = out.normal[skin]
    across = unit(np.cross(up, normal))
    upward = np.cross(normal, across)
    out.normal[skin] = unit(normal - first[:, 3:4] * across - second[:, :1] * upward)
    body = hits.material == MATERIAL["body"]
    out.albedo[body] = person.skin


def _eyes(person, hits, head, out: Surface) -> None:
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
        out.normal[here] = direction_
        helper = np.cross(gaze, [0.0, 0.0, 1.0])
        turn = np.arctan2(spoke @ np.cross(helper, gaze), spoke @ helper)
        white = np.array([0.50, 0.46, 0.43]) - np.clip((off - 8) / 8, 0, 1)[:, None] * np.array([0.08, 0.20, 0.20])
        fibre = 0.8 + 0.25 * np.sin(turn * 23 + person.index) * np.sin(turn * 41 + 2.0)
        fibre = fibre + 0.35 * np.clip((4 - off) / 4, 0, 1)
        iris = person.iris * fibre[:, None] * np.interp(off, [0, 4.6, 5.9], [1.3, 1.0, 0.35])[:, None]
        colour = white + _step(5.9 - off, 0.35)[:, None] * (iris - white)
        colour = colour + _step(2.5 - off, 0.3)[:, None] * (0.006 - colour)
        out.albedo[here] = colour
        out.gloss[here], out.sharp[here] = 0.9, 500
    # Lids and lashes shade the ball more than the vertices' occlusion shows.
    out.open[at] *= 0.92


def _sample(image: np.ndarray, coords: np.ndarray) -> np.ndarray:
    """Bilinear lookup at map pixels (n, 2) -> (n, channels)."""
    x, y = np.ascontiguousarray(coords[:, 0], np.float32), np.ascontiguousarray(coords[:, 1], np.float32)
    # cv2.remap takes at most 32767 rows or columns: fold the list of points into a picture.
    columns = 1024
    pad = -len(x) % columns
    x, y = np.pad(x, (0, pad)).reshape(-1, columns), np.pad(y, (0, pad)).reshape(-1, columns)
    out = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.reshape(x.size, -1)[: x.size - pad]


@lru_cache(maxsize=2)
def _eyeball_centre(side: int) -> np.ndarray:
    """Centre (3,) of the sphere that fits the template's eyeball."""
    points = load_rig().template[load_rig().eyes == side].astype(float)
    solution = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0]
    return solution[:3]


def _step(x: np.ndarray, width: float) -> np.ndarray:
    return np.clip(x / (2 * width) + 0.5, 0, 1)


def _teeth(person, hits, out: Surface) -> None:
    at = np.flatnonzero(hits.material == MATERIAL["teeth"])
    if not len(at):
        return
    phase, height = hits.coords[at, 0], hits.coords[at, 1]
    phase = np.where(phase > 50, phase - 100, phase)
    within = np.abs(phase) % 1
    gap = np.clip(1 - np.minimum(within, 1 - within) / 0.07, 0, 1)
    rng = person.rng(7)
    enamel = np.array([0.72, 0.66, 0.55]) * rng.uniform(0.85, 1.08) * (1 - 0.18 * person.age)
    gum_line = 0.62 + 0.12 * (2 * within - 1) ** 2
    gum = _step(height - gum_line, 0.03)
    colour = enamel * (1 - 0.55 * gap - 0.10 * np.clip(height - 0.3, 0, 1))[:, None]
    colour = colour + gum[:, None] * (np.array([0.42, 0.14, 0.13]) * (1 - 0.4 * person.melanin) - colour)
    # Lips shade the back teeth.
    out.albedo[at] = colour * np.interp(np.abs(phase), [0, 2.5, 5], [1, 0.85, 0.35])[:, None]
    out.open[at] = np.clip(out.open[at] * 1.4, 0.2, 1)
    out.gloss[at], out.sharp[at] = 0.7 * (1 - gum), 60


@lru_cache(maxsize=3)
def _strands(person: Person) -> np.ndarray:
    """Brightness of the locks, (along, round) around 1."""
    rng = person.rng(8)
    rough = 3 if person.hair_style == "curly" else 1
    fine, broad = (
        cv2.resize(rng.standard_normal(shape).astype(np.float32), (1800, 256), interpolation=cv2.INTER_CUBIC)
        for shape in ((6 * rough * 2, 900), (4 * rough, 140))
    )
    return np.clip(1 + 0.30 * fine + 0.28 * broad, 0.25, 2.0)


def _hair_lookup(person: Person, hits: Hits, strands: np.ndarray) -> np.ndarray:
    turn, share = hits.coords[strands, 0], hits.coords[strands, 1]
    pixels = np.stack([(turn / (2 * np.pi) + 0.5) % 1.0 * 1799, share * 255], -1).astype(np.float32)
    return _sample(_strands(person), pixels)


def _hair_shine(person, hits, key, up, scene, shadow, out) -> None:
    """Highlights across the strands (Kajiya & Kay 1989); the strands run down the head."""
    strands = hits.material == MATERIAL["hair"]
    if not strands.any():
        return
    normal = hits.normal[strands]
    tangent = unit(-up + (normal @ up)[:, None] * normal)
    half = unit(key + hits.view[strands])
    across = np.sqrt(np.clip(1 - dot(tangent, half) ** 2, 0, 1))
    lit = np.clip(normal @ key + 0.2, 0, 1) * (1 - shadow[strands])
    shine = 0.10 * across**60 * lit * hits.open[strands]
    colour = 0.5 * np.sqrt(person.hair) + 0.3
    out[strands] += shine[:, None] * _hair_lookup(person, hits, strands) * colour * scene.key


def _frame_colour(person: Person) -> np.ndarray:
    choices = [(0.01, 0.01, 0.01), (0.05, 0.02, 0.01), (0.35, 0.33, 0.3), (0.3, 0.2, 0.08), (0.02, 0.03, 0.08)]
    return np.array(choices[person.rng(9).integers(len(choices))])
