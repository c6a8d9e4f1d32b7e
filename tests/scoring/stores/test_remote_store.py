import re
import sys
import time

import pytest

from scoring.errors import InputError
from scoring.stores import remote_store
from scoring.stores.remote_store import read_url, store_of
from tests.scoring.stores.s3_server import SECRET, Bucket

pytest.importorskip("fsspec", reason="fsspec is not installed")


def test_what_is_written_is_read_listed_and_removed(bucket: Bucket) -> None:
    store = store_of(bucket.url)
    store.write(f"{bucket.url}/a/b.bin", b"0123456789")
    store.write(f"{bucket.url}/a/d/e.bin", b"")
    bucket.put("a/d/", b"")  # as consoles mark a folder
    assert read_url(f"{bucket.url}/a/b.bin") == b"0123456789"
    assert store.read(f"{bucket.url}/a/b.bin", 2, 5) == b"234"
    found = {one.url: one for one in store.list(f"{bucket.url}/a")}
    assert set(found) == {f"{bucket.url}/a/b.bin", f"{bucket.url}/a/d"}
    assert (found[f"{bucket.url}/a/b.bin"].size, found[f"{bucket.url}/a/d"].is_folder) == (10, True)
    assert (found[f"{bucket.url}/a/b.bin"].mtime_ns or 0) > 10**18
    assert [one.url for one in store.list(f"{bucket.url}/a/d")] == [f"{bucket.url}/a/d/e.bin"]
    store.remove(f"{bucket.url}/a/b.bin")
    store.remove(f"{bucket.url}/a/b.bin")
    assert store.find(f"{bucket.url}/a/b.bin") is None


def test_what_others_write_is_seen_at_once(bucket: Bucket) -> None:
    store = store_of(bucket.url)
    assert store.list(bucket.url) == []
    bucket.put("late.jpg", b"x")
    assert [one.url for one in store.list(bucket.url)] == [f"{bucket.url}/late.jpg"]


def test_what_is_not_there_is_named(bucket: Bucket) -> None:
    with pytest.raises(FileNotFoundError, match="there is no such file") as caught:
        read_url(f"{bucket.url}/gone.jpg")
    assert caught.value.filename == f"{bucket.url}/gone.jpg"
    assert store_of("s3://never-made/a").find("s3://never-made/a") is None


def test_a_busy_store_is_tried_again(bucket: Bucket) -> None:
    bucket.put("a", b"content")
    bucket.faults.share = 0.3
    before = bucket.faults.refused
    assert [read_url(f"{bucket.url}/a") for _ in range(8)] == [b"content"] * 8
    assert bucket.faults.refused > before


def test_a_store_that_never_answers_is_an_error_without_its_keys(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(time, "sleep", lambda seconds: calls.append("slept"))
    store = store_of(bucket.url)

    def fail(path: str, **_: object) -> bytes:
        raise TimeoutError(f"no answer\nfrom {path}: aws_secret_access_key={SECRET}")

    monkeypatch.setattr(store._system, "cat_file", fail)
    with pytest.raises(OSError, match="the store has failed 2 times: no answer from test-") as caught:
        store.read(f"{bucket.url}/a")
    assert (len(calls), SECRET in str(caught.value)) == (1, False)


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("gs://bucket/a", "gcsfs", "gcs"), ("az://bucket/a", "adlfs", "azure")],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    remote_store._opened.cache_clear()
    told = re.escape(f"needs the package '{package}'; install it with: pip install 'colocalize[{extra}]'")
    with pytest.raises(OSError, match=told):
        store_of(url)
    remote_store._opened.cache_clear()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nothing://bucket/a", "'nothing://bucket' is of no store that is known"),
        ("s3://", "s3:// names no bucket"),
        ("ftp://me:secret@host/a", r"the URL 'ftp://\*\*\*@host/a' has a password in it"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_at_once(url: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        store_of(url)
