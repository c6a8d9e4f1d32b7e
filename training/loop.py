"""A training run in a folder: set up, trained epoch by epoch, taken up again, ended."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from colocalization.files import write_atomically
from training.batches import batches, epoch_order
from training.build import choose_device
from training.checkpoint import Checkpoint, read_checkpoint
from training.config import TrainingConfig
from training.datasets import DatasetImage
from training.distributed import Processes
from training.evaluate import evaluate, readable_images
from training.preview import preview
from training.provenance import Provenance
from training.random_states import random_states, restore_random_states, seed_everything
from training.resume import find_checkpoint
from training.run_images import prepare_images
from training.run_progress import RunProgress, SilentProgress
from training.runlog import RunLog, peak_memory_mb, read_log
from training.selection import Choice, EpochChooser
from training.stepper import Clock, Stepper
from training.validation import Signals

__all__ = ["Trainer"]

_PREVIEWED = 8


class Trainer:
    """One training run in a folder: `log.jsonl`, `config.json`, `last.pt` (to resume), `best.pt` (to export).

    Attributes:
        config: Configuration.
        images: The images trained on, held out, and left out.
        labelled: Images with boxes, scored for the record.
        batch_size: Images a step, over all processes.
        steps_per_epoch: Steps of an epoch.
        step: Steps done.
        stepper: Network and optimiser.
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
        progress: RunProgress | None = None,
    ) -> None:
        """Set up a run; reads all images that fit into memory.

        Args:
            config: Configuration.
            images: Training images; one that cannot be read is left out with a warning, now or when it turns up.
            folder: Where the run is kept.
            labelled: Images with boxes, scored for the record.
            processes: Processes that share the work.
            resume: Go on from `last.pt` if it is there.
            progress: Is told how it goes.

        Raises:
            TrainingError: There are too few images, the batch cannot be divided, or the network cannot be built.
            CheckpointError: The checkpoint is of another configuration or other images.
        """
        self.config = config
        self.folder = folder
        self.labelled = tuple(labelled)
        self._checked = False
        self.processes = processes or Processes()
        self.progress = progress or SilentProgress()
        self.device = choose_device(config.run.device)
        if self.device.type == "cuda" and config.run.device in ("auto", "cuda") and self.processes.count > 1:
            self.device = torch.device("cuda", self.processes.rank % torch.cuda.device_count())
        seed_everything(config.run.seed)
        checkpoint = find_checkpoint(folder, config) if resume else None
        self.images = prepare_images(images, config, self.progress, checkpoint)
        count = len(self.images.train)
        self.batch_size = min(config.run.batch_size, count // self.processes.count * self.processes.count)
        self.processes.check_share(count, self.batch_size)
        self.steps_per_epoch = count // self.batch_size
        self.stepper = Stepper(config, self.processes, self.device)
        held_out = self.images.held_out.together() if self.processes.main else torch.empty(0)
        self.chooser = EpochChooser(config.run.select, self.stepper.objective, held_out, config.run.seed)
        self.chooser.look_before_training(self.stepper.network)
        self._previewed = held_out[:_PREVIEWED]
        self.step = 0
        self._provenance = Provenance.here()
        self._resumed = checkpoint is not None
        self.stepper.begin(checkpoint)
        if checkpoint is not None:
            self.step = checkpoint.step
            signals = Signals(**checkpoint.signals) if checkpoint.signals else None
            self.chooser.choice = Choice(checkpoint.chosen_epoch, signals)
            restore_random_states(checkpoint.random)

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.config.run.epochs

    def run(self) -> None:
        """Train to the end, from wherever the run stands.

        Raises:
            TrainingError: A loss is not finite, or no image can be read any more.
            OSError: The run's folder cannot be written.
        """
        if not self.processes.main:
            self._run(None)
            return
        config = self.config.model_dump_json(indent=2) + "\n"
        write_atomically(self.folder / "config.json", config.encode())
        resume_step = self.step if self._resumed else None
        kinds = [record["kind"] for record in read_log(self.folder / "log.jsonl")] if self._resumed else []
        if resume_step == self.total_steps and "end" in kinds:
            self.progress.note(f"the run in {self.folder} is finished")
            return
        with RunLog(self.folder, resume_step=resume_step, tensorboard=self.config.run.tensorboard) as log:
            if not self._resumed:
                log.write(
                    "start",
                    0,
                    config=self.config.model_dump(mode="json"),
                    provenance=asdict(self._provenance),
                    images={
                        "train": len(self.images.train),
                        "held_out": len(self.images.held_out),
                        "test": len(self.labelled),
                        "left_out": len(self.images.left_out),
                    },
                    processes=self.processes.count,
                    device=str(self.device),
                )
            self._run(log)

    def _run(self, log: RunLog | None) -> None:
        evaluation = self.config.run.evaluate
        if log is not None and not self._resumed:
            self._judge(log, 0)
            if evaluation != "never":
                self._evaluate(log, 0)
        self.processes.wait()
        for epoch in range(self.step // self.steps_per_epoch, self.config.run.epochs):
            self._epoch(epoch, log)
            if log is not None:
                self._judge(log, epoch + 1)
                if evaluation == "epochs":
                    self._evaluate(log, epoch + 1)
                self._checkpoint().write(self.folder / "last.pt")
            self.processes.wait()
        if log is not None:
            if not self.config.run.epochs:
                self._checkpoint().write(self.folder / "last.pt")  # as at the end of an epoch
            self._finish(log)
        self.processes.wait()

    def _epoch(self, epoch: int, log: RunLog | None) -> None:
        run = self.config.run
        order = epoch_order(len(self.images.train), self.batch_size, epoch, run.seed)
        order = order[self.step % self.steps_per_epoch :]
        rows = self.processes.share(self.batch_size)
        clock = Clock()
        started = mark = time.perf_counter()
        for images in batches(self.images.train, [batch[rows] for batch in order], self.config.data.workers):
            clock.load += time.perf_counter() - mark
            parts = self.stepper.step(images, self.batch_size, self.step, self.steps_per_epoch, clock)
            self.step += 1
            if log is not None:
                log.write("step", self.step, epoch=epoch + 1, **parts)
                self.progress.step(self.step, self.total_steps, parts)
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
                images_per_second=len(order) * self.batch_size / max(seconds, 1e-9),
                peak_memory_mb=peak_memory_mb(),
                **clock.shares(),
            )

    def _judge(self, log: RunLog, epoch: int) -> None:
        """Measure the signals of an epoch, and keep it if it is the best so far."""
        signals, better = self.chooser.judge(self.stepper.weights, epoch)
        if signals is not None:
            log.write("validation", self.step, epoch=epoch, **asdict(signals))
            log.image("attention", preview(self.stepper.weights, self.stepper.objective, self._previewed), self.step)
            self.progress.note(
                f"epoch {epoch}: held-out loss {signals.loss:.3f}, pretext accuracy {signals.pretext_accuracy:.3f}, "
                f"equivariance {signals.equivariance:.3f}, distinctness {signals.distinctness:.3f}, "
                f"transfer {signals.transfer:.3f}"
            )
        if better:
            # For export: without what only resuming needs, a third of the size.
            replace(self._checkpoint(), optimizer={}, scaler={}, random={}).write(self.folder / "best.pt")

    def _evaluate(self, log: RunLog, epoch: int) -> None:
        if not self._checked:
            self.labelled, self._checked = readable_images(self.labelled), True
        if not self.labelled:
            return
        found = evaluate(self.stepper.weights, self.labelled, self.config.data.crop, self.device)
        for cut, scores in found.items():
            at = {f"corloc_{threshold:g}": value for threshold, value in scores.at.items()}
            log.write("evaluation", self.step, epoch=epoch, cut=cut, **at, mean=scores.mean, missing=scores.missing)
            self.progress.note(f"epoch {epoch}, test images, cut {cut}: {scores}")

    def _finish(self, log: RunLog) -> None:
        choice = self.chooser.choice
        log.write("end", self.step, chosen_epoch=choice.epoch, signals=choice.to_json())
        if self.config.run.epochs:
            self.progress.note(f"chosen: epoch {choice.epoch}, in {self.folder / 'best.pt'}")
        if self.config.run.epochs and choice.epoch == 0:
            self.progress.note(
                f"no epoch is better by {self.config.run.select} than the network before training, which is kept"
            )
        if self.config.run.evaluate == "ends" and self.labelled and choice.epoch > 0:
            best = read_checkpoint(self.folder / "best.pt")
            self.stepper.weights.load_state_dict(best.weights)
            self._evaluate(log, choice.epoch)

    def _checkpoint(self) -> Checkpoint:
        stepper, choice = self.stepper, self.chooser.choice
        return Checkpoint(
            config=self.config,
            step=self.step,
            epoch=self.step // self.steps_per_epoch,
            network=stepper.network.state_dict(),
            average=None if stepper.average is None else stepper.weights.state_dict(),
            optimizer=stepper.optimizer.state_dict(),
            scaler=stepper.scaler.state_dict(),
            random=random_states(),
            images=[image.name for image in self.images.train.images],
            signals=choice.to_json(),
            chosen_epoch=choice.epoch,
            provenance=self._provenance,
            held_out=[image.name for image in self.images.held_out.images],
            left_out=list(self.images.left_out),
        )
