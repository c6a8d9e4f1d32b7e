"""A label-free signal that no loss optimises: do the maps of some images of the set predict those of the others?

The maps are judged in features of the network as it was before training, which training cannot bend to its maps. Each
map says what is foreground and what is background; the difference of their mean features over all images but one is a
direction, and the cells of the one left out, projected on it, are a map that the rest of the set predicts for it. The
signal is the correlation of that with the map itself, the mean over the images. Maps on what the images share have a
high one; maps on what each image has alone, and maps of the same blob everywhere, a lower one. A map and its
inverse have the same: what is told apart is the same, and which side of it is the object is not seen.
"""

import torch
from torch import Tensor

from colocalization.common_object import sample_indices
from training.losses import normalise_maps
from training.network import ColocalizationNet
from training.objective import Objective

__all__ = ["SetTransfer", "transfer"]

_BATCH = 32
_MOST = 128
_EPS = 1e-6


class SetTransfer:
    """The held-out images in features of the untrained network.

    Attributes:
        images: (N, 3, R, R) uint8, at most 128 of the held-out images, spread over them.
    """

    def __init__(self, untrained: ColocalizationNet, objective: Objective, images: Tensor) -> None:
        """Look at the images with the untrained network.

        Args:
            untrained: The network before training; it is in evaluation mode afterwards.
            objective: Normalises the images.
            images: (N, 3, R, R) uint8, N >= 2.
        """
        self._objective = objective
        self.images = images[torch.as_tensor(sample_indices(len(images), _MOST))]
        self._features = self._look(untrained)[1]

    def of(self, network: ColocalizationNet) -> float:
        """The signal of a network's maps, in [-1, 1]; the network is in evaluation mode afterwards."""
        return transfer(self._look(network)[0], self._features)

    @torch.no_grad()
    def _look(self, network: ColocalizationNet) -> tuple[Tensor, Tensor]:
        network.eval()
        maps, features = [], []
        for start in range(0, len(self.images), _BATCH):
            shown = self._objective.whole(self.images[start : start + _BATCH])
            attention, found = network.attend(shown.contiguous(memory_format=torch.channels_last))
            maps.append(attention.float().cpu())
            features.append(found.float().cpu())
        return torch.cat(maps), torch.cat(features)


def transfer(maps: Tensor, features: Tensor) -> float:
    """Mean correlation of each map with the one that the other images' maps predict.

    Args:
        maps: (N, h, w) float, not normalised, N >= 2; a map without a shape counts 0.
        features: (N, C, h, w) float, of the same images.

    Returns:
        In [-1, 1].

    Example:
        >>> square = torch.zeros(2, 4, 4)
        >>> square[0, :2, :2] = square[1, 2:, 2:] = 1
        >>> round(transfer(square, square.unsqueeze(1)), 6)  # one channel, which shows the squares
        1.0
    """
    normalised = normalise_maps(maps).flatten(1)
    cells = torch.nn.functional.normalize(features.flatten(2), dim=1)  # (N, C, P): directions, not magnitudes
    foreground = torch.einsum("ncp,np->nc", cells, normalised) / (normalised.sum(1, keepdim=True) + _EPS)
    background = torch.einsum("ncp,np->nc", cells, 1 - normalised) / ((1 - normalised).sum(1, keepdim=True) + _EPS)
    directions = foreground - background
    others = (directions.sum(0, keepdim=True) - directions) / (len(maps) - 1)
    predicted = torch.einsum("ncp,nc->np", cells, others)
    return float(_correlation(normalised, predicted).mean())


def _correlation(first: Tensor, second: Tensor) -> Tensor:
    """Correlation of each row, 0 where either is constant."""
    first, second = first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True)
    scale = first.norm(dim=1) * second.norm(dim=1)
    return torch.where(scale > _EPS**2, (first * second).sum(1) / scale.clamp(min=_EPS**2), 0.0)
