"""The training loop."""

import copy
import logging
import math
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from training.build import build_network, choose_device
from training.checkpoint import Checkpoint, Provenance, random_states, read_checkpoint, restore_random_states
from training.config import TrainingConfig
from training.datasets import DatasetImage
from training.distributed import Processes
from training.errors import CheckpointError, TrainingError
from training.evaluate import evaluate
from training.image_cache import SquashedImages, batches, epoch_order, hold_out
from training.network import ColocalizationNet
from training.objective import Forward, Losses, Objective
from training.optimization import (
    MovingAverage,
    create_optimizer,
    gradient_norm,
    learning_rate_factor,
    set_learning_rate,
)
from training.preview import preview
from training.runlog import RunLog, peak_memory_mb, read_log
from training.validation import Signals, validate

__all__ = ["Progress", "Trainer"]

_logger = logging.getLogger(__name__)


class Progress(Protocol):
    """Is told how a run goes."""

    def step(self, step: int, total: int, losses: dict[str, float]) -> None:
        """A step is done."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""


@dataclass
class _Clock:
    """Seconds spent in each part of an epoch's steps."""

    load: float = 0.0
    forward: float = 0.0
    backward: float = 0.0
    update: float = 0.0

    def shares(self) -> dict[str, float]:
        total = max(sum(asdict(self).values()), 1e-9)
        return {f"{name}_share": seconds / total for name, seconds in asdict(self).items()}


