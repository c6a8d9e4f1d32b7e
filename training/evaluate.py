"""CorLoc of attention maps on labelled images. For the record only: nothing here may choose a setting or an epoch."""

import logging
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from colocalization.boxes import connected_components
from colocalization.corloc import CorLoc, CorLocScores
from colocalization.errors import ImageError
from colocalization.maps import min_max, otsu_threshold, upsample
from colocalization.transform import InputTransform
from training.datasets import BoxTuple, DatasetImage
from training.network import ColocalizationNet

__all__ = ["PSYNET_CUT", "Cut", "attention_maps", "evaluate", "map_box", "readable_images"]

_logger = logging.getLogger(__name__)

Cut = Literal["otsu", "set_otsu", "psynet"]
"""How the min-max normalised map is cut. `otsu`: Otsu's threshold of the upsampled map; `set_otsu`: of all maps of the
set; `psynet`: PsyNet's rule, 0.2 of the grey jet heat map, as a constant."""

PSYNET_CUT = 0.153
_BATCH = 16


@torch.no_grad()
def attention_maps(
    network: ColocalizationNet, images: Sequence[DatasetImage], size: int, device: torch.device
) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
    """Attention maps of images, each squashed to the input size.

    Args:
        network: The network; it is in evaluation mode afterwards.
        images: The images.
        size: Side S of the input, in pixels.
        device: Where the network is.

    Returns:
        (N, h, w) float32 maps, not normalised, and each image's width and height in pixels.

    Raises:
        ImageError: An image cannot be read.
    """
    network.eval()
    transform = InputTransform(size, network.backbone.mean, network.backbone.std)
    maps, sizes = [], []
    for start in range(0, len(images), _BATCH):
        decoded = [image.load() for image in images[start : start + _BATCH]]
        sizes += [(image.width, image.height) for image in decoded]
        batch = torch.from_numpy(np.stack([transform(image.rgb) for image in decoded])).to(device)
        attention, _ = network.attend(batch.contiguous(memory_format=torch.channels_last))
        maps.append(attention.float().cpu().numpy())
    return np.concatenate(maps), sizes


def readable_images(images: Sequence[DatasetImage]) -> tuple[DatasetImage, ...]:
    """Images that can be decoded; a warning names each of the others."""
    kept = []
    for image in images:
        try:
            image.load()
        except ImageError as error:
            _logger.warning("warning: %s is not scored: %s", image.path, error.message)
        else:
            kept.append(image)
    return tuple(kept)


def map_box(normalised: NDArray[np.float32], width: int, height: int, cut: float | None = None) -> list[BoxTuple]:
    """Box of the largest 8-connected component of a map above a cut.

    Args:
        normalised: (h, w) float32 [0, 1].
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
        cut: Threshold in [0, 1]; None for Otsu's on the upsampled map.

    Returns:
        One half-open box in pixels of the image, or none where nothing is above the cut.
    """
    heatmap = upsample(normalised, width, height)
    boxes = connected_components(heatmap > (otsu_threshold(heatmap) if cut is None else cut)).boxes
    return [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in boxes[:1]]


def evaluate(
    network: ColocalizationNet, images: Sequence[DatasetImage], size: int, device: torch.device
) -> dict[Cut, CorLocScores]:
    """CorLoc of the attention maps of labelled images, by each cut.

    Args:
        network: The network; it is in evaluation mode afterwards.
        images: Images with boxes, at least one.
        size: Side of the input, in pixels.
        device: Where the network is.

    Raises:
        ImageError: An image cannot be read.
        ValueError: An image has no box, or there is none.
    """
    maps, sizes = attention_maps(network, images, size, device)
    normalised = np.stack([min_max(attention) for attention in maps])
    cuts: dict[Cut, float | None] = {"otsu": None, "set_otsu": otsu_threshold(normalised), "psynet": PSYNET_CUT}
    scores: dict[Cut, CorLocScores] = {}
    for cut in get_args(Cut):
        corloc = CorLoc()
        for image, heatmap, (width, height) in zip(images, normalised, sizes, strict=True):
            corloc.add(map_box(heatmap, width, height, cuts[cut]), image.boxes)
        scores[cut] = corloc.compute()
    return scores
