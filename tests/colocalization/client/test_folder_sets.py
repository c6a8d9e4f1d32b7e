"""A folder in sets that one request can carry."""

from pathlib import Path

import pytest

from colocalization.client.answers import ServedModel, ServedSet, ServiceDetails
from colocalization.client.folder_sets import FolderPlan, plan_folder
from colocalization.hints import HintError
from colocalization.results import ImageResult

BOX = (1.0, 2.0, 3.0, 4.0)


def details(**limits: int) -> ServiceDetails:
    model = ServedModel("dummy", "0" * 64, "none", (32, 32))
    all_limits = {"max_images": 64, "max_bytes": 1000, "max_request_bytes": 2**20, **limits}
    return ServiceDetails(model, "CPU", None, all_limits, {})


def write(folder: Path, *sizes: int) -> Path:
    for index, size in enumerate(sizes):
        (folder / f"{index:03}.jpg").write_bytes(b"x" * size)
    return folder


def sizes(plan: FolderPlan) -> list[int]:
    return [len(one.files) for one in plan]


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(65, 64, [33, 32]), (64, 64, [64]), (129, 64, [43, 43, 43]), (1, 64, [1]), (0, 64, []), (3, 2, [2, 1])],
)
def test_sets_are_even(tmp_path: Path, count: int, most: int, expected: list[int]) -> None:
    plan = plan_folder(write(tmp_path, *[10] * count), details(max_images=most), is_set=True, set_size=None, hints=None)
    assert sizes(plan) == expected
    assert [file.name for one in plan for file in one.files] == [f"{index:03}.jpg" for index in range(count)]


def test_images_that_stand_for_themselves_come_in_small_sets_and_the_user_may_say_how_many(tmp_path: Path) -> None:
    write(tmp_path, *[10] * 32)
    by_itself = plan_folder(tmp_path, details(), is_set=False, set_size=None, hints=None)
    chosen = plan_folder(tmp_path, details(max_images=6), is_set=True, set_size=12, hints=None)
    assert (sizes(by_itself), sizes(chosen)) == ([16, 16], [6, 6, 6, 6, 6, 2])


def test_bytes_of_a_request_are_bounded(tmp_path: Path) -> None:
    limits = details(max_bytes=10_000, max_request_bytes=128 * 1024 + 8 * 1024)
    plan = plan_folder(write(tmp_path, 3000, 3000, 3000, 9000), limits, is_set=True, set_size=None, hints=None)
    assert sizes(plan) == [2, 1, 1]  # each image counts 1 KiB more; the last one alone is larger than a request
    assert [(one.paths, [error.code for error in one.errors.values()]) for one in plan][2] == ([], ["file_too_large"])


def test_what_is_not_sent_keeps_its_place(tmp_path: Path) -> None:
    (one,) = plan_folder(write(tmp_path, 10, 0, 1001, 10), details(), is_set=True, set_size=None, hints=None)
    assert one.names == ["000.jpg", "003.jpg"]
    found = ServedSet("common", tuple(ImageResult(9, 9, (), confidence, True, None) for confidence in (0.1, 0.4)))
    named = one.named(found)
    assert [(image.name, image.result.confidence) for image in named] == [
        ("000.jpg", 0.1), ("001.jpg", 0.0), ("002.jpg", 0.0), ("003.jpg", 0.4),
    ]  # fmt: skip
    assert [image.result.error and image.result.error.code for image in named] == [
        None, "empty_file", "file_too_large", None,
    ]  # fmt: skip


def test_hints_are_by_name_and_by_the_place_among_what_is_sent(tmp_path: Path) -> None:
    write(tmp_path, 0, 10, 10)
    (one,) = plan_folder(tmp_path, details(), is_set=True, set_size=None, hints={"002.jpg": BOX, "001.jpg": None})
    assert {index: hint.boxes for index, hint in one.hints.items()} == {1: (BOX,), 0: ()}
    with pytest.raises(HintError, match=r"000\.jpg"):
        plan_folder(tmp_path, details(), is_set=True, set_size=None, hints={"000.jpg": BOX})
    with pytest.raises(HintError, match=r"other\.jpg"):
        plan_folder(tmp_path, details(), is_set=True, set_size=None, hints={"other.jpg": BOX})


def test_hints_of_several_sets_are_refused(tmp_path: Path) -> None:
    write(tmp_path, 10, 10, 10)
    with pytest.raises(ValueError, match="these 3 images take 2 requests"):
        plan_folder(tmp_path, details(max_images=2), is_set=True, set_size=None, hints={"001.jpg": BOX})


def test_folder_and_size_are_checked(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="missing"):
        plan_folder(tmp_path / "missing", details(), is_set=True, set_size=None, hints=None)
    with pytest.raises(ValueError, match="set_size must be at least 1, got 0"):
        plan_folder(tmp_path, details(), is_set=True, set_size=0, hints=None)
