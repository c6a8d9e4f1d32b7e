from pathlib import Path

import pytest

from service.scoring.files import atomic_writer, write_atomically


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
