"""What is finished, kept on disk as it comes, so that an interrupted run goes on where it stopped.

One line an image. An entry counts again only when the file's name, size and time of change, everything in the run's
settings that matters to the result, and the common object are the same; the name is the full relative path.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from colocalization.files import naming, write_atomically
from colocalization.listing import ImageFile
from colocalization.results import Mode
from scoring.predictions import Prediction

__all__ = ["JOURNAL_FILE", "Entry", "Journal", "digest_files", "model_of"]

JOURNAL_FILE = "journal.jsonl"
"""Its name in the state folder of the results."""

_FORMAT = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One finished image.

    Attributes:
        prediction: Its record.
        size: Size of the file when it was read, in bytes.
        mtime_ns: Its time of change, in nanoseconds since the epoch.
        common: What the common object was estimated from (`digest_files`), also in vain, or None for mode `attention`
            and where there were too few images.
        mode: What the image's boxes were found by; `attention` where the set has no common object.
        drawn: Kinds of drawings that were made of it.
    """

    prediction: Prediction
    size: int | None
    mtime_ns: int | None
    common: str | None
    mode: Mode
    drawn: tuple[str, ...]

    def is_of(self, file: ImageFile) -> bool:
        """Whether the entry is of this file, unchanged since, and of an image that could be read.

        An image that failed is tried again: the reason may lie outside the file.
        """
        return (
            self.prediction["path"] == file.name
            and file.size is not None
            and (self.size, self.mtime_ns) == (file.size, file.mtime_ns)
            and self.prediction["error"] is None
        )


def digest_files(files: Iterable[ImageFile]) -> str:
    """Hexadecimal SHA-256 over names, sizes and times of change."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(json.dumps([file.name, file.size, file.mtime_ns]).encode())
    return digest.hexdigest()


def model_of(path: Path) -> str | None:
    """SHA-256 of the model that a journal was begun with; None where there is no journal that can be read."""
    try:
        with path.open("rb") as stream:
            model = json.loads(stream.readline())["settings"]["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return model if isinstance(model, str) else None


class Journal:
    """Finished images of one output folder, on disk; memory holds one offset for each.

    Use it as a context manager. A last line that was cut off by a crash is dropped.
    """

    def __init__(self, path: Path, settings: Mapping[str, object], *, resume: bool) -> None:
        """Open the journal; begin it anew unless it may be resumed and was kept under the same settings.

        Args:
            path: The journal's file; its folder is made.
            settings: Everything but the files that the results depend on; values that JSON can hold.
            resume: Whether entries of an earlier run may be used.

        Raises:
            OSError: The file cannot be written.
        """
        header = _line({"journal": _FORMAT, "settings": dict(settings)})
        self._offsets: dict[str, int] = {}
        end = self._load(path, header) if resume else None
        if end is None:
            write_atomically(path, header)
            end = len(header)
        self._path = path
        self._stream: BinaryIO = path.open("r+b")
        self._stream.truncate(end)
        self._end = end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with naming(self._path):
            self._stream.close()  # what a full disk has not taken is tried again here

    def find(self, name: str) -> Entry | None:
        """The last entry under this name, of this run or an earlier one."""
        offset = self._offsets.get(name)
        if offset is None:
            return None
        self._stream.seek(offset)
        return _entry(json.loads(self._stream.readline()))

    def append(self, entry: Entry) -> None:
        """Keep one finished image; once this returns, it survives the end of the process."""
        line = _line(
            {
                "prediction": entry.prediction,
                "size": entry.size,
                "mtime_ns": entry.mtime_ns,
                "common": entry.common,
                "mode": entry.mode,
                "drawn": entry.drawn,
            }
        )
        with naming(self._path):
            self._stream.seek(self._end)
            self._stream.write(line)
            self._stream.flush()
        self._offsets[entry.prediction["path"]] = self._end
        self._end += len(line)

    def _load(self, path: Path, header: bytes) -> int | None:
        """Index the entries; gives the end of the last whole line, or None where there is nothing to resume."""
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            return None
        with stream:
            if stream.readline() != header:
                return None
            end = len(header)
            for line in stream:
                try:
                    name = _entry(json.loads(line)).prediction["path"]
                except (ValueError, KeyError, TypeError):
                    break  # cut off or overwritten by a crash; what follows cannot be trusted either
                if not line.endswith(b"\n"):
                    break
                self._offsets[name] = end
                end += len(line)
        return end


def _line(record: Mapping[str, object]) -> bytes:
    return json.dumps(record).encode("ascii") + b"\n"


def _entry(record: dict[str, Any]) -> Entry:
    return Entry(
        record["prediction"],
        record["size"],
        record["mtime_ns"],
        record["common"],
        record["mode"],
        tuple(record["drawn"]),
    )
