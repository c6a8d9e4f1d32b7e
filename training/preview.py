"""Heat maps of a few held-out images and of their transformed views, for people to look at."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colocalization.heatmaps import overlay
from colocalization.maps import min_max, upsample
from training.network import ColocalizationNet
from training.objective import Objective

__all__ = ["preview"]


@torch.no_grad()
def preview(network: ColocalizationNet, objective: Objective, images: Tensor) -> NDArray[np.uint8]:
    """Views above, transformed views below, each with its attention map laid over.

    Args:
        network: The network; it is in evaluation mode afterwards.
        objective: Makes the views; the same ones at every call.
        images: (N, 3, R, R) uint8.

    Returns:
        (2 S, N S, 3) uint8.
    """
    network.eval()
    views = objective.views(images, objective.plan(images.shape[0], seed=0))
    rows = []
    for shown in (views.original, views.transformed):
        maps = network.attend(shown.contiguous(memory_format=torch.channels_last))[0].float().cpu().numpy()
        rgb = objective.to_rgb(shown)
        side = shown.shape[-1]
        rows.append([overlay(image, upsample(min_max(a), side, side)) for image, a in zip(rgb, maps, strict=True)])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
