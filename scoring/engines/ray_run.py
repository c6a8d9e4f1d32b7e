"""The engine `ray`: one set on many machines, by Ray Data.

The driver lists the images, estimates the common object from a sample, cuts the set into parts and reads what came of
them. Ray Data hands the parts to workers, one a core or GPU, replaces those that die, and gives their parts to others.
A part is written whole under a name that is made of all that its content depends on: those that are there need not be
made again, whoever made them, and one that is made twice is still there once.
"""

import hashlib
import json
import logging
import os
import socket
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from colocalization._version import __version__
from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.listing import STATE_FOLDER, ImageFile
from colocalization.localizer import Localizer
from colocalization.sampling import choose_sample
from scoring.engines.part_files import PartFiles
from scoring.engines.part_scorer import PartScorer, ScoringJob
from scoring.engines.set_parts import PART_FOLDER, SetPart, cut_set
from scoring.fitted_sample import fit_sample
from scoring.formats.parquet import need_pyarrow
from scoring.hinting import digest_hints
from scoring.journal import digest_files
from scoring.plan import PlannedImage
from scoring.predictions import encode_prediction
from scoring.progress import ProgressDisplay
from scoring.run_options import MachineOptions, RayOptions, ScoreOptions
from scoring.scorer import OBJECT_FILE
from scoring.stages import ImageInWork, Stages
from scoring.stores.urls import without_secrets
from scoring.summary import ScoreSummary

if TYPE_CHECKING:
    import ray.data

__all__ = ["need_ray", "score_on_ray"]

_PARTS_AT_ONCE = 4096
"""Parts that Ray holds at a time, about a million images: the memory of its store does not grow with the set."""

_REACHED_WITHIN_S = 10.0
"""How long a cluster may take to answer a connection."""

_STORE_BYTES = 256 * 2**20
"""Memory of Ray's own object store where we start it: all that passes through it are lists of names."""

_UNREACHABLE = (ConnectionError, RuntimeError, ValueError, TimeoutError)
"""What Ray raises where a cluster cannot be used."""

_DEATHS = 3
"""How many workers one part may cost before it is given up: one that kills every worker must not run for ever."""


def need_ray() -> None:
    """Check that Ray and what else this engine needs is installed.

    Raises:
        OSError: A package is missing; the message names the extra that brings it.
    """
    need_pyarrow()
    try:
        import ray.data  # noqa: F401
    except ImportError as error:
        missing = (error.name or "ray").partition(".")[0]
        raise OSError(
            f"--engine ray needs the package {missing!r}; install it with: pip install 'colocalize[ray]'"
        ) from None


def score_on_ray(
    files: Sequence[ImageFile],
    localizer: Localizer,
    out: str,
    options: ScoreOptions,
    machine: MachineOptions,
    ray_options: RayOptions,
    progress: ProgressDisplay,
) -> ScoreSummary:
    """Score files into `OUT/predictions/`, Parquet files of a part of the set each.

    Args:
        files: At least one file, with names of their own, in the order of the results.
        localizer: The model, of the driver; workers load their own.
        out: Folder of the results, which all workers can reach, or its URL.
        options: What to do with the images; drawings and other formats than Parquet and `jsonl` are not made.
        machine: How one worker does its work.
        ray_options: Where.
        progress: Shows how far it has come.

    Returns:
        What came of it.

    Raises:
        OSError: The cluster cannot be reached, or parts are missing in the end; the same run goes on with those.
    """
    began = time.monotonic()
    place = PartFiles(out)
    common, mode = _basis(files, localizer, options, place, progress)
    options = replace(options, mode=mode, common=common, hints=options.hints if mode == "common" else {})
    settings = _settings(localizer, options, machine)
    parts = list(cut_set(files, options.hints, settings, images=ray_options.part_images))
    notes = place.finished(parts) if options.resume else {}
    summary = ScoreSummary(mode, common=common, hints=options.hints)
    done = sum(note["images"] for note in notes.values())
    summary.reused = done
    pending = [part for part in parts if part.name not in notes]
    if pending:
        job = ScoringJob(
            out if "://" in out else str(Path(out).absolute()),
            mode,
            None if common is None else common.to_bytes(),
            None if machine.model is None else machine.model.read_bytes(),
            None if machine.prior is None else (machine.prior.name, machine.prior.read_bytes()),
            options.max_boxes,
            _as_driver(machine, localizer),
            on_gpu=False,
        )
        with progress.phase("Scoring", len(files), done) as advance:
            for name, note in _worked_on(pending, job, ray_options):
                notes[name] = note
                for _ in range(note["images"]):
                    advance()
    for part in parts:
        summary.add_counts(notes[part.name])
    place.keep_only(parts, notes)
    summary.places = [place.shown(f"{PART_FOLDER}/")]
    if common is not None and place.holds(OBJECT_FILE):
        summary.places.append(place.shown(OBJECT_FILE))
    if "jsonl" in options.formats:
        _write_lines(place, parts)
        summary.places.append(place.shown("predictions.jsonl"))
    else:
        place.remove("predictions.jsonl")  # of other predictions
    summary.seconds = time.monotonic() - began
    return summary


