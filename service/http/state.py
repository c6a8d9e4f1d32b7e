"""What the parts of one running app share."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from colocalization.errors import ColocalizeError
from colocalization.localizer import Localizer
from colocalization.memory import MemoryTrimmer
from service.http.budget import ByteBudget
from service.http.metrics import Metrics, resident_bytes
from service.http.url_images import UrlFetcher
from service.inference.interface import SchedulerLimits
from service.inference.model_slot import ModelSlot, in_daemon
from service.inference.object_store import ObjectStore
from service.inference.scheduler import Scheduler
from service.settings import Settings

__all__ = ["LoadLocalizer", "Service"]

LoadLocalizer = Callable[[], Localizer]

_TICK_SECONDS = 1.0
_TRIM_SECONDS = 2.0
_HUNG = 70  # EX_SOFTWARE of sysexits.h
_logger = logging.getLogger(__name__)


@dataclass
class Service:
    """The state of one worker.

    Attributes:
        settings: The settings.
        slot: The model in use.
        metrics: The metrics.
        budget: Bound on the bytes of uploads.
        objects: The objects that are kept; None where none are.
        export_lock: Held while results are written as files, so that the memory for that is needed once.
        fetcher: Fetches images that are given as URLs; None where none are.
        draining: Whether the worker is about to leave.
    """

    settings: Settings
    slot: ModelSlot
    metrics: Metrics
    budget: ByteBudget
    objects: ObjectStore | None = None
    export_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    fetcher: UrlFetcher | None = None
    draining: bool = False
    _scheduler: Scheduler | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    def create(cls, settings: Settings, load: LoadLocalizer, shared_metrics: Path | None) -> "Service":
        """Load the model and set everything up; nothing runs yet.

        Raises:
            ColocalizeError: The model or its execution provider cannot be used.
            OSError: The folder of objects cannot be made or written.
        """
        objects = _object_store(settings)  # first, since loading a model takes a while
        slot = ModelSlot(load, settings)
        fetcher = UrlFetcher(settings.url_hosts) if settings.url_hosts else None
        metrics = Metrics(shared_metrics)
        metrics.model(slot.current.engine, in_use=True)
        metrics.pending_limit.set(settings.max_pending_images)
        return cls(settings, slot, metrics, ByteBudget(settings.max_buffered_bytes), objects, fetcher=fetcher)

    @property
    def scheduler(self) -> Scheduler:
        """The running scheduler.

        Raises:
            RuntimeError: The app's lifespan has not begun.
        """
        if self._scheduler is None:
            raise RuntimeError("the service has not been started; run the app's lifespan")
        return self._scheduler

    def why_not_ready(self) -> str | None:
        """Why requests should go elsewhere, or None."""
        return "The service is shutting down." if self.draining else self.why_not_able()

    def why_not_able(self) -> str | None:
        """Why requests cannot be answered, or None; while draining they still can."""
        if not self.slot.warm:
            return "The model has not run yet."
        if not self.is_alive():
            return "The network does not come back from a run."
        return None

    def is_alive(self) -> bool:
        """False where a run of the network hangs, which only a new process can mend."""
        return self.slot.lanes.busy_for() <= self.settings.hang_timeout

    def start(self) -> None:
        """Start threads and tasks; to be called in the event loop."""
        settings = self.settings
        limits = SchedulerLimits(
            max_pending=settings.max_pending_images,
            lanes=self.slot.lanes.count,
            max_batch=self.slot.max_batch,
            batch_wait=settings.batch_wait,
            pool_threads=settings.pool_size(),
            deadline=settings.request_timeout,
        )
        self._scheduler = Scheduler(limits, self.metrics)
        if not self.slot.warm:
            self._keep(asyncio.create_task(self._warm_up()))
        self._keep(asyncio.create_task(self._tick()))
        self._keep(asyncio.create_task(_trim()))

    async def stop(self) -> None:
        """Stop threads and tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.metrics.ready.set(0)
        await asyncio.to_thread(self.scheduler.close)
        if self.fetcher is not None:
            await self.fetcher.close()

    def warm_up(self) -> None:
        """Run the model for the first time; blocks.

        Raises:
            Exception: Whatever the first run raises.
        """
        self.slot.warm_up()
        _logger.info("ready", extra={"model": self.slot.current.engine.metadata.name})

    def request_reload(self) -> None:
        """Load the model again in the background; to be called in the event loop."""
        self._keep(asyncio.create_task(self._reload()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _warm_up(self) -> None:
        try:
            await asyncio.wrap_future(in_daemon(self.warm_up, "first-run"))
        except Exception:
            _logger.exception("the model failed its first run; the service will not become ready")

    async def _reload(self) -> None:
        try:
            old = await asyncio.wrap_future(in_daemon(self.slot.reload, "reload"))
        except ColocalizeError as error:
            self.metrics.reloads.labels("refused").inc()
            _logger.error("the new model is refused, the old one stays: %s", error)
        except Exception:
            self.metrics.reloads.labels("refused").inc()
            _logger.exception("the new model failed its first run, the old one stays")
        else:
            self.metrics.reloads.labels("ok").inc()
            self.metrics.model(old.engine, in_use=False)
            self.metrics.model(self.slot.current.engine, in_use=True)  # by now it may be that of a later reload

    async def _tick(self) -> None:
        """Keep those metrics current that change while nothing happens."""
        while True:
            if not self.is_alive() and self.settings.workers > 1:
                _logger.critical("the network does not come back from a run; leaving, to be replaced")
                os._exit(_HUNG)
            self.metrics.ready.set(0 if self.why_not_ready() else 1)
            self.metrics.oldest_age.set(self.scheduler.work.oldest_age())
            self.metrics.lane_busy.set(self.slot.lanes.busy_for())
            self.metrics.image_rate.set(self.scheduler.work.rate or 0.0)
            self.metrics.buffered_bytes.set(self.budget.held)
            self.metrics.resident.set(resident_bytes())
            await asyncio.sleep(_TICK_SECONDS)


def _object_store(settings: Settings) -> ObjectStore | None:
    if settings.objects_dir is None:
        return None
    try:
        return ObjectStore(settings.objects_dir, settings.max_objects, settings.max_objects_bytes)
    except OSError as error:
        told = f"{settings.variable('objects_dir')} cannot be used: {error.strerror}"
        raise OSError(error.errno, told, str(settings.objects_dir)) from error


async def _trim() -> None:
    """Give memory back from time to time."""
    trimmer = MemoryTrimmer()
    while True:
        await asyncio.sleep(_TRIM_SECONDS)
        await asyncio.to_thread(trimmer)
