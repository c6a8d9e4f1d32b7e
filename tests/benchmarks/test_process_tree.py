"""A command is watched with all that it starts."""

import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from benchmarks.process_tree import Sample, WatchedRun, watch

_PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; held = bytearray(60_000_000); time.sleep(60)", "child"])
out = pathlib.Path(sys.argv[1])
for number in range(1, 4):
    out.write_bytes(bytes(number))
    time.sleep(2)
child.kill()
child.wait()
print("said")
sys.exit(3)
"""


def test_what_a_command_and_those_below_it_took(tmp_path: Path) -> None:
    grows = tmp_path / "grows"
    run = watch(
        [sys.executable, "-c", _PARENT, str(grows)],
        every=0.1,
        role=lambda command: "child" if command[-1] == "child" else "parent",
        grows=grows,
    )
    assert (run.status, run.output) == (3, "said\n")
    assert [size for _, size in run.sizes] == [1, 2, 3]
    times = [at for at, _ in run.sizes]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < run.seconds
    child = [sample.memory["child"] for sample in run.samples if "child" in sample.memory]
    assert child
    assert max(max(memory) for memory in child) > 60
    assert all("parent" in sample.memory for sample in run.samples[:-1])  # the last may have come as it ended
    assert run.samples[-1].cpu["parent"] > 0


def test_what_is_ending_has_no_command_and_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.process_tree.psutil.Process.cmdline", lambda _process: [])
    run = watch([sys.executable, "-c", "import time; time.sleep(0.5)"], every=0.05, role=lambda command: command[-1])
    assert run.status == 0
    assert run.samples
    assert all(not sample.memory and not sample.cpu for sample in run.samples)


def test_a_watch_that_fails_leaves_nothing_running() -> None:
    began: list[int] = []

    def role(_command: Sequence[str]) -> str:
        began.extend(child.pid for child in psutil.Process().children() if child.cmdline()[-1:] == ["left"])
        raise RuntimeError("no role")

    with pytest.raises(RuntimeError, match="no role"):
        watch([sys.executable, "-c", "import time; time.sleep(60)", "left"], every=1, role=role)
    assert began
    assert not psutil.pid_exists(began[0])


def test_a_command_keeps_to_its_cores() -> None:
    told = "import os; print(sorted(os.sched_getaffinity(0)))"
    assert watch([sys.executable, "-c", told], every=60, cores=[0]).output == "[0]\n"


def test_cpu_between_samples_is_shared_out_in_proportion() -> None:
    samples = [Sample(0, {"a": 0.0}, {}), Sample(2, {"a": 1.0}, {}), Sample(4, {"a": 5.0, "b": 2.0}, {})]
    spent = WatchedRun(0, samples=samples).cpu_between(1, 3)
    assert spent == pytest.approx({"a": 2.5, "b": 1.0})
