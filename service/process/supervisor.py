"""Several workers behind one port: started, watched, replaced and stopped together.

All workers accept from one listening socket, so a connection that waits while its worker dies is taken by another.
"""

import logging
import math
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from prometheus_client.multiprocess import mark_process_dead

from service.http.state import LoadLocalizer
from service.process.serving import ServeError
from service.process.worker import work
from service.settings import Settings

__all__ = ["Supervisor", "WorkerError"]

_RESTART_PAUSE, _RETRY_PAUSE = 1.0, 5.0
_POLL_SECONDS = 0.5

_METRICS_BYTES = 2**18
"""More than the counters of one worker ever take."""

_logger = logging.getLogger(__name__)


class WorkerError(ServeError):
    """A worker could not start, so the service does not run."""


@dataclass
class _Worker:
    index: int
    process: SpawnProcess
    reports: Connection
    started_at: float
    replaces: bool
    told_to_leave: bool = False

    def tell_to_leave(self) -> None:
        """Send SIGTERM, once: a worker takes a second one as an order to drop what it has accepted."""
        if not self.told_to_leave:
            self.told_to_leave = True
            self.send(signal.SIGTERM)

    def send(self, number: int) -> None:
        """Send a signal where the worker still runs."""
        if self.process.is_alive() and self.process.pid is not None:
            with suppress(ProcessLookupError):  # a handler may come between its death and our knowing of it
                os.kill(self.process.pid, number)


class Supervisor:
    """Runs the workers of one service."""

    def __init__(self, settings: Settings, listener: socket.socket, load: LoadLocalizer | None = None) -> None:
        """Set up; nothing is started yet.

        Args:
            settings: The settings; `workers` says how many.
            listener: The listening socket that all workers share.
            load: Gives a localizer in each worker; must be importable by name. From the settings if left out.
        """
        self._settings = settings
        self._listener = listener
        self._load = load
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, _Worker] = {}
        self._due: dict[int, float] = {}  # when a worker that died is started again
        self._stopping = False
        self._metrics_folder = Path()

    def run(self) -> None:
        """Run until a signal says to stop.

        Raises:
            WorkerError: A worker could not start; the others are stopped.
        """
        self._metrics_folder = Path(tempfile.mkdtemp(prefix="colocalize-metrics-"))
        _check_room(self._metrics_folder, _METRICS_BYTES * self._settings.workers)
        # Read by prometheus_client when a worker imports it.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self._metrics_folder)
        handled = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGHUP: self._forward}
        before = {number: signal.signal(number, handler) for number, handler in handled.items()}
        try:
            for index in range(self._settings.workers):
                if not self._stopping:
                    self._start(index)
            self._watch()
        finally:
            self._kill_all()
            for number, handler in before.items():
                signal.signal(number, handler)
            os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
            shutil.rmtree(self._metrics_folder, ignore_errors=True)

    def _start(self, index: int, *, replaces: bool = False) -> None:
        reports, child_reports = self._context.Pipe(duplex=False)
        arguments = (index, self._settings, self._listener, self._load, self._metrics_folder, child_reports)
        process = self._context.Process(target=work, args=arguments, name=f"worker-{index}")
        # A worker starts with SIGHUP blocked, so that it does not die of one before it has a handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        child_reports.close()
        worker = self._workers[index] = _Worker(index, process, reports, time.monotonic(), replaces)
        _logger.info("worker started", extra={"worker": index, "worker_pid": process.pid})
        if self._stopping:  # the signal came meanwhile, and may not have reached it
            worker.tell_to_leave()

    def _watch(self) -> None:
        while self._workers or (self._due and not self._stopping):
            until_due = min(self._due.values(), default=math.inf) - time.monotonic()
            sentinels = [worker.process.sentinel for worker in self._workers.values()]
            wait(sentinels, timeout=max(0.0, min(_POLL_SECONDS, until_due)))
            for worker in [worker for worker in self._workers.values() if not worker.process.is_alive()]:
                self._bury(worker)
            for index in [index for index, due in self._due.items() if due <= time.monotonic()]:
                del self._due[index]
                if not self._stopping:
                    self._start(index, replaces=True)

    def _bury(self, worker: _Worker) -> None:
        del self._workers[worker.index]
        worker.process.join()
        mark_process_dead(worker.process.pid, str(self._metrics_folder))  # type: ignore[no-untyped-call]
        refusal = _received(worker.reports)
        worker.reports.close()
        if self._stopping:
            return
        if refusal is not None and not worker.replaces:
            raise WorkerError(f"worker {worker.index} cannot start: {refusal}")
        # What worked before may work again, once the disk has room or the model file is back; the others go on.
        _logger.error(
            "worker died, starting another" if refusal is None else "worker cannot start, trying again",
            extra={"worker": worker.index, "exit_code": worker.process.exitcode, "reason": refusal},
        )
        # A worker that dies over and over must not keep the machine busy with its starts.
        self._due[worker.index] = worker.started_at + (_RESTART_PAUSE if refusal is None else _RETRY_PAUSE)

    def _stop(self, number: int, _: FrameType | None) -> None:
        if self._stopping:
            self._kill_all()
            os._exit(128 + number)
        self._stopping = True
        for worker in list(self._workers.values()):
            worker.tell_to_leave()

    def _forward(self, number: int, _: FrameType | None) -> None:
        for worker in list(self._workers.values()):
            worker.send(number)

    def _kill_all(self) -> None:
        for worker in list(self._workers.values()):
            worker.process.kill()


def _check_room(folder: Path, size: int) -> None:
    """Refuse a folder without room for the workers' metrics: they write through memory, and would die of SIGBUS."""
    probe = folder / "room"
    try:
        with probe.open("wb") as file:
            file.write(bytes(size))
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        reason = f"{folder.parent} has no room for the metrics of the workers ({size} bytes): {error.strerror}"
        raise WorkerError(f"{reason}; TMPDIR may name another folder") from error
    probe.unlink()


def _received(reports: Connection) -> str | None:
    try:
        return str(reports.recv()) if reports.poll() else None
    except EOFError:  # it died without a word
        return None
