from dataclasses import replace
from pathlib import Path

import pytest

from colocalization.errors import ImageError
from colocalization.listing import ImageFile
from colocalization.results import ImageResult
from scoring.journal import Entry, Journal, digest_files, model_of
from scoring.predictions import to_prediction

SETTINGS = {"model": "abc", "mode": "common"}


def entry(name: str, size: int = 10) -> Entry:
    return Entry(
        to_prediction(name, ImageResult(4, 4, (), 0.5, True, None)), size, 99, "digest", "common", ("overlay",)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with entries for a and b."""
    path = tmp_path / "state" / "journal.jsonl"
    with Journal(path, SETTINGS, resume=True) as journal:
        journal.append(entry("a"))
        journal.append(entry("b"))
    return path


def test_entries_are_found_again(path: Path) -> None:
    with Journal(path, SETTINGS, resume=True) as journal:
        assert (journal.find("a"), journal.find("b"), journal.find("c")) == (entry("a"), entry("b"), None)


def test_the_last_entry_of_a_name_counts(path: Path) -> None:
    with Journal(path, SETTINGS, resume=True) as journal:
        journal.append(entry("a", size=11))
        assert journal.find("a") == entry("a", size=11)
    with Journal(path, SETTINGS, resume=True) as journal:
        assert journal.find("a") == entry("a", size=11)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"journal": 3, "settings": {"model": "ab"}}\n', "ab"),
        (b'{"journal": 3, "settings": {"model": 7}}\n', None),
        (b'{"journal": 3, "settings": ["model"]}\n', None),
        (b'{"jour', None),
        (b"", None),
        (b"[]\n", None),
    ],
)
def test_the_model_that_a_journal_was_begun_with(tmp_path: Path, content: bytes, expected: str | None) -> None:
    assert model_of(tmp_path / "journal.jsonl") is None
    (tmp_path / "journal.jsonl").write_bytes(content)
    assert model_of(tmp_path / "journal.jsonl") == expected


def test_an_entry_is_on_the_disk_before_the_journal_is_closed(path: Path) -> None:
    with Journal(path, SETTINGS, resume=True) as journal:
        journal.append(entry("c"))
        assert b'"path": "c"' in path.read_bytes()


@pytest.mark.parametrize(
    ("settings", "resume"), [(SETTINGS, False), ({**SETTINGS, "model": "xyz"}, True), ({"model": "abc"}, True)]
)
def test_entries_made_under_other_settings_do_not_count(path: Path, settings: dict[str, object], resume: bool) -> None:
    with Journal(path, settings, resume=resume) as journal:
        assert journal.find("a") is None
    with Journal(path, settings, resume=True) as journal:
        assert journal.find("b") is None


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_line_cut_off_by_a_crash_is_dropped_and_written_over(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    with Journal(path, SETTINGS, resume=True) as journal:
        assert (journal.find("a"), journal.find("b")) == (entry("a"), None)
        journal.append(entry("c"))
    with Journal(path, SETTINGS, resume=True) as journal:
        assert (journal.find("a"), journal.find("c")) == (entry("a"), entry("c"))


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"{}\n", b"[1, 2]\nnonsense\n"])
def test_a_file_that_is_no_journal_is_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with Journal(path, SETTINGS, resume=True) as journal:
        assert journal.find("a") is None
        journal.append(entry("a"))
    with Journal(path, SETTINGS, resume=True) as journal:
        assert journal.find("a") == entry("a")


@pytest.mark.parametrize(
    ("file", "same"),
    [
        (ImageFile("a", "/x/a", 10, 99), True),
        (ImageFile("a", "/moved/elsewhere/a", 10, 99), True),
        (ImageFile("b/a", "/x/b/a", 10, 99), False),  # the same base name in another folder is another image
        (ImageFile("a", "/x/a", 11, 99), False),
        (ImageFile("a", "/x/a", 10, 98), False),
        (ImageFile("a", "/x/a", None, None), False),
    ],
)
def test_an_entry_is_of_an_unchanged_file_under_its_full_name(file: ImageFile, same: bool) -> None:
    assert entry("a").is_of(file) is same


def test_a_failed_image_is_tried_again() -> None:
    failed = to_prediction("a", ImageResult.failed(ImageError("not_readable", "no permission")))
    assert not replace(entry("a"), prediction=failed).is_of(ImageFile("a", "/x/a", 10, 99))


def test_the_digest_depends_on_everything_but_where_the_files_lie() -> None:
    files = [ImageFile("a", "/x/a", 10, 99), ImageFile("b", "/x/b", 10, 99)]
    assert digest_files(files) == digest_files([replace(file, path="/y") for file in files])
    others = [
        files[:1],
        files[::-1],
        [files[0], replace(files[1], name="c")],
        [files[0], replace(files[1], size=11)],
        [files[0], replace(files[1], mtime_ns=98)],
    ]
    assert len({digest_files(files), *map(digest_files, others)}) == 6
