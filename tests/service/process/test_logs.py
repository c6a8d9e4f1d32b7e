"""Lines of the log in text form, which nothing that a client sends may forge."""

import logging
import sys

import pytest

from service.process.logs import TextFormatter


def line(message: str = "request", **members: object) -> str:
    record = logging.makeLogRecord({"name": "a", "levelno": 20, "levelname": "INFO", "msg": message})
    vars(record).update(members)
    return TextFormatter().format(record)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a", "/a"),
        ("/ä/鳥", "/ä/鳥"),
        ("/x\n12:00:00 ERROR   forged", r"'/x\n12:00:00 ERROR   forged'"),
        ("/x\r\x1b[2J\x00\x85\u2028\u202e", r"'/x\r\x1b[2J\x00\x85\u2028\u202e'"),
        ("/\ud800", r"'/\ud800'"),
        ("/x status=200 code=ok", "'/x status=200 code=ok'"),
    ],
)
def test_values_cannot_forge_lines_or_members(path: str, shown: str) -> None:
    assert line(path=path, status=404).endswith(f" INFO    request path={shown} status=404")


def test_messages_cannot_forge_lines() -> None:
    assert line("it's a model\nnot found\x1b[2J\n").endswith(r" INFO    it's a model\nnot found\x1b[2J")


def test_lines_of_a_traceback_are_indented() -> None:
    try:
        raise ValueError("first\n12:00:00 ERROR   forged")
    except ValueError:
        first, *rest = line(exc_info=sys.exc_info(), status=500).splitlines()
    assert first.endswith("request status=500")
    assert "    ValueError: first" in rest
    assert all(each.startswith("    ") for each in rest)
