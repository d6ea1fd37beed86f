"""The colour of a person's skin on the face map: complexion, lips, brows of strokes, stubble, freckles, scalp."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from fersyn.files import data_of
from fersyn.rendering import facemap
from fersyn.rendering.person import Person

_LINES = {name: np.array(points) for name, points in data_of(__file__).items()}  # (n, 2), mm on the face map


@dataclass(frozen=True)
class Skin:
    """Painted face map: albedo (HEIGHT, WIDTH, 3) linear RGB, fine relief (HEIGHT, WIDTH) mm, gloss (HEIGHT, WIDTH)."""

    albedo: np.ndarray
    relief: np.ndarray
    gloss: np.ndarray


@lru_cache(maxsize=3)
def paint(person: Person) -> Skin:
    """Paint one person; takes some tenths of a second and is kept for the last few people."""
    rng = person.rng(1)
    x, z = facemap.grid()
    side = np.abs(x)
    albedo = np.tile(person.skin.astype(np.float32), (facemap.HEIGHT, facemap.WIDTH, 1))

    # Blotches from centimetres down to pores; dark skin varies less in red.
    mottle = sum(w * facemap.smooth_noise(rng, s) for s, w in ((18, 0.030), (6, 0.022), (2, 0.016), (0.7, 0.012)))
    # The cylinder sees the ears edge-on: detail there would be smeared into streaks.
    plain = 1 - 0.9 * np.clip((side - 84) / 8, 0, 1)
    albedo *= (1 + mottle * plain)[..., None]
    redness = 0.9 - 0.6 * person.melanin

    def glow(cx: float, cz: float, rx: float, rz: float) -> np.ndarray:
        return np.exp(-(((side - cx) / rx) ** 2 + ((z - cz) / rz) ** 2))

    flush = 0.5 * glow(42, -32, 17, 14) + 0.55 * glow(0, -38, 13, 9)
    flush = flush + 0.25 * glow(0, -103, 14, 9) + 0.3 * glow(95, -20, 18, 30)
    flush *= rng.uniform(0.4, 1.2) * redness
    albedo *= 1 + flush[..., None] * np.array([0.06, -0.22, -0.20], np.float32)
    hollow = 0.5 * glow(33, -7, 16, 9) + 0.30 * glow(33, 8, 17, 7)
    albedo *= 1 - hollow[..., None] * np.array([0.20, 0.28, 0.24], np.float32) * rng.uniform(0.4, 1.1)

    _freckles(albedo, rng, person)
    _lips(albedo, rng, person)
    relief = 0.014 * facemap.smooth_noise(rng, 0.6) + 0.03 * facemap.smooth_noise(rng, 1.6) * (0.4 + person.age)
    _scalp(albedo, rng, person, x, z)
    if person.beard:
        _beard(albedo, rng, person, side, z)
    _brows(albedo, rng, person)
    _lid_line(albedo, person)
    gloss = 0.55 + 0.5 * glow(0, 30, 30, 22) + 0.6 * glow(0, -25, 9, 22) + 0.25 * glow(38, -22, 14, 10)
    gloss *= rng.uniform(0.7, 1.2) * (1 + 0.15 * facemap.smooth_noise(rng, 1.2))
    return Skin(np.clip(albedo, 0.003, 1), (relief * plain).astype(np.float32), gloss.astype(np.float32))


def _blend(albedo: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    albedo += cover[..., None] * (np.asarray(colour, np.float32) - albedo)


def _freckles(albedo: np.ndarray, rng: np.random.Generator, person: Person) -> None:
    canvas = np.zeros(albedo.shape[:2], np.uint8)
    count = int(rng.choice([3, 8, 120], p=[0.5, 0.35, 0.15]) * (1.2 - person.melanin) + 3 * person.age * 10)
    for px, pz in rng.normal([0, -22], [42, 26], (count, 2)):
        centre = np.round(facemap.to_pixels([px, pz]) * 16).astype(int)
        radius, depth = int(16 * rng.uniform(0.5, 1.4)), int(rng.uniform(60, 150))
        cv2.circle(canvas, centre.tolist(), radius, depth, -1, cv2.LINE_AA, 4)
    cover = cv2.GaussianBlur(canvas, (0, 0), 0.8).astype(np.float32) / 255
    _blend(albedo, cover, person.skin * [0.55, 0.42, 0.36])


def _lips(albedo: np.ndarray, rng: np.random.Generator, person: Person) -> None:
    cover = facemap.mask(np.concatenate([_LINES["lips"], _LINES["lips"][::-1] * [-1, 1]]), 0.7)
    tint = np.array([0.95, 0.52, 0.52]) - np.array([0.10, 0.06, 0.02]) * person.melanin
    if person.gender < 0.5 and rng.random() < 0.4:  # lipstick
        tint *= rng.uniform([0.75, 0.35, 0.4], [1.05, 0.7, 0.75])
    lines = np.abs(facemap.smooth_noise(rng, 1.0, (2, facemap.WIDTH))[:1]) * 0.12
    _blend(albedo, cover * rng.uniform(0.75, 0.95), person.skin * tint)
    albedo *= 1 - (cover * lines)[..., None]
    albedo *= 1 - 0.5 * facemap.strokes([_LINES["parting"]], 255, 1.0, blur=1.2)[..., None]


def _hair_strokes(
    rng: np.random.Generator, roots: np.ndarray, angle: np.ndarray, length: np.ndarray, bend: float
) -> list[np.ndarray]:
    """Short curved hairs: roots (n, 2) mm, direction (n,) radians from +x, length (n,) mm."""
    lines = []
    for root, a, size in zip(roots, angle, length, strict=True):
        turn = a + np.linspace(0, bend, 4) + rng.normal(0, 0.05)
        step = np.stack([np.cos(turn), np.sin(turn)], -1) * size / 4
        lines.append(np.concatenate([[root], root + np.cumsum(step, 0)]))
    return lines


def _brows(albedo: np.ndarray, rng: np.random.Generator, person: Person) -> None:
    thickness = rng.uniform(3.0, 5.5) * (0.85 + 0.35 * person.gender)
    density = int(rng.uniform(190, 330))
    spine = (
        _LINES["brow"] + [rng.normal(0, 1), rng.normal(0, 0.8)] + np.outer([0, 0.4, 1, 0.8, 0], [0, rng.normal(0, 1.3)])
    )
    colour = person.hair * (0.55 if person.hair.mean() > 0.1 else 0.9)
    for flip in (1, -1):
        t = rng.beta(1.05, 1.25, density)
        along = np.linspace(0, 1, len(spine))
        centre = np.stack([np.interp(t, along, spine[:, k]) for k in range(2)], -1)
        taper = np.interp(t, [0, 0.15, 0.6, 1], [0.75, 1, 0.8, 0.25])
        across = rng.uniform(-0.5, 0.5, density) * thickness * taper
        roots = centre + np.stack([0 * across, across], -1)
        # Hairs rise at the inner end, lie along the brow further out, and meet from above and below.
        angle = np.interp(t, [0, 0.3, 1], [1.35, 0.55, -0.45]) - 0.05 * across + rng.normal(0, 0.14, density)
        lines = _hair_strokes(rng, roots, angle, rng.uniform(3.5, 6.0, density) * np.interp(t, [0, 1], [1, 0.8]), -0.35)
        hairs = facemap.strokes([line * [flip, 1] for line in lines], 215, 0.5, blur=0.55)
        half = [0, thickness * 0.42]
        under = facemap.mask(np.concatenate([spine + half, spine[::-1] - half]) * [flip, 1], 1.3)
        _blend(albedo, 0.94 * np.maximum(hairs, 0.42 * under), colour)


def _beard(albedo: np.ndarray, rng: np.random.Generator, person: Person, side: np.ndarray, z: np.ndarray) -> None:
    cheek_line = np.interp(side, [0, 26, 45, 75, 110], [-60, -62, -52, -34, -8])
    zone = 1 / (1 + np.exp(-(cheek_line - z) / 2.5)) / (1 + np.exp(-(z + 128) / 6)) / (1 + np.exp((side - 100) / 4))
    moustache = np.exp(-(((side - 11) / 17) ** 4 + ((z + 57.5) / 4.6) ** 4))
    bare = np.exp(-((side / 27) ** 4 + ((z + 74.5) / 12.5) ** 4))
    bare = bare + 0.7 * np.exp(-(((side - 24) / 9) ** 2 + ((z + 93) / 5) ** 2))
    zone = np.clip(np.maximum(zone, moustache) - 1.3 * np.clip(bare - 0.8 * moustache, 0, 1), 0, 1)
    grain = np.clip(0.5 + 0.42 * facemap.smooth_noise(rng, 0.6) + 0.2 * facemap.smooth_noise(rng, 4), 0, 1)
    cover = zone * np.clip(grain * (0.25 + 1.1 * person.beard), 0, 0.97) * min(1.0, 0.35 + person.beard)
    if person.beard > 0.5:
        roots = np.stack([rng.uniform(-105, 105, 5200), rng.uniform(-128, -8, 5200)], -1)
        column, row = np.clip(np.round(facemap.to_pixels(roots)).astype(int), 0, np.subtract(zone.shape[::-1], 1)).T
        roots = roots[zone[row, column] > rng.random(len(roots))]
        angle = -np.pi / 2 + np.clip(roots[:, 0] / 60, -1, 1) * 0.5 + rng.normal(0, 0.25, len(roots))
        lines = _hair_strokes(rng, roots, angle, rng.uniform(3, 7, len(roots)), 0.2)
        cover = np.maximum(cover, 0.85 * facemap.strokes(lines, 230, 0.5))
    _blend(albedo, cover, person.hair * 0.9)


def hairline(side: np.ndarray) -> np.ndarray:
    """Height z in mm of the hairline at |x| on the face map; behind the temples it falls to the sideburns and the nape."""
    turns = [0, 22, 40, 52, 62, 74, 84, 92, 100, 128, 160]
    return np.interp(side, turns, [68, 71, 70, 60, 44, 27, 8, -14, -22, -24, -58])


def _scalp(albedo: np.ndarray, rng: np.random.Generator, person: Person, x: np.ndarray, z: np.ndarray) -> None:
    line = hairline(np.abs(x)) + 1.6 * facemap.smooth_noise(rng, 3) + 1.2 * facemap.smooth_noise(rng, 0.8)
    soft, strength = (3.0, 0.62) if person.hair_style == "shaved" else (1.8, 0.9)
    cover = 1 / (1 + np.exp(-(z - line) / soft))
    cover = cover * (1 - np.clip((np.abs(x) - 84) / 6, 0, 1) * np.clip((14 - z) / 6, 0, 1))  # ears stay bare
    grain = np.clip(0.75 + 0.22 * facemap.smooth_noise(rng, 0.7), 0, 1)
    _blend(albedo, cover * grain * strength, person.hair)


def _lid_line(albedo: np.ndarray, person: Person) -> None:
    """The dark root of the upper lashes (and of make-up) along the lid; the lashes themselves are geometry."""
    for lid, strength, width in (("upper lid", 0.62 - 0.25 * person.gender, 1.4), ("lower lid", 0.25, 0.9)):
        line = _LINES[lid]
        _blend(albedo, strength * facemap.strokes([line, line * [-1, 1]], 255, width, blur=1.0), person.skin * 0.12)
