"""Prometheus metrics of the service; with several workers they add up in whichever of them is asked."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from colocalization.engine import Engine
from service.inference.job import Stage

__all__ = ["METRICS_MEDIA_TYPE", "Metrics", "resident_bytes"]

METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BATCH = (1, 2, 4, 8, 16, 32, 64)
_STATM = Path("/proc/self/statm")


def resident_bytes(statm: Path = _STATM) -> int:
    """Resident memory of this process in bytes; 0 where the system does not tell in this way."""
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


class Metrics:
    """The metrics of one app, and the scheduler's `Monitor`."""

    def __init__(self, shared: Path | None = None) -> None:
        """Create the metrics.

        Args:
            shared: Folder in which several workers keep their values (prometheus_client's multiprocess mode, which
                must have been chosen by the environment before prometheus_client was imported); None for one worker.
        """
        self._shared = shared
        registry = self._registry = CollectorRegistry()
        if shared is None:
            ProcessCollector(registry=registry)
        self.requests = Counter(
            "colocalize_requests", "Answered requests.", ("path", "status", "code"), registry=registry
        )
        self.request_seconds = Histogram(
            "colocalize_request_seconds", "From a request's header to its answer.", ("path",), buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.upload_bytes = Counter("colocalize_upload_bytes", "Bytes of request bodies read.", registry=registry)
        self.buffered_bytes = Gauge(
            "colocalize_buffered_bytes", "Bytes of requests, and of answers not yet read, held now.",
            multiprocess_mode="livesum", registry=registry,
        )  # fmt: skip
        self.images = Counter(
            "colocalize_images", "Images by result: ok, an error's code, or dropped.", ("code",), registry=registry
        )
        self.pending_images = Gauge(
            "colocalize_pending_images", "Images accepted and not yet answered.", multiprocess_mode="livesum",
            registry=registry,
        )  # fmt: skip
        self.pending_limit = Gauge(
            "colocalize_pending_images_limit", "Most images that may be pending.", multiprocess_mode="livesum",
            registry=registry,
        )  # fmt: skip
        self.oldest_age = Gauge(
            "colocalize_oldest_request_age_seconds", "Age of the oldest unanswered request.",
            multiprocess_mode="livemax", registry=registry,
        )  # fmt: skip
        self.lane_busy = Gauge(
            "colocalize_inference_running_seconds", "How long the longest of the network's current runs takes so far.",
            multiprocess_mode="livemax", registry=registry,
        )  # fmt: skip
        self.image_rate = Gauge(
            "colocalize_images_per_second", "Measured rate while there is work.", multiprocess_mode="livesum",
            registry=registry,
        )  # fmt: skip
        self.batch_size = Histogram(
            "colocalize_batch_size", "Images in one run of the network.", buckets=_BATCH, registry=registry
        )
        self.stage_seconds = Histogram(
            "colocalize_stage_seconds", "Time of one image (decode, postprocess) or batch (inference) in a stage.",
            ("stage",), buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.ready = Gauge(
            "colocalize_ready_workers", "Workers that take requests.", multiprocess_mode="livesum", registry=registry
        )
        self.resident = Gauge(
            "colocalize_worker_resident_bytes", "Resident memory of each worker.", multiprocess_mode="liveall",
            registry=registry,
        )  # fmt: skip
        self.model_info = Gauge(
            "colocalize_model_info", "1 for the model in use.",
            ("name", "version", "sha256", "backbone", "precision", "provider"), multiprocess_mode="livemax",
            registry=registry,
        )  # fmt: skip
        self.reloads = Counter("colocalize_model_reloads", "Reloads of the model.", ("result",), registry=registry)
        # Alerts on rates need the series to exist before the first event.
        for result in ("ok", "refused"):
            self.reloads.labels(result)
        for code in ("ok", "dropped"):
            self.images.labels(code)

    def stage(self, stage: Stage, seconds: float) -> None:
        """One image (decode, postprocess) or batch (inference) went through a stage."""
        self.stage_seconds.labels(stage).observe(seconds)

    def batch(self, size: int) -> None:
        """The network ran on so many images."""
        self.batch_size.observe(size)

    def image(self, code: str) -> None:
        """An image was answered with `ok` or an error's code, or dropped."""
        self.images.labels(code).inc()

    def pending(self, images: int) -> None:
        """So many images are accepted and not yet answered."""
        self.pending_images.set(images)

    def model(self, engine: Engine, *, in_use: bool) -> None:
        """A model came into use, or went out of it."""
        about = engine.metadata
        labels = (about.name, about.version, engine.sha256, about.backbone, about.precision, engine.provider)
        self.model_info.labels(*labels).set(1 if in_use else 0)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text form, over all workers."""
        if self._shared is None:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(together)
