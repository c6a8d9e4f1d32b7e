"""Errors over HTTP: problem details (RFC 9457) with a stable `code`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.exceptions import HTTPException

__all__ = ["PROBLEM_MEDIA_TYPE", "PROBLEM_TYPES", "Problem", "ProblemCode", "ProblemType"]

PROBLEM_MEDIA_TYPE = "application/problem+json"

ProblemCode = Literal[
    "bad_request",
    "malformed_body",
    "unauthorized",
    "forbidden",
    "not_found",
    "objects_disabled",
    "object_not_found",
    "model_not_found",
    "preflight_refused",
    "method_not_allowed",
    "object_of_another_model",
    "too_many_objects",
    "upload_timeout",
    "request_too_large",
    "image_too_large",
    "too_many_images",
    "unsupported_media_type",
    "invalid_parameter",
    "invalid_body",
    "invalid_hint",
    "not_expressible",
    "no_images",
    "no_readable_image",
    "nothing_in_common",
    "overloaded",
    "header_too_large",
    "internal_error",
    "inference_failed",
    "label_studio_failed",
    "object_unusable",
    "not_ready",
    "deadline_exceeded",
]
"""Stable names of the errors, part of the interface."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """What all problems of one code share."""

    status: int
    title: str


PROBLEM_TYPES: Mapping[ProblemCode, ProblemType] = {
    "bad_request": ProblemType(400, "The request is not valid HTTP for this service"),
    "malformed_body": ProblemType(400, "The body is not well-formed"),
    "preflight_refused": ProblemType(400, "Pages of other origins may not send this request"),
    "unauthorized": ProblemType(401, "A valid API key is needed"),
    "forbidden": ProblemType(403, "The API key may not change what is kept"),
    "not_found": ProblemType(404, "There is nothing at this address"),
    "objects_disabled": ProblemType(404, "This service keeps no objects"),
    "object_not_found": ProblemType(404, "There is no object of this name"),
    "model_not_found": ProblemType(404, "There is no model of this name and version"),
    "method_not_allowed": ProblemType(405, "This address does not take this method"),
    "upload_timeout": ProblemType(408, "The body did not arrive in time"),
    "object_of_another_model": ProblemType(409, "The object was fitted with another model"),
    "too_many_objects": ProblemType(409, "As many objects are kept as may be"),
    "request_too_large": ProblemType(413, "The body has too many bytes"),
    "image_too_large": ProblemType(413, "Every image has too many bytes"),
    "too_many_images": ProblemType(413, "The request has too many images"),
    "unsupported_media_type": ProblemType(415, "The body is of a type that is not taken here"),
    "invalid_parameter": ProblemType(422, "A parameter is not allowed"),
    "invalid_body": ProblemType(422, "The JSON of the body is of another form"),
    "invalid_hint": ProblemType(422, "A hint cannot be used"),
    "not_expressible": ProblemType(422, "The images' names cannot be expressed in this format"),
    "no_images": ProblemType(422, "The request has no images"),
    "no_readable_image": ProblemType(422, "None of the images could be read"),
    "nothing_in_common": ProblemType(422, "The images have nothing in common that could be kept"),
    "overloaded": ProblemType(429, "The service has as much work as it can take"),
    "header_too_large": ProblemType(431, "The request's header has too many bytes"),
    "internal_error": ProblemType(500, "The service failed"),
    "inference_failed": ProblemType(500, "The network failed on these images"),
    "label_studio_failed": ProblemType(502, "Label Studio does not answer as it should"),
    "object_unusable": ProblemType(500, "The object's file cannot be read or written"),
    "not_ready": ProblemType(503, "The service is not ready"),
    "deadline_exceeded": ProblemType(504, "The answer was not ready in time"),
}

_MAX_TOLD = 200

_CODE_OF_STATUS: Mapping[int, ProblemCode] = {401: "unauthorized", 404: "not_found", 405: "method_not_allowed"}


@dataclass(eq=False)  # an exception is itself and no other, and hashable as such
class Problem(Exception):  # noqa: N818 -- RFC 9457's word
    """An error to be answered as problem details.

    Attributes:
        code: Stable name; it determines status and title.
        detail: One or two sentences that name the offending value and what is allowed.
        extra: More members of the answer, such as the limit that was hit.
        retry_after: Seconds after which to try again, or None.
        close: Whether the body may still be arriving; the connection is closed after the answer.
    """

    code: ProblemCode
    detail: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    retry_after: int | None = None
    close: bool = False

    def __post_init__(self) -> None:
        super().__init__(self.detail)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return PROBLEM_TYPES[self.code].status

    @classmethod
    def from_http_exception(cls, error: HTTPException, path: str) -> "Problem":
        """The problem for what the router raises (404, 405).

        Args:
            error: What it raised.
            path: Path of the request.
        """
        code: ProblemCode = _CODE_OF_STATUS.get(
            error.status_code, "bad_request" if error.status_code < 500 else "internal_error"
        )
        detail = PROBLEM_TYPES[code].title
        if code == "not_found":
            detail = f"There is nothing at {path[:_MAX_TOLD]!r}"
            if path != "/" and path.endswith("/"):
                detail += "; no address ends with a slash"
        return cls(code, f"{detail}.")

    def body(self, request_id: str | None) -> dict[str, Any]:
        """The members of the answer's JSON object."""
        kind = PROBLEM_TYPES[self.code]
        members: dict[str, Any] = {
            "type": f"urn:colocalize:problem:{self.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "code": self.code,
            **self.extra,
        }
        if request_id is not None:
            members["request_id"] = request_id
        return members
