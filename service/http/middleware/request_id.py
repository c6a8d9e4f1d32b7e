"""A name for each request, taken from the client or made up, given back and put into every log line."""

import re
import uuid

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.request_state import REQUEST_ID, state_of

__all__ = ["RequestIdMiddleware"]

_ALLOWED = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class RequestIdMiddleware:
    """Puts the request's name into its notes, the header `X-Request-ID` and `REQUEST_ID`.

    A name that the client sends is kept where it has 1 to 64 letters, digits, `.`, `_`, `:` or `-`, so that it cannot
    forge log lines or headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"x-request-id"), "")
        request_id = given if _ALLOWED.fullmatch(given) else uuid.uuid4().hex
        state_of(scope).request_id = request_id
        REQUEST_ID.set(request_id)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        await self._app(scope, receive, send_named)
