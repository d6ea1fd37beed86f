"""A dense flow from sparse landmarks: affine in each triangle between them, and how a picture follows it.

A spline would be smoother (Bookstein, TPAMI 1989), but each of its landmarks moves the whole face a little; in triangles a
landmark moves nothing beyond its neighbours, and a face stays nearer to the person's.

The nose's landmarks, and the places of the eyes, may be followed only in part (`settle`). [ours] In a face the nose and the
eyes hardly change their place. Between two photographs of a person most of what their landmarks move by is the turn of the
head and the error of the landmarks, and to bend the nose by that makes it another person's. Not all of it: in disgust and
happiness the wings of the nose move (some 4 % of the distance of the eyes), and a part of that is lost.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fersyn.faces import landmarks as ibug

EDGE = 5  # points a side of the picture that stay where they are
# The flow is interpolated on at most GRID x GRID points and enlarged: the corners of triangles are no features.
GRID = 64
AT_ONCE = 32  # faces whose triangles are all asked together: 240 MB
HAIR = 1e-3  # px by which triangles reach beyond their sides, so that no pixel falls between two
FLAT = 1e-3  # twice the area below which a triangle has no pixel, in the grid's units
# The mean face whose triangles all faces share, thousandths of the side: of openpeople's 70 faces and their mirror images, neutral
# and with expressions, so that the lips are not quite closed.
MEAN_X = (
    178, 182, 195, 210, 237, 281, 341, 413, 500, 587, 659, 719, 763, 790, 805, 818, 822, 223, 263, 324, 387, 448, 552, 613,
    676, 737, 777, 500, 500, 500, 500, 432, 465, 500, 535, 568, 292, 328, 373, 412, 370, 326, 588, 627, 672, 708, 674, 630,
    373, 416, 463, 500, 537, 584, 627, 586, 540, 500, 460, 414, 394, 462, 500, 538, 606, 539, 500, 461,
)  # fmt: skip
MEAN_Y = (
    343, 432, 519, 607, 690, 766, 832, 882, 896, 882, 832, 766, 690, 607, 519, 432, 343, 294, 248, 234, 242, 266, 266, 242,
    234, 248, 294, 331, 391, 452, 514, 546, 558, 571, 558, 546, 345, 323, 324, 352, 360, 361, 352, 324, 323, 345, 361, 360,
    664, 633, 619, 629, 619, 633, 664, 710, 731, 735, 731, 710, 665, 656, 659, 656, 665, 677, 683, 677,
)  # fmt: skip
# Parts of the way that are followed. Chosen on openpeople and on rendered people of seed 0: the least identity distance at no
# loss of PSNR and SSIM. It costs a little landmark error, for the nose does not arrive where it was asked to, and hardly any
# expression: none of 84 rendered faces and one of 60 photographs is no longer named rightly.
NOSE, EYES = 0.4, 0.8


def edge_points() -> np.ndarray:
    """The points on the edge of a picture of side 1, (16, 2)."""
    line = np.linspace(0, 1, EDGE)[:-1]
    sides = ((line, 0 * line), (1 + 0 * line, line), (1 - line, 1 + 0 * line), (0 * line, 1 - line))
    return np.concatenate([np.stack(side, -1) for side in sides])


def control_points(source: np.ndarray, target: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Points that fix a bend: landmarks, and points on the picture's edge.

    Args:
        source, target: landmarks (K, 2), (x, y) px.
        width, height: of the picture, px.

    Returns:
        where they come to lie, and where they come from, (K + 16, 2) px.
    """
    corners = np.array([width - 1, height - 1])
    fixed = edge_points() * corners
    # Points that coincide make no triangle: a hair's breadth between them.
    nudge = 1e-3 * np.random.default_rng(0).standard_normal((len(target), 2))
    inside = np.clip(target + nudge, 0.5, corners - 0.5)
    return np.concatenate([inside, fixed]), np.concatenate([source, fixed])


