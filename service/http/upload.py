"""Reading a multipart/form-data body while it streams in, within limits, without touching the disk."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from colocalization.errors import ImageError
from service.http.budget import Reservation
from service.http.disposition import Disposition, read_disposition
from service.http.problems import Problem
from service.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

__all__ = ["IMAGES_FIELD", "Upload", "UploadLimits", "UploadedImage", "read_upload"]

IMAGES_FIELD = "images"
"""Name of the repeated field that carries the images."""

_MAX_FIELD_BYTES = 1024
_MAX_TOLD = 80
_MAX_HEADERS, _MAX_HEADER_BYTES = 8, 4096

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one request may send.

    Attributes:
        max_images: Most images.
        max_bytes: Largest encoded image; a larger one becomes an `ImageError` and is not kept.
        max_request_bytes: Largest body.
        max_name_length: Longest file name, in characters.
        timeout: Seconds in which the whole body must arrive.
    """

    max_images: int
    max_bytes: int
    max_request_bytes: int
    max_name_length: int
    timeout: float

    @classmethod
    def of(cls, settings: Settings) -> "UploadLimits":
        """What the settings say."""
        return cls(
            max_images=settings.max_images,
            max_bytes=settings.max_bytes,
            max_request_bytes=settings.max_request_bytes,
            max_name_length=settings.max_name_length,
            timeout=settings.upload_timeout,
        )


@dataclass(frozen=True, slots=True)
class UploadedImage:
    """One image as sent.

    Attributes:
        name: File name as the client gave it; empty where it gave none.
        source: The encoded bytes, or why they were not kept.
    """

    name: str
    source: bytes | ImageError


@dataclass(slots=True)
class Upload:
    """A whole body.

    Attributes:
        images: The images in the order sent.
        fields: The other form fields.
        size: Bytes of the body.
    """

    images: list[UploadedImage] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    size: int = 0


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
    collector = _Collector(limits, allowed_fields)
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


class _Collector:
    """Receives the parser's callbacks and builds the `Upload`."""

    def __init__(self, limits: UploadLimits, allowed_fields: frozenset[str]) -> None:
        self.upload = Upload()
        self.ended = False
        self._limits = limits
        self._allowed = allowed_fields
        self._headers: dict[str, str] = {}
        self._header_name = self._header_value = b""
        self._part = Disposition("", None)
        self._chunks: list[bytes] = []
        self._size = 0

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value_part,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._headers = {}
        self._chunks = []
        self._size = 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value_part(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        name, value = _text(self._header_name).lower(), _text(self._header_value)
        if name in self._headers:
            raise Problem("malformed_body", f"A part has the header {name[:_MAX_TOLD]!r} twice.", close=True)
        self._headers[name] = value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        try:
            self._part = read_disposition(self._headers)
        except ValueError as error:
            raise Problem("malformed_body", f"The multipart body is not a form: {error}.", close=True) from error
        if self._part.name == IMAGES_FIELD:
            self._check_image_part()
        else:
            self._check_field_part()

    def _check_image_part(self) -> None:
        limits = self._limits
        if len(self.upload.images) == limits.max_images:
            raise Problem(
                "too_many_images",
                f"The request has more than the {limits.max_images} images allowed.",
                {"limit": {"name": "max_images", "value": limits.max_images}},
                close=True,
            )
        length = len(self._part.file_name or "")
        if length > limits.max_name_length:
            raise Problem(
                "invalid_parameter",
                f"A file name has {length} characters; at most {limits.max_name_length} are allowed.",
                {"limit": {"name": "max_name_length", "value": limits.max_name_length}},
                close=True,
            )

    def _check_field_part(self) -> None:
        if self._part.name not in self._allowed:
            allowed = ", ".join(sorted({IMAGES_FIELD, *self._allowed}))
            raise Problem(
                "invalid_parameter",
                f"There is no form field {self._part.name[:_MAX_TOLD]!r}; the fields are {allowed}.",
                close=True,
            )
        if self._part.name in self.upload.fields:
            raise Problem(
                "invalid_parameter", f"The form field {self._part.name!r} is given more than once.", close=True
            )

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._part.name == IMAGES_FIELD:
            if self._size > self._limits.max_bytes:
                self._chunks.clear()  # counted on, but no longer kept
            else:
                self._chunks.append(data[start:end])
        elif self._size > _MAX_FIELD_BYTES:
            raise Problem(
                "invalid_parameter",
                f"The form field {self._part.name!r} has more than the {_MAX_FIELD_BYTES} bytes allowed.",
                close=True,
            )
        else:
            self._chunks.append(data[start:end])

    def _part_end(self) -> None:
        content = b"".join(self._chunks)
        self._chunks = []
        if self._part.name != IMAGES_FIELD:
            self.upload.fields[self._part.name] = content.decode("utf-8", "replace")
            return
        limit = self._limits.max_bytes
        if not content and self._part.file_name == "" and not self._size:
            return  # what browsers send for a file field in which nothing was chosen
        source: bytes | ImageError = content
        if self._size > limit:
            source = ImageError("file_too_large", f"{self._size} bytes, at most {limit} are allowed")
        self.upload.images.append(UploadedImage(self._part.file_name or "", source))

    def _end(self) -> None:
        self.ended = True


def _text(header: bytes) -> str:
    """A header in UTF-8, or in ISO 8859-1 as old clients send it: no name is lost, nor are two made the same."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")
