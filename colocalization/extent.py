"""From maps to the extent of the object: its outline in the image, boxes and a heat map."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import Box, box_iou, connected_components, non_maximum_suppression
from colocalization.hints import Corners
from colocalization.maps import min_max, otsu_threshold, upsample
from colocalization.outline import refine
from colocalization.transform import Frame, Region
from colocalization.windows import box_cells

__all__ = [
    "Extent",
    "Look",
    "attention_extent",
    "common_extent",
    "confirmed",
    "foreground_extent",
    "joined",
    "outline_shares",
    "window_extent",
    "window_shares",
    "with_prior_boxes",
]

_OUTLINE_SIDE = 192
"""Long side of the region, in pixels, on which its outline is found; GrabCut's time grows with the square."""

_CUT = 0.5
"""The middle between the classes in the map of a region."""

_WIDER = 0.1
"""How far below the cut the map's own extent of the object is read: the map fades towards the object's limbs."""

_MAP_WEIGHT = 0.5
"""Weight of the map's own extent for an object that fills the image; it falls with the object's share of it."""

_PRIOR_WEIGHT = 0.6
"""Weight of a fine prior's own box of the object in the mean with what the set sees."""

_PRIOR_OVERLAP = 0.3
"""IoU from which on a prior's box is taken for the same object; the two errors are mostly not the same ones."""

_LEAST_AREA = 0.1
"""Components smaller than this share of the largest one are no objects of their own."""

_OVERLAP = 0.5
"""IoU from which on two boxes are taken for the same object."""


Look = tuple[Region, NDArray[np.float32]]
"""A region of an image and its (h, w) float32 map in [0, 1], cut at 0.5."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the object is, at the working size of the image.

    Attributes:
        boxes: Boxes in pixels at the working size, best first.
        heatmap: (H, W) float32 [0, 1] at the working size.
    """

    boxes: tuple[Box, ...]
    heatmap: NDArray[np.float32]


def attention_extent(rgb: NDArray[np.uint8], attention: NDArray[np.float32], max_boxes: int) -> Extent:
    """Extent by an image's own attention map: normalise, upsample, cut at Otsu's threshold, largest components.

    Args:
        rgb: (H, W, 3) uint8 image at its working size.
        attention: (h, w) float32 attention map.
        max_boxes: Most boxes.
    """
    height, width = rgb.shape[:2]
    heatmap = upsample(min_max(attention), width, height)
    if not heatmap.any():
        return Extent((), heatmap)
    boxes = _component_boxes(heatmap > otsu_threshold(heatmap), heatmap, max_boxes)
    return Extent(tuple(boxes), heatmap)


def foreground_extent(rgb: NDArray[np.uint8], foreground: NDArray[np.float32], max_boxes: int) -> Extent:
    """Extent by what a prior sees in an image alone: its largest components above the middle between the classes.

    Args:
        rgb: (H, W, 3) uint8 image at its working size.
        foreground: (h, w) float32 [0, 1] map of the prior.
        max_boxes: Most boxes.
    """
    height, width = rgb.shape[:2]
    values = upsample(foreground, width, height)
    highest = float(values.max())
    # Where nothing reaches the middle there still is a likeliest part.
    boxes = _component_boxes(values > (_CUT if highest > _CUT else highest / 2), values, max_boxes)
    return Extent(tuple(boxes), np.clip(2 * values - np.float32(0.5), 0, 1))


def common_extent(rgb: NDArray[np.uint8], looks: Sequence[Look], max_boxes: int, *, outlined: bool = True) -> Extent:
    """Extent of the common object in the regions that were looked at.

    In each region the map is refined on the image's colours; its components give boxes, which the map's own extent
    then corrects (`_corrected`). The largest component of the first region is the best box; the others follow by
    score.

    Args:
        rgb: (H, W, 3) uint8 image at its working size.
        looks: Regions, most important first, with their maps.
        max_boxes: Most boxes.
        outlined: Whether to refine; if not, the components are those of the map as it is cut.
    """
    height, width = rgb.shape[:2]
    heatmap = np.zeros((height, width), dtype=np.float32)
    boxes: list[Box] = []
    for region, scores in looks:
        left, top, right, bottom = region.in_pixels(width, height)
        patch = heatmap[top:bottom, left:right]
        # 0 at the background's mean and 1 at the object's, so that a region's rim does not show.
        heat = np.clip(2 * scores - 0.5, 0, 1)
        np.maximum(patch, upsample(heat, right - left, bottom - top), out=patch)
        fine, cut, outline = _outlined(rgb[top:bottom, left:right], scores, refined=outlined)
        frame = Frame(outline.shape[1], outline.shape[0], left, top, right, bottom)
        found = _component_boxes(outline, fine, max_boxes)
        area = width * height / (frame.across * frame.down)
        boxes += [frame.to_image(box) for box in _corrected(found, fine > cut - _WIDER, area)]
    return Extent(tuple(_best(boxes, max_boxes)), heatmap)


