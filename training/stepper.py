"""One step of training: losses, gradients, update; and what of it a checkpoint keeps."""

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from training.build import build_network
from training.checkpoint import Checkpoint
from training.config import TrainingConfig
from training.distributed import Processes
from training.errors import TrainingError
from training.network import ColocalizationNet
from training.objective import Forward, Losses, Objective
from training.optimization import (
    clip_gradient,
    create_optimizer,
    learning_rate_factor,
    moving_average,
    set_learning_rate,
)
from training.random_states import random_states, restore_random_states

__all__ = ["Clock", "Stepper"]


@dataclass
class Clock:
    """Seconds spent in each part of an epoch's steps."""

    load: float = 0.0
    forward: float = 0.0
    backward: float = 0.0
    update: float = 0.0

    def shares(self) -> dict[str, float]:
        """Share of each part, by `<part>_share`."""
        total = max(sum(asdict(self).values()), 1e-9)
        return {f"{name}_share": seconds / total for name, seconds in asdict(self).items()}


class Stepper:
    """Network, objective and optimiser of a run.

    Attributes:
        network: The network, without what wraps it for several processes.
        average: Its moving average, in `module`, or None.
        objective: Views and losses.
    """

    def __init__(self, config: TrainingConfig, processes: Processes, device: torch.device) -> None:
        """Build the network as it is before training; `begin` follows.

        Raises:
            TrainingError: The network cannot be built.
        """
        self.config = config
        self.processes = processes
        self.device = device
        self.network = build_network(config).to(device)
        self.objective = Objective(config, self.network.backbone.mean, self.network.backbone.std, device)
        self.optimizer = create_optimizer(self.network, config.optimizer)
        self.average = moving_average(self.network, config.optimizer.ema) if config.optimizer.ema > 0 else None
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.run.amp == "fp16")
        self._forward: Forward = self.network

    def begin(self, resumed: Checkpoint | None) -> None:
        """Make ready to train, from where a checkpoint stands if there is one."""
        if resumed is not None:
            self._take_up(resumed)
        # After the weights are what they will be: the folded stages are copies.
        for network in {id(network): network for network in (self.network, self.weights)}.values():
            network.backbone.fold(network.frozen_stages)
        self._forward = self._wrap()

    @property
    def weights(self) -> ColocalizationNet:
        """The network to validate, score and keep: the moving average where there is one."""
        if self.average is None:
            return self.network
        averaged: ColocalizationNet = self.average.module  # type: ignore[assignment]
        return averaged

    def step(self, images: Tensor, batch_size: int, step: int, steps_per_epoch: int, clock: Clock) -> dict[str, float]:
        """Train one step.

        Args:
            images: This process's part of the batch, (N, 3, R, R) uint8.
            batch_size: Images of the batch, over all processes.
            step: Number of the step, from 0.
            steps_per_epoch: Steps of an epoch.
            clock: Is told where the time goes.

        Returns:
            Losses, accuracies, learning rate and norm of the gradient, by name.

        Raises:
            TrainingError: A loss is not finite.
        """
        config = self.config.optimizer
        factor = learning_rate_factor(config, step, steps_per_epoch, self.config.run.epochs)
        set_learning_rate(self.optimizer, factor)
        self.network.train()
        mark = time.perf_counter()
        losses = self._losses(self._forward, images, batch_size, step)
        parts = {name: float(self.processes.mean(value)) for name, value in losses.parts.items()}
        if not math.isfinite(parts["loss"]):
            raise TrainingError(f"the loss is not finite at step {step}: {parts}; try a lower optimizer.lr")
        clock.forward, mark = clock.forward + time.perf_counter() - mark, time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses.total).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        norm = float(clip_gradient(self.optimizer, config.grad_clip))
        clock.backward, mark = clock.backward + time.perf_counter() - mark, time.perf_counter()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.network)
        clock.update += time.perf_counter() - mark
        return {**parts, "learning_rate": config.lr * factor, "gradient_norm": norm}

    def seconds_per_step(self, batches: Sequence[Tensor], batch_size: int) -> float:
        """Measure steps on a copy of the network, which leave the run as it is; collective over processes.

        Args:
            batches: This process's parts of at least two batches; the first one warms up.
            batch_size: Images of a batch, over all processes.
        """
        states = random_states()
        network = copy.deepcopy(self.network).train()
        started = 0.0
        for index, images in enumerate(batches):
            self._losses(network, images, batch_size, 0).total.backward()  # type: ignore[no-untyped-call]
            self._synchronize()
            if index == 0:
                started = time.perf_counter()
        seconds = (time.perf_counter() - started) / (len(batches) - 1)
        restore_random_states(states)
        return float(self.processes.mean(torch.tensor(seconds, device=self.device)))

    @torch.no_grad()
    def seconds_per_look(self, images: Tensor) -> float:
        """Measure how long the network looks at an image without learning, on (N, 3, R, R) uint8."""
        states = random_states()
        network = self.weights.eval()
        shown = self.objective.views(images, self.objective.plan(len(images), seed=0)).original
        seconds = 0.0
        for _ in range(2):  # the first one warms up
            started = time.perf_counter()
            network.attend(shown.contiguous(memory_format=torch.channels_last))
            self._synchronize()
            seconds = time.perf_counter() - started
        restore_random_states(states)
        return seconds / len(images)

    def bytes_of_checkpoint(self) -> int:
        """About how large `last.pt` becomes."""
        learning = sum(value.numel() for value in self.network.parameters() if value.requires_grad)
        whole = sum(value.numel() for value in self.network.state_dict().values())
        copies = 1 if self.average is None else 2
        return 4 * int(copies * whole + learning * (2 if self.config.optimizer.name == "adamw" else 1))

    def _losses(self, forward: Forward, images: Tensor, batch_size: int, step: int) -> Losses:
        plan = self.objective.plan(batch_size, self.config.run.seed + 1_000_033 * (step + 1))
        views = self.objective.views(images, plan.part(self.processes.share(batch_size)))
        kind = torch.float16 if self.config.run.amp == "fp16" else torch.bfloat16
        with torch.autocast(self.device.type, dtype=kind, enabled=self.config.run.amp != "off"):
            return self.objective.losses(forward, views, self.processes)

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _wrap(self) -> Forward:
        if self.processes.count == 1:
            return self.network
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(self.network, device_ids=devices)

    def _take_up(self, checkpoint: Checkpoint) -> None:
        self.network.load_state_dict(checkpoint.network)
        if self.average is not None and checkpoint.average is not None:
            self.weights.load_state_dict(checkpoint.average)
            self.average.n_averaged.fill_(checkpoint.step)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.scaler.load_state_dict(checkpoint.scaler)
