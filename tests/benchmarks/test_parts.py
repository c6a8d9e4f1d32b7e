"""Each part of a record says which run measured it, and so does the report."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.parts import keep_part, read_parts


def run(command: str = "python -m benchmarks pooling", **changed: Any) -> dict[str, Any]:
    return {
        "date": "2026-11-28T12:00:00+00:00",
        "command": command,
        "commit": "0123456789abcdef",
        "machine": {"processor": "a processor", "cores": 2},
        "versions": {"onnxruntime": "1.0"},
        "settings": {"rounds": 200, "cuda": "left out: none"},
        **changed,
    }


def pooled(case: str, batch: int, rounds: int = 200, device: str = "cpu", **changed: Any) -> dict[str, Any]:
    told = {"ratio": 1.01, "interval": [1.0, 1.02], "rounds": rounds, "ms": 10.1, "base_ms": 10.0}
    return {
        "case": case,
        "device": device,
        "batch": batch,
        "features": {"positive": 0.1, "most_positive": 0.2},
        "threads": 1,
        "sessions": 10,
        "poolings": {"ptap": told, **{name: told | {"rounds": rounds // 10} for name in ("gated", "topk", "product")}},
        "run": run(),
        **changed,
    }


KEYS = ("case", "device", "batch")


def test_a_part_replaces_its_namesake_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for case, batch in (("b", 16), ("a", 16), ("b", 1), ("b", 2)):
        keep_part(path, "pooling", pooled(case, batch), KEYS)
    keep_part(path, "pooling", pooled("b", 16, run=run("again")), KEYS)
    keep_part(path, "pooling", pooled("b", 1, device="cuda"), KEYS)
    found = [(*(part[key] for key in KEYS), part["run"]["command"]) for part in read_parts(path)]
    first = "python -m benchmarks pooling"
    assert found == [
        ("b", "cpu", 1, first),
        ("b", "cpu", 2, first),
        ("b", "cpu", 16, "again"),
        ("b", "cuda", 1, first),
        ("a", "cpu", 16, first),
    ]


def test_no_record_has_no_parts(tmp_path: Path) -> None:
    assert read_parts(tmp_path / "a.json") == []


def test_a_record_of_another_form_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"results": {}}')
    with pytest.raises(ValueError, match="no record in parts"):
        keep_part(path, "pooling", pooled("a", 1), KEYS)
    assert path.read_text() == '{"results": {}}'


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the report says of these parts of the pooling's record."""
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "RECORDS", tmp_path)
    monkeypatch.setattr(report, "_TARGET", tmp_path / "performance.md")

    def write(*parts: dict[str, Any]) -> str:
        for part in parts:
            keep_part(tmp_path / "benchmark-pooling.json", "pooling", part, KEYS)
        report.write_report()
        return (tmp_path / "performance.md").read_text()

    return write


def row(text: str, case: str) -> list[str]:
    return [cell.strip() for cell in next(line for line in text.splitlines() if f"| {case} |" in line).split("|")[1:-1]]


def test_every_row_names_its_run(written: Any) -> None:
    text = written(
        pooled("a", 1),
        pooled("b", 1, 50, run=run(date="2026-11-28T23:00:00+00:00")),  # of the same day: the same run
        pooled("c", 1, run=run(commit="fedcba9876543210")),
        pooled("d", 1, device="cuda", run=run(settings={"cuda": "a GPU"})),
    )
    assert [row(text, case)[-1] for case in "abcd"] == ["a", "a", "b", "c"]
    how = "`python -m benchmarks pooling`, 2026-11-28, commit 0123456789, 2 cores of a processor, ONNX Runtime 1.0."
    how += " CUDA: "
    assert f"\na: {how}left out: none.\n" in text
    assert f"\nb: {how.replace('0123456789', 'fedcba9876')}left out: none.\n" in text
    assert f"\nc: {how}a GPU.\n" in text
    assert [row(text, case)[2] for case in "cd"] == ["cpu", "cuda"]
    assert [row(text, case)[5] for case in "ab"] == ["200 / 20", "50 / 5"]


def test_one_run_needs_no_letters(written: Any) -> None:
    text = written(pooled("a", 1), pooled("a", 16))
    assert "| run |" not in text
    assert text.count("`python -m benchmarks pooling`") == 1


def test_of_the_sessions_it_says_what_holds_for_all_rows(written: Any) -> None:
    assert "all sessions are made anew 10 times" in written(pooled("a", 1), pooled("a", 16))
    old = pooled("a", 1)
    del old["sessions"]
    assert "sessions are made anew" not in written(old)


def test_precision_on_both_devices(written: Any, tmp_path: Path) -> None:
    def scored(device: str, precision: str, at_half: float) -> dict[str, Any]:
        corloc = {"0.3": 90.0, "0.5": 80.0, "0.7": 60.0}
        return {
            "device": device,
            "precision": precision,
            "speed": {"1": {"ratio": 2.0, "interval": [1.9, 2.1]}},
            "scores": {"fp32": {"s": {"corloc": corloc}}, precision: {"s": {"corloc": corloc | {"0.5": at_half}}}},
            "bytes": 6_000_000,
            "run": run(f"precision {device}", settings={"rounds": 20, "threads": 1, "limit": None}),
        }

    for part in (scored("cpu", "int8", 79.5), scored("cuda", "fp16", 80.25)):
        keep_part(tmp_path / "benchmark-precision.json", "precision", part, ("device",))
    integers, floats = written(pooled("a", 1)).split("### 8-bit integers")[1].split("### 16-bit floats on CUDA")
    for text, precision, where, change, command in (
        (integers, "int8", "cpu, medians of 20 interleaved rounds on 1 thread: ", "-0.50", "precision cpu"),
        (floats, "fp16", "cuda, medians of 20 interleaved rounds: ", "+0.25", "precision cuda"),
    ):
        assert (
            "int8 file of the model in the box" if precision == "int8" else "`colocalize export --precision fp16`"
        ) in text
        assert f"Speed over fp32 on {where}batch 1: 2.0000" in text
        assert row(text, "s")[-1] == change
        assert f"`{command}`, 2026-11-28" in text
