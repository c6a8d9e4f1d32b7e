"""Reading a body of images while it streams in, within limits, without touching the disk.

A form (`multipart/form-data`) is taken apart as it arrives; JSON is read when all of it is there.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.http.body import BodyLimits, Receive, check_encoding, receive_body
from service.http.budget import Reservation
from service.http.form import FormCollector, Upload, UploadLimits
from service.http.json_upload import read_json_upload
from service.http.problems import Problem
from service.http.url_images import UrlFetcher, fetch_all

__all__ = ["ReadUpload", "read_upload", "reserve_for_texts"]

ReadUpload = Callable[
    [Mapping[str, str], Receive, UploadLimits, Reservation, frozenset[str], Callable[[], int], UrlFetcher | None],
    Awaitable[Upload],
]
"""Reads a body, as `read_upload` does."""

_MAX_TOLD = 80
_MAX_HEADERS, _MAX_HEADER_BYTES = 8, 4096


async def read_upload(
    headers: Mapping[str, str],
    receive: Receive,
    limits: UploadLimits,
    reservation: Reservation,
    allowed_fields: frozenset[str],
    retry_after: Callable[[], int],
    fetcher: UrlFetcher | None = None,
) -> Upload:
    """Read a request's body.

    Args:
        headers: The request's headers, names in lower case.
        receive: ASGI's `receive`.
        limits: What the request may send.
        reservation: Where the bytes of the body are accounted for.
        allowed_fields: Names of form fields besides the images.
        retry_after: Seconds until there may be room again, asked where the body does not fit in.
        fetcher: Fetches the images that are given as URLs; None where none may be.

    Raises:
        Problem: A limit is hit (413, 429), the body is of another type (415), malformed (400), too slow (408), or has
            a field that is not allowed (422).
        ClientDisconnect: The client went away.
    """
    kind, options = parse_options_header(headers.get("content-type", ""))
    costs = BodyLimits(limits.max_request_bytes, "max_request_bytes", limits.timeout)
    if kind == b"application/json":
        check_encoding(headers)
        with io.BytesIO() as body:
            await receive_body(headers, receive, costs, reservation, retry_after, body.write)
            reserve_for_texts(reservation, body, retry_after)
            upload, urls = await asyncio.to_thread(read_json_upload, body.getvalue(), limits, allowed_fields)
        if urls:
            await fetch_all(fetcher, upload, urls, limits, reservation, retry_after)
        return upload
    if kind != b"multipart/form-data":
        given = repr(kind[:_MAX_TOLD].decode("latin-1")) if kind else "no content type"
        detail = f"Expected multipart/form-data or application/json, got {given}."
        raise Problem("unsupported_media_type", detail, close=True)
    check_encoding(headers)
    boundary = _boundary(options)
    collector = FormCollector(limits, allowed_fields)
    parser = MultipartParser(
        boundary, collector.callbacks(), max_header_count=_MAX_HEADERS, max_header_size=_MAX_HEADER_BYTES
    )
    try:
        collector.upload.size = await receive_body(headers, receive, costs, reservation, retry_after, parser.write)
    except (MultipartParseError, FormParserError) as error:
        raise Problem("malformed_body", f"The multipart body is malformed: {error}.", close=True) from error
    if not collector.ended:
        raise Problem("malformed_body", "The body ended before its closing boundary.")
    return collector.upload


def reserve_for_texts(reservation: Reservation, body: io.BytesIO, retry_after: Callable[[], int]) -> None:
    """Account for what reading a JSON body takes besides it: its texts, and the images decoded from them.

    Raises:
        Problem: There is no room for it (`overloaded`).
    """
    if not reservation.take(2 * body.getbuffer().nbytes):
        raise Problem("overloaded", "Uploads under way fill the memory for them.", retry_after=retry_after())


def _boundary(options: Mapping[bytes, bytes]) -> bytes:
    boundary = {name.lower(): value for name, value in options.items()}.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, section 5.1.1
        raise Problem("malformed_body", f"The boundary must have 1 to 70 characters, got {len(boundary)}.", close=True)
    return boundary
