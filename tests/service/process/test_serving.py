"""The server of one worker, without a process of its own."""

import logging
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from service.http.request_state import REQUEST_ID
from service.process.serving import DrainingServer


def test_log_line_of_a_signal_belongs_to_no_request(caplog: pytest.LogCaptureFixture) -> None:
    # The handler runs in the middle of whatever the loop is doing, such as a request's task.
    caplog.set_level("INFO")
    seen: list[str | None] = []
    caplog.handler.addFilter(lambda record: not seen.append(REQUEST_ID.get()))
    service: Any = SimpleNamespace(draining=False)
    early: Any = SimpleNamespace(asked=False)
    server = DrainingServer(uvicorn.Config("unused:app", log_config=None), service, early)
    token = REQUEST_ID.set("another")
    try:
        server.handle_exit(signal.SIGTERM, None)
        logging.getLogger("service").info("the request's own line")
    finally:
        REQUEST_ID.reset(token)
    assert (service.draining, seen) == (True, [None, "another"])


def test_service_that_cannot_start_its_threads_says_so_and_fails() -> None:
    code = (
        "import threading; from service.process import command; from service.http.state import Service\n"
        'def fail(self): raise RuntimeError("can\'t start new thread")\n'
        "Service.start = fail; command.app(['--port', '0', '--device', 'cpu'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "error: the service could not start; the log says why"
    assert "can't start new thread" in done.stderr
