"""The folder of kept objects: names, limits, damage, and what others do in it meanwhile."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.images import DecodedImage
from colocalization.localizer import Localizer, PreparedImage
from service.inference.object_store import ObjectMissing, ObjectStore, StoreFull
from tests.dummy_engine import DummyEngine


def fitted(side: int = 16) -> CommonObject:
    """The common object of two images with a white square of so many pixels."""
    localizer = Localizer(DummyEngine())
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[8 : 8 + side, 8 : 8 + side] = 255
    image = DecodedImage(pixels, 64, 64)
    features = localizer.run([PreparedImage(image, localizer.engine.metadata.transform()(pixels))])
    common = localizer.fit_features([image] * 2, features * 2).common
    assert common is not None
    return common


@pytest.fixture(scope="module")
def small() -> CommonObject:
    return fitted(16)


@pytest.fixture(scope="module")
def large() -> CommonObject:
    return fitted(40)


def store(folder: Path, most: int = 10, most_bytes: int = 2**20) -> ObjectStore:
    return ObjectStore(folder, most, most_bytes)


def test_what_is_kept_is_found_by_another_at_once_and_after_a_restart(
    tmp_path: Path, small: CommonObject, large: CommonObject
) -> None:
    one, other = store(tmp_path / "new" / "objects"), store(tmp_path / "new" / "objects")
    kept, new = one.put("birds", small)
    assert (new, kept.digest, kept.size) == (True, small.digest, len(small.to_bytes()))
    assert other.get("birds").digest == small.digest
    assert one.put("birds", large)[1] is False
    assert other.get("birds").digest == large.digest
    assert (other.names(), other.get("birds").origin.images) == (["birds"], 2)
    other.delete("birds")
    with pytest.raises(ObjectMissing):
        one.get("birds")
    with pytest.raises(ObjectMissing):
        one.delete("birds")


def test_same_file_is_read_once_and_another_of_the_same_size_time_and_inode_anew(
    tmp_path: Path, small: CommonObject, large: CommonObject
) -> None:
    kept = store(tmp_path)
    kept.put("birds", small)
    first = kept.get("birds").common
    assert kept.get("birds").common is first
    path = tmp_path / "birds.npz"
    before = path.stat()
    content = large.to_bytes()
    assert len(content) == before.st_size  # the same arrays with other numbers
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert kept.get("birds").digest == large.digest


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "A", "-a", ".a", "a" * 65, "a\n", "ä", "a\0"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, small: CommonObject, name: str) -> None:
    kept = store(tmp_path / "objects")
    for call in (lambda: kept.put(name, small), lambda: kept.get(name), lambda: kept.delete(name)):
        with pytest.raises(ValueError, match="the name of an object must be of the form"):
            call()
    assert [path.name for path in tmp_path.rglob("*")] == ["objects", "lock"]


@pytest.mark.parametrize("name", ["a", "0", "a" * 64, "a..b", "birds-2.v1_x.npz"])
def test_names_that_are_allowed(tmp_path: Path, small: CommonObject, name: str) -> None:
    kept = store(tmp_path)
    kept.put(name, small)
    assert (kept.names(), kept.get(name).digest) == ([name], small.digest)


def test_number_is_bounded_and_replacing_needs_no_room(tmp_path: Path, small: CommonObject) -> None:
    kept = store(tmp_path, most=2)
    kept.put("a", small)
    kept.put("b", small)
    kept.put("a", small)
    kept.check_room("a")
    for call in (lambda: kept.check_room("c"), lambda: kept.put("c", small)):
        with pytest.raises(StoreFull, match="2 objects are kept; at most 2 may be") as caught:
            call()
        assert (caught.value.setting, caught.value.limit) == ("max_objects", 2)
    kept.delete("b")
    kept.put("c", small)
    assert kept.names() == ["a", "c"]


def test_bytes_are_bounded(tmp_path: Path, small: CommonObject) -> None:
    size = len(small.to_bytes())
    kept = store(tmp_path, most_bytes=2 * size)
    kept.put("a", small)
    kept.put("b", small)
    with pytest.raises(StoreFull, match=f"have {3 * size} bytes; at most {2 * size} are allowed") as caught:
        kept.put("c", small)
    assert caught.value.setting == "max_objects_bytes"
    assert kept.names() == ["a", "b"]


def test_damaged_file_is_told_and_can_be_replaced(tmp_path: Path, small: CommonObject) -> None:
    kept = store(tmp_path)
    kept.put("a", small)
    (tmp_path / "a.npz").write_bytes(small.to_bytes()[:-100])
    with pytest.raises(ObjectError, match="'a' is no common object"):
        kept.get("a")
    assert kept.names() == ["a"]
    kept.put("a", small)
    assert kept.get("a").digest == small.digest


def test_other_files_are_no_objects_and_leftovers_are_removed(tmp_path: Path, small: CommonObject) -> None:
    for name in ("README", "Birds.npz", ".hidden.npz"):
        (tmp_path / name).write_bytes(b"")
    left, fresh = tmp_path / ".0123456789abcdef.tmp", tmp_path / ".fedcba9876543210.tmp"
    for path in (left, fresh):
        path.write_bytes(b"half")
    an_hour_ago = time.time() - 3600
    os.utime(left, (an_hour_ago, an_hour_ago))
    kept = store(tmp_path)
    kept.put("a", small)
    assert kept.names() == ["a"]
    assert (left.exists(), fresh.exists()) == (False, True)


def test_folder_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        store(file)


def test_failed_write_leaves_what_was_kept(
    tmp_path: Path, small: CommonObject, large: CommonObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = store(tmp_path)
    kept.put("a", small)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("colocalization.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        kept.put("a", large)
    monkeypatch.undo()
    assert store(tmp_path).get("a").digest == small.digest
    assert not list(tmp_path.glob(".*.tmp"))


def test_limits_hold_among_many_that_write_at_once(tmp_path: Path, small: CommonObject, large: CommonObject) -> None:
    stores = [store(tmp_path, most=3) for _ in range(4)]
    wrong: list[object] = []

    def work(number: int) -> None:
        mine = stores[number % 4]
        for turn in range(30):
            name = f"n{(number + turn) % 5}"
            try:
                if turn % 3 == 2:
                    mine.delete(name)
                else:
                    mine.put(name, small if number % 2 else large)
            except (StoreFull, ObjectMissing):
                pass
            try:
                if mine.get(name).digest not in (small.digest, large.digest):
                    wrong.append(name)
            except ObjectMissing:
                pass
            if len(mine.names()) > 3:
                wrong.append(mine.names())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert len(stores[0].names()) <= 3
