"""The last resort: what nobody expected becomes a problem without details."""

import asyncio
import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import Problem
from service.http.responses import problem_response

__all__ = ["ErrorsMiddleware"]

_logger = logging.getLogger(__name__)


class ErrorsMiddleware:
    """Answers unexpected exceptions with 500 and logs them; nothing of them is told to the client.

    The server cancels requests in one case, when they are not over at `drain_timeout`; these are answered with 503.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except ClientDisconnect:
            return  # nobody is left to answer
        except asyncio.CancelledError:
            _logger.warning("a request was not over at the end of the drain", extra={"path": scope["path"]})
            if started:
                return  # the server cuts the connection, as below
            problem = Problem("not_ready", "The service is shutting down.", retry_after=1, close=True)
        except Exception:
            _logger.exception("unexpected error")
            if started:
                raise  # the server cuts the connection, so that the client does not take half an answer for a whole
            problem = Problem("internal_error", "The service failed; its log has more under this request's id.")
        else:
            return
        await problem_response(problem, scope)(scope, receive, send)
