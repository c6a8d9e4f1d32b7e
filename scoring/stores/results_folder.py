"""The folder of a run's results, also where it is to lie in a store.

A store takes whole files and nothing else: no appending, no renaming, no locks. So a run works in a folder of this
machine, and what it has finished is copied to the store as it goes, in pieces of its journal. Another machine, or a
later run, begins from those.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from colocalization.listing import STATE_FOLDER
from scoring.outputs import Outputs
from scoring.stores.remote_store import RemoteStore, store_of, upload_all
from scoring.stores.urls import is_url, joined, redacted

__all__ = ["ResultsFolder", "StoredResults", "results_folder"]

_SECONDS_BETWEEN_COPIES = 20.0
"""How much work is lost at most where a machine dies, but for the images of one batch."""


class ResultsFolder:
    """A folder of this machine, in which results are where they are written.

    Attributes:
        path: The folder that the run works in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def checkpoint(self, *, force: bool = False) -> None:
        """Bring what is finished to where it survives this machine, if that is due."""

    def finish(self) -> int:
        """Bring all results to their place; gives how many outdated files were removed there."""
        return 0

    def shown(self, path: Path) -> str:
        """What people call a file in the folder."""
        return str(path)


class StoredResults(ResultsFolder):
    """Results that lie in a store; a folder of this machine holds them while the run lasts."""

    def __init__(self, url: str, store: RemoteStore, path: Path) -> None:
        super().__init__(path)
        self.url = url.rstrip("/")
        self._store = store
        self._state = path / STATE_FOLDER
        self._journal = self._state / "journal.jsonl"
        self._pieces: list[str] = []
        self._copied, self._header = 0, b""
        self._said = time.monotonic()
        self._before: dict[str, tuple[int, int] | None] = {}
        self._restored: dict[Path, tuple[int, int]] = {}

    def restore(self) -> None:
        """Bring back what earlier runs know of themselves.

        Raises:
            OSError: The store cannot be read.
        """
        self._state.mkdir(parents=True)
        found = sorted(one.url for one in self._store.list(self._of_state("journal")) if one.url.endswith(".jsonl"))
        with self._journal.open("wb") as journal:
            for piece in found:
                journal.write(self._store.read(piece))
        self._pieces = [self._of_state(f"journal/{piece.rsplit('/', 1)[-1]}") for piece in found]
        self._copied, self._header = self._journal.stat().st_size, _first_line(self._journal)
        if not self._copied:
            self._journal.unlink()
        outputs = self._state / "outputs.jsonl"
        try:
            outputs.write_bytes(self._store.read(self._of_state("outputs.jsonl")))
        except FileNotFoundError:
            return
        self._before = dict(Outputs(self.path, outputs).known)
        left = self._before.get("object.npz")
        if left is not None:
            self._restore_file("object.npz", *left)

    def checkpoint(self, *, force: bool = False) -> None:
        """Copy what the journal has got since the last time, as one more piece.

        Raises:
            OSError: The store cannot be written.
        """
        now = time.monotonic()
        if not self._journal.exists() or (now - self._said < _SECONDS_BETWEEN_COPIES and not force):
            return
        size = self._journal.stat().st_size
        if size < self._copied or _first_line(self._journal) != self._header:  # begun anew, under other settings
            for piece in self._pieces:
                self._store.remove(piece)
            self._pieces, self._copied, self._header = [], 0, _first_line(self._journal)
        if size > self._copied:
            with self._journal.open("rb") as journal:
                journal.seek(self._copied)
                content = journal.read(size - self._copied)
            number = int(self._pieces[-1].rsplit("/", 1)[-1].partition(".")[0]) + 1 if self._pieces else 0
            piece = self._of_state(f"journal/{number:08}.jsonl")
            self._store.write(piece, content)
            self._pieces.append(piece)
            self._copied = size
        self._said = time.monotonic()

    def finish(self) -> int:
        """Copy all results, `predictions.jsonl` last, and remove what earlier runs have written and no longer holds.

        Raises:
            OSError: The store cannot be written.
        """
        self.checkpoint(force=True)
        outputs = self._state / "outputs.jsonl"
        self._store.upload(outputs, self._of_state("outputs.jsonl"))
        predictions = self.path / "predictions.jsonl"
        files = [file for file in _files_below(self.path) if file != predictions and not self._is_restored(file)]
        upload_all(self._store, ((file, self._url_of(file)) for file in files))
        self._store.upload(predictions, self._url_of(predictions))
        return self._remove_outdated(Outputs(self.path, outputs).known)

    def shown(self, path: Path) -> str:
        """The URL of a file."""
        return redacted(self._url_of(path))

    def _remove_outdated(self, now: Mapping[str, tuple[int, int] | None]) -> int:
        removed = 0
        for name, left in self._before.items():
            if name in now:
                continue
            url = joined(self.url, name)
            found = self._store.find(url)
            if found is not None and (left is None or found.size in (None, left[0])):
                self._store.remove(url)
                removed += self.path / name not in self._restored  # else it was counted here
        return removed

    def _restore_file(self, name: str, size: int, mtime_ns: int) -> None:
        try:
            content = self._store.read(joined(self.url, name))
        except FileNotFoundError:
            return
        file = self.path / name
        file.write_bytes(content)
        os.utime(file, ns=(mtime_ns, mtime_ns))  # as it was left, which is what `Outputs` asks
        self._restored[file] = (size, mtime_ns)

    def _is_restored(self, file: Path) -> bool:
        status = file.stat()
        return self._restored.get(file) == (status.st_size, status.st_mtime_ns)

    def _of_state(self, name: str) -> str:
        return joined(self.url, f"{STATE_FOLDER}/{name}")

    def _url_of(self, path: Path) -> str:
        return joined(self.url, path.relative_to(self.path).as_posix())


@contextmanager
def results_folder(place: str) -> Iterator[ResultsFolder]:
    """The folder of results at a place: a folder of this machine, or a URL.

    What was finished is brought to a store also where the run fails or is interrupted.

    Raises:
        InputError: The URL cannot be used.
        OSError: The store cannot be used.
    """
    if not is_url(place):
        yield ResultsFolder(Path(place))
        return
    store = store_of(place)
    with tempfile.TemporaryDirectory(prefix="colocalize-") as folder:
        results = StoredResults(place, store, Path(folder))
        results.restore()
        try:
            yield results
        finally:
            results.checkpoint(force=True)


def _first_line(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.readline()


def _files_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        if STATE_FOLDER in folders:
            folders.remove(STATE_FOLDER)
        yield from (Path(place, name) for name in names)
