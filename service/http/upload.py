"""Reading a multipart/form-data body while it streams in, within limits, without touching the disk."""

from collections.abc import Callable, Mapping

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.http.body import BodyLimits, Receive, check_encoding, receive_body
from service.http.budget import Reservation
from service.http.form import FormCollector, Upload, UploadLimits
from service.http.problems import Problem

__all__ = ["read_upload"]

_MAX_TOLD = 80
_MAX_HEADERS, _MAX_HEADER_BYTES = 8, 4096


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
    collector = FormCollector(limits, allowed_fields)
    parser = MultipartParser(
        boundary, collector.callbacks(), max_header_count=_MAX_HEADERS, max_header_size=_MAX_HEADER_BYTES
    )
    costs = BodyLimits(limits.max_request_bytes, "max_request_bytes", limits.timeout)
    try:
        collector.upload.size = await receive_body(headers, receive, costs, reservation, retry_after, parser.write)
    except (MultipartParseError, FormParserError) as error:
        raise Problem("malformed_body", f"The multipart body is malformed: {error}.", close=True) from error
    if not collector.ended:
        raise Problem("malformed_body", "The body ended before its closing boundary.")
    return collector.upload


def _boundary(headers: Mapping[str, str]) -> bytes:
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        given = repr(kind[:_MAX_TOLD].decode("latin-1")) if kind else "no content type"
        raise Problem("unsupported_media_type", f"Expected multipart/form-data, got {given}.", close=True)
    check_encoding(headers)
    boundary = {name.lower(): value for name, value in options.items()}.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, section 5.1.1
        raise Problem("malformed_body", f"The boundary must have 1 to 70 characters, got {len(boundary)}.", close=True)
    return boundary