class Trainer:
    """One training run in a folder: `log.jsonl`, `config.json`, `last.pt` (to resume), `best.pt` (to export).

    Attributes:
        config: Configuration.
        network: The network, without what wraps it for several processes.
        train: Images trained on.
        held_out: Images that choose the epoch.
        steps_per_epoch: Steps of an epoch.
        step: Steps done.
    """

    def __init__(
        self,
        config: TrainingConfig,
        images: Sequence[DatasetImage],
        folder: Path,
        *,
        labelled: Sequence[DatasetImage] = (),
        processes: Processes | None = None,
        resume: bool = False,
    ) -> None:
        """Set up a run; reads all images that fit into memory.

        Args:
            config: Configuration.
            images: Training images; one that cannot be read is left out with a warning.
            folder: Where the run is kept.
            labelled: Images with boxes, scored for the record.
            processes: Processes that share the work.
            resume: Go on from `last.pt` if it is there.

        Raises:
            TrainingError: There are too few images, the batch cannot be divided, or the network cannot be built.
            CheckpointError: The checkpoint is of another configuration or other images.
        """
        self.config = config
        self.folder = folder
        self.labelled = tuple(labelled)
        self.processes = processes or Processes()
        self.device = choose_device(config.run.device)
        if self.device.type == "cuda" and config.run.device in ("auto", "cuda") and self.processes.count > 1:
            self.device = torch.device("cuda", self.processes.rank % torch.cuda.device_count())
        _seed(config.run.seed)
        self.train, self.held_out = self._load_images(images)
        self.batch_size = min(config.run.batch_size, len(self.train) // self.processes.count * self.processes.count)
        self.rows = self.processes.share(self.batch_size)
        self.steps_per_epoch = len(self.train) // self.batch_size
        self.network = build_network(config).to(self.device)
        self.objective = Objective(config, self.network.backbone.mean, self.network.backbone.std, self.device)
        self.optimizer = create_optimizer(self.network, config.optimizer)
        self.average = MovingAverage(self.network, config.optimizer.ema) if config.optimizer.ema > 0 else None
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=config.run.amp == "fp16")
        self.step = 0
        self.chosen: tuple[int, Signals | None] = (0, None)
        self._provenance = Provenance.here()
        self._resumed = resume and self._resume()
        self._fold()
        self._forward: Forward = self._wrap()

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.config.run.epochs

    def seconds_per_step(self, steps: int = 2) -> float:
        """Measure a few steps on a copy of the network, which leave the run as it is; collective over processes."""
        states = random_states()
        network = copy.deepcopy(self.network).train()
        order = epoch_order(len(self.train), self.batch_size, 0, self.config.run.seed)
        chosen = [order[index % len(order)][self.rows] for index in range(steps + 1)]
        started = 0.0
        for index, images in enumerate(batches(self.train, chosen, 0)):
            self._losses(network, images, 0).total.backward()  # type: ignore[no-untyped-call]
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            if index == 0:  # the first one warms up
                started = time.perf_counter()
        seconds = (time.perf_counter() - started) / steps
        restore_random_states(states)
        return float(self.processes.mean(torch.tensor(seconds, device=self.device)))

    def run(self, progress: Progress) -> None:
        """Train to the end, from wherever the run stands.

        Raises:
            TrainingError: A loss is not finite, or an image cannot be read.
        """
        if not self.processes.main:
            self._run(None, progress)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(self.config.model_dump_json(indent=2) + "\n", "utf-8")
        resume_step = self.step if self._resumed else None
        if resume_step == self.total_steps and any(one["kind"] == "end" for one in read_log(self.folder / "log.jsonl")):
            progress.note(f"the run in {self.folder} is finished")
            return
        with RunLog(self.folder, resume_step=resume_step, tensorboard=self.config.run.tensorboard) as log:
            if not self._resumed:
                log.write(
                    "start",
                    0,
                    config=self.config.model_dump(mode="json"),
                    provenance=asdict(self._provenance),
                    images={"train": len(self.train), "held_out": len(self.held_out), "test": len(self.labelled)},
                    processes=self.processes.count,
                    device=str(self.device),
                )
            self._run(log, progress)

    def _run(self, log: RunLog | None, progress: Progress) -> None:
        evaluation = self.config.run.evaluate
        if log is not None and not self._resumed:
            self._validate(log, progress, 0)
            if evaluation != "never":
                self._evaluate(log, progress, 0)
        self.processes.wait()
        for epoch in range(self.step // self.steps_per_epoch, self.config.run.epochs):
            self._epoch(epoch, log, progress)
            if log is not None:
                chosen = self._validate(log, progress, epoch + 1)
                if evaluation == "epochs":
                    self._evaluate(log, progress, epoch + 1)
                if chosen:
                    # For export: without what only resuming needs, a third of the size.
                    replace(self._checkpoint(), optimizer={}, scaler={}, random={}).write(self.folder / "best.pt")
                self._checkpoint().write(self.folder / "last.pt")
            self.processes.wait()
        if log is not None:
            self._finish(log, progress)
        self.processes.wait()

    def _finish(self, log: RunLog, progress: Progress) -> None:
        epoch, signals = self.chosen
        log.write("end", self.step, chosen_epoch=epoch, signals=asdict(signals) if signals else {})
        progress.note(f"chosen: epoch {epoch}, in {self.folder / 'best.pt'}")
        if self.config.run.evaluate == "ends" and self.labelled:
            best = read_checkpoint(self.folder / "best.pt")
            self._weights().load_state_dict(best.weights)
            self._evaluate(log, progress, epoch)

    def _epoch(self, epoch: int, log: RunLog | None, progress: Progress) -> None:
        run = self.config.run
        order = epoch_order(len(self.train), self.batch_size, epoch, run.seed)[self.step % self.steps_per_epoch :]
        clock = _Clock()
        steps = len(order)
        started = mark = time.perf_counter()
        for images in batches(self.train, [batch[self.rows] for batch in order], self.config.data.workers):
            clock.load += time.perf_counter() - mark
            parts = self._train_step(images, clock)
            self.step += 1
            if log is not None:
                log.write("step", self.step, epoch=epoch + 1, **parts)
                progress.step(self.step, self.total_steps, parts)
                # At the end of an epoch the checkpoint waits for the validation.
                at_end = self.step % self.steps_per_epoch == 0
                if run.checkpoint_steps and self.step % run.checkpoint_steps == 0 and not at_end:
                    self._checkpoint().write(self.folder / "last.pt")
            mark = time.perf_counter()
        if log is not None:
            seconds = time.perf_counter() - started
            log.write(
                "epoch",
                self.step,
                epoch=epoch + 1,
                seconds=seconds,
                images_per_second=steps * self.batch_size / max(seconds, 1e-9),
                peak_memory_mb=peak_memory_mb(),
                **clock.shares(),
            )

    def _train_step(self, images: Tensor, clock: _Clock) -> dict[str, float]:
        config = self.config.optimizer
        factor = learning_rate_factor(config, self.step, self.steps_per_epoch, self.config.run.epochs)
        set_learning_rate(self.optimizer, factor)
        self.network.train()
        mark = time.perf_counter()
        losses = self._losses(self._forward, images, self.step)
        parts = {name: float(self.processes.mean(value)) for name, value in losses.parts.items()}
        if not math.isfinite(parts["loss"]):
            raise TrainingError(f"the loss is not finite at step {self.step}: {parts}; try a lower optimizer.lr")
        clock.forward, mark = clock.forward + time.perf_counter() - mark, time.perf_counter()
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(losses.total).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        norm = float(gradient_norm(self.optimizer, config.grad_clip))
        clock.backward, mark = clock.backward + time.perf_counter() - mark, time.perf_counter()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.network)
        clock.update += time.perf_counter() - mark
        return {**parts, "learning_rate": config.lr * factor, "gradient_norm": norm}

    def _losses(self, forward: Forward, images: Tensor, step: int) -> Losses:
        plan = self.objective.plan(self.batch_size, self.config.run.seed + 1_000_033 * (step + 1)).part(self.rows)
        views = self.objective.views(images, plan)
        kind = torch.float16 if self.config.run.amp == "fp16" else torch.bfloat16
        with torch.autocast(self.device.type, dtype=kind, enabled=self.config.run.amp != "off"):
            return self.objective.losses(forward, views, self.processes)

    def _validate(self, log: RunLog, progress: Progress, epoch: int) -> bool:
        """Measure the signals; whether this epoch is the one to keep so far."""
        select = self.config.run.select
        if len(self.held_out) < 2:
            self.chosen = (epoch, None)
            return epoch > 0
        images = torch.stack([self.held_out[index] for index in range(len(self.held_out))])
        network = self._weights()
        signals = validate(network, self.objective, images, self.config.run.seed)
        log.write("validation", self.step, epoch=epoch, **asdict(signals))
        log.image("attention", preview(network, self.objective, images[:8]), self.step)
        progress.note(
            f"epoch {epoch}: held-out loss {signals.loss:.3f}, pretext accuracy {signals.pretext_accuracy:.3f}, "
            f"equivariance {signals.equivariance:.3f}, distinctness {signals.distinctness:.3f}"
        )
        best = self.chosen[1]
        # The untrained network is recorded, but never chosen: nothing would have been trained.
        if epoch == 0 or (select != "last" and best is not None and signals.score(select) <= best.score(select)):
            return False
        self.chosen = (epoch, signals)
        return True

    def _evaluate(self, log: RunLog, progress: Progress, epoch: int) -> None:
        if not self.labelled:
            return
        for cut, scores in evaluate(self._weights(), self.labelled, self.config.data.crop, self.device).items():
            at = {f"corloc_{threshold:g}": value for threshold, value in scores.at.items()}
            log.write("evaluation", self.step, epoch=epoch, cut=cut, **at, mean=scores.mean, missing=scores.missing)
            progress.note(f"epoch {epoch}, test images, cut {cut}: {scores}")

    def _weights(self) -> ColocalizationNet:
        return self.network if self.average is None else self.average.network

    def _fold(self) -> None:
        networks = [self.network] if self.average is None else [self.network, self.average.network]
        for network in networks:
            network.backbone.fold(network.frozen_stages)

    def _wrap(self) -> Forward:
        if self.processes.count == 1:
            return self.network
        devices = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(self.network, device_ids=devices)

    def _load_images(self, images: Sequence[DatasetImage]) -> tuple[SquashedImages, SquashedImages]:
        data = self.config.data
        everything = SquashedImages(images, data.resize, data.cache_mb)
        if everything.fits_cache:
            failed = everything.unreadable()
            for _, reason in failed:
                _logger.warning("%s", reason)
            bad = {image.name for image, _ in failed}
            images = [image for image in images if image.name not in bad]
        train, held = hold_out(images, data.held_out, self.config.run.seed)
        if len(train) < self.processes.count:
            raise TrainingError(f"{len(train)} training images are too few for {self.processes.count} processes")
        return everything.part(train), everything.part(held)

    def _checkpoint(self) -> Checkpoint:
        epoch, signals = self.chosen
        return Checkpoint(
            config=self.config,
            step=self.step,
            epoch=self.step // self.steps_per_epoch,
            network=self.network.state_dict(),
            average=None if self.average is None else self.average.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(),
            random=random_states(),
            images=[image.name for image in self.train.images],
            signals=asdict(signals) if signals else {},
            chosen_epoch=epoch,
            provenance=self._provenance,
        )

    def _resume(self) -> bool:
        path = self.folder / "last.pt"
        if not path.is_file():
            return False
        checkpoint = read_checkpoint(path)
        # What is recorded may change between the parts of a run; what is trained may not, nor for how long.
        if _essence(checkpoint.config) != _essence(self.config):
            raise CheckpointError(f"{path} is of a run with other settings; resume with those, or train elsewhere")
        if checkpoint.images != [image.name for image in self.train.images]:
            raise CheckpointError(
                f"{path} was trained on {len(checkpoint.images)} other images than the {len(self.train)} found here"
            )
        self.network.load_state_dict(checkpoint.network)
        if self.average is not None and checkpoint.average is not None:
            self.average.network.load_state_dict(checkpoint.average)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.scaler.load_state_dict(checkpoint.scaler)
        self.step = checkpoint.step
        signals = Signals(**checkpoint.signals) if checkpoint.signals else None
        self.chosen = (checkpoint.chosen_epoch, signals)
        restore_random_states(checkpoint.random)
        return True


def _essence(config: TrainingConfig) -> TrainingConfig:
    """The configuration less what may differ between the parts of one run."""
    kept = {"checkpoint_steps": 0, "device": "auto", "tensorboard": False, "evaluate": "never"}
    data = {"cache_mb": 0, "workers": 0}
    return config.model_copy(
        update={"run": config.run.model_copy(update=kept), "data": config.data.model_copy(update=data)}
    )


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries draw from it)
    torch.manual_seed(seed)