def dense_flow(source: Tensor, target: Tensor, size: int, mesh: Tensor | None = None) -> Tensor:
    """Where each pixel of the target picture comes from in the source picture, as a displacement.

    Linear in each triangle of a mesh that is the same for all faces: the Delaunay triangulation of the mean face's landmarks and of
    points on the picture's edge. So a batch takes some tens of operations, on any device, and no host waits for a GPU. Where an
    extreme face turns a triangle over, several lie on a pixel: it takes the one that it lies deepest in.

    Args:
        source, target: landmarks (N, 68, 2), (x, y) px, pixel centres at whole numbers, of pictures of `size` px; with a `mesh` other
            points (N, K, 2).
        size: side of the pictures, px.
        mesh: of `triangles`; None: that of the mean face.

    Returns:
        (N, 2, size, size) float32, (dx, dy) px, on the device of the landmarks, without gradient: output(p) = source
        picture(p + flow(p)). Edge pixels stay where they are.
    """
    side = min(size, GRID)
    source, target = source.detach().float(), target.detach().float()
    count, edge, corners = len(target), _edge(target.device), _triangles(target.device) if mesh is None else mesh
    if not count:
        return target.new_zeros(0, 2, size, size)
    # A landmark beyond the edge is drawn in, but keeps its displacement; the edge has none.
    places = torch.cat([target.clamp(0.5, size - 1.5), (edge * (size - 1)).expand(count, -1, -1)], 1)
    moved = torch.cat([source - target, edge.new_zeros(count, len(edge), 2)], 1)
    whole = torch.cat([(places + 0.5) * (side / size) - 0.5, moved], 2)[:, corners]  # (N, T, 3, 4)
    x, y, *moved = whole.flatten(0, 1).permute(2, 1, 0).contiguous()  # (3, N T) each, of all triangles' corners
    dx, dy = (each.roll(-1, 0) - each for each in (x, y))
    area = dx[0] * dy[1] - dy[0] * dx[1]  # twice, negative where it is turned over
    ask = _by_rows if target.device.type == "cpu" else _of_all
    best = ask(x, y, dx, dy, area, side, count)  # (N side^2,)
    known = [x[0], y[0]]
    for way in moved:  # in each triangle: at the first corner, and the slopes
        one, two = way[1] - way[0], way[2] - way[0]
        slopes = (dy[0] * two + dy[2] * one) / -area, (dx[0] * two + dx[2] * one) / area
        known += [way[0], *slopes]
    known = torch.stack(known).index_select(1, best).view(8, count, side, side)
    line = torch.arange(side, device=target.device, dtype=torch.float32)
    x, y = line - known[0], line[:, None] - known[1]
    flow = torch.stack([known[k] + known[k + 1] * x + known[k + 2] * y for k in (2, 5)], 1)
    return functional.interpolate(flow, (size, size), mode="bilinear") if side != size else flow


