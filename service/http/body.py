"""Receiving a request's body while it streams in, within limits, without touching the disk."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect

from service.http.budget import Reservation
from service.http.problems import Problem

__all__ = ["BodyLimits", "Receive", "check_encoding", "receive_body"]

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What a body may cost.

    Attributes:
        most_bytes: Largest body.
        name: Name of that limit, for who hits it.
        timeout: Seconds in which the whole body must arrive.
        advice: What to do about one that is too large, a sentence, or empty.
    """

    most_bytes: int
    name: str
    timeout: float
    advice: str = ""

    def too_large(self, what: str) -> Problem:
        """The problem of a body that has so many bytes, in words."""
        detail = f"The body has {what}; at most {self.most_bytes} are allowed."
        limit = {"limit": {"name": self.name, "value": self.most_bytes}}
        return Problem("request_too_large", f"{detail} {self.advice}".rstrip(), limit, close=True)


async def receive_body(
    headers: Mapping[str, str],
    receive: Receive,
    limits: BodyLimits,
    reservation: Reservation,
    retry_after: Callable[[], int],
    write: Callable[[bytes], object],
) -> int:
    """Receive a body, piece by piece.

    Args:
        headers: The request's headers, names in lower case.
        receive: ASGI's `receive`.
        limits: What it may cost.
        reservation: Where its bytes are accounted for.
        retry_after: Seconds until there may be room again, asked where the body does not fit in.
        write: Takes each piece.

    Returns:
        Its size in bytes.

    Raises:
        Problem: A limit is hit (413, 429), or it is too slow (408).
        ClientDisconnect: The client went away.
    """
    length = headers.get("content-length")
    if length is not None and length.isdecimal() and int(length) > limits.most_bytes:
        raise limits.too_large(f"{length} bytes")
    size, more = 0, True
    try:
        async with asyncio.timeout(limits.timeout):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                piece: bytes = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(piece)
                if size > limits.most_bytes:
                    raise limits.too_large(f"more than {limits.most_bytes} bytes")
                if not reservation.take(len(piece)):
                    raise Problem(
                        "overloaded",
                        "Uploads under way, and answers that clients have not read yet, fill the memory for them.",
                        retry_after=retry_after(),
                        close=True,
                    )
                write(piece)
    except TimeoutError:
        raise Problem(
            "upload_timeout",
            f"{size} bytes arrived within {limits.timeout:g} seconds, but not the whole body.",
            {"limit": {"name": "upload_timeout", "value": limits.timeout}},
            close=True,
        ) from None
    return size


def check_encoding(headers: Mapping[str, str]) -> None:
    """Refuse a body that is compressed: its size would say nothing of what it costs.

    Raises:
        Problem: It is (`unsupported_media_type`, 415).
    """
    if (encoding := headers.get("content-encoding", "identity")) != "identity":
        detail = f"Expected a body without content encoding, got {encoding!r}."
        raise Problem("unsupported_media_type", detail, close=True)
