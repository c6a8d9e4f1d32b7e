"""The files of a set in parts, in a folder or in a store."""

import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.files import atomic_writer, write_atomically
from colocalization.listing import STATE_FOLDER
from scoring.engines.set_parts import PART_FOLDER, SetPart, is_part_name
from scoring.formats.parquet import read_parquet, read_parquet_note
from scoring.pipeline import ordered_map
from scoring.predictions import Prediction
from scoring.stores.remote_store import SIDE_BY_SIDE, store_of
from scoring.stores.urls import is_url, joined, redacted

__all__ = ["PARTS_FILE", "PartFiles"]

PARTS_FILE = f"{STATE_FOLDER}/parts.jsonl"
"""List of the parts in the order of the set, each with its counts; by it, results of this engine are told."""


class PartFiles:
    """The results of one set.

    Attributes:
        out: The folder, or its URL.
    """

    def __init__(self, out: str) -> None:
        self.out = out
        self._store = store_of(out) if is_url(out) else None

    def shown(self, name: str) -> str:
        """What people call a file of the results."""
        return redacted(self._place(name))

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none.

        Raises:
            OSError: It cannot be read.
        """
        try:
            return Path(self._place(name)).read_bytes() if self._store is None else self._store.read(self._place(name))
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole.

        Raises:
            OSError: It cannot be written.
        """
        if self._store is None:
            write_atomically(Path(self._place(name)), content)
        else:
            self._store.write(self._place(name), content)

    def upload(self, source: Path, name: str) -> None:
        """Write a file, whole, from one of any size.

        Raises:
            OSError: It cannot be written.
        """
        if self._store is None:
            with source.open("rb") as content, atomic_writer(Path(self._place(name))) as stream:
                shutil.copyfileobj(content, stream)
        else:
            self._store.upload(source, self._place(name))

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        if self._store is None:
            Path(self._place(name)).unlink(missing_ok=True)
        else:
            self._store.remove(self._place(name))

    def holds(self, name: str) -> bool:
        """Whether there is such a file."""
        place = self._place(name)
        return Path(place).is_file() if self._store is None else self._store.find(place) is not None

    def read_json(self, name: str) -> dict[str, Any] | None:
        """What a file says, where it is there and says something."""
        try:
            told = json.loads(self.read(name) or b"null")
        except ValueError:
            return None
        return told if isinstance(told, dict) else None

    def read_object(self, name: str) -> CommonObject | None:
        """The common object in a file, where it is there and whole."""
        content = self.read(name)
        if content is None:
            return None
        try:
            return CommonObject.from_bytes(content)
        except ObjectError:
            return None

    def finished(self, parts: Sequence[SetPart]) -> dict[str, dict[str, Any]]:
        """The counts of the parts that are there and whole, by name; one with failed images is to be tried again."""
        wanted = {part.name: len(part.files) for part in parts}
        there = [name for name in self._part_names() if name in wanted]
        with ThreadPoolExecutor(SIDE_BY_SIDE, "parts") as pool:
            notes = zip(there, ordered_map(pool, self._note, there, ahead=SIDE_BY_SIDE), strict=True)
            return {
                name: note
                for name, note in notes
                if note is not None and note.get("images") == wanted[name] and not note.get("errors")
            }

    def read_parts(self, parts: Sequence[SetPart], pool: Executor) -> Iterator[list[Prediction]]:
        """The predictions of parts, in order.

        Raises:
            OSError: One cannot be read.
        """

        def rows(part: SetPart) -> list[Prediction]:
            content = self.read(f"{PART_FOLDER}/{part.name}")
            if content is None:
                raise FileNotFoundError(0, "a part has vanished", self.shown(f"{PART_FOLDER}/{part.name}"))
            return list(read_parquet(io.BytesIO(content)))

        return ordered_map(pool, rows, parts, ahead=4)

    def keep_only(self, parts: Sequence[SetPart], notes: Mapping[str, dict[str, Any]]) -> None:
        """Note which parts make up the set, and remove those of earlier runs that no longer do."""
        lines = [{"part": part.name, **notes[part.name]} for part in parts]
        self.write(PARTS_FILE, b"".join(json.dumps(line).encode("ascii") + b"\n" for line in lines))
        wanted = {part.name for part in parts}
        for name in self._part_names():
            if name not in wanted:
                self.remove(f"{PART_FOLDER}/{name}")

    def _note(self, name: str) -> dict[str, Any] | None:
        content = self.read(f"{PART_FOLDER}/{name}")
        return None if content is None else read_parquet_note(io.BytesIO(content))

    def _part_names(self) -> list[str]:
        place = self._place(PART_FOLDER)
        if self._store is not None:
            names = [one.url.rsplit("/", 1)[-1] for one in self._store.list(place)]
        else:
            names = [one.name for one in Path(place).iterdir()] if Path(place).is_dir() else []
        return [name for name in names if is_part_name(name)]

    def _place(self, name: str) -> str:
        return joined(self.out, name) if is_url(self.out) else str(Path(self.out, name))
