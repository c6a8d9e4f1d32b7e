"""A bound on the bytes of requests and answers held at one time."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ByteBudget", "Reservation"]


class ByteBudget:
    """Counts the bytes held for all uploads, and all answers on their way, of a worker.

    Used on the event loop's thread only.

    Attributes:
        limit: Most bytes held at one time; only what `Reservation.hold` takes may go beyond.
        held: Bytes held now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    @contextmanager
    def reservation(self) -> Iterator["Reservation"]:
        """A reservation that is given back at the end of the block.

        Example:
            >>> budget = ByteBudget(10)
            >>> with budget.reservation() as first:
            ...     first.take(8), first.take(3), budget.held
            (True, False, 8)
            >>> budget.held
            0
        """
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            reservation.give_back()


class Reservation:
    """One request's share of a `ByteBudget`."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._held = 0

    def take(self, count: int) -> bool:
        """Take `count` more bytes; False, and nothing is taken, where that would go over the limit."""
        if self._budget.held + count > self._budget.limit:
            return False
        self._budget.held += count
        self._held += count
        return True

    def hold(self, count: int) -> None:
        """Count bytes that are here already, whatever the limit: they leave less to `take`."""
        self._budget.held += count
        self._held += count

    def give_back(self, count: int | None = None) -> None:
        """Give so many bytes back; all where no number is given."""
        count = self._held if count is None else count
        self._budget.held -= count
        self._held -= count
