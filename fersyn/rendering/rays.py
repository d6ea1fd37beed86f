"""Casts rays (Embree): what the camera meets first, how much of the sky each place sees, what stands before a lamp."""

from dataclasses import dataclass

import cv2
import numpy as np
from embreex import rtcore_scene
from embreex.mesh_construction import TriangleMesh
from scipy.sparse import csr_matrix

from fersyn.rendering.parts import MATERIAL, Mesh
from fersyn.rendering.scene import Camera

OCCLUSION_RAYS, OCCLUSION_REACH = 12, 55.0  # rays a vertex, mm


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


class World:
    """All meshes as one Embree scene."""

    def __init__(self, meshes: list[Mesh], rig_part: np.ndarray, hair_tips: np.ndarray):
        self.hair_tips = hair_tips
        offsets = np.cumsum([0] + [len(m.vertices) for m in meshes])
        self.vertices = np.concatenate([m.vertices for m in meshes])
        self.triangles = np.concatenate([m.triangles + o for m, o in zip(meshes, offsets[:-1], strict=True)])
        self.coords = np.concatenate([m.coords for m in meshes]).astype(np.float32)
        extras = [np.full(len(m.triangles), m.material) for m in meshes[1:]]
        self.material = np.concatenate([rig_part.astype(np.int64), *extras])
        self.scene = embree(self.vertices, self.triangles)
        corners = self.vertices[self.triangles]
        self.face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        count = len(self.triangles)
        places = self.triangles.T.ravel(), np.tile(np.arange(count), 3)
        gather = csr_matrix((np.ones(3 * count), places), shape=(len(self.vertices), count))
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
        """What a camera sees in a picture of `size` px a side."""
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
        normal = unit(mixed[:, :3])
        # Hanika, "Hacking the shadow terminator" (2021): coarse triangles must not shade a surface that is shaded as smooth.
        point, lifted = mixed[:, 3:6], mixed[:, 3:6].copy()
        for k in range(3):
            at, towards = attributes[corner[:, k], 3:6], attributes[corner[:, k], :3]
            below = np.minimum(dot(point - at, towards), 0)
            lifted -= (weight[:, k] * below)[:, None] * towards
        # Between the tips of the hair some light does come in.
        openness = np.where(slipped, np.maximum(mixed[:, 8], 0.55), mixed[:, 8])
        # Thin sheets (hair, lashes) are seen from both sides.
        away = (self.material[triangle] >= MATERIAL["lash"]) & (dot(normal, view) < 0)
        normal[away] *= -1
        return Hits(pixel, point, normal, view, self.material[triangle], mixed[:, 6:8], openness, lifted)


def embree(vertices: np.ndarray, triangles: np.ndarray) -> rtcore_scene.EmbreeScene:
    """A mesh that rays can be cast at: vertices (V, 3) mm, triangles (F, 3)."""
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, vertices.astype(np.float32), triangles.astype(np.int32))
    return scene


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row product of (n, 3) and (n, 3); einsum is several times quicker here than a sum over the last axis."""
    return np.einsum("ij,ij->i", a, b)


def unit(a: np.ndarray) -> np.ndarray:
    """Rows (n, 3) at length 1."""
    return a / np.maximum(np.sqrt(dot(a, a)), 1e-6)[:, None]