def confirmed(boxes: Sequence[Box], prior: Sequence[Box], least: float) -> bool:
    """Whether a prior sees each of the boxes too, so that more work on them would change little.

    Args:
        boxes: Boxes by what the set shares.
        prior: Boxes by what the prior alone sees in the image.
        least: IoU that each box must have with one of the prior's.

    Returns:
        False where there is no box.

    Example:
        >>> confirmed([Box(0, 0, 10, 10, 0.9)], [Box(0, 0, 10, 9, 0.8), Box(50, 50, 60, 60, 0.7)], 0.7)
        True
    """
    if not boxes or not prior:
        return False
    overlaps = box_iou([box.as_tuple() for box in boxes], [box.as_tuple() for box in prior])
    return bool((overlaps.max(axis=1) >= least).all())


def joined(best: Extent, further: Extent, max_boxes: int) -> Extent:
    """One extent of two: the boxes of the first, then those of the second that are of other objects.

    Args:
        best: With the best box.
        further: Another extent of the same image.
        max_boxes: Most boxes.
    """
    boxes = _best([*best.boxes, *further.boxes], max_boxes)
    return Extent(tuple(boxes), np.maximum(best.heatmap, further.heatmap))


def with_prior_boxes(boxes: Sequence[Box], prior: Sequence[Box]) -> tuple[Box, ...]:
    """Boxes of the common object, each drawn towards the box that a fine prior has of it, where it has one.

    Args:
        boxes: Boxes by what the set shares, best first.
        prior: Boxes by what the prior alone sees in the image.

    Example:
        >>> with_prior_boxes([Box(0, 0, 10, 10, 0.9)], [Box(0, 0, 10, 20, 0.8), Box(50, 50, 60, 60, 0.7)])
        (Box(x0=0.0, y0=0.0, x1=10.0, y1=16.0, score=0.9),)
    """
    if not boxes or not prior:
        return tuple(boxes)
    overlaps = box_iou([box.as_tuple() for box in boxes], [box.as_tuple() for box in prior])
    found = []
    for box, row in zip(boxes, overlaps, strict=True):
        own = np.array(box.as_tuple())
        if row.max() >= _PRIOR_OVERLAP:
            own = (1 - _PRIOR_WEIGHT) * own + _PRIOR_WEIGHT * np.array(prior[int(row.argmax())].as_tuple())
        x0, y0, x1, y1 = (float(corner) for corner in own)
        found.append(Box(x0, y0, x1, y1, box.score))
    return tuple(found)


