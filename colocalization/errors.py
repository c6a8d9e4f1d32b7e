"""The errors that users of the package meet.

Every error has a stable `code` (snake case, part of the interface) and a message that names the offending value and
what is allowed. `ImageError` is raised for one image and never ends the set that the image is in.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ColocalizeError",
    "ImageError",
    "ImageErrorCode",
    "ImageWarning",
    "ImageWarningCode",
    "ModelError",
    "ObjectError",
    "ProviderError",
]

ImageErrorCode = Literal[
    "empty_file",
    "file_too_large",
    "image_too_large",
    "not_finite",
    "not_found",
    "not_readable",
    "truncated",
    "undecodable",
    "unsupported_format",
]

ImageWarningCode = Literal["damaged_metadata", "flat", "truncated"]
"""`damaged_metadata`: something besides the pixels is damaged and was left out. `flat`: nothing is left but one value.
`truncated`: the file ends early, and the rest of the image is grey."""


@dataclass(frozen=True, slots=True)
class ImageWarning:
    """What is wrong with an image that was decoded all the same.

    Attributes:
        code: Stable, machine-readable name.
        message: One sentence for people.
    """

    code: ImageWarningCode
    message: str


class ColocalizeError(Exception):
    """Base of all errors raised on purpose by Colocalize.

    Attributes:
        code: Stable, machine-readable name of the error.
        message: One sentence for people.
    """

    code: str

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ImageError(ColocalizeError):
    """One image could not be read or localized; the others of its set are unaffected."""

    code: ImageErrorCode

    def __init__(self, code: ImageErrorCode, message: str) -> None:
        super().__init__(code, message)


class ModelError(ColocalizeError):
    """A model file is missing, damaged, or not one that Colocalize exported."""

    def __init__(self, message: str) -> None:
        super().__init__("model_error", message)


class ProviderError(ColocalizeError):
    """The ONNX Runtime execution provider that was asked for cannot be used."""

    def __init__(self, message: str) -> None:
        super().__init__("provider_error", message)


class ObjectError(ColocalizeError):
    """A common object cannot be fitted, read or used; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__("object_error", message)
