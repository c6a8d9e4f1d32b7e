"""Which files the runs into one folder have written, so that what no longer holds can be taken away.

A list of them is kept beside the journal. Only what stands in it is ever removed, and only while it has the size and
the time of change that it was left with: a file that someone has edited since, or put there, stays.
"""

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from colocalization.files import write_atomically

__all__ = ["Cleared", "Outputs"]

_Left = tuple[int, int] | None
"""Size and time of change (nanoseconds since the epoch) that a file was left with; None: by a run that was cut off."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What became of the files of earlier runs that no longer hold.

    Attributes:
        removed: Number of files that were removed.
        kept: Those that were not, since they were changed after they had been written or cannot be removed.
    """

    removed: int = 0
    kept: tuple[Path, ...] = ()


class Outputs:
    """The files that runs have written into one folder, besides `predictions.jsonl`.

    Attributes:
        folder: The folder.
    """

    def __init__(self, out: Path, path: Path) -> None:
        """Read the list of the earlier runs; none is known where it is missing or damaged.

        Args:
            out: Folder of the results.
            path: The list's file.

        Raises:
            OSError: The list is there and cannot be read.
        """
        self.folder = out
        self._path = path
        self._predictions: str | None = None
        self._known: dict[str, _Left] = {}
        try:
            header, *lines = path.read_bytes().splitlines()
            self._predictions = json.loads(header)["predictions"]
            self._known = dict(_entry(json.loads(line)) for line in lines)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            self._predictions, self._known = None, {}

    @property
    def known(self) -> Mapping[str, _Left]:
        """Names of the files, and what each was left with."""
        return self._known

    def holds(self, file: Path) -> bool:
        """Whether an earlier run has written this file, and it is as it was left."""
        left = self._known.get(self._name(file))
        return left is not None and left == _left(file)

    def begin(self, files: Iterable[Path]) -> None:
        """Note, before they are written, the files of this run, so that they are known if it is cut off.

        Args:
            files: What may be written. A file that is there and not as an earlier run left it is not noted: it may be
                someone's own.
        """
        for file in files:
            name = self._name(file)
            if (now := _left(file)) is None or now == self._known.get(name):
                self._known[name] = None
        self._save(None)  # what was written for other predictions may be half overwritten from now on

    def finish(self, predictions: Path, files: Iterable[Path]) -> Cleared:
        """Note what this run has written, and remove what earlier ones have and no longer holds.

        What this run was not asked for holds as long as the predictions are the same to the byte.

        Args:
            predictions: This run's `predictions.jsonl`.
            files: All other files that belong to it, those taken over from earlier runs included.
        """
        with predictions.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        written: dict[str, _Left] = {}
        identities: set[tuple[int, int]] = set()  # a file system may take two names for one
        for file in files:
            status = file.lstat()
            written[self._name(file)] = status.st_size, status.st_mtime_ns
            identities.add((status.st_dev, status.st_ino))
        others = {name: left for name, left in self._known.items() if name not in written}
        if digest == self._predictions:
            cleared = Cleared()
            written |= {name: left for name, left in others.items() if left is not None}
        else:
            cleared = self._clear(others, identities)
        self._known = written
        self._save(digest)
        return cleared

    def _clear(self, files: dict[str, _Left], spared: Container[tuple[int, int]]) -> Cleared:
        removed = 0
        kept: list[Path] = []
        for name, left in files.items():
            file = self.folder / name
            try:
                status = file.lstat()
                if (status.st_dev, status.st_ino) in spared:
                    continue
                if left is not None and left != (status.st_size, status.st_mtime_ns):
                    kept.append(file)
                    continue
                file.unlink()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                kept.append(file)
                continue
            removed += 1
            self._remove_empty_folders(file.parent)
        return Cleared(removed, tuple(kept))

    def _remove_empty_folders(self, folder: Path) -> None:
        while folder != self.folder:
            try:
                folder.rmdir()
            except OSError:  # not empty
                return
            folder = folder.parent

    def _name(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()

    def _save(self, predictions: str | None) -> None:
        lines = [{"predictions": predictions}, *([name, left] for name, left in self._known.items())]
        write_atomically(self._path, b"".join(json.dumps(line).encode("ascii") + b"\n" for line in lines))


def _left(file: Path) -> _Left:
    """What a file is like now; None where there is none."""
    try:
        status = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size, status.st_mtime_ns


def _entry(record: Any) -> tuple[str, _Left]:
    """One line of the list.

    Raises:
        ValueError: It is no such line, or names something that lies outside the folder.
        TypeError: Likewise.
    """
    name, left = record
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(f"{name!r} leaves the folder")
    if left is None:
        return name, None
    size, changed = left
    return name, (size, changed)
