"""What a worker does: it loads the model once, and takes parts of the set through the pipeline one by one."""

import io
import json
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import CommonObject
from colocalization.files import write_atomically
from colocalization.results import Mode
from scoring.engines.set_parts import PART_FOLDER, SetPart
from scoring.fetching import fetched
from scoring.formats.parquet import write_parquet
from scoring.loading import load
from scoring.pipeline import PipelineSizes, run_pipeline
from scoring.plan import PlannedImage
from scoring.predictions import Prediction
from scoring.run_options import MachineOptions, ScoreOptions
from scoring.stages import Basis, ImageInWork, Stages
from scoring.stores.remote_store import store_of
from scoring.stores.urls import is_url, joined, without_secrets
from scoring.summary import ScoreSummary

__all__ = ["PartScorer", "ScoringJob", "put_result"]


@dataclass(frozen=True, slots=True)
class ScoringJob:
    """What all workers are told, once.

    Attributes:
        out: Folder of the results, or its URL.
        mode: What the boxes are found by.
        common: The common object, as `CommonObject.to_bytes` gives it; None for mode `attention`.
        model: Content of the model file; None: one in the box.
        prior: Name and content of the file of a prior from outside; None: there is none.
        max_boxes: Most boxes an image; 0: all.
        machine: How one worker does its work.
        on_gpu: Whether it has a GPU.
    """

    out: str
    mode: Mode
    common: bytes | None
    model: bytes | None
    prior: tuple[str, bytes] | None
    max_boxes: int
    machine: MachineOptions
    on_gpu: bool


class PartScorer:
    """A worker, as `Dataset.map_batches` takes it."""

    def __init__(self, job: ScoringJob) -> None:
        self._job = job
        with tempfile.TemporaryDirectory(prefix="colocalize-") as folder:
            model = prior = None
            if job.model is not None:
                model = Path(folder, "model.onnx")
                model.write_bytes(job.model)
            if job.prior is not None:
                prior = Path(folder, "prior", job.prior[0])  # its name may tell its kind
                prior.parent.mkdir()
                prior.write_bytes(job.prior[1])
            localizer = load(replace(job.machine, model=model, prior=prior))
        batch = job.machine.batch_size if job.on_gpu else 1
        # Two threads that decode and finish keep one core busy while the other waits for a file.
        self._sizes = PipelineSizes(batch, 1, job.machine.workers or 2)
        self._stages = Stages(localizer, ScoreOptions(mode=job.mode, max_boxes=job.max_boxes, sizes=self._sizes))
        common = None if job.common is None else CommonObject.from_bytes(job.common)
        self._basis = Basis(common)

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Work on parts; what goes wrong with one is told, and ends nothing.

        Args:
            batch: `part`: texts of `SetPart.to_json`.

        Returns:
            For each: its `name`, its `summary` as JSON, and why it has `failed`, or an empty text.
        """
        names, summaries, failures = [], [], []
        for text in batch["part"]:
            part = SetPart.from_json(str(text))
            failed, summary = "", "{}"
            try:
                summary = self._score(part)
            except Exception as error:  # of a store, a disk, the network: the next run tries this part again
                failed = without_secrets(f"{type(error).__name__}: {error}")
            names.append(part.name)
            summaries.append(summary)
            failures.append(failed)
        return {"name": np.array(names), "summary": np.array(summaries), "failed": np.array(failures)}

    def _score(self, part: SetPart) -> str:
        images = [PlannedImage(file, hint=part.hints.get(file.name)) for file in part.files]
        summary = ScoreSummary(self._job.mode)
        predictions: list[Prediction] = []

        def finish(image: ImageInWork) -> Prediction:
            return self._stages.finish(image, self._basis).prediction

        limits = self._stages.localizer.limits
        with (
            closing(fetched(images, limits)) as contents,
            closing(run_pipeline(contents, self._stages.prepare, self._stages.infer, finish, self._sizes)) as found,
        ):
            for prediction in found:
                summary.add(prediction)
                predictions.append(prediction)
        content = io.BytesIO()
        write_parquet(content, predictions, summary.counts())
        put_result(self._job.out, f"{PART_FOLDER}/{part.name}", content.getvalue())
        return json.dumps(summary.counts())


def put_result(out: str, name: str, content: bytes) -> None:
    """Write a file of the results, whole, into a folder or a store.

    Raises:
        OSError: It cannot be written.
    """
    if is_url(out):
        url = joined(out, name)
        store_of(url).write(url, content)
    else:
        write_atomically(Path(out, name), content)
