"""The parts of a multipart/form-data body, gathered into images and fields within limits."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from colocalization.errors import ImageError
from service.http.disposition import Disposition, read_disposition
from service.http.hints_field import MAX_HINTS_BYTES
from service.http.problems import Problem
from service.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

__all__ = [
    "IMAGES_FIELD",
    "FormCollector",
    "Upload",
    "UploadLimits",
    "UploadedImage",
    "check_field",
    "check_field_size",
    "check_image",
]

IMAGES_FIELD = "images"
"""Name of the repeated field that carries the images."""

_MAX_FIELD_BYTES = 1024
_FIELD_BYTES = {"hints": MAX_HINTS_BYTES}
"""Most bytes of a field that may have more than the others."""

_MAX_TOLD = 80


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

    def names(self) -> list[str]:
        """The names of the images.

        Raises:
            Problem: There are none (`no_images`, 422).
        """
        if not self.images:
            raise Problem("no_images", "Send at least one image in the form field `images`.")
        return [image.name for image in self.images]


def check_image(index: int, name: str, limits: UploadLimits, *, close: bool = True) -> None:
    """Refuse an image too many, or one whose name is too long.

    Args:
        index: Place of the image in the request.
        name: Its file name.
        limits: What the request may send.
        close: Whether the body may still be arriving.

    Raises:
        Problem: It is (`too_many_images`, `invalid_parameter`).
    """
    if index >= limits.max_images:
        raise Problem(
            "too_many_images",
            f"The request has more than the {limits.max_images} images allowed.",
            {"limit": {"name": "max_images", "value": limits.max_images}},
            close=close,
        )
    if len(name) > limits.max_name_length:
        raise Problem(
            "invalid_parameter",
            f"A file name has {len(name)} characters; at most {limits.max_name_length} are allowed.",
            {"limit": {"name": "max_name_length", "value": limits.max_name_length}},
            close=close,
        )


def check_field(name: str, allowed: frozenset[str], *, close: bool = True) -> None:
    """Refuse a field that there is not.

    Raises:
        Problem: It is none of those allowed (`invalid_parameter`).
    """
    if name not in allowed:
        told = ", ".join(sorted({IMAGES_FIELD, *allowed}))
        raise Problem(
            "invalid_parameter", f"There is no form field {name[:_MAX_TOLD]!r}; the fields are {told}.", close=close
        )


def check_field_size(name: str, size: int, *, close: bool = True) -> None:
    """Refuse a field of too many bytes.

    Raises:
        Problem: It has (`invalid_parameter`).
    """
    if size > (most := _FIELD_BYTES.get(name, _MAX_FIELD_BYTES)):
        detail = f"The form field {name!r} has more than the {most} bytes allowed."
        raise Problem("invalid_parameter", detail, close=close)


class FormCollector:
    """Receives the parser's callbacks and builds the `Upload`; what is refused is raised as a `Problem`.

    Attributes:
        upload: What has come so far.
        ended: Whether the closing boundary has come.
    """

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
        """What the parser calls."""
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
            check_image(len(self.upload.images), self._part.file_name or "", self._limits)
        else:
            self._check_field_part()

    def _check_field_part(self) -> None:
        check_field(self._part.name, self._allowed)
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
        else:
            check_field_size(self._part.name, self._size)
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
