"""Signals that need no box, measured on training images that are held out; one of them chooses the epoch.

The first four are of the kind that the losses work on; `transfer` (`training.set_transfer`) is not, and chooses.

`equivariance`: cosine similarity of A(T(x)) and T(A(x)) over the pixels with content. A map that shows the same blob
whatever the image can have it too, so `distinctness` takes off the similarity to T(A(y)) of the other images y.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as nnf
from torch import Tensor

from training.config import Fill, Selection
from training.geometry import pairwise_warp, validity
from training.losses import normalise_maps
from training.network import ColocalizationNet
from training.objective import Objective
from training.set_transfer import SetTransfer

__all__ = ["LOOKS", "Signals", "validate"]

_ROUNDS = 2
LOOKS = 2 * _ROUNDS + 1
"""How often the network looks at each held-out image in a validation."""

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Signals:
    """Label-free signals, means over the held-out images and their transformations.

    Attributes:
        loss: Sum of the pretext tasks' cross-entropies.
        pretext_accuracy: Accuracy, mean over the tasks, in [0, 1].
        equivariance: Similarity of A(T(x)) and T(A(x)), in [0, 1].
        distinctness: Equivariance less the similarity to other images' maps, in [-1, 1].
        transfer: How well the maps of the other images predict each map, in [-1, 1], see `training.set_transfer`.
    """

    loss: float
    pretext_accuracy: float
    equivariance: float
    distinctness: float
    transfer: float = 0.0

    def score(self, select: Selection) -> float:
        """The signal by its name, turned so that more is better."""
        value = asdict(self)[select]
        return -float(value) if select == "loss" else float(value)


@torch.no_grad()
def validate(
    network: ColocalizationNet, objective: Objective, images: Tensor, seed: int, transfer: SetTransfer | None = None
) -> Signals:
    """Measure the signals with transformations that are the same at every call.

    Args:
        network: The network; it is in evaluation mode afterwards.
        objective: Makes the views.
        images: (N, 3, R, R) uint8, N >= 2.
        seed: Seed of the views.
        transfer: The images in features of the untrained network; without them `transfer` is 0.

    Raises:
        ValueError: There are fewer than 2 images.
    """
    if images.shape[0] < 2:
        raise ValueError(f"expected at least 2 held-out images, got {images.shape[0]}")
    network.eval()
    fill = objective.config.pretext.fill
    count = images.shape[0]
    loss = accuracy = equivariance = distinctness = 0.0
    for turn in range(_ROUNDS):
        plan = objective.plan(count, seed + turn)
        originals, transformed, matrices = [], [], []
        for start in range(0, count, _BATCH):
            rows = slice(start, start + _BATCH)
            views = objective.views(images[rows], plan.part(rows))
            output = network(views.transformed.contiguous(memory_format=torch.channels_last))
            total, parts = objective.pretext_losses(output, views.labels)
            weight = views.transformed.shape[0] / count / _ROUNDS
            loss += weight * float(total)
            accuracies = [float(value) for name, value in parts.items() if name.endswith("_accuracy")]
            accuracy += weight * sum(accuracies) / len(accuracies)
            transformed.append(output.attention)
            originals.append(network.attend(views.original.contiguous(memory_format=torch.channels_last))[0])
            matrices.append(views.matrices)
        same, other = _agreement(torch.cat(originals), torch.cat(transformed), torch.cat(matrices), fill)
        equivariance += same / _ROUNDS
        distinctness += (same - other) / _ROUNDS
    return Signals(loss, accuracy, equivariance, distinctness, 0.0 if transfer is None else transfer.of(network))


def _agreement(original: Tensor, transformed: Tensor, matrices: Tensor, fill: Fill) -> tuple[float, float]:
    """Mean similarity of transformed maps to warped own maps, and to those of up to 32 other images."""
    original, transformed = normalise_maps(original), normalise_maps(transformed)
    visible = validity(matrices, (original.shape[1], original.shape[2]), fill).flatten(1)
    anchors = nnf.normalize(transformed.flatten(1) * visible, dim=1)
    count = original.shape[0]
    same, other = 0.0, 0.0
    for start in range(0, count, _BATCH):
        rows = slice(start, start + _BATCH)
        # Each chunk against itself and its successor: always another image, and memory that the set does not grow.
        columns = [index % count for index in range(start, start + 2 * _BATCH)][:count]
        warped = pairwise_warp(original[columns], matrices[rows], fill).flatten(2)
        similarity = torch.einsum(
            "np,nmp->nm", anchors[rows], nnf.normalize(warped * visible[rows].unsqueeze(1), dim=2)
        )
        own = torch.zeros_like(similarity, dtype=torch.bool)
        own[torch.arange(similarity.shape[0]), torch.arange(similarity.shape[0])] = True
        same += float(similarity[own].sum()) / count
        other += float(similarity[~own].view(similarity.shape[0], -1).mean(dim=1).sum()) / count
    return same, other
