import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colocalization.listing import ImageFile, LeftOut, list_images, natural_key, walk

JPEG = b"\xff\xd8\xff\xe0 and so on"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images on several levels, things that are none, and hidden ones."""
    for name in ("b2.jpg", "b10.JPG", "a/x.png", "a/deep/er/y.webp", ".hidden.jpg", ".cache/c.jpg", "no_ending"):
        put(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def put(path: Path, content: bytes = JPEG) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def names(folder: Path, exclude: Path | None = None) -> list[str]:
    return [file.name for file in list_images(folder, exclude=exclude).files]


def test_all_images_come_in_natural_order_with_relative_names(folder: Path) -> None:
    found = list_images(folder)
    assert [file.name for file in found.files] == ["a/deep/er/y.webp", "a/x.png", "b2.jpg", "b10.JPG", "no_ending"]
    status = (folder / "b2.jpg").stat()
    assert found.files[2] == ImageFile("b2.jpg", str(folder / "b2.jpg"), status.st_size, status.st_mtime_ns)
    assert found.left_out.no_images == {os.path.realpath(folder / "notes.txt")}  # hidden files are not counted
    assert list(found.left_out.warnings()) == []


@pytest.mark.parametrize("other", ["@eaDir/a/thumb.jpg", "__MACOSX/a.jpg", "$RECYCLE.BIN/gone.jpg", "a/._x.png"])
def test_what_other_software_puts_beside_images_is_left_out(folder: Path, other: str) -> None:
    before = names(folder)
    put(folder / other)
    assert names(folder) == before


def test_the_results_of_a_run_are_left_out_and_reported(folder: Path) -> None:
    before = names(folder)
    for name in ("a/run/overlays/x.png", "a/run/.colocalize/tiles/x.png", "a/run/contact-sheet.jpg"):
        put(folder / name)
    assert names(folder) == before
    assert list(list_images(folder).left_out.warnings()) == [
        f"left out '{folder}/a/run', which holds the results of a run (.colocalize)"
    ]
    assert list(list_images(folder, exclude=folder / "a/run").left_out.warnings()) == []  # the run's own


def test_a_folder_to_exclude_need_not_be_there(folder: Path) -> None:
    assert "a/x.png" not in names(folder, folder / "a")
    assert names(folder, folder / "not there yet") == names(folder)


def test_links_are_followed_and_those_in_a_circle_counted(folder: Path) -> None:
    (folder / "a/up").symlink_to(folder, target_is_directory=True)
    (folder / "z").symlink_to(folder / "a", target_is_directory=True)
    (folder / "self.jpg").symlink_to("self.jpg")
    found = list_images(folder)
    assert found.left_out.loops == 2  # from `a` and from `z`
    assert [file.name for file in found.files if file.name.endswith("x.png")] == ["a/x.png", "z/x.png"]
    assert [file.name for file in found.files if file.size is None] == ["self.jpg"]  # an error when it is read
    assert list(found.left_out.warnings()) == ["left out 2 links that lead back to a folder that they lie in"]


def test_a_pipe_is_no_image_and_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert len(list_images(folder).left_out.no_images) == 2


def test_a_folder_that_cannot_be_listed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = list_images(folder)
    assert list(found.left_out.warnings()) == [f"cannot read the folder '{folder}/a/deep': Permission denied"]
    assert [file.name for file in found.files] == ["a/x.png", "b2.jpg", "b10.JPG", "no_ending"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = list_images(tmp_path / "none")
    assert (found.files, found.left_out.unreadable) == ((), [f"'{tmp_path}/none': No such file or directory"])


@pytest.mark.parametrize(
    ("content", "is_image"),
    [
        (JPEG, True),
        (b"\x89PNG\r\n\x1a\n", True),
        (b"GIF89a", True),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", True),
        (b"RIFF\x01\x02\x03\x04WAVEfmt ", False),
        (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00", True),
        (b"\x00\x00\x00\x18ftypheic", True),
        (b"BMW is a car.", False),
        (b"II*\x00", True),
        (b"MM\x00*", True),
        (b"", False),
        (b"%PDF-1.7", False),
    ],
)
def test_files_without_a_known_ending_are_told_by_their_first_bytes(
    tmp_path: Path, content: bytes, is_image: bool
) -> None:
    (tmp_path / "unknown").write_bytes(content)
    assert ("unknown" in names(tmp_path)) is is_image


@pytest.mark.parametrize("ending", ["heic", "HIF", "heics", "avif", "CR2", "nrw", "jpx", "psd"])
def test_images_in_other_formats_are_not_passed_over(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"a.{ending}").write_bytes(b"")
    assert names(tmp_path) == [f"a.{ending}"]


def test_natural_order_is_total() -> None:
    mixed = ["a1.jpg", "A1.jpg", "a01.jpg", "a1", "1a", "a/1", "a/01", ""]
    backwards = mixed[::-1]
    assert sorted(mixed, key=natural_key) == sorted(backwards, key=natural_key)


def test_the_first_image_comes_before_the_folders_behind_it_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder / "z/last.jpg")
    scandir, read = os.scandir, []

    def recording(path: str) -> object:
        read.append(Path(path).name)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", recording)
    assert next(walk(str(folder), LeftOut())) == ("a/deep/er/y.webp", str(folder / "a/deep/er/y.webp"))
    assert read == [folder.name, "a", "deep", "er"]


@given(st.lists(st.lists(st.text("aAbB019-", min_size=1, max_size=4), min_size=1, max_size=3), max_size=8))
def test_walking_gives_the_order_of_the_whole_names(parts: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        for name in parts:
            put(Path(place, *(f"{part}_" for part in name[:-1]), name[-1] + ".jpg"))
        found = [name for name, _ in walk(place, LeftOut())]
    assert found == sorted(found, key=natural_key)


def test_folders_may_lie_as_deep_as_the_file_system_takes_them(tmp_path: Path) -> None:
    put(tmp_path.joinpath(*["d"] * 300) / "x.jpg")
    assert [name for name, _ in walk(str(tmp_path), LeftOut())] == ["d/" * 300 + "x.jpg"]
