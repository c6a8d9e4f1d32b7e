"""The text about the engine `ray` follows from the record."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ray_tables import ray_section

RUN: dict[str, Any] = {
    "command": "python -m benchmarks ray",
    "date": "2026-11-29T10:00:00",
    "commit": "0123456789abcdef",
    "machine": {"cores": 2, "processor": "a processor"},
    "versions": {"onnxruntime": "1.32.0"},
    "settings": {"count": 160, "rounds": 3, "part": 16},
}
SPEED = [
    {
        "what": "speed", "mode": "common", "way": "local, one core", "images_per_second": 10.0,
        "cpu_ms": {"driver": 99.5}, "start_seconds": 1.2, "peak_mb": {"driver": 180.0}, "over": {},
    },
    {
        "what": "speed", "mode": "common", "way": "one worker, one core", "images_per_second": 9.4,
        "cpu_ms": {"driver": 3.0, "ray": 4.0, "worker": 99.0}, "start_seconds": 8.0,
        "peak_mb": {"driver": 290.0, "ray": 200.0, "worker": 410.0}, "over": {"local, one core": [0.941, 0.93, 0.95]},
    },
]  # fmt: skip
GROWTH = {
    "what": "growth", "mode": "attention", "way": "workers: 2", "images": 100_000, "workers": 2, "rows": 100_000,
    "different": 100_000, "seconds": 190.0, "images_per_second": 552.4,
    "memory_mb": {"driver": [344.0, 340.0, 357.0], "worker": [277.0, 280.0, 280.0], "ray": [1100.0, 1100.0, 1100.0]},
}  # fmt: skip
STORE = {
    "what": "store", "mode": "common", "way": "workers: 2", "images": 320, "workers": 2, "delay_ms": 100, "share": 0.05,
    "rows": 320, "different": 320, "same": True, "parts": 20, "requests": 380, "refused": 19, "images_per_second": 17.5,
    "seconds": 31.0, "over_files": {"images_per_second": 18.0, "seconds": 27.4},
}  # fmt: skip


def text_of(folder: Path, *parts: dict[str, Any]) -> str:
    path = folder / "benchmark-ray.json"
    path.write_text(json.dumps({"experiment": "ray", "parts": [{**part, "run": RUN} for part in parts]}))
    return "\n".join(ray_section(path))


def test_everything_that_was_measured_is_told(tmp_path: Path) -> None:
    text = text_of(tmp_path, *SPEED, GROWTH, STORE)
    assert "| common | local, one core | 10.0 | 99.5 |  | 1.2 | 180 |" in text
    assert "| common | one worker, one core | 9.4 | 106.0 | 7.0 | 8.0 | 290, 410 |" in text
    assert "- common: one worker, one core, over local, one core: 0.94 [0.93, 0.95]" in text
    assert "100,000 rows of 100,000 names, 552 a second" in text
    assert "| driver | 344 | 340 | 357 | +5.0 % |" in text
    assert "320 rows of 320 names, byte for byte those of the engine `local`; 380 requests, 19 of them refused" in text
    assert "17.5 images/s while both workers have work, the whole run 31 s; from files 18.0 images/s and 27 s" in text


@pytest.mark.parametrize("part", [GROWTH, STORE])
def test_one_part_alone(part: dict[str, Any], tmp_path: Path) -> None:
    text = text_of(tmp_path, part)
    assert text.startswith("### The engine `ray`")
    assert "local, one core" not in text


def test_rows_that_differ_are_told(tmp_path: Path) -> None:
    assert "**not those of the engine `local`**" in text_of(tmp_path, {**STORE, "same": False})
