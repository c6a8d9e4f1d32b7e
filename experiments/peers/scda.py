"""Selective convolutional descriptor aggregation (Wei, Luo, Wu, Zhou, TIP 2017), its localization.

The activations summed over the channels, cut at their mean over the image; the largest component. The mean stands for
the sum, which is the same cut.
"""

from collections.abc import Sequence

from experiments.peers.base import Finder, Found, Observation, cut_box

__all__ = ["SelectedDescriptors"]


class SelectedDescriptors:
    """SCDA on the head's feature map, which is after a ReLU, as the paper's is."""

    def fit(self, observations: Sequence[Observation]) -> Finder:  # noqa: ARG002  (nothing to learn)
        """Nothing to learn."""

        def find(seen: Observation) -> Found:
            return Found(cut_box(seen.head, float(seen.head.mean()), seen.width, seen.height), seen.head)

        return find
