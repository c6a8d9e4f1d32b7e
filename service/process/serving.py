"""One worker: the app on a socket that listens, until a signal says to stop."""

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from contextvars import Context
from pathlib import Path
from types import FrameType

import uvicorn

from colocalization.cores import bound_libraries
from colocalization.errors import ColocalizeError, ModelError
from colocalization.images import harden_pillow
from colocalization.memory import bound_heaps
from service.http.app import create_app
from service.http.protocol import timed_protocol
from service.http.state import LoadLocalizer, Service
from service.settings import Settings

__all__ = ["DrainingServer", "ServeError", "leave_at_once", "serve"]

_SETTLE_SECONDS = 0.1

_MOST_HEAPS = 2
"""Heaps of the C library for all threads together: what each thread kept in its own crept up for as long as there was
work. The many small objects are Python's, which has its own heap."""

_logger = logging.getLogger(__name__)


class ServeError(ColocalizeError):
    """The service cannot run on this machine as it is."""

    def __init__(self, message: str) -> None:
        super().__init__("serve_error", message)


def leave_at_once(number: int, _: FrameType | None) -> None:
    """Handle a signal by ending the process, with the code of one that the signal ended."""
    try:
        sys.stderr.flush()
    finally:  # also where the log's disk is full
        os._exit(128 + number)  # threads may be in the middle of a run of the network, and are not waited for


def serve(
    settings: Settings,
    listener: socket.socket,
    *,
    load: LoadLocalizer | None = None,
    shared_metrics: Path | None = None,
) -> None:
    """Run one worker on a socket that listens, in this process.

    Args:
        settings: The settings.
        listener: The socket.
        load: Gives the localizer; from the settings if left out.
        shared_metrics: Folder in which several workers keep their metrics.

    Raises:
        ColocalizeError: The model or its execution provider cannot be used; with several workers, also where the first
            run fails.
        ValueError: An API key is not well-formed.
        ServeError: Threads or tasks could not be started.
    """
    early_reload = _EarlyReload()
    bound_heaps(_MOST_HEAPS)
    bound_libraries()
    harden_pillow()
    app = create_app(settings, load, shared_metrics=shared_metrics)
    service: Service = app.state.service
    engine = service.slot.current.engine
    host, port = listener.getsockname()[:2]
    _logger.info(
        "listening",
        extra={
            "url": f"http://{f'[{host}]' if ':' in host else host}:{port}",
            "model": engine.metadata.name,
            "precision": engine.metadata.precision,
            "sha256": engine.sha256,
            "provider": engine.provider,
            "provider_warning": engine.provider_warning,
            "network_threads": settings.network_threads(),
            "pool_threads": settings.pool_size(),
            "lanes": service.slot.lanes.count,
            "max_batch": service.slot.max_batch,
        },
    )
    if settings.workers > 1:
        # Until it is able to answer, the other workers are to take the connections of the common port.
        _warm_up_or_raise(service)
    config = uvicorn.Config(
        app,
        http=timed_protocol(settings.header_timeout),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=max(1, round(settings.keep_alive_timeout)),
        timeout_graceful_shutdown=max(1, round(settings.drain_timeout)),
    )
    server = DrainingServer(config, service, early_reload)
    with suppress(SystemExit):  # how newer versions of uvicorn tell that the app's lifespan could not begin
        server.run(sockets=[listener])
    if not server.started:
        raise ServeError("the service could not start; the log says why")
    _logger.info("stopped")


def _warm_up_or_raise(service: Service) -> None:
    try:
        service.warm_up()
    except Exception as error:
        _logger.exception("the model failed its first run")
        raise ModelError(f"the model failed its first run: {type(error).__name__}: {error}") from error


class _EarlyReload:
    """Remembers a SIGHUP that comes while the model is loaded, which may have been read before it was changed.

    Attributes:
        asked: Whether one came.
    """

    def __init__(self) -> None:
        self.asked = False
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._remember)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # the supervisor starts workers with it blocked

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


class DrainingServer(uvicorn.Server):
    """uvicorn's server, with an end in steps.

    1. The first signal: `/readyz` fails, answers carry `Connection: close`, new requests are still taken for
       `drain_delay` seconds, in which a load balancer notices.
    2. No new connections; the requests that were accepted are finished.
    3. A second signal, at any time: the process ends at once.
    """

    def __init__(self, config: uvicorn.Config, service: Service, early_reload: _EarlyReload) -> None:
        super().__init__(config)
        self._service = service
        self._early_reload = early_reload

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT."""
        if self._service.draining:
            leave_at_once(sig, frame)
        self._service.draining = True
        # The handler runs in the middle of whatever the loop is doing, which may be some request's task.
        Context().run(_logger.info, "draining", extra={"signal": signal.Signals(sig).name})

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and listen for SIGHUP where the settings say so."""
        await super().startup(sockets)
        if hasattr(signal, "SIGHUP"):
            reload = self._service.settings.reload
            handler = self._service.request_reload if reload else _ignore_reload
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, handler)
            if self._early_reload.asked:
                handler()

    async def on_tick(self, counter: int) -> bool:
        """Leave the main loop once draining."""
        return await super().on_tick(counter) or self._service.draining

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests a little longer, then no more connections, then finish."""
        await asyncio.sleep(self._service.settings.drain_delay)
        for server in self.servers:
            server.close()
        # Requests whose bytes are already here become requests under way; uvicorn then closes the idle connections.
        await asyncio.sleep(_SETTLE_SECONDS)
        await super().shutdown(sockets)


def _ignore_reload() -> None:
    _logger.warning("SIGHUP is ignored; set COLOCALIZE_RELOAD=true to reload the model with it")
