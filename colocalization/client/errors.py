"""What can go wrong with a request, as exceptions of one family."""

from collections.abc import Mapping
from typing import Any

from colocalization.errors import ColocalizeError

__all__ = ["AnswerError", "BusyError", "ClientError", "ProblemError", "UnreachableError"]


class ClientError(ColocalizeError):
    """Base of all errors of the client."""


class UnreachableError(ClientError):
    """There was no answer: no connection, or one that was lost or too slow.

    Attributes:
        was_sent: Whether the service may have taken the request. Such a request is not sent again by itself.
    """

    def __init__(self, message: str, *, was_sent: bool) -> None:
        super().__init__("unreachable", message)
        self.was_sent = was_sent


class AnswerError(ClientError):
    """The answer is not what the service sends: something else listens there, or a proxy answered.

    Attributes:
        status: HTTP status of the answer.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__("unexpected_answer", message)
        self.status = status


class ProblemError(ClientError):
    """The service refused the request or failed, and said so in problem details (RFC 9457).

    `code` is the stable name of the problem (see the codes of the HTTP interface), `message` its detail.

    Attributes:
        status: HTTP status.
        request_id: The service's name of the request, for its log; None where it gave none.
        members: All members of the problem, such as `limit` or `errors`.
    """

    def __init__(
        self, code: str, message: str, *, status: int, request_id: str | None, members: Mapping[str, Any]
    ) -> None:
        super().__init__(code, message)
        self.status = status
        self.request_id = request_id
        self.members = members


class BusyError(ProblemError):
    """The service had no room for the request (429, 503) for as long as the client was to try."""
