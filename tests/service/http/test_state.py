"""What the parts of one running app share."""

import pytest

from service.http import state
from tests.service.conftest import Start, wait_until


def test_a_running_service_trims_again_and_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(state, "_TRIM_SECONDS", 0.01)
    monkeypatch.setattr(state, "MemoryTrimmer", lambda: lambda: trims.append(1))
    with start():
        wait_until(lambda: len(trims) > 2)
