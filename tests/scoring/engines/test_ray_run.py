"""The engine ray, over a cluster of this machine: the rows of the local engine, whoever dies on the way."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from scoring.engines import ray_run
from scoring.engines.part_scorer import ScoringJob
from scoring.engines.set_parts import SetPart
from scoring.run_options import MachineOptions, RayOptions
from tests.scoring.stores.s3_server import Bucket

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
psutil = pytest.importorskip("psutil", reason="psutil is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[3]
OURS = {"PYTHONPATH": str(ROOT)}
SCORE = (sys.executable, "-m", "colocalization.commands.main", "score")
ON_RAY = ("--engine", "ray", "--ray-part", "4", "--format", "jsonl")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-five images and one that is damaged."""
    folder = tmp_path_factory.mktemp("images")
    for path in sorted((ROOT / "examples/images").iterdir()):
        for copy in "abc":
            shutil.copy(path, folder / f"{path.stem}_{copy}.jpg")
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


@pytest.fixture(scope="module")
def expected(images: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the local engine gives, whose common object all runs use."""
    out = tmp_path_factory.mktemp("local")
    done = run(str(images), "--out", str(out), "--effort", "fast")
    assert done.returncode == 1, done.stderr
    shutil.copy(out / "object.npz", images.parent / "object.npz")
    return (out / "predictions.jsonl").read_bytes()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SCORE, *arguments], env={**os.environ, **OURS}, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*SCORE, *arguments], env={**os.environ, **OURS}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process:
        try:
            yield process
        finally:
            _kill([*_below(process), process])


def _kill(processes: Sequence[Any]) -> None:
    for one in processes:
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            one.kill()


def _below(process: "subprocess.Popen[str]") -> list[Any]:
    try:
        return list(psutil.Process(process.pid).children(recursive=True))
    except psutil.Error:
        return []


def parts_in(out: Path) -> list[Path]:
    return list((out / "predictions").glob("part-*.parquet"))


def wait_for_parts(process: "subprocess.Popen[str]", out: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    while len(parts_in(out)) < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def rows_of(out: Path) -> list[str]:
    return sorted(name for part in parts_in(out) for name in pq.read_table(part).column("path").to_pylist())


def test_rows_are_those_of_the_local_engine_and_only_what_is_missing_is_done_again(
    images: Path, expected: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = (str(images), "--out", str(out), "--effort", "fast", *ON_RAY)
    first = run(*arguments)
    assert first.returncode == 1, first.stderr
    assert "damaged.jpg" in first.stderr
    assert (out / "predictions.jsonl").read_bytes() == expected
    assert (out / "object.npz").read_bytes() == (images.parent / "object.npz").read_bytes()
    whole = {part.name: part.stat().st_mtime_ns for part in parts_in(out)}
    assert len(whole) > 4
    gone = next(name for name, part in ((one.name, one) for one in parts_in(out)) if "damaged" not in str(rows(part)))
    (out / "predictions" / gone).unlink()
    second = run(*arguments)
    assert "Finding the common object" not in second.stderr  # the object of the first run is taken
    assert (out / "predictions.jsonl").read_bytes() == expected
    made = {part.name for part in parts_in(out) if part.stat().st_mtime_ns != whole[part.name]}
    assert gone in made
    assert len(made) == 2  # and the part with the damaged image, which is tried again


def rows(part: Path) -> list[str]:
    return list(pq.read_table(part).column("path").to_pylist())


def test_a_worker_that_is_killed_costs_nothing(images: Path, expected: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = str(images.parent / "object.npz")
    with started(str(images), "--object", common, "--out", str(out), "--effort", "fast", *ON_RAY) as process:
        wait_for_parts(process, out, 2)
        workers = [one for one in _below(process) if "MapWorker" in " ".join(one.cmdline())]
        assert workers
        workers[0].send_signal(signal.SIGKILL)
        told = process.communicate()[0]
    assert process.returncode == 1, told
    assert rows_of(out) == sorted(path.name for path in images.iterdir())
    assert (out / "predictions.jsonl").read_bytes() == expected


def test_a_driver_that_is_killed_and_started_again_goes_on(images: Path, expected: bytes, tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = str(images.parent / "object.npz")
    arguments = (str(images), "--object", common, "--out", str(out), "--effort", "fast", *ON_RAY)
    with started(*arguments) as process:
        wait_for_parts(process, out, 3)
        cluster = _below(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        _kill(cluster)  # where they have not ended by themselves
    kept = {part.name: part.stat().st_mtime_ns for part in parts_in(out)}
    assert len(kept) >= 3
    done = run(*arguments)
    assert done.returncode == 1, done.stderr
    assert (out / "predictions.jsonl").read_bytes() == expected
    again = [part for part in parts_in(out) if kept.get(part.name) not in (None, part.stat().st_mtime_ns)]
    assert all("damaged.jpg" in rows(part) for part in again)


def test_a_slow_and_failing_store_loses_nothing(images: Path, expected: bytes, bucket: Bucket) -> None:
    for path in images.iterdir():
        bucket.put(f"images/{path.name}", path.read_bytes())
    bucket.faults.delay, bucket.faults.share = 0.05, 0.05
    common = str(images.parent / "object.npz")
    where = (f"{bucket.url}/images", "--out", f"{bucket.url}/out")
    done = run(*where, "--object", common, "--effort", "fast", *ON_RAY)
    bucket.faults.mend()
    assert done.returncode == 1, done.stderr
    assert bucket.faults.refused
    assert bucket.get("out/predictions.jsonl") == expected
    parts = [name for name in bucket.names() if name.startswith("out/predictions/part-")]
    found = [name for part in parts for name in pq.read_table(io.BytesIO(bucket.get(part))).column("path").to_pylist()]
    assert sorted(found) == sorted(path.name for path in images.iterdir())


def test_ray_that_does_not_start_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr("ray.init", init)
    job = ScoringJob("out", "attention", None, None, None, 1, MachineOptions(), False)
    with pytest.raises(OSError, match="the Ray cluster cannot be used: The current node timed out"):
        next(ray_run._worked_on([SetPart("part", (), {})], job, RayOptions()))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--engine", "ray", "--overlays"), "--engine ray draws nothing"),
        (("--engine", "ray", "--format", "coco"), "--engine ray writes parquet, always, and jsonl"),
        (("--ray-workers", "2"), "are of --engine ray"),
        (("--engine", "ray", "--ray-address", "127.0.0.1:1"), "error: the Ray cluster cannot be used"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(
    images: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    common = ("--mode", "attention")
    told = run(str(images), "--out", str(tmp_path / "out"), *common, *arguments)
    assert told.returncode in (2, 3)
    assert problem in told.stderr.splitlines()[-1]
