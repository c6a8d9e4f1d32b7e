"""HTTP/1.1 connections from strangers: what uvicorn leaves open before the app, and so any API key, comes into play.

- A client that sends its header byte by byte, or nothing at all ("slow loris"), would hold a connection for ever.
- A header without an end would fill the memory; neither uvicorn nor its parser has a limit.
- A request that offers to upgrade (curl's `--http2` does) would lose its body.

uvicorn has no public hooks for these but the choice of the protocol's class, so what is used here of
`HttpToolsProtocol` is its inside. It is listed in tests/service/http/test_protocol.py, and pyproject.toml bounds
uvicorn's version.
"""

import asyncio
import json
import logging
import uuid
from contextlib import suppress
from http import HTTPStatus

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.problems import PROBLEM_MEDIA_TYPE, Problem

__all__ = ["MAX_HEAD_BYTES", "timed_protocol"]

MAX_HEAD_BYTES = 64 * 2**10
"""Most bytes of a request's line and header fields together."""

_PIECE = 2048
"""Bytes that are parsed at a time. The head is counted in whole pieces, so up to two more may pass, never fewer."""

_LINGER_SECONDS = 2.0

_logger = logging.getLogger(__name__)


class _NoUpgradeProtocol(HttpToolsProtocol):
    """Answers requests that offer to upgrade as if they did not, which RFC 9110, section 7.8, allows.

    The parser takes what follows such a head for another protocol's. So the head is given to a new one, without the
    offer.
    """

    _offers_upgrade = False

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            while data:
                try:
                    self.parser.feed_data(data)
                    return
                except httptools.HttpParserUpgrade as upgrade:
                    data = self._head_without_offer() + data[upgrade.args[0] :] if self._offers_upgrade else b""
                    self.parser = _new_parser(self)
        except httptools.HttpParserError as error:
            self.send_400_response(str(error))

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the form of all other errors; uvicorn's own answer is plain text."""
        request_id = uuid.uuid4().hex
        _logger.info("not HTTP", extra={"client": self.client and self.client[0], "request_id": request_id})
        self.transport.write(_raw(Problem("bad_request", f"The request is not valid HTTP: {msg}."), request_id))
        self.transport.close()

    def on_headers_complete(self) -> None:
        # CONNECT has no other form; the app refuses it.
        self._offers_upgrade = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._offers_upgrade:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offers_upgrade:
            super().on_message_complete()

    def _head_without_offer(self) -> bytes:
        start = b" ".join([self.parser.get_method(), self.url, b"HTTP/" + self.parser.get_http_version().encode()])
        fields = [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([start, *fields, b"", b""])


def _new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """A parser as uvicorn makes it; the old one may have closed itself for what follows."""
    parser = httptools.HttpRequestParser(protocol)
    with suppress(AttributeError):  # httptools < 0.6.3
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


class _BoundedProtocol(_NoUpgradeProtocol):
    """Refuses heads that are too large with 431, whether or not they ever end, and cuts such trailers off."""

    _in_head = False
    _waiting = 0  # bytes since the parser last had something whole, or a part of a body, to give
    _refused = False

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            if self._refused or self.transport.is_closing():
                return
            piece = data[start : start + _PIECE]
            self._waiting += len(piece)
            super().data_received(piece)
            if self._waiting > MAX_HEAD_BYTES:
                self._refuse()

    def on_message_begin(self) -> None:
        self._waiting, self._in_head = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._waiting, self._in_head = 0, False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._waiting = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._waiting = 0
        super().on_message_complete()

    def _refuse(self) -> None:
        self._refused = True
        if not self._in_head:  # trailers: for their request it is as if the client had left
            self.transport.close()
            return
        request_id = uuid.uuid4().hex
        _logger.info("header too large", extra={"client": self.client and self.client[0], "request_id": request_id})
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False  # an answer to an earlier request is under way, and shall be the last
            return
        problem = Problem(
            "header_too_large",
            f"The request's line and header have more than the {MAX_HEAD_BYTES} bytes allowed.",
            {"limit": {"name": "header_bytes", "value": MAX_HEAD_BYTES}},
        )
        self.transport.write(_raw(problem, request_id))
        # As in `LingeringResponse`: closing at once, while the client sends, could lose the answer on its way.
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)


def _raw(problem: Problem, request_id: str) -> bytes:
    """The whole answer for a problem of a request that does not get as far as the app."""
    body = json.dumps(problem.body(request_id)).encode()
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n"
        f"content-type: {PROBLEM_MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\n"
        "cache-control: no-store\r\n"
        f"x-request-id: {request_id}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


def timed_protocol(header_timeout: float) -> type[HttpToolsProtocol]:
    """A protocol class for uvicorn.

    Args:
        header_timeout: Seconds from the opening of the connection, or from the first byte of a later request, to the
            end of the request's header.
    """

    class TimedProtocol(_BoundedProtocol):
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
