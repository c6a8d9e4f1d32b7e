"""Affine transformations of images and maps in one set of coordinates.

Coordinates are normalised: x to the right, y down, both -1 ... 1 from edge to edge of a frame (torch's
`align_corners=False`), so that an image, the network's input and its attention map share them whatever their sizes. A
transformation is a 3x3 matrix T on column vectors (x, y, 1) that says where a point of the original goes: p' = T p. The
transformed image shows at p' what the original shows at T^-1 p', which is what sampling uses.
"""

import torch
import torch.nn.functional as nnf
from torch import Tensor

from training.config import Fill

__all__ = ["pairwise_warp", "sample_views", "source_points", "validity", "view_matrices", "warp_maps"]

_EDGE = 1 + 1e-5
"""Points on the very edge of a frame count as inside, whatever the rounding."""


def source_points(matrices: Tensor, size: tuple[int, int]) -> Tensor:
    """Where each pixel of a transformed frame comes from.

    Args:
        matrices: (N, 3, 3) float, transformations T.
        size: Height and width of the frame, in pixels.

    Returns:
        (N, H, W, 2) float, `T^-1 p'` as (x, y) for the centre p' of each pixel, normalised coordinates.
    """
    inverse = torch.linalg.inv(matrices)[:, :2]
    height, width = size
    return nnf.affine_grid(inverse, [matrices.shape[0], 1, height, width], align_corners=False)


def validity(matrices: Tensor, size: tuple[int, int], fill: Fill) -> Tensor:
    """Which pixels of a transformed frame have content of the original.

    With `reflect` all of them have: content is mirrored in, and maps are mirrored with it.

    Args:
        matrices: (N, 3, 3) float, transformations T.
        size: Height and width of the frame, in pixels.
        fill: What stands outside the original.

    Returns:
        (N, H, W) bool.

    Example:
        >>> shift = torch.eye(3)[None].clone()
        >>> shift[0, 0, 2] = 1.0  # half the side to the right
        >>> validity(shift, (1, 4), "mean").int().tolist()
        [[[0, 0, 1, 1]]]
    """
    if fill == "reflect":
        return torch.ones(matrices.shape[0], *size, dtype=torch.bool, device=matrices.device)
    return source_points(matrices, size).abs().amax(dim=3) <= _EDGE


def warp_maps(maps: Tensor, matrices: Tensor, fill: Fill) -> Tensor:
    """Warp maps into the frames of the transformed images, B = T(A), bilinear.

    Args:
        maps: (N, h, w) float, maps of the original images.
        matrices: (N, 3, 3) float, one transformation a map.
        fill: As for the images. Where `validity` is false the values mean nothing.

    Returns:
        (N, h, w) float.
    """
    points = source_points(matrices, (maps.shape[1], maps.shape[2])).to(maps.dtype)
    return nnf.grid_sample(maps.unsqueeze(1), points, "bilinear", _padding(fill), align_corners=False).squeeze(1)


def pairwise_warp(maps: Tensor, matrices: Tensor, fill: Fill) -> Tensor:
    """Warp every map by every transformation.

    Args:
        maps: (M, h, w) float.
        matrices: (N, 3, 3) float.
        fill: As for the images.

    Returns:
        (N, M, h, w) float; entry (i, j) is map j warped by transformation i.
    """
    count, height, width = maps.shape
    points = source_points(matrices, (height, width)).to(maps.dtype)
    repeated = maps.unsqueeze(0).expand(matrices.shape[0], count, height, width)
    return nnf.grid_sample(repeated, points, "bilinear", _padding(fill), align_corners=False)


def view_matrices(offsets: Tensor, mirrored: Tensor, extent: float, slack: float) -> Tensor:
    """Matrices of the random crops: from the frame of a view to the frame of the image that it is cut from.

    Args:
        offsets: (N, 2) float in [-1, 1], (x, y), where in its slack the view lies; -1 is left or up.
        mirrored: (N,) bool, whether the view is mirrored left to right.
        extent: Side of the view as a share of the image's, in (0, 1].
        slack: How far the view's centre may move from the image's, in half sides of the image.

    Returns:
        (N, 3, 3) float.
    """
    matrices = torch.zeros(offsets.shape[0], 3, 3, device=offsets.device)
    matrices[:, 0, 0] = torch.where(mirrored, -extent, extent)
    matrices[:, 1, 1] = extent
    matrices[:, :2, 2] = offsets * slack
    matrices[:, 2, 2] = 1
    return matrices


def sample_views(images: Tensor, views: Tensor, matrices: Tensor, size: int, fill: Fill) -> Tensor:
    """Cut a view out of each image and transform it, in one bilinear sampling.

    Args:
        images: (N, 3, R, R) float, normalised, so that 0 is the mean colour.
        views: (N, 3, 3) float, see `view_matrices`.
        matrices: (N, 3, 3) float, transformations T of the views; the identity for the view itself.
        size: Side S of the result, in pixels.
        fill: What stands outside the view.

    Returns:
        (N, 3, S, S) float.
    """
    points = source_points(matrices, (size, size))
    inside = points.abs().amax(dim=3) <= _EDGE
    if fill == "reflect":
        points = _reflected(points)
    scale, shift = views[:, :2, :2], views[:, :2, 2]
    on_image = torch.einsum("nab,nhwb->nhwa", scale, points) + shift[:, None, None]
    sampled = nnf.grid_sample(images, on_image, "bilinear", "reflection", align_corners=False)
    return sampled * inside.unsqueeze(1) if fill == "mean" else sampled


def _reflected(points: Tensor) -> Tensor:
    """Coordinates folded into [-1, 1] by mirroring at the edges."""
    period = torch.remainder(points + 1, 4)
    return torch.where(period > 2, 4 - period, period) - 1


def _padding(fill: Fill) -> str:
    return "reflection" if fill == "reflect" else "border"
