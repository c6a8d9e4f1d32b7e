"""Features of a set on the disk, so that every method reads them and memory does not grow with the set."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["ArrayStore"]


class ArrayStore(Sequence[NDArray[np.float32]]):
    """float32 arrays of one shape, written in order to a temporary file and read one at a time.

    Example:
        >>> with ArrayStore() as store:
        ...     store.append(np.ones((2, 3), np.float32))
        ...     len(store), store[0].shape
        (1, (2, 3))
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Open an empty store.

        Args:
            folder: Where its file lives; the system's folder for temporary files if left out.
        """
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (closed by __exit__)
        self._shape: tuple[int, ...] | None = None
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def append(self, array: NDArray[np.float32]) -> None:
        """Add an array.

        Raises:
            ValueError: Its type is not float32, or its shape not that of the others.
        """
        if array.dtype != np.float32 or (self._shape is not None and array.shape != self._shape):
            raise ValueError(f"expected float32 of shape {self._shape}, got {array.dtype} of {array.shape}")
        self._shape = array.shape
        self._file.seek(0, 2)
        self._file.write(np.ascontiguousarray(array).tobytes())
        self._count += 1

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, index: slice) -> list[NDArray[np.float32]]: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Read one array, or several, as new ones."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(self._count))]
        if self._shape is None or not -self._count <= index < self._count:
            raise IndexError(f"index {index} is outside a store of {self._count}")
        size = int(np.prod(self._shape)) * 4
        self._file.seek((index % self._count) * size)
        return np.frombuffer(self._file.read(size), dtype=np.float32).reshape(self._shape)
