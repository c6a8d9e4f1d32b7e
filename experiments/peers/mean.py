"""The class-agnostic activation map with PsyNet's cut (Baek, Lee, Shim, AAAI 2020).

The mean of the feature map over its channels, min-max normalised and upsampled to the network's input; coloured with
matplotlib's "jet", turned to 8-bit grey with OpenCV's weights, cut above 0.2 of the largest grey value; the box of the
contour of largest area. Jet's grey value rises up to 0.64 of the map and falls beyond, so that the hottest pixels can
drop out; contours close over such holes. On most maps the rule cuts at about 0.15 of the normalised map.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from colocalization.maps import min_max
from experiments.peers.base import Finder, Found, Observation
from training.datasets import BoxTuple

__all__ = ["ChannelMean", "grey_jet", "psynet_box"]

_STRIDE = 16


class ChannelMean:
    """Mean over the channels of the head's feature map, which is after a ReLU, as PsyNet's is."""

    def fit(self, observations: Sequence[Observation]) -> Finder:  # noqa: ARG002  (nothing to learn)
        """Nothing to learn."""

        def find(seen: Observation) -> Found:
            side = seen.head.shape[0] * _STRIDE
            box = psynet_box(seen.head, side)
            if box is not None:
                across, down = seen.width / side, seen.height / side
                box = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
            return Found(box, seen.head)

        return find


def grey_jet(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Grey value of matplotlib's "jet".

    Args:
        values: Array of any shape in [0, 1].

    Returns:
        uint8 [0, 255] of the same shape.

    Example:
        >>> grey_jet(np.array([0.0, 0.15, 0.64, 1.0])).tolist()
        [14, 43, 221, 38]
    """
    index = np.minimum((values * 256).astype(np.intp), 255)
    return _grey_table()[index]


@cache
def _grey_table() -> NDArray[np.uint8]:
    colours = (mpl.colormaps["jet"](np.arange(256))[:, :3].astype(np.float32) * 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(colours[None], cv2.COLOR_RGB2GRAY)[0], dtype=np.uint8)


def psynet_box(heatmap: NDArray[np.float32], side: int) -> BoxTuple | None:
    """Box of a map by PsyNet's rule.

    Args:
        heatmap: (h, w) float32 map of any range.
        side: Side of the network's input, in pixels.

    Returns:
        Half-open box in pixels of the input; None where no pixel is above the cut, as in a constant map.
    """
    normalised = min_max(heatmap)
    if not normalised.any():
        return None
    upsampled = cv2.resize(normalised, (side, side), interpolation=cv2.INTER_LINEAR)
    grey = grey_jet(min_max(upsampled))
    _, mask = cv2.threshold(grey, int(0.2 * int(grey.max())), 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    x, y, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    return float(x), float(y), float(x + width), float(y + height)
