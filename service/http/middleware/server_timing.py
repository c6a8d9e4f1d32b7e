"""The `Server-Timing` header: where the time of a request went, for a browser's developer tools."""

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.request_state import state_of

__all__ = ["ServerTimingMiddleware"]


class ServerTimingMiddleware:
    """Writes the request's timings (milliseconds by stage, noted by the endpoint) and the time in the app so far."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                timings = {**state_of(scope).timings, "app": 1000 * (time.monotonic() - started)}
                entries = (f"{name};dur={value:.1f}" for name, value in timings.items())
                MutableHeaders(scope=message)["server-timing"] = ", ".join(entries)
            await send(message)

        await self._app(scope, receive, send_timed)
