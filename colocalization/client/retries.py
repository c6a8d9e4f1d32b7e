"""When a request that was not taken is sent again, and after how long.

Only what the service did not take is sent again: a request that it refused with 429 or 503, or for which there was no
connection. One whose connection was lost on the way may be worked on, and is reported in place of doubling it.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

__all__ = ["PATIENT", "REFUSED", "Attempts", "Retries", "retry_after"]

REFUSED = frozenset({429, 503})
"""Statuses that say that the request was not taken."""

_FIRST_WAIT = 0.5


@dataclass(frozen=True, slots=True)
class Retries:
    """How patient a client is.

    Attributes:
        seconds: How long a request that the service has no room for is tried again; 0 gives up at once.
        longest_wait: Most seconds between two tries, also where the service asks for more.
        connections: How often a connection is tried that cannot be made.
    """

    seconds: float = 300.0
    longest_wait: float = 60.0
    connections: int = 4

    def __post_init__(self) -> None:
        for name, least in (("seconds", 0), ("longest_wait", 0), ("connections", 1)):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")


PATIENT = Retries()
"""What a client is by itself."""


class Attempts:
    """The tries of one request."""

    def __init__(self, retries: Retries, now: Callable[[], float] = time.monotonic) -> None:
        """Begin.

        Args:
            retries: How patient to be.
            now: A clock that never goes back, in seconds.
        """
        self._retries = retries
        self._now = now
        self._until = now() + retries.seconds
        self._refused = self._unconnected = 0

    def after_refusal(self, response: httpx.Response) -> float | None:
        """Seconds to wait after a refusal; None where it is time to give up."""
        asked = retry_after(response.headers.get("retry-after"))
        wait = _FIRST_WAIT * 2**self._refused if asked is None else asked
        self._refused += 1
        # Never less than was asked for, and spread, so that all who were refused do not come back at one time.
        wait = min(wait, self._retries.longest_wait)
        wait += random.uniform(0, wait / 4 + 0.05)  # noqa: S311
        return wait if self._now() + wait <= self._until else None

    def after_no_connection(self) -> float | None:
        """Seconds to wait where there was no connection; None where it is time to give up."""
        self._unconnected += 1
        if self._unconnected >= self._retries.connections:
            return None
        return float(min(_FIRST_WAIT * 2 ** (self._unconnected - 1), self._retries.longest_wait))


def retry_after(value: str | None) -> float | None:
    """The seconds of a header `Retry-After`, which may also be a date; None where it says nothing.

    Example:
        >>> retry_after("3"), retry_after("soon"), retry_after("Thu, 01 Jan 1970 00:00:00 GMT")
        (3.0, None, 0.0)
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
