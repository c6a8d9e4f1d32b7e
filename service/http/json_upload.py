"""`application/json` in place of a form: the same images and fields, each image in base64 or, where allowed, a URL."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from colocalization.errors import ImageError
from service.http.form import (
    IMAGES_FIELD,
    Upload,
    UploadedImage,
    UploadLimits,
    check_field,
    check_field_size,
    check_image,
)
from service.http.problems import Problem

__all__ = ["MOST_MEMBERS", "ImageUrl", "check_structure", "decode_base64", "read_json", "read_json_upload"]

MOST_MEMBERS = 100_000
"""Most commas and opening brackets in a body: base64 has none, and a member costs many times its two or three bytes."""

_MAX_TOLD = 80
_MEMBERS = frozenset({"name", "data", "url"})


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """An image that is to be fetched.

    Attributes:
        index: Its place in the upload.
        url: Where it lies.
    """

    index: int
    url: str


def read_json_upload(
    body: bytes, limits: UploadLimits, allowed_fields: frozenset[str]
) -> tuple[Upload, list[ImageUrl]]:
    """Read `{"images": [{"name": "a.jpg", "data": BASE64}, ..], "mode": "common", ..}`.

    An image is also taken as its base64 alone, without a name. `hints` may be a list.

    Args:
        body: The JSON.
        limits: What the request may send; those of an image count for its decoded bytes.
        allowed_fields: Names of members besides the images.

    Returns:
        The upload, and what of its images is still to be fetched; their places in it hold an error until then.

    Raises:
        Problem: The body is no JSON (`malformed_body`) or of another form (`invalid_body`, `invalid_parameter`), or
            over a limit.
    """
    told = read_json(body)
    if not isinstance(told, dict):
        raise Problem("invalid_body", f"The body must be a JSON object, got {_shown(told)}.")
    images = told.pop(IMAGES_FIELD, [])
    if not isinstance(images, list):
        raise Problem("invalid_body", f"`images` must be a list, got {_shown(images)}.")
    upload = Upload(size=len(body))
    urls: list[ImageUrl] = []
    for index in range(len(images)):
        # Each text is let go as its image is decoded.
        name, source = _image(index, images[index], limits)
        images[index] = None
        check_image(index, name, limits, close=False)
        if isinstance(source, str):
            urls.append(ImageUrl(index, source))
            source = ImageError("not_readable", "it was not fetched")
        upload.images.append(UploadedImage(name, source))
    for name, value in told.items():
        check_field(name, allowed_fields, close=False)
        for field, text in _field(name, value):
            check_field_size(field, len(text.encode("utf-8", "surrogatepass")), close=False)
            upload.fields[field] = text
    return upload, urls


def read_json(body: bytes, most_members: int = MOST_MEMBERS) -> Any:
    """The value of a JSON text of bounded cost.

    Args:
        body: The text.
        most_members: Most commas and opening brackets in it.

    Raises:
        Problem: It is none, or has too many members (`malformed_body`).
    """
    check_structure(body, most_members)
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Problem("malformed_body", f"The body is no JSON: {error}.") from error


def check_structure(body: bytes, most_members: int = MOST_MEMBERS) -> None:
    """Refuse a JSON text that would take many times its size once it is read.

    Raises:
        Problem: It has too many members (`malformed_body`).
    """
    members = sum(body.count(mark) for mark in (b",", b"[", b"{"))
    if members > most_members:
        raise Problem(
            "malformed_body",
            f"The JSON has {members} members and lists; at most {most_members} are allowed.",
            {"limit": {"name": "members", "value": most_members}},
        )


def decode_base64(text: str, limits: UploadLimits) -> bytes | ImageError:
    """The bytes of an image.

    Args:
        text: Base64, in the common or in the URL-safe alphabet, with or without padding and line breaks, with the
            head of a data URL or without.
        limits: What an image may cost, decoded.

    Returns:
        The bytes, or why they are not kept.

    Raises:
        ValueError: It is no base64.

    Example:
        >>> limits = UploadLimits(1, 2, 100, 10, 1.0)
        >>> decode_base64("data:text/plain;base64,SGk=", limits)
        b'Hi'
        >>> decode_base64("AAAA", limits).message
        '3 bytes, at most 2 are allowed'
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    if "\n" in text:
        text = "".join(text.split())
    text = text.rstrip("=")
    size = len(text) * 3 // 4
    if size > limits.max_bytes:
        return ImageError("file_too_large", f"{size} bytes, at most {limits.max_bytes} are allowed")
    alphabet = b"-_" if "-" in text or "_" in text else b"+/"
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=alphabet, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _image(index: int, told: Any, limits: UploadLimits) -> tuple[str, bytes | ImageError | str]:
    where = f"images[{index}]"
    if isinstance(told, str):
        told = {"data": told}
    if not isinstance(told, dict) or _has_other_members(told) or ("data" in told) == ("url" in told):
        raise Problem(
            "invalid_body",
            f'{where} must be an object of a "name" and either "data", in base64, or a "url"; got {_shown(told)}.',
        )
    name = told.get("name", "")
    if not all(isinstance(value, str) for value in told.values()):
        raise Problem("invalid_body", f"The members of {where} must be texts, got {_shown(told)}.")
    if "url" in told:
        return name or _last_part(told["url"]), told["url"]
    try:
        return name, decode_base64(told["data"], limits)
    except ValueError as error:
        raise Problem("invalid_body", f"The data of {where} are no base64: {error}.") from error


def _has_other_members(told: Mapping[str, Any]) -> bool:
    """Whether an image has a member that images do not have."""
    return not told.keys() <= _MEMBERS


def _last_part(url: str) -> str:
    return url.partition("?")[0].partition("#")[0].rpartition("/")[2]


def _field(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A field in the form's text; null is as if it were left out."""
    if value is None:
        return
    if isinstance(value, list | dict) or (isinstance(value, int) and not isinstance(value, bool)):
        value = json.dumps(value)
    if not isinstance(value, str):
        raise Problem("invalid_parameter", f"{name} must be a text or a whole number, got {_shown(value)}.")
    yield name, value


def _shown(value: Any) -> str:
    """A value in few words: it may be as large as a body."""
    if isinstance(value, str):
        return repr(value if len(value) <= _MAX_TOLD else f"{value[:_MAX_TOLD]}…")
    if isinstance(value, dict):
        return f"an object of {', '.join(repr(name[:_MAX_TOLD]) for name in list(value)[:8]) or 'nothing'}"
    return "a list" if isinstance(value, list) else json.dumps(value)[:_MAX_TOLD]