def _sides(x: Tensor, y: Tensor, dx: Tensor, dy: Tensor, area: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How deep a place (x, y) lies behind the sides of M triangles, px: a x + b y + c, (3, M) each."""
    size = area.sign() / torch.hypot(dx, dy).clamp(min=1e-6)
    a, b = -dy * size, dx * size
    return a, b, torch.where(area.abs() < FLAT, -torch.inf, -a * x - b * y)


def _of_all(x: Tensor, y: Tensor, dx: Tensor, dy: Tensor, area: Tensor, side: int, count: int) -> Tensor:
    """For each pixel of N faces (N side^2,) the triangle, 0..N T, that it lies deepest in: all are asked, as suits a GPU."""
    a, b, c = (each.view(3, count, -1) for each in _sides(x, y, dx, dy, area))
    line, found, first = torch.arange(side, device=x.device, dtype=x.dtype), [], torch.arange(count, device=x.device)
    for k in range(0, count, AT_ONCE):
        part = slice(k, k + AT_ONCE)
        across, down = a[:, part, :, None] * line, b[:, part, :, None] * line + c[:, part, :, None]
        depth = (across[..., None, :] + down[..., None]).amin(0)  # (n, T, side, side)
        found.append(depth.flatten(2).argmax(1) + a.shape[2] * first[part, None])
    return torch.cat(found).flatten()


def _by_rows(x: Tensor, y: Tensor, dx: Tensor, dy: Tensor, area: Tensor, side: int, count: int) -> Tensor:
    """The same, by the rows of pixels that each triangle crosses, as suits a CPU: their number hangs on the faces."""
    low = (y.amin(0) - HAIR).ceil_().clamp_(min=0).long()
    tall = (y.amax(0) + HAIR).floor_().clamp_(max=side - 1).long() - low + 1
    of, row = _counted(tall.clamp_(min=0))
    row += low[of]
    ends = torch.stack([x, y, dx, dy]).index_select(2, of)  # (4, 3, R)
    part = (row - ends[1]) / ends[3]  # where each side meets the row
    met, at = (part >= -HAIR) & (part <= 1 + HAIR), ends[0] + part * ends[2]
    left = torch.where(met, at, side).amin(0).sub_(HAIR).ceil_().clamp_(min=0).long()
    right = torch.where(met, at, -1).amax(0).add_(HAIR).floor_().clamp_(max=side - 1).long()
    line, column = _counted((right - left + 1).clamp_(min=0))
    column += left[line]
    of, row = of[line], row[line]
    a, b, c = torch.stack(_sides(x, y, dx, dy, area)).index_select(2, of)  # (3, K)
    depth = (a * column + (b * row + c)).amin(0)
    pixel = of.div(len(area) // count, rounding_mode="floor") * (side * side) + row * side + column
    deepest = depth.new_full((count * side * side,), -torch.inf).scatter_reduce_(0, pixel, depth, "amax")
    of = torch.where(depth == deepest[pixel], of, len(area))
    return of.new_full((count * side * side,), len(area) - 1).scatter_reduce_(0, pixel, of, "amin")


def _counted(many: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers 0.., each as often as `many` says, and the place of each among its like."""
    of = torch.repeat_interleave(many)
    return of, torch.arange(len(of)) - (many.cumsum(0) - many)[of]


@lru_cache(maxsize=8)
def _edge(device: torch.device) -> Tensor:
    """The points on the edge of a picture of side 1, (16, 2)."""
    with torch.inference_mode(False):
        return torch.from_numpy(edge_points()).float().to(device)


def triangles(points: np.ndarray, size: int) -> Tensor:
    """A mesh for `dense_flow`: three points each, int64 (T, 3), of the Delaunay triangulation of points (K, 2) px of a picture of
    `size` px and the edge's.
    """
    from scipy.spatial import Delaunay

    inside = np.asarray(points, float).clip(0.5, size - 1.5)
    return torch.from_numpy(Delaunay(np.concatenate([inside, edge_points() * (size - 1)])).simplices).long()


@lru_cache(maxsize=8)
def _triangles(device: torch.device) -> Tensor:
    """The mesh of the mean face, on a device."""
    with torch.inference_mode(False):
        return triangles(np.array([MEAN_X, MEAN_Y]).T, 1001).to(device)


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """Sample images (N, C, H, W) at p + flow(p), bicubic and within each image's range; flow (N, 2, H, W) px, border repeated.

    Where the flow is nothing the pixel is the image's own, bit for bit.
    """
    height, width = images.shape[-2:]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)[None] + flow[:, 0]
    places = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1).to(images.dtype)
    found = functional.grid_sample(images, places, mode="bicubic", padding_mode="border", align_corners=False)
    seen = images.detach()
    found = found.clamp(
        seen.amin((1, 2, 3), keepdim=True), seen.amax((1, 2, 3), keepdim=True)
    )  # a cubic overshoots at edges
    return torch.where((flow == 0).all(1, keepdim=True), images, found)


def settle(source: Tensor, target: Tensor, nose: float = NOSE, eyes: float = EYES) -> Tensor:
    """Let the nose, and the places of the eyes, go only a part of their way from source to target.

    The shape of an eye follows the target in full: eyes open and close in expressions.

    Args:
        source, target: landmarks (N, 68, 2) px.
        nose: part of the displacement that the nose's points keep, 0..1.
        eyes: part that each eye's mean displacement keeps, 0..1.

    Returns:
        the landmarks (N, 68, 2) px to bend to; 1 and 1 give `target`.
    """
    moved = target - source
    moved[:, ibug.GROUPS["nose"]] *= nose
    for eye in ibug.EYES:
        moved[:, eye] -= (1 - eyes) * moved[:, eye].mean(1, keepdim=True)
    return source + moved
