"""What changes from sequence to sequence: head pose, camera, lights, background, clothes, gaze."""

from dataclasses import dataclass

import cv2
import numpy as np

from fersyn.rendering.person import linear

FRAME = 224  # px, side of a rendered picture
SPAN = 290.0  # mm across the picture at the plane of the eyes
NECK = np.array([0.0, 75.0, -115.0])  # mm, the point about which the head turns


@dataclass(frozen=True)
class Scene:
    """Angles in degrees; colours and strengths in linear light."""

    yaw: float  # + to the subject's left
    pitch: float  # + looks up
    roll: float  # + towards the subject's left shoulder
    distance: float  # mm from the camera to the eyes
    shift: np.ndarray  # (2,) mm of the face off the picture's middle
    light_azimuth: float  # + from the subject's left
    light_elevation: float
    key: np.ndarray  # (3,)
    fill: np.ndarray  # (3,)
    sky: np.ndarray  # (3,) ambient from above
    ground: np.ndarray  # (3,) ambient from below
    exposure: float
    backdrop: np.ndarray  # (FRAME, FRAME, 3)
    cloth: np.ndarray  # (3,)
    gaze: np.ndarray  # (2,) to the subject's left, up; 0..1 of the eyeLook actions


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene; a pose of about +-9 degrees (at most 25), light from anywhere in front."""

    def normal(spread: float, limit: float) -> float:
        return float(np.clip(rng.normal(0, spread), -limit, limit))

    kelvin = rng.uniform(-1, 1)
    warm = np.array([1 + 0.14 * kelvin, 1.0, 1 - 0.2 * kelvin])
    key = rng.uniform(0.7, 1.5)
    ambient = rng.uniform(0.3, 0.75)
    tint = 1 + rng.uniform(-0.12, 0.12, 3)
    return Scene(
        yaw=normal(9, 25),
        pitch=normal(5, 15),
        roll=normal(4, 12),
        distance=float(rng.uniform(650, 1600)),
        shift=rng.normal(0, 7, 2),
        light_azimuth=normal(38, 80),
        light_elevation=float(rng.uniform(2, 62)),
        key=key * warm,
        fill=rng.uniform(0.05, 0.4) * (2 - warm),
        sky=ambient * tint,
        ground=ambient * rng.uniform(0.4, 0.8) * tint[::-1],
        exposure=float(np.exp(rng.normal(0, 0.14)) * 1.75 / (0.62 * key + ambient)),
        cloth=linear(np.clip(rng.uniform(0.08, 0.85) + rng.uniform(-0.14, 0.14, 3), 0.02, 0.97)),
        gaze=rng.normal(0, 0.07, 2),
        backdrop=_backdrop(rng),
    )


def _backdrop(rng: np.random.Generator) -> np.ndarray:
    """A plain wall, a gradient or an out-of-focus room, linear RGB."""
    base = linear(np.clip(rng.uniform(0.15, 0.85) + rng.uniform(-0.08, 0.08, 3), 0, 1))
    y, x = np.mgrid[0 : 1 : FRAME * 1j, 0 : 1 : FRAME * 1j]
    slope = rng.normal(0, 0.35, 2)
    canvas = (base * (1 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5))[..., None]).astype(np.float32)
    if rng.random() < 0.5:
        for _ in range(rng.integers(4, 14)):
            colour = linear(np.clip(rng.uniform(0.05, 0.9) + rng.uniform(-0.12, 0.12, 3), 0, 1))
            corner = rng.uniform(-60, FRAME, 2)
            size = rng.uniform(20, 150, 2)
            if rng.random() < 0.6:
                box = np.int32([corner, corner + [size[0], 0], corner + size, corner + [0, size[1]]])
                cv2.fillPoly(canvas, [box], colour.tolist())
            else:
                cv2.circle(canvas, np.int32(corner + size / 2).tolist(), int(size.mean() / 2), colour.tolist(), -1)
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(6, 18))
    return np.clip(canvas, 0.002, 1.2)


def direction(azimuth: float, elevation: float) -> np.ndarray:
    """Unit vector towards a light in front of the face; degrees, azimuth + to the subject's left (+x)."""
    a, e = np.deg2rad([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Rotation (3, 3) of the head from its pose in degrees: roll about the line of sight, then pitch, then yaw."""
    y, p, r = np.deg2rad([yaw, -pitch, roll])
    about_z = np.array([[np.cos(y), -np.sin(y), 0], [np.sin(y), np.cos(y), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(r), 0, np.sin(r)], [0, 1, 0], [-np.sin(r), 0, np.cos(r)]])
    return about_z @ about_x @ about_y


def turn_head(vertices: np.ndarray, scene: Scene, stiff: bool = False) -> np.ndarray:
    """Turn the head about the neck; the shoulders stay, the neck follows by degrees. stiff = all of it follows."""
    full = (vertices - NECK) @ rotation(scene.yaw, scene.pitch, scene.roll).T + NECK
    if stiff:
        return full
    # Height decides how much a vertex follows: the jaw (-125 mm) fully, the collar (-215 mm) not at all.
    share = np.clip((vertices[:, 2] + 215) / 90, 0, 1)
    share = np.where(vertices[:, 1] > 60, np.clip((vertices[:, 2] + 160) / 90, 0, 1), share)
    share = share * share * (3 - 2 * share)
    out = vertices.copy()
    whole = share == 1
    out[whole] = full[whole]
    for level in np.unique(np.round(share[(share > 0) & ~whole] * 24)):
        part = ~whole & (np.round(share * 24) == level)
        f = level / 24
        out[part] = (vertices[part] - NECK) @ rotation(f * scene.yaw, f * scene.pitch, f * scene.roll).T + NECK
    return out


class Camera:
    """A pinhole camera on the -y side that keeps the face SPAN mm across the picture whatever its distance."""

    def __init__(self, scene: Scene, focus: np.ndarray):
        """focus: (3,) mm, the point that goes to the picture's middle before the scene's shift."""
        self.target = focus - np.array([scene.shift[0], 0, scene.shift[1]])
        self.origin = self.target - np.array([0, scene.distance, 0])
        self.distance = scene.distance

    def rays(self, size: int) -> np.ndarray:
        """Unit directions (size*size, 3) through the pixel centres, row by row."""
        step = ((np.arange(size) + 0.5) / size * SPAN - SPAN / 2).astype(np.float32)
        x, z = np.meshgrid(step, -step)
        d = np.stack([x, np.full_like(x, self.distance), z], -1).reshape(-1, 3)
        return d / np.sqrt((d * d).sum(1, keepdims=True))

    def project(self, points: np.ndarray, size: int = FRAME) -> np.ndarray:
        """Pixel coordinates (n, 2) of points (n, 3) mm; pixel centres at integers."""
        d = points - self.origin
        plane = d[:, [0, 2]] / d[:, 1:2] * self.distance
        return np.stack([plane[:, 0] / SPAN + 0.5, 0.5 - plane[:, 1] / SPAN], -1) * size - 0.5
