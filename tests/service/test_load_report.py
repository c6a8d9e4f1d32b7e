"""Records of the load tests become text."""

import json
from typing import Any

import pytest

from tests.load import report
from tests.load.kept import compared
from tests.load.records import RECORDS

RATES = {
    "attention": {
        "service": [10.0, 20.0, 40.0],
        "p99_ms": [50.0, 60.0, 70.0],
        "bare": [20.0, 20.0, 40.0],
        "looks": [1.0] * 3,
    },
    "kept object, full": {
        "service": [5.0, 12.0, 16.0],
        "p99_ms": [90.0, 80.0, 99.0],
        "bare": [10.0, 10.0, 20.0],
        "looks": [1.5, 1.5, 2.0],
    },
}


def test_a_way_is_set_against_attention_in_the_same_round() -> None:
    told = compared(RATES)["kept object, full"]
    assert (told["looks"], told["service"], told["p99_ms"], told["bare"]) == (1.5, 12.0, 90.0, 10.0)
    assert told["at_equal_looks"] == [0.8, 0.75, 0.9]
    assert told["over_attention"] == {"service": [0.5, 0.4, 0.6], "bare": [0.5, 0.5, 0.5]}
    assert told["service_over_bare"] == [0.8, 0.5, 1.2]


def test_a_kept_object_beside_attention() -> None:
    record = {
        "settings": {"connections": 4, "rounds": 3, "seconds": 4.0},
        "results": {"ways": compared(RATES), "rounds": RATES, "errors": 0},
    }
    text = "\n".join(report._kept(record))
    assert (
        "| kept object, full | 1.50 | 12.0 | 90 | 0.50 (0.40 to 0.60) | 0.80 (0.75 to 0.90) | 10.0 | "
        "0.50 (0.50 to 0.50) | 0.80 (0.50 to 1.20) |"
    ) in text


def test_mixed_load_is_told_by_method_and_status() -> None:
    results: dict[str, Any] = {
        "requests": 4, "statuses": {"GET 200": 1, "PUT 0": 1, "PUT 201": 2}, "killed": 1, "wrong": ["x"],
        "half_written": [], "lost": [], "checked_after_restart": 2, "cut_off_writes_unknown": 1,
    }  # fmt: skip
    settings = {"clients": 2, "workers": 2, "engine": "dummy"}
    text = "\n".join(report._objects({"settings": settings, "results": results}))
    assert "Wrong answers: 1; half-written files: 0; objects lost: 0, of 2 names" in text
    assert "| PUT | 1 |  | 2 |" in text


@pytest.mark.parametrize("name", [name for name in report._SECTIONS if (RECORDS / f"{name}.json").is_file()])
def test_every_record_of_the_repository_can_be_told(name: str) -> None:
    record = json.loads((RECORDS / f"{name}.json").read_text("utf-8"))
    assert next(report._SECTIONS[name](record)).startswith("### ")
