"""HTTP/1.1 connections that must send their header in time.

uvicorn has a timeout for idle connections between two requests, but none for one that sends a header byte by byte, or
nothing at all: such clients ("slow loris") would hold connections for ever.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["timed_protocol"]


def timed_protocol(header_timeout: float) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn.

    Args:
        header_timeout: Seconds from the opening of the connection, or from the first byte of a later request, to the
            end of the request's header.
    """

    class TimedProtocol(HttpToolsProtocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._start()

        def data_received(self, data: bytes) -> None:
            if self._timer is None and (self.cycle is None or self.cycle.response_complete):
                self._start()
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._stop()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _start(self) -> None:
            self._timer = self.loop.call_later(header_timeout, self._cut)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _cut(self) -> None:
            self._timer = None
            if not self.transport.is_closing():
                self.transport.close()

    return TimedProtocol