def _basis(
    files: Sequence[ImageFile],
    localizer: Localizer,
    options: ScoreOptions,
    place: PartFiles,
    progress: ProgressDisplay,
) -> tuple[CommonObject | None, Any]:
    """The common object and the mode: given, kept by a run that was cut off, or estimated now."""
    if options.mode == "attention":
        return None, "attention"
    if options.common is not None:
        localizer.check_common(options.common)
        return options.common, "common"
    hinted = [index for index, file in enumerate(files) if file.name in options.hints]
    chosen = [files[index] for index in choose_sample(len(files), localizer.set_sample_size, always=hinted)]
    told = [_of_model(localizer), digest_files(chosen), digest_hints(options.hints)]
    key = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    kept = place.read_json(f"{STATE_FOLDER}/fitted.json") or {}
    if options.resume and kept.get("of") == key:
        common = place.read_object(OBJECT_FILE)
        if kept["object"] is None or (common is not None and common.digest == kept["object"]):
            return (None, "attention") if kept["object"] is None else (common, "common")
    stages = Stages(localizer, options)
    images = [PlannedImage(file, hint=options.hints.get(file.name)) for file in files]
    with progress.phase("Finding the common object", min(len(files), localizer.set_sample_size)) as advance:

        def tried(image: ImageInWork) -> None:
            if image.error is None:
                advance()

        found = fit_sample(images, stages, options.sizes, tried).basis.common
    if found is None:
        place.remove(OBJECT_FILE)
    else:
        try:
            place.write(OBJECT_FILE, found.to_bytes())
            found = CommonObject.from_bytes(found.to_bytes())
        except ObjectError:
            place.remove(OBJECT_FILE)
    place.write(
        f"{STATE_FOLDER}/fitted.json",
        json.dumps({"of": key, "object": None if found is None else found.digest}).encode(),
    )
    return (None, "attention") if found is None else (found, "common")


def _as_driver(machine: MachineOptions, localizer: Localizer) -> MachineOptions:
    """Of the models in the box, workers take the one that the driver has taken, whatever suits their own processors."""
    precision = localizer.engine.metadata.precision
    if machine.model is not None or precision == "fp16":  # there is none of half precision in the box
        return machine
    return replace(machine, precision=precision)


def _of_model(localizer: Localizer) -> Mapping[str, object]:
    return {
        "version": __version__,
        "model": localizer.engine.sha256,
        "prior": None if localizer.prior is None else localizer.prior.sha256,
        "effort": localizer.effort,
        "limits": asdict(localizer.limits),
    }


def _settings(localizer: Localizer, options: ScoreOptions, machine: MachineOptions) -> str:
    """All that a prediction depends on besides its image."""
    told = {
        **_of_model(localizer),
        "mode": options.mode,
        "device": machine.device,
        "max_boxes": options.max_boxes,
        "object": None if options.common is None else options.common.digest,
    }
    return json.dumps(told, sort_keys=True)


@dataclass(frozen=True, slots=True)
class _Workers:
    """How many there may be, and what each takes."""

    most: int
    cores: float
    gpus: float


