import io
import sys
from pathlib import Path

import pytest

from scoring.errors import InputError
from scoring.name_lists import parse_names, read_names

NAMES = ["a.jpg", "ünï/b c.jpg", "写真.png"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lists_of_editors_shells_and_spreadsheets_are_understood(encoding: str, end: str) -> None:
    """PowerShell 5 writes UTF-16 with CR LF, Excel UTF-8 with its mark or UTF-16, an old Mac CR."""
    assert parse_names(end.join([*NAMES, ""]).encode(encoding)) == NAMES
    assert parse_names(end.join(NAMES).encode(encoding)) == NAMES


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_told_from_names_ended_by_nul(encoding: str) -> None:
    assert parse_names("a.jpg\r\nb.jpg\r\n".encode(encoding)) == ["a.jpg", "b.jpg"]


def test_names_ended_by_nul_keep_line_ends_of_their_own() -> None:
    assert parse_names(b"./a.jpg\0./new\nline.jpg\0") == ["./a.jpg", "./new\nline.jpg"]  # find -print0
    assert parse_names(b"a\0b\0") == ["a", "b"]
    assert parse_names(b"a.jpg\0b.jpg") == ["a.jpg", "b.jpg"]


def test_names_are_read_as_bytes_that_any_file_can_have() -> None:
    assert parse_names(b"\xef\xbb\xbfa.jpg\n b.jpg \n\nc\xff.jpg") == ["a.jpg", " b.jpg ", "c\udcff.jpg"]


@pytest.mark.parametrize("content", [b"\xff\xfea\0b", b"\xff\xfea\0\0\0", b"\xff\xfe\0\0\xff\xff\xff\xff"])
def test_what_is_no_list_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "names").write_bytes(content)
    with pytest.raises(InputError, match="is no list of file names") as caught:
        read_names(tmp_path / "names")
    assert "\n" not in str(caught.value)


def test_a_list_is_read_from_standard_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a.jpg\n")))
    assert read_names("-") == ["a.jpg"]


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read '.*none': No such file"):
        read_names(tmp_path / "none")
