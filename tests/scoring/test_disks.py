"""`colocalize score` on disks that are full, read-only, slow or lock-less: one line, the right code, nothing lost."""

import errno
import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from colocalization import files
from colocalization.localizer import Localizer
from scoring.command import app
from tests.dummy_engine import DummyEngine
from tests.scoring.score_images import write_squares

EVERYTHING = (
    "--format",
    "csv",
    "--format",
    "coco",
    "--format",
    "yolo",
    "--format",
    "labelstudio",
    "--heatmaps",
    "--overlays",
    "--contact-sheet",
    "--workers",
    "1",
    "--threads",
    "1",
)


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> DummyEngine:
    """The dummy engine in place of any model."""
    dummy = DummyEngine()
    monkeypatch.setattr(Localizer, "load", lambda *_, **__: Localizer(dummy))
    files._warn_once.cache_clear()
    return dummy


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_squares(tmp_path / "set", 3)
    return tmp_path / "set"


def score(images: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(app, [str(images), "--out", str(out), *EVERYTHING, *options])


def contents(out: Path) -> dict[str, bytes]:
    """What a run has left, without its journal and its notes."""
    found = (path for path in out.rglob("*") if path.is_file() and ".colocalize" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def assert_one_line(result: Result, code: int) -> None:
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert "Traceback" not in result.output


_WRITING: tuple[tuple[object, str], ...] = (
    (Path, "open"),
    (Path, "replace"),
    (Path, "mkdir"),
    (Path, "symlink_to"),
    (os, "fsync"),
)
"""What a run does to a disk."""


class Disk:
    """Counts what is done to the disk below a folder, and fails once."""

    def __init__(self, below: Path, fails_at: int = -1, error: int = errno.ENOSPC) -> None:
        self.done = 0
        self._below = below
        self._fails_at = fails_at
        self._error = error

    def guarding(self, function: Callable[..., object], name: str) -> Callable[..., object]:
        def guarded(first: object, *rest: object, **options: object) -> object:
            writes = name != "open" or any(letter in str(rest[:1]) for letter in "wxa+")
            if writes and (isinstance(first, int) or self._below in (first, *first.parents)):  # type: ignore[attr-defined]
                self.done += 1
                if self.done == self._fails_at:
                    raise OSError(self._error, os.strerror(self._error))
            return function(first, *rest, **options)

        return guarded

    def __enter__(self) -> "Disk":
        self._patches = ExitStack()
        patch = self._patches.enter_context(pytest.MonkeyPatch.context())
        for owner, name in _WRITING:
            patch.setattr(owner, name, self.guarding(getattr(owner, name), name))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.close()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_whichever_write_fails_nothing_is_half_written_and_the_next_run_goes_on(
    images: Path, tmp_path: Path, error: int
) -> None:
    whole = tmp_path / "whole"
    with Disk(whole) as disk:
        assert score(images, whole).exit_code == 0
    expected = {name: content for name, content in contents(whole).items() if name != "labelstudio.json"}
    assert disk.done > 40
    for number in range(1, disk.done + 1, 2 if error == errno.ENOSPC else 13):
        out = tmp_path / f"out{error}-{number}"
        with Disk(out, number, error):
            result = score(images, out)
        assert_one_line(result, 3)
        assert os.strerror(error) in result.stderr
        left = contents(out)
        assert all(left[name] == expected[name] for name in left if name in expected), number
        assert not [name for name in left if name.endswith(".tmp")], number
        assert score(images, out).exit_code == 0
        again = contents(out)
        assert {name: again[name] for name in expected} == expected, number


def without(name: str, code: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(code, f"{name}: {os.strerror(code)}")

    return refuse


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_told_once_and_used(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    monkeypatch.setattr(fcntl, "flock", without("flock", code))
    assert score(images, tmp_path / "out").exit_code == 0
    assert score(images, tmp_path / "other").exit_code == 0
    assert [record.getMessage() for record in caplog.records] == [
        "the file system has no locks: no second run may write into the same folder"
    ]


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_be_told_to_write_is_told_once_and_used(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    monkeypatch.setattr(os, "fsync", without("fsync", code))
    assert score(images, tmp_path / "out").exit_code == 0
    assert len(caplog.records) == 1
    assert "a power cut may cost the newest files" in caplog.text


def test_a_file_system_without_links_gets_copies(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "symlink_to", without("symlink", errno.EPERM))
    result = score(images, tmp_path / "out")
    assert result.exit_code == 0
    copy = tmp_path / "out/yolo/images/p0.png"
    assert (copy.is_symlink(), copy.read_bytes()) == (False, (images / "p0.png").read_bytes())
    (images / "p0.png").unlink()
    assert score(images, tmp_path / "out").exit_code == 0
    assert not copy.exists()  # it was known as ours


def test_a_slow_disk_changes_nothing(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert score(images, tmp_path / "quick").exit_code == 0
    sync = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(0.02)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    assert score(images, tmp_path / "slow").exit_code == 0
    assert contents(tmp_path / "slow") == contents(tmp_path / "quick")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a memory file system with these options; skipped where that is not allowed."""
    mounted: list[Path] = []

    def mount(*options: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("size", [8, 16, 32, 48, 64])
def test_a_disk_that_runs_full_is_one_line_and_room_is_all_that_is_needed(
    images: Path, tmp_path: Path, small_disk: Callable[..., Path], size: int
) -> None:
    disk = small_disk(f"size={size}k")
    result = score(images, disk / "out")
    assert_one_line(result, 3)
    assert f"No space left on device '{disk}" in result.stderr
    if (disk / "out/predictions.jsonl").exists():
        assert len((disk / "out/predictions.jsonl").read_text().splitlines()) == 3
    assert not list(disk.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
    assert score(images, disk / "out").exit_code == 0
    assert score(images, tmp_path / "whole").exit_code == 0
    assert contents(disk / "out") == contents(tmp_path / "whole")


def test_a_read_only_disk_is_one_line(images: Path, small_disk: Callable[..., Path]) -> None:
    result = score(images, small_disk("ro") / "out")
    assert_one_line(result, 3)
    assert "Read-only file system '" in result.stderr


def test_images_on_a_read_only_disk_are_scored(images: Path, tmp_path: Path, small_disk: Callable[..., Path]) -> None:
    disk = small_disk("size=4m")
    write_squares(disk / "set", 3)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert score(disk / "set", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: out of memory"),
        MemoryError(),
        ValueError("bad\nshape"),
        OSError(5, "I/O"),
        KeyError("x"),
    ],
)
@pytest.mark.parametrize("at", [1, 2, 4, 6])
def test_whichever_run_of_the_network_fails_is_one_line(
    engine: DummyEngine, images: Path, tmp_path: Path, error: Exception, at: int
) -> None:
    runs = 0

    def fail(_: int) -> None:
        nonlocal runs
        runs += 1
        if runs == at:
            raise error

    engine.before_run = fail  # the first three runs are first looks, the others second looks
    result = score(images, tmp_path / "out")
    assert_one_line(result, 3)
    assert "the network cannot run on CPUExecutionProvider: " in result.stderr
    engine.before_run = None
    assert score(images, tmp_path / "out").exit_code == 0


def test_a_machine_without_a_further_thread_is_one_line(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    assert_one_line(score(images, tmp_path / "out"), 3)


@pytest.mark.parametrize("error", [MemoryError(), AssertionError("odd"), RecursionError(), OSError(5, "I/O error")])
def test_whichever_image_the_decoder_fails_at_is_an_error_of_that_image(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    prepare = Localizer.prepare

    def failing(self: Localizer, source: Path) -> object:
        if source.name == "p1.png":
            raise error
        return prepare(self, source)

    monkeypatch.setattr(Localizer, "prepare", failing)
    result = score(images, tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.count("warning: failed: 'p1.png': ") == 1
    lines = [json.loads(line) for line in (tmp_path / "out/predictions.jsonl").read_text().splitlines()]
    assert [line["error"] is None for line in lines] == [True, False, True]
