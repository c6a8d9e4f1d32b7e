"""Logging: one JSON object a line for machines, or one line of text for people, each with the request's id."""

import json
import logging
import sys
import textwrap
from datetime import UTC, datetime

from service.http.request_state import REQUEST_ID
from service.settings import LogFormat

__all__ = ["JsonFormatter", "TextFormatter", "configure_logging"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD and value is not None}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, request id, and the record's extra members."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if (request_id := REQUEST_ID.get()) is not None:
            entry["request_id"] = request_id
        entry.update(_extra(record))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """One line of text: time, level, message, and the record's extra members as `name=value`.

    What clients send, such as paths, cannot make up lines or members: control characters are escaped, values with
    spaces are quoted, and the lines of a traceback are indented.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        members = _extra(record)
        if (request_id := REQUEST_ID.get()) is not None:
            members["request_id"] = request_id
        record.asctime = self.formatTime(record, self.datefmt)
        record.message = _printable(record.getMessage())
        shown = (f"{name}={_shown(str(value))}" for name, value in members.items())
        line = " ".join([self.formatMessage(record), *shown])
        if record.exc_info:
            line += "\n" + textwrap.indent(self.formatException(record.exc_info), "    ")
        return line


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text.rstrip("\n"))


def _shown(value: str) -> str:
    return value if value.isprintable() and " " not in value else repr(value)


def configure_logging(style: LogFormat, level: str) -> None:
    """Send all logs of the process to standard error.

    Args:
        style: Form of the lines.
        level: Least level that is logged.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # uvicorn's own lines are about its inner life; ours say the same in our words.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # The multipart parser warns about bad bodies, which are answered with 400 and no news.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    logging.captureWarnings(True)  # Python's warnings too, as lines of the same form