def outline_shares(
    rgb: NDArray[np.uint8], look: Look, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How much of each cell the object's outline in a region covers.

    Args:
        rgb: (H, W, 3) uint8 image at its working size.
        look: The region and its (h', w') map.
        shape: Rows and columns (h, w) of the whole image's grid.

    Returns:
        (h, w) float32 [0, 1] for the whole image, in which all beyond the region is free, and (h', w') for the
        region.
    """
    region, scores = look
    height, width = rgb.shape[:2]
    left, top, right, bottom = region.in_pixels(width, height)
    outline = _outlined(rgb[top:bottom, left:right], scores)[2].astype(np.float32)
    whole = np.zeros((height, width), dtype=np.float32)
    whole[top:bottom, left:right] = upsample(outline, right - left, bottom - top)
    return _averaged(whole, shape), _averaged(outline, scores.shape)


def window_extent(rgb: NDArray[np.uint8], look: Look, window: Corners) -> tuple[Box, NDArray[np.float32]]:
    """Extent of the instance that a window points at, in a second look at it.

    The mean of the outline's box and of the map's own: the outline follows colours, the map the set.

    Args:
        rgb: (H, W, 3) uint8 image at its working size.
        look: The region and its map.
        window: Where the instance is about, as shares of the region's sides.

    Returns:
        The box in pixels at the working size, its score the mean of the map over the instance; and the (h, w) float32
        [0, 1] heat of the region, 0 at the background's mean and 1 at the object's.
    """
    region, scores = look
    left, top, right, bottom = region.in_pixels(rgb.shape[1], rgb.shape[0])
    fine, cut, outline = _outlined(rgb[top:bottom, left:right], scores)
    frame = Frame(outline.shape[1], outline.shape[0], left, top, right, bottom)
    parts = [_instance(outline, window), _instance(fine > cut, window)]
    score = float(fine[parts[1]].mean()) if parts[1].any() else float(fine.max())
    x0, y0, x1, y1 = (float(value) for value in np.mean([_bounds(part, window) for part in parts], axis=0))
    return frame.to_image(Box(x0, y0, x1, y1, score)), np.clip(2 * scores - 0.5, 0, 1)


def window_shares(rgb: NDArray[np.uint8], look: Look, window: Corners) -> NDArray[np.float32]:
    """How much of each cell of a region the outline of the instance that a window points at covers.

    Args:
        rgb: (H, W, 3) uint8 image at its working size.
        look: The region and its (h, w) map.
        window: Where the instance is about, as shares of the region's sides.

    Returns:
        (h, w) float32 [0, 1].
    """
    region, scores = look
    left, top, right, bottom = region.in_pixels(rgb.shape[1], rgb.shape[0])
    outline = _outlined(rgb[top:bottom, left:right], scores)[2]
    return _averaged(_instance(outline, window).astype(np.float32), scores.shape)


def _instance(mask: NDArray[np.bool_], window: Corners) -> NDArray[np.bool_]:
    """The component that fills most of a window; nothing where none reaches into it."""
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    inside = labels[box_cells(window, *mask.shape)]
    counts = np.bincount(inside, minlength=2)
    counts[0] = 0
    return np.asarray(labels == counts.argmax()) if counts.any() else np.zeros_like(mask)


def _bounds(mask: NDArray[np.bool_], window: Corners) -> tuple[float, float, float, float]:
    """Bounding box of a mask in its pixels; the window where the mask is empty."""
    rows, columns = mask.shape
    if not mask.any():
        return window[0] * columns, window[1] * rows, window[2] * columns, window[3] * rows
    x, y = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return float(x[0]), float(y[0]), float(x[-1] + 1), float(y[-1] + 1)


def _averaged(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _outlined(
    patch: NDArray[np.uint8], scores: NDArray[np.float32], *, refined: bool = True
) -> tuple[NDArray[np.float32], float, NDArray[np.bool_]]:
    """The map of a region at the size at which its outline is found, its cut, and the outline; or that of the cut."""
    columns, rows = _outline_size(patch)
    fine = upsample(scores, columns, rows)
    # A region in which nothing reaches the middle between the classes still has a likeliest part.
    cut = _CUT if scores.max() > _CUT else float(otsu_threshold(scores))
    if not refined:
        return fine, cut, np.asarray(fine > cut)
    small = np.asarray(cv2.resize(patch, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return fine, cut, refine(small, fine, threshold=cut)


def _component_boxes(mask: NDArray[np.bool_], scores: NDArray[np.float32], limit: int) -> list[Box]:
    """Boxes of the largest components.

    The score is the mean of the map over the component, for all but the largest scaled by the root of its relative
    area, so that scores fall with size.
    """
    parts = connected_components(mask)
    found: list[Box] = []
    for index, (box, area) in enumerate(zip(parts.boxes[:limit], parts.areas[:limit], strict=True)):
        if area < _LEAST_AREA * parts.areas[0]:
            break
        score = float(parts.inside(index, scores).mean()) * float(np.sqrt(area / parts.areas[0]))
        x0, y0, x1, y1 = (float(value) for value in box)
        found.append(Box(x0, y0, x1, y1, min(score, found[0].score) if found else score))
    return found


def _corrected(outlined: Sequence[Box], mask: NDArray[np.bool_], image: float) -> list[Box]:
    """Draw each box towards the extent that the map alone gives it, the more, the larger that is.

    The more of the image an object fills, the less background is left to learn colours from, and the more GrabCut
    cuts off; for small objects the map's grid is too coarse, and the outline stays nearly as it is.

    Args:
        outlined: Boxes of the outline.
        mask: (H, W) bool, where the map sees the object.
        image: Area of the whole image, in pixels of the mask.
    """
    extents = connected_components(mask).boxes
    if not outlined or not len(extents):
        return list(outlined)
    found = []
    for box, overlaps in zip(outlined, box_iou([one.as_tuple() for one in outlined], extents), strict=True):
        x0, y0, x1, y1 = (float(value) for value in extents[overlaps.argmax()])
        weight = _MAP_WEIGHT * (x1 - x0) * (y1 - y0) / image if overlaps.any() else 0.0
        mean = (1 - weight) * np.array(box.as_tuple()) + weight * np.array((x0, y0, x1, y1))
        x0, y0, x1, y1 = (float(value) for value in mean)
        found.append(Box(x0, y0, x1, y1, box.score))
    return found


def _best(boxes: Sequence[Box], limit: int) -> list[Box]:
    """Without doubles, best first; the first box given stays first."""
    if not boxes:
        return []
    scores = [min(box.score, boxes[0].score) for box in boxes]
    kept = non_maximum_suppression([box.as_tuple() for box in boxes], scores, _OVERLAP)
    return [replace(boxes[index], score=scores[index]) for index in kept[:limit]]


def _outline_size(rgb: NDArray[np.uint8]) -> tuple[int, int]:
    """Columns and rows of an image at the size at which its outline is found."""
    rows, columns = rgb.shape[:2]
    factor = min(1.0, _OUTLINE_SIDE / max(rows, columns))
    return max(1, round(columns * factor)), max(1, round(rows * factor))
