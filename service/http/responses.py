"""Answers: in pieces to a client that may be slow, to a client that is still sending, and problems."""

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.http.budget import ByteBudget, Reservation
from service.http.paths import V2
from service.http.problems import PROBLEM_MEDIA_TYPE, Problem
from service.http.request_state import state_of

__all__ = ["LingeringResponse", "PiecesResponse", "problem_response"]

_LINGER_SECONDS = 2.0
_LINGER_BYTES = 8 * 2**20
_SMALL_PIECE = 64 * 2**10

_logger = logging.getLogger(__name__)


class PiecesResponse(Response):
    """An answer whose body is sent piece by piece, and given up when the client takes too long to read it.

    Each piece is let go once it is sent.
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        *,
        media_type: str,
        headers: Mapping[str, str],
        send_timeout: float,
        budget: ByteBudget,
    ) -> None:
        """Prepare the answer.

        Args:
            pieces: The body.
            media_type: Its content type.
            headers: More headers.
            send_timeout: Seconds in which the client must have taken all of it.
            budget: Where the bytes are counted that the client has not taken yet.
        """
        self._length = sum(len(piece) for piece in pieces)
        self._pieces = deque(pieces if self._length > _SMALL_PIECE else [b"".join(pieces)])
        self._timeout = send_timeout
        self._budget = budget
        super().__init__(None, 200, {**headers, "content-length": str(self._length)}, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the answer."""
        try:
            with self._budget.reservation() as reservation:
                reservation.hold(self._length)
                await self._send(send, reservation)
        except TimeoutError:
            # Returning before the body is complete makes the server cut the connection.
            _logger.warning("the client did not take its answer within %g seconds", self._timeout)

    async def _send(self, send: Send, reservation: Reservation) -> None:
        async with asyncio.timeout(self._timeout):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while self._pieces:
                piece = self._pieces.popleft()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                reservation.give_back(len(piece))
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class LingeringResponse(Response):
    """An answer before the end of the upload, after which the connection is closed.

    Closing while the client still sends would reset the connection, and the answer could be lost on its way. So the
    answer is sent, and the rest of the upload is read and thrown away for a short while (RFC 9112, section 9.6).
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the answer, then linger."""
        self.headers["connection"] = "close"
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        # Cancelled here, at the end of the drain, all that matters has been sent.
        with suppress(asyncio.CancelledError):
            await _discard(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Receive) -> None:
    until, left = time.monotonic() + _LINGER_SECONDS, _LINGER_BYTES
    while left > 0:
        try:
            async with asyncio.timeout(until - time.monotonic()):
                message = await receive()
        except TimeoutError:
            return
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        left -= len(message.get("body", b""))


def problem_response(problem: Problem, scope: Scope) -> Response:
    """The HTTP answer for a problem, which is noted for the log.

    Args:
        problem: The problem.
        scope: The request's ASGI scope.
    """
    headers = {"cache-control": "no-store"}
    if problem.retry_after is not None:
        headers["retry-after"] = str(problem.retry_after)
    if problem.code == "unauthorized":
        headers["www-authenticate"] = 'Bearer realm="colocalize"'
    state = state_of(scope)
    state.problem_code = problem.code
    body = problem.body(state.request_id)
    if scope["path"].startswith(f"{V2}/"):
        body["error"] = problem.detail  # what clients of the Open Inference Protocol look for
    content = json.dumps(body, ensure_ascii=False)
    kind = LingeringResponse if problem.close else Response
    return kind(content, problem.status, headers, PROBLEM_MEDIA_TYPE)
