import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from colocalization.files import alone_in, atomic_writer, write_atomically
from colocalization.results import ImageResult
from scoring.journal import Entry, Journal
from scoring.predictions import to_prediction


@pytest.mark.parametrize("durable", [True, False])
def test_content_appears_at_once_and_nothing_else_is_left(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")
    with atomic_writer(path, durable=durable) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_old_content_stays_when_writing_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def write_half() -> None:
        with atomic_writer(path) as stream:
            stream.write(b"ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made_and_long_names_fit(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / ("x" * 251 + ".txt")  # 255 bytes, the most that file systems take
    write_atomically(path, b"1")
    assert path.read_bytes() == b"1"


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 100 bytes; like that of a full disk, the error comes from the write and names no file.

    Within the test alone, since what pytest itself writes may go to a file too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_error_of_a_full_disk_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large") as caught, full_disk():
        write_atomically(tmp_path / "a.txt", b"1" * 200)
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_a_full_disk_names_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    prediction = to_prediction("a" * 200, ImageResult(4, 4, (), 0.5, True, None))
    with (
        pytest.raises(OSError, match="File too large") as caught,
        full_disk(),
        Journal(path, {}, resume=True) as journal,
    ):
        journal.append(Entry(prediction, 1, 1, None, "attention", ()))
    assert caught.value.filename == str(path)


def test_an_error_names_the_file_and_not_its_temporary_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where a folder has to be")
    with pytest.raises(NotADirectoryError) as caught, atomic_writer(tmp_path / "a" / "b.txt"):
        pass
    assert caught.value.filename == str(tmp_path / "a" / "b.txt")


def test_one_run_at_a_time_writes_into_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with alone_in(folder), pytest.raises(OSError, match="another run is writing into") as caught, alone_in(folder):
        pytest.fail("let in twice")
    assert caught.value.filename == str(tmp_path / "out")
    with alone_in(tmp_path / "out"):
        pass
