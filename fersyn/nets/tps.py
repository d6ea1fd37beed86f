"""A dense flow from sparse landmarks: thin-plate spline (Bookstein, TPAMI 1989), batched and differentiable."""

import torch
from torch import Tensor

BORDER = 4  # anchors a side that hold the picture's edge still
RIGIDITY = 0.03  # ridge on the kernel: landmarks are found to a pixel or so, and must not tear or crumple the picture


def _kernel(squared: Tensor) -> Tensor:
    """U(r) = r^2 log r^2, 0 at 0."""
    return squared * torch.log(squared.clamp(min=1e-9))


def dense_flow(source: Tensor, target: Tensor, size: int, grid: int = 32) -> Tensor:
    """Where each pixel of the target picture comes from in the source picture, as a displacement.

    Args:
        source, target: landmarks (N, K, 2), (x, y) px, pixel centres at whole numbers, of pictures of `size` px.
        size: side of the pictures, px.
        grid: the spline is evaluated on grid x grid points and resized: it is smooth.

    Returns:
        (N, 2, size, size) float32, (dx, dy) px: output(p) = source picture(p + flow(p)). Edge pixels stay where they are.
    """
    unit = size / 2
    anchors = _anchors(target.device) * 1.0
    count, fixed = len(target), len(anchors)
    control = torch.cat([(target.float() + 0.5) / unit - 1, anchors.expand(count, -1, -1)], 1)
    shift = torch.cat([(source - target).float() / unit, control.new_zeros(count, fixed, 2)], 1)
    points = control.shape[1]

    distance = ((control[:, :, None] - control[:, None]) ** 2).sum(-1)
    kernel = _kernel(distance) + RIGIDITY * torch.eye(points, device=control.device)
    linear = torch.cat([control.new_ones(count, points, 1), control], -1)
    system = control.new_zeros(count, points + 3, points + 3)
    system[:, :points, :points], system[:, :points, points:], system[:, points:, :points] = kernel, linear, linear.mT
    weights = torch.linalg.solve(system, torch.cat([shift, shift.new_zeros(count, 3, 2)], 1))

    line = (torch.arange(grid, device=control.device) + 0.5) * 2 / grid - 1
    at = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(1, -1, 2)
    basis = _kernel(((at[:, :, None] - control[:, None]) ** 2).sum(-1))
    affine = torch.cat([at.new_ones(1, grid * grid, 1), at], -1).expand(count, -1, -1)
    flow = torch.cat([basis, affine], -1) @ weights
    flow = flow.mT.reshape(count, 2, grid, grid) * unit
    if grid != size:
        flow = torch.nn.functional.interpolate(flow, (size, size), mode="bicubic", align_corners=False)
    return flow


def _anchors(device: torch.device) -> Tensor:
    line = torch.linspace(-1, 1, BORDER + 1, device=device)[:-1]
    one = torch.ones_like(line)
    return torch.cat([torch.stack(pair, -1) for pair in ((line, -one), (one, line), (-line, one), (-one, -line))])


def warp(images: Tensor, flow: Tensor) -> Tensor:
    """Sample images (N, C, H, W) at p + flow(p); flow (N, 2, H, W) px, border repeated."""
    height, width = images.shape[-2:]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)[None] + flow[:, 0]
    places = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    return torch.nn.functional.grid_sample(images, places.to(images.dtype), padding_mode="border", align_corners=False)
