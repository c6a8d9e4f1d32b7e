"""Contrastive attention map loss, a reconstruction.

Ki et al. (ICCV 2021) describe a contrastive objective directly on the attention maps that uses their location, but the
equation is not at hand. Two forms are built here. Let A be the map of image x, A' the map of its transformed image
x' = T(x), both min-max normalised, B = T(A) the map warped into the frame of x', and V the pixels there that have
content.

`map`: InfoNCE on cosine similarity over V. Anchor A'_i, positive T_i(A_i), negatives T_i(A_j) of the other images
and the reversed map 1 - T_i(A_i), the background. All maps are warped by the anchor's own T_i, so that they differ in
the image alone.

`feature`: the mean feature under A (foreground) and under 1 - A (background). The foreground of x' shall be close to
that of x and to those of other images, far from both backgrounds; plus |A' - B| over V.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as nnf
from torch import Tensor

from training.config import Fill, LossConfig
from training.geometry import pairwise_warp, validity, warp_maps

__all__ = ["Gather", "MapPair", "feature_contrast", "map_contrast", "normalise_maps"]

Gather = Callable[[Tensor], Tensor]
"""Joins the tensors of all processes along the first axis, with gradients; the own ones are at `MapPair.first`."""

_EPS = 1e-6


class MapPair(NamedTuple):
    """The attention of a batch of images and of their transformed images.

    Attributes:
        original: (N, h, w) float, maps of x, not normalised.
        transformed: (N, h, w) float, maps of x' = T(x), not normalised.
        matrices: (N, 3, 3) float, the transformations T.
        fill: What the transformed images show outside the original.
        first: Index of the first of these images in the batch of all processes.
    """

    original: Tensor
    transformed: Tensor
    matrices: Tensor
    fill: Fill
    first: int = 0


def normalise_maps(maps: Tensor) -> Tensor:
    """Min-max normalise each map; a constant map has no shape and becomes 0, without a gradient.

    Args:
        maps: (N, h, w) float.

    Returns:
        (N, h, w) float [0, 1].

    Example:
        >>> normalise_maps(torch.tensor([[[1.0, 3.0]], [[2.0, 2.0]]])).tolist()
        [[[0.0, 1.0]], [[0.0, 0.0]]]
    """
    low = maps.amin(dim=(1, 2), keepdim=True)
    span = maps.amax(dim=(1, 2), keepdim=True) - low
    has_shape = span > _EPS * low.abs().clamp(min=1e-3)
    return torch.where(has_shape, (maps - low) / torch.where(has_shape, span, 1.0), 0.0)


def _visible(pair: MapPair, least: float) -> tuple[Tensor, Tensor]:
    """Validity V as (N, h*w) float, and which images have enough of it, (N,) float 0 or 1."""
    size = (pair.original.shape[1], pair.original.shape[2])
    visible = validity(pair.matrices, size, pair.fill).flatten(1).to(pair.original.dtype)
    return visible, (visible.mean(dim=1) >= least).to(visible.dtype)


def map_contrast(pair: MapPair, config: LossConfig | None = None, *, gather: Gather = lambda maps: maps) -> Tensor:
    """Form `map` of the loss, unweighted.

    An image of which less than `config.least_visible` remains visible, or whose maps have no shape, adds nothing.

    Args:
        pair: Maps and transformations of the batch.
        config: Temperature, weight of the other images' maps among the negatives, least share of the frame that must
            have content; the defaults if left out.
        gather: Joins the maps of all processes, whose maps are negatives too.

    Returns:
        Scalar, at least 0: the mean over the batch.
    """
    config = config or LossConfig()
    temperature, others = config.map_temperature, config.map_others
    anchors = normalise_maps(pair.transformed).flatten(1)
    candidates = gather(normalise_maps(pair.original))
    visible, counted = _visible(pair, config.least_visible)
    rows = torch.arange(anchors.shape[0], device=anchors.device)
    own = pair.first + rows
    warped = pairwise_warp(candidates, pair.matrices, pair.fill).flatten(2)  # (N, M, h*w)
    positive = warped[rows, own]
    anchors, positive_over_v = anchors * visible, positive * visible
    images = _cosine(anchors.unsqueeze(1), warped * visible.unsqueeze(1))
    background = _cosine(anchors, (1 - positive) * visible)
    # A negative of weight w adds w * exp(s / tau) to the denominator.
    weights = torch.full_like(images, math.log(others) if others > 0 else -math.inf)
    weights[rows, own] = 0
    logits = torch.cat([images / temperature + weights, background.unsqueeze(1) / temperature], dim=1)
    losses = nnf.cross_entropy(logits, own, reduction="none")
    has_shape = (anchors.amax(dim=1) > 0) & (positive_over_v.amax(dim=1) > 0)
    return (losses * counted * has_shape).mean()


def feature_contrast(
    pair: MapPair,
    original: Tensor,
    transformed: Tensor,
    config: LossConfig | None = None,
    *,
    gather: Gather = lambda vectors: vectors,
) -> Tensor:
    """Form `feature` of the loss, unweighted.

    Args:
        pair: Maps and transformations of the batch.
        original: (N, C, h, w) float, features of x.
        transformed: (N, C, h, w) float, features of x'.
        config: How to compare, the weights of the terms, least share of the frame that must have content; the defaults
            if left out.
        gather: Joins the descriptors of all processes.

    Returns:
        Scalar: the mean over the batch.
    """
    config = config or LossConfig()
    maps, maps_t = normalise_maps(pair.original), normalise_maps(pair.transformed)
    visible, counted = _visible(pair, config.least_visible)
    seen = visible.view_as(maps)
    foreground, background = _masked_mean(original, maps), _masked_mean(original, 1 - maps)
    foreground_t = _masked_mean(transformed, maps_t * seen)
    background_t = _masked_mean(transformed, (1 - maps_t) * seen)
    # A map without a shape has no foreground to compare.
    counted = counted * ((maps.amax(dim=(1, 2)) > 0) & ((maps_t * seen).amax(dim=(1, 2)) > 0))

    own = _pull(
        _cosine(foreground_t, foreground).unsqueeze(1),
        torch.stack([_cosine(foreground_t, background), _cosine(foreground_t, background_t)], dim=1),
        config,
    ).squeeze(1)
    all_foregrounds, all_backgrounds = gather(foreground), gather(background)
    among = _pull(
        _cosine(foreground_t.unsqueeze(1), all_foregrounds.unsqueeze(0)),
        _cosine(foreground_t.unsqueeze(1), all_backgrounds.unsqueeze(0)),
        config,
    )
    others = torch.ones_like(among)
    rows = torch.arange(among.shape[0], device=among.device)
    others[rows, pair.first + rows] = 0
    between = (among * others).sum(dim=1) / others.sum(dim=1).clamp(min=1)

    warped = warp_maps(maps, pair.matrices, pair.fill)
    difference = ((maps_t - warped).abs() * seen).sum(dim=(1, 2)) / seen.sum(dim=(1, 2)).clamp(min=1)
    return ((own + config.across * between + config.agreement * difference) * counted).mean()


def _pull(positive: Tensor, negatives: Tensor, config: LossConfig) -> Tensor:
    """Loss of each positive similarity (N, P) against all negatives (N, K) of its row, (N, P)."""
    if config.contrast == "triplet":
        return nnf.relu(config.margin - positive + negatives.amax(dim=1, keepdim=True))
    against = torch.logsumexp(negatives / config.feature_temperature, dim=1, keepdim=True)
    return nnf.softplus(against - positive / config.feature_temperature)


def _masked_mean(features: Tensor, masks: Tensor) -> Tensor:
    """Mean feature under a mask, (N, C, h, w) and (N, h, w) to (N, C); 0 under an empty mask."""
    total = torch.einsum("nchw,nhw->nc", features, masks.to(features.dtype))
    return total / masks.sum(dim=(1, 2)).clamp(min=_EPS).unsqueeze(1)


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine similarity along the last axis; 0, with no gradient, where either vector is 0."""
    return (_unit(first) * _unit(second)).sum(dim=-1)


def _unit(vectors: Tensor) -> Tensor:
    squared = vectors.square().sum(dim=-1, keepdim=True)
    nonzero = squared > _EPS**2
    # The root is taken of a safe value, or its gradient at 0 would be infinite.
    return torch.where(nonzero, vectors / torch.where(nonzero, squared, 1.0).sqrt(), 0.0)
