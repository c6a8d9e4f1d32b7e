"""Reading a multipart/form-data body while it streams in, within limits, without touching the disk."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from service.http.budget import Reservation
from service.http.form import FormCollector, Upload, UploadLimits
from service.http.problems import Problem

__all__ = ["read_upload"]

_MAX_TOLD = 80
_MAX_HEADERS, _MAX_HEADER_BYTES = 8, 4096

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read_upload(
    headers: Mapping[str, str],
    receive: Receive,
    limits: UploadLimits,
    reservation: Reservation,
    allowed_fields: frozenset[str],
    retry_after: Callable[[], int],
) -> Upload:
    """Read a request's body.

    Args:
        headers: The request's headers, names in lower case.
        receive: ASGI's `receive`.
        limits: What the request may send.
        reservation: Where the bytes of the body are accounted for.
        allowed_fields: Names of form fields besides the images.
        retry_after: Seconds until there may be room again, asked where the body does not fit in.

    Raises:
        Problem: A limit is hit (413, 429), the body is of another type (415), malformed (400), too slow (408), or has
            a field that is not allowed (422).
        ClientDisconnect: The client went away.
    """
    boundary = _boundary(headers)
    _check_length(headers.get("content-length"), limits)
    collector = FormCollector(limits, allowed_fields)
    parser = MultipartParser(
        boundary, collector.callbacks(), max_header_count=_MAX_HEADERS, max_header_size=_MAX_HEADER_BYTES
    )
    try:
        async with asyncio.timeout(limits.timeout):
            await _feed(parser, collector.upload, receive, limits, reservation, retry_after)
    except TimeoutError:
        raise Problem(
            "upload_timeout",
            f"{collector.upload.size} bytes arrived within {limits.timeout:g} seconds, but not the whole body.",
            {"limit": {"name": "upload_timeout", "value": limits.timeout}},
            close=True,
        ) from None
    except (MultipartParseError, FormParserError) as error:
        raise Problem("malformed_body", f"The multipart body is malformed: {error}.", close=True) from error
    if not collector.ended:
        raise Problem("malformed_body", "The body ended before its closing boundary.")
    return collector.upload


async def _feed(
    parser: MultipartParser,
    upload: Upload,
    receive: Receive,
    limits: UploadLimits,
    reservation: Reservation,
    retry_after: Callable[[], int],
) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        upload.size += len(chunk)
        if upload.size > limits.max_request_bytes:
            raise _too_large(f"more than {limits.max_request_bytes} bytes", limits)
        if not reservation.take(len(chunk)):
            raise Problem(
                "overloaded",
                "The uploads under way, and the answers that clients have not read yet, fill the memory for them.",
                retry_after=retry_after(),
                close=True,
            )
        parser.write(chunk)


def _boundary(headers: Mapping[str, str]) -> bytes:
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        given = repr(kind[:_MAX_TOLD].decode("latin-1")) if kind else "no content type"
        raise Problem("unsupported_media_type", f"Expected multipart/form-data, got {given}.", close=True)
    if (encoding := headers.get("content-encoding", "identity")) != "identity":
        raise Problem(
            "unsupported_media_type", f"Expected a body without content encoding, got {encoding!r}.", close=True
        )
    boundary = {name.lower(): value for name, value in options.items()}.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, section 5.1.1
        raise Problem("malformed_body", f"The boundary must have 1 to 70 characters, got {len(boundary)}.", close=True)
    return boundary


def _check_length(length: str | None, limits: UploadLimits) -> None:
    if length is not None and length.isdecimal() and int(length) > limits.max_request_bytes:
        raise _too_large(f"{length} bytes", limits)


def _too_large(what: str, limits: UploadLimits) -> Problem:
    return Problem(
        "request_too_large",
        f"The body has {what}; at most {limits.max_request_bytes} are allowed.",
        {"limit": {"name": "max_request_bytes", "value": limits.max_request_bytes}},
        close=True,
    )
