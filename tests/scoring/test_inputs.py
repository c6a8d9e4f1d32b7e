from pathlib import Path

import pytest

from colocalization.listing import ImageFile
from scoring.errors import InputError
from scoring.inputs import discover

JPEG = b"\xff\xd8\xff\xe0 and so on"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `set` with images on several levels, things that are none, and hidden ones; its parent is entered."""
    for name in ("set/b2.jpg", "set/b10.JPG", "set/a/x.png", "set/a/deep/er/y.webp", "other/a/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(JPEG)
    (tmp_path / "set/notes.txt").write_text("not an image")
    (tmp_path / "set/no_ending").write_bytes(JPEG)
    (tmp_path / "set/.hidden.jpg").write_bytes(JPEG)
    (tmp_path / "set/.cache").mkdir()
    (tmp_path / "set/.cache/c.jpg").write_bytes(JPEG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*inputs: str, **options: object) -> list[str]:
    return [file.name for file in discover(inputs, **options).files]  # type: ignore[arg-type]


def test_a_folder_gives_its_images_in_natural_order_with_relative_names(tree: Path) -> None:
    found = discover(["set"])
    assert [file.name for file in found.files] == ["a/deep/er/y.webp", "a/x.png", "b2.jpg", "b10.JPG", "no_ending"]
    assert len(found.left_out.no_images) == 1  # notes.txt; hidden files are not counted
    assert list(found.left_out.warnings()) == []
    status = (tree / "set/b2.jpg").stat()
    assert found.files[2] == ImageFile("b2.jpg", "set/b2.jpg", status.st_size, status.st_mtime_ns)


@pytest.mark.parametrize("given", [["set", "set"], ["set", "./set"], ["set/notes.txt", "set"]])
def test_a_file_that_is_no_image_counts_once_however_often_it_is_given(tree: Path, given: list[str]) -> None:
    assert len(discover(given).left_out.no_images) == 1


def test_strict_keeps_what_is_no_image(tree: Path) -> None:
    assert "notes.txt" in names("set", strict=True)
    assert discover(["set"], strict=True).left_out.no_images == set()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["set/b2.jpg"], ["b2.jpg"]),
        (["set/b10.JPG", "set/b2.jpg"], ["b10.JPG", "b2.jpg"]),  # files come in the order given
        (["set/b*"], ["b2.jpg", "b10.JPG"]),  # a pattern's in natural order
        (["*/b2.jpg"], ["set/b2.jpg"]),  # relative to the folder before the first wildcard
        (["set/**/*.png"], ["a/x.png"]),
        (["**/a/*"], ["other/a/x.png", "set/a/deep/er/y.webp", "set/a/x.png"]),  # with what lies below `deep`
        (["set/**"], ["a/deep/er/y.webp", "a/x.png", "b2.jpg", "b10.JPG", "no_ending"]),
        (["o*"], ["other/a/x.png"]),
        (["set/notes.txt", "set/b2.jpg"], ["b2.jpg"]),
        (["set/b2.jpg", "set"], ["b2.jpg", "a/deep/er/y.webp", "a/x.png", "b10.JPG", "no_ending"]),  # once each
    ],
)
def test_files_and_patterns(tree: Path, given: list[str], expected: list[str]) -> None:
    assert names(*given) == expected


def test_an_existing_name_with_wildcards_in_it_is_no_pattern(tree: Path) -> None:
    (tree / "set/c[1].jpg").write_bytes(JPEG)
    assert names("set/c[1].jpg") == ["c[1].jpg"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["missing"], "there is no file or folder 'missing'"),
        (["set/*.bmp"], r"nothing matches 'set/\*.bmp'"),
        (["set/**/*.bmp"], "nothing matches"),
        (["set/notes.txt"], r"no image found in 'set/notes.txt' \(1 files are not images\)"),
        (["set", "other"], r"'set/a/x.png' and 'other/a/x.png' would both be called 'a/x.png'"),
    ],
)
def test_what_cannot_be_scored_is_an_error(tree: Path, given: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        discover(given)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image found in"):
        discover([str(tmp_path)])


def test_names_from_a_list_keep_order_and_name(tree: Path) -> None:
    found = discover(["set"], names=["b2.jpg", "a/x.png", "./a//x.png", "gone.jpg", "notes.txt"])
    assert [file.name for file in found.files] == ["b2.jpg", "a/x.png", "gone.jpg"]
    assert (found.files[2].size, found.files[2].mtime_ns) == (None, None)  # becomes an error line when it is read
    assert len(found.left_out.no_images) == 1


def test_names_from_a_list_are_relative_to_the_working_folder_without_an_input(tree: Path) -> None:
    assert names(names=["set/b2.jpg"]) == ["set/b2.jpg"]


def test_a_listed_name_that_leaves_the_folder_is_called_by_its_last_part(tree: Path) -> None:
    assert names("set", names=["../other/a/x.png", str(tree / "set/b2.jpg")]) == ["x.png", "b2.jpg"]


@pytest.mark.parametrize("inputs", [["set/b2.jpg"], ["set", "other"]])
def test_a_list_takes_one_folder(tree: Path, inputs: list[str]) -> None:
    with pytest.raises(InputError, match="give one folder"):
        discover(inputs, names=["b2.jpg"])


def test_an_empty_list_is_an_error(tree: Path) -> None:
    with pytest.raises(InputError, match="no image found in the 0 names given"):
        discover([], names=[])


def test_links_in_a_circle_are_survived_and_counted(tree: Path) -> None:
    (tree / "set/a/up").symlink_to(tree / "set", target_is_directory=True)
    (tree / "set/self.jpg").symlink_to("self.jpg")
    found = discover(["set"])
    assert found.left_out.loops == 1
    assert [file.name for file in found.files if file.size is None] == ["self.jpg"]
    assert names("set/**/y.webp") == ["a/deep/er/y.webp"]


def test_the_results_are_not_scored(tree: Path) -> None:
    assert "a/x.png" not in names("set", exclude=tree / "set/a")
    assert names("set", exclude=tree / "not there yet") == names("set")


@pytest.mark.parametrize("folder", [".", "./", "a", "a/", ".."])
def test_folders_in_a_list_are_left_out(tree: Path, folder: str) -> None:
    assert names("set", names=[folder, "b2.jpg"]) == ["b2.jpg"]  # `find` lists them beside files


def test_a_name_in_the_quotes_of_a_spreadsheet_is_understood(tree: Path) -> None:
    (tree / 'set/a, "b".jpg').write_bytes(JPEG)
    assert names("set", names=['"a, ""b"".jpg"', "b2.jpg"]) == ['a, "b".jpg', "b2.jpg"]


@pytest.mark.parametrize("listed", [["file;label", "b2.jpg;bird"], ["Name", "----", "b2.jpg   "], ["x" * 300]])
def test_a_list_of_which_no_name_is_a_file_is_refused(tree: Path, listed: list[str]) -> None:
    with pytest.raises(InputError, match=f"none of the {len(listed)} names given is a file below 'set', such as"):
        discover(["set"], names=listed)


def test_names_that_no_file_can_have_are_no_file(tree: Path) -> None:
    with pytest.raises(InputError, match="there is no file or folder 'xxx"):
        discover(["x" * 300])


@pytest.mark.parametrize("pattern", ["set/**/*.png", "set/*/*.png", "set/*"])
def test_a_pattern_leaves_results_out_too(tree: Path, pattern: str) -> None:
    before = names(pattern)
    for name in ("run/.colocalize/journal.jsonl", "run/y.png", "run/overlays/x.png"):
        (tree / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "set" / name).write_bytes(JPEG)
    assert names(pattern) == before
    assert any("holds the results of a run" in warning for warning in discover([pattern]).left_out.warnings())


def test_results_given_as_the_input_are_refused(tree: Path) -> None:
    (tree / "set/.colocalize").mkdir()
    with pytest.raises(InputError, match=r"no image found in 'set' .*left out 'set', which holds the results of a run"):
        discover(["set"])
    assert names("set/*.jpg") == ["b2.jpg"]  # asked for by name
