import pytest

from colocalization.listing import LeftOut
from scoring.errors import InputError
from scoring.inputs import discover
from scoring.stores.walking import stored_images
from tests.scoring.stores.s3_server import Bucket

JPEG = b"\xff\xd8\xff\xe0 and so on"


@pytest.fixture
def birds(bucket: Bucket) -> Bucket:
    """The folder `set` of the bucket, as in the tests of folders of this machine."""
    for name in ("b2.jpg", "b10.JPG", "a/x.png", "a/deep/er/y.webp", "no_ending", ".hidden.jpg", ".cache/c.jpg"):
        bucket.put(f"set/{name}", JPEG)
    bucket.put("set/notes.txt", b"not an image")
    bucket.put("set/empty.txt", b"")
    bucket.put("set/a/@eaDir/t.jpg", JPEG)
    bucket.put("set/run/.colocalize/journal/0.jsonl", b"{}")
    bucket.put("set/run/overlays/b2.jpg", JPEG)
    bucket.put("set2/c.jpg", JPEG)
    return bucket


def names(*urls: str, **options: object) -> list[str]:
    return [file.name for file in discover(urls, **options).files]  # type: ignore[arg-type]


ALL = ["a/deep/er/y.webp", "a/x.png", "b2.jpg", "b10.JPG", "no_ending"]


def test_a_folder_of_a_store_gives_what_one_of_this_machine_would(birds: Bucket) -> None:
    found = discover([f"{birds.url}/set/"])
    assert [file.name for file in found.files] == ALL
    assert found.files[2].path == f"{birds.url}/set/b2.jpg"
    assert found.files[2].size == len(JPEG)
    assert len(found.left_out.no_images) == 2
    assert list(found.left_out.warnings()) == [
        f"left out '{birds.url}/set/run', which holds the results of a run (.colocalize)"
    ]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("set/b2.jpg", ["b2.jpg"]),
        ("set/b*", ["b2.jpg", "b10.JPG"]),
        ("set/**/*.png", ["a/x.png"]),
        ("s*/c.jpg", ["set2/c.jpg"]),
        ("", [*(f"set/{name}" for name in ALL), "set2/c.jpg"]),
    ],
)
def test_files_patterns_and_whole_buckets(birds: Bucket, below: str, expected: list[str]) -> None:
    assert names(f"{birds.url}/{below}") == expected


def test_the_results_are_not_descended_into(birds: Bucket) -> None:
    assert names(f"{birds.url}/set", exclude=f"{birds.url}/set/a/") == ["b2.jpg", "b10.JPG", "no_ending"]
    with pytest.raises(InputError, match="the results cannot go into the very folder that is scored"):
        names(f"{birds.url}/set/", exclude=f"{birds.url}/set")


def test_names_in_a_list_are_looked_up_side_by_side(birds: Bucket) -> None:
    listed = ["b10.JPG", "./a/x.png", "a", "gone.jpg", f"{birds.url}/set2/c.jpg", f"{birds.url}/set/b2.jpg"]
    found = discover([f"{birds.url}/set"], names=listed)
    assert [file.name for file in found.files] == ["b10.JPG", "a/x.png", "gone.jpg", "c.jpg", "b2.jpg"]
    assert [file.size for file in found.files] == [len(JPEG), len(JPEG), None, len(JPEG), len(JPEG)]
    with pytest.raises(InputError, match=r"the list has URLs, and 'b2\.jpg' is none"):
        discover([], names=[f"{birds.url}/set/b2.jpg", "b2.jpg"])


def test_strict_keeps_what_is_no_image_without_looking_at_it(birds: Bucket) -> None:
    before = len(birds.faults.requests)
    found = list(stored_images(f"{birds.url}/set", LeftOut(), any_file=True))
    assert "notes.txt" in [file.name for file in found]
    assert not [one for one in birds.faults.requests[before:] if one.startswith("GET") and "notes.txt" in one]


@pytest.mark.parametrize(
    ("below", "problem"),
    [
        ("missing", "there is no file or folder 's3://test-[0-9a-f]+/missing'"),
        ("set/notes.txt", r"no image found in 's3://.*notes.txt' \(1 files are not images\)"),
        ("set/*.bmp", "no image found in"),
    ],
)
def test_what_gives_nothing_is_named(birds: Bucket, below: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        discover([f"{birds.url}/{below}"])


def test_a_bucket_has_no_wildcards() -> None:
    with pytest.raises(InputError, match="has a wildcard in its bucket"):
        discover(["s3://b*/x"])