def _worked_on(parts: Sequence[SetPart], job: ScoringJob, options: RayOptions) -> Iterator[tuple[str, dict[str, Any]]]:
    """Have parts worked on; gives name and counts of each as it is done.

    Raises:
        OSError: The cluster cannot be reached, or parts are missing in the end.
    """
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters of it comes as an exception
    os.environ.setdefault("RAY_worker_niceness", "0")  # else whatever else the machine does comes before the workers
    local = options.address is None and not os.environ.get("RAY_ADDRESS")
    begun: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _STORE_BYTES} if local else {}
    failed: list[str] = []
    done: set[str] = set()
    _check_reachable(options.address or os.environ.get("RAY_ADDRESS"))
    try:
        try:
            ray.init(address=options.address, log_to_driver=False, logging_level=logging.ERROR, **begun)
        except Exception as error:
            # A node that does not start in time is a bare `Exception`; other kinds would be faults of ours.
            if type(error) is not Exception and not isinstance(error, _UNREACHABLE):
                raise
            raise OSError(f"the Ray cluster cannot be used: {without_secrets(str(error))}") from None
        workers = _workers(ray.cluster_resources(), job.machine, options)
        job = replace(
            job,
            on_gpu=workers.gpus > 0,
            machine=replace(job.machine, model=None, prior=None, threads=max(1, int(workers.cores))),
        )
        source = iter(parts)
        while window := list(islice(source, _PARTS_AT_ONCE)):
            for row in _rows(window, job, workers):
                if row["failed"]:
                    failed.append(str(row["failed"]))
                else:
                    done.add(str(row["name"]))
                    yield str(row["name"]), json.loads(row["summary"])
    finally:
        ray.shutdown()
    if missing := len(parts) - len(done):
        reason = failed[0] if failed else "workers died over them"
        raise OSError(f"{missing} of {len(parts)} parts are missing: {reason}; run the same command again to go on")


def _check_reachable(address: str | None) -> None:
    """Refuse a cluster that nothing answers at: Ray itself would go on trying without a word.

    Raises:
        OSError: No connection can be made to the address `host:port`, with or without a scheme.
    """
    host, colon, port = (address or "").rpartition("://")[2].rstrip("/").rpartition(":")
    if not colon or not port.isdecimal():
        return  # none, `auto`, `local`, or what Ray will refuse by itself
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHED_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        raise OSError(f"the Ray cluster cannot be used: nothing answers at {host}:{port} ({error})") from None


def _workers(resources: Mapping[str, float], machine: MachineOptions, options: RayOptions) -> _Workers:
    gpus = resources.get("GPU", 0) if machine.device != "cpu" else 0
    cores = machine.threads or 1
    most = int(gpus) if gpus else int(resources.get("CPU", 1) // cores)
    return _Workers(options.workers or max(1, most), cores, 1 if gpus else 0)


def _rows(parts: Sequence[SetPart], job: ScoringJob, workers: _Workers) -> Iterable[Mapping[str, Any]]:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1  # what is missing in the end is told, with what to do
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    most = min(workers.most, len(parts))
    data = ray.data.from_items([{"part": part.to_json()} for part in parts], override_num_blocks=len(parts))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the way in which tries are bounded: there is no other
        return _scored(data, job, workers, most).iter_rows()


def _scored(data: "ray.data.Dataset", job: ScoringJob, workers: _Workers, most: int) -> "ray.data.Dataset":
    import ray.data

    return data.map_batches(
        PartScorer,
        fn_constructor_args=(job,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
        num_cpus=workers.cores,
        num_gpus=workers.gpus or None,
        ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": _DEATHS},
    )


def _write_lines(place: PartFiles, parts: Sequence[SetPart]) -> None:
    """Write `predictions.jsonl` from the parts, in the order of the set."""
    with tempfile.TemporaryDirectory(prefix="colocalize-") as folder, ThreadPoolExecutor(4, "parts") as pool:
        whole = Path(folder, "predictions.jsonl")
        with whole.open("wb") as stream:
            for part, predictions in zip(parts, place.read_parts(parts, pool), strict=True):
                for file, prediction in zip(part.files, predictions, strict=True):
                    stream.write(encode_prediction({**prediction, "path": file.name}))
        place.upload(whole, "predictions.jsonl")
