"""The server of one worker, without a process of its own."""

import logging
import signal
from types import SimpleNamespace

import pytest
import uvicorn

from service.http.request_state import REQUEST_ID
from service.process.serving import DrainingServer


def test_log_line_of_a_signal_belongs_to_no_request(caplog: pytest.LogCaptureFixture) -> None:
    # The handler runs in the middle of whatever the loop is doing, such as a request's task.
    caplog.set_level("INFO")
    seen: list[str | None] = []
    caplog.handler.addFilter(lambda record: not seen.append(REQUEST_ID.get()))
    service = SimpleNamespace(draining=False)
    server = DrainingServer(uvicorn.Config("unused:app", log_config=None), service, SimpleNamespace(asked=False))
    token = REQUEST_ID.set("another")
    try:
        server.handle_exit(signal.SIGTERM, None)
        logging.getLogger("service").info("the request's own line")
    finally:
        REQUEST_ID.reset(token)
    assert (service.draining, seen) == (True, [None, "another"])
