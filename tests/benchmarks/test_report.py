"""The report is written from whatever records there are."""

import shutil
from pathlib import Path

import pytest

from benchmarks import report


def test_the_records_of_the_repository_make_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    shutil.copytree(report.RECORDS, tmp_path / "docs" / "records")
    target = tmp_path / "docs" / "performance.md"
    target.write_text("# Performance\n\nby hand\n")
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "RECORDS", tmp_path / "docs" / "records")
    monkeypatch.setattr(report, "_TARGET", target)
    report.write_report()
    once = target.read_text()
    assert "by hand" in once
    for heading in (
        *(["Images a second"] if (report.RECORDS / "benchmark-against.json").is_file() else []),
        "What PTAP adds",
        "Exactness",
        "8-bit integers",
        "Whole folders",
        "Options of the session",
        "The physical limit",
    ):
        assert f"### {heading}" in once
    report.write_report()
    assert target.read_text() == once
