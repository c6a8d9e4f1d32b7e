"""A queue that serves its owners in turn."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

OwnerT = TypeVar("OwnerT", bound=Hashable)
ItemT = TypeVar("ItemT")


class FairQueue(Generic[OwnerT, ItemT]):
    """One line for each owner; whoever was served goes to the back, so a long line does not hold up short ones.

    Not safe to use from several threads by itself.

    Example:
        >>> queue: FairQueue[str, int] = FairQueue()
        >>> for item in (1, 2, 3):
        ...     queue.push("long", item)
        >>> queue.push("short", 4)
        >>> [queue.pop()[1] for _ in range(4)]
        [1, 4, 2, 3]
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[OwnerT, deque[ItemT]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, owner: OwnerT, item: ItemT) -> None:
        """Put an item at the end of its owner's line."""
        self._lines.setdefault(owner, deque()).append(item)
        self._length += 1

    def put_back(self, owner: OwnerT, item: ItemT) -> None:
        """Put an item that was taken at the front of its owner's line again."""
        self._lines.setdefault(owner, deque()).appendleft(item)
        self._length += 1

    def pop(self, accept: Callable[[OwnerT], bool] | None = None) -> tuple[OwnerT, ItemT] | None:
        """Take the first item of the owner whose turn it is.

        Args:
            accept: Owners for whom this is false are passed over and keep their place.

        Returns:
            The owner and the item, or None where no owner is left.
        """
        owner = next((owner for owner in self._lines if accept is None or accept(owner)), None)
        if owner is None:
            return None
        line = self._lines[owner]
        item = line.popleft()
        self._length -= 1
        if line:
            self._lines.move_to_end(owner)
        else:
            del self._lines[owner]
        return owner, item

    def drop(self, owner: OwnerT) -> int:
        """Throw away an owner's line and return how long it was."""
        dropped = len(self._lines.pop(owner, ()))
        self._length -= dropped
        return dropped
