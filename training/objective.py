"""What a step trains: the pretext tasks' cross-entropies plus lambda times the contrastive attention map loss."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as nnf
from numpy.typing import NDArray
from torch import Tensor

from training.backbones import Colour
from training.config import Task, TrainingConfig
from training.distributed import Processes
from training.geometry import sample_views, view_matrices
from training.losses import MapPair, feature_contrast, map_contrast
from training.network import TrainingOutput
from training.pretext import PretextTasks

__all__ = ["Forward", "Losses", "Objective", "Plan", "Views"]


class Forward(Protocol):
    """The network, or what wraps it for several processes."""

    def __call__(self, images: Tensor) -> TrainingOutput:
        """Run it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is random about a batch.

    Attributes:
        labels: (N,) int64 for each pretext task.
        offsets: (N, 2) float in [-1, 1], where the views are cut.
        mirrored: (N,) bool, whether they are mirrored.
    """

    labels: dict[Task, Tensor]
    offsets: Tensor
    mirrored: Tensor

    def part(self, rows: slice) -> "Plan":
        """The plan of a part of the batch."""
        labels = {task: values[rows] for task, values in self.labels.items()}
        return Plan(labels, self.offsets[rows], self.mirrored[rows])


@dataclass(frozen=True, slots=True)
class Views:
    """The network's inputs.

    Attributes:
        original: (N, 3, S, S) float, the views x.
        transformed: (N, 3, S, S) float, x' = T(x).
        matrices: (N, 3, 3) float, the transformations T.
        labels: (N,) int64 for each pretext task.
    """

    original: Tensor
    transformed: Tensor
    matrices: Tensor
    labels: dict[Task, Tensor]


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of a batch.

    Attributes:
        total: Scalar with gradient.
        parts: Scalars by name, without gradients: each task's cross-entropy and accuracy, each contrastive form.
    """

    total: Tensor
    parts: dict[str, Tensor]


class Objective:
    """Makes views of images and the losses of the network on them."""

    def __init__(
        self,
        config: TrainingConfig,
        mean: Colour,
        std: Colour,
        device: torch.device,
    ) -> None:
        self.config = config
        self.tasks = PretextTasks(config.pretext.tasks)
        self._mean = torch.tensor(mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(std, device=device).view(1, 3, 1, 1)
        self._device = device
        data = config.data
        self._extent, self._slack = data.crop / data.resize, 1 - data.crop / data.resize
        if config.pretext.fill == "crop":
            reach = self.tasks.reach()
            self._extent = min(self._extent, 1 / reach)
            self._slack = max(0.0, 1 - self._extent * reach)

    def plan(self, count: int, seed: int) -> Plan:
        """Draw what is random about a batch; the same for the same seed, however many processes share the batch."""
        generator = torch.Generator().manual_seed(seed)
        labels = self.tasks.draw(count, generator)
        # Whole pixels, so that a view that is not transformed is cut out without interpolation.
        spare = max(self.config.data.resize - self.config.data.crop, 1)
        offsets = torch.randint(spare + 1, (count, 2), generator=generator) * (2 / spare) - 1
        mirrored = torch.rand(count, generator=generator) < (0.5 if self.config.data.mirror else 0.0)
        return Plan(labels, offsets, mirrored)

    def views(self, images: Tensor, plan: Plan) -> Views:
        """Cut and transform.

        Args:
            images: (N, 3, R, R) uint8.
            plan: Plan of these images.
        """
        device, data, fill = self._device, self.config.data, self.config.pretext.fill
        normalised = (images.to(device).float() / 255 - self._mean) / self._std
        cut = view_matrices(plan.offsets.to(device), plan.mirrored.to(device), self._extent, self._slack)
        matrices = self.tasks.matrices(plan.labels).to(device)
        identity = torch.eye(3, device=device).expand_as(matrices)
        return Views(
            sample_views(normalised, cut, identity, data.crop, fill),
            sample_views(normalised, cut, matrices, data.crop, fill),
            matrices,
            {task: values.to(device) for task, values in plan.labels.items()},
        )

    def whole(self, images: Tensor) -> Tensor:
        """Whole images as the network sees them at test: (N, 3, R, R) uint8 to (N, 3, S, S) float, normalised."""
        normalised = (images.to(self._device).float() / 255 - self._mean) / self._std
        side = self.config.data.crop
        return nnf.interpolate(normalised, (side, side), mode="bilinear", antialias=True)

    def to_rgb(self, images: Tensor) -> NDArray[np.uint8]:
        """Undo the normalisation: (N, 3, S, S) float to (N, S, S, 3) uint8."""
        rgb = ((images * self._std + self._mean) * 255).round().clamp(0, 255).to(torch.uint8)
        return rgb.permute(0, 2, 3, 1).cpu().numpy()

    def losses(self, network: Forward, views: Views, processes: Processes) -> Losses:
        """Losses of the network on a batch.

        The untransformed views go through the network only where the contrastive loss needs them, in one batch with the
        transformed ones.

        Args:
            network: The network, in training mode.
            views: This process's views.
            processes: Where the contrastive loss finds the other processes' images.
        """
        count = views.transformed.shape[0]
        config = self.config.loss
        images = torch.cat([views.transformed, views.original]) if config.active else views.transformed
        output = network(images.contiguous(memory_format=torch.channels_last))
        total, parts = self.pretext_losses(output, views.labels)
        if config.active:
            maps, features = output.attention.float(), output.features.float()
            first = processes.rank * count
            pair = MapPair(maps[count:], maps[:count], views.matrices, self.config.pretext.fill, first)
            if config.map_weight > 0:
                loss = map_contrast(pair, config, gather=processes.gather)
                total, parts["map_contrast"] = total + config.map_weight * loss, loss.detach()
            if config.feature_weight > 0:
                loss = feature_contrast(pair, features[count:], features[:count], config, gather=processes.gather)
                total, parts["feature_contrast"] = total + config.feature_weight * loss, loss.detach()
        parts["loss"] = total.detach()
        return Losses(total, parts)

    def pretext_losses(self, output: TrainingOutput, labels: dict[Task, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum of the tasks' cross-entropies over the first rows of an output, with each task's part and accuracy."""
        total = output.attention.new_zeros(())
        parts: dict[str, Tensor] = {}
        for task, truth in labels.items():
            logits = output.logits[task][: truth.shape[0]].float()
            loss = nnf.cross_entropy(logits, truth)
            total = total + loss
            parts[f"{task}_loss"] = loss.detach()
            parts[f"{task}_accuracy"] = (logits.argmax(dim=1) == truth).float().mean()
        return total, parts
