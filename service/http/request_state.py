"""What is noted about a request on its way, for its answer, its log line and its trace."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Scope

from service.http.problems import ProblemCode

__all__ = ["REQUEST_ID", "STATE", "RequestState", "state_of"]

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Name of the request that the current task works on; unset in the scheduler's threads, whose jobs carry it."""

STATE: Final = "colocalize.request"
"""Key of the notes in the ASGI scope, from `RequestIdMiddleware` inwards."""


@dataclass(slots=True)
class RequestState:
    """Notes about one request.

    Attributes:
        request_id: Its name; None where nothing has given it one.
        api_key: Name of the key that it showed.
        upload_bytes: Bytes of its body.
        images: Number of its images.
        timings: Milliseconds by stage, and in total.
        problem_code: Code of the problem that it was answered with.
    """

    request_id: str | None = None
    api_key: str | None = None
    upload_bytes: int | None = None
    images: int | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    problem_code: ProblemCode | None = None


def state_of(scope: Scope) -> RequestState:
    """The notes about the request of an ASGI scope, or of a copy of it."""
    state: RequestState = scope.setdefault(STATE, RequestState())
    return state
