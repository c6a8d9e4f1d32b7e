"""One log line and one count for each answered request."""

import logging
import time
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.metrics import Metrics
from service.http.paths import QUIET, template_of
from service.http.request_state import state_of

__all__ = ["AccessLogMiddleware"]

_logger = logging.getLogger("service.access")

_GONE = 499
"""nginx's number for a client that left before its answer."""


class AccessLogMiddleware:
    """Logs and counts requests; probes and scrapes are logged on level debug, so that they do not drown the rest."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, paths: Collection[str]) -> None:
        """Wrap an app.

        Args:
            app: The app.
            metrics: Where requests are counted.
            paths: Paths that are counted by name; all others together as `other`, since anybody can make them up.
        """
        self._app = app
        self._metrics = metrics
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status = 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            self._note(scope, status or _GONE, time.monotonic() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        state = state_of(scope)
        path = template if (template := template_of(scope["path"])) in self._paths else "other"
        code = state.problem_code or ("ok" if status < 400 else "client_gone")
        self._metrics.requests.labels(path, str(status), code).inc()
        self._metrics.request_seconds.labels(path).observe(seconds)
        _logger.log(
            logging.DEBUG if path in QUIET else logging.INFO,
            "request",
            extra={
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "code": code,
                "duration_ms": round(1000 * seconds, 1),
                "client": (scope.get("client") or [None])[0],
                "api_key": state.api_key,
                "images": state.images,
                "upload_bytes": state.upload_bytes,
                **state.timings,
            },
        )
