"""When a request is sent again, and after how long."""

import httpx
import pytest

from colocalization.client.retries import Attempts, Retries, retry_after


def refusal(value: str | None) -> httpx.Response:
    return httpx.Response(429, headers={} if value is None else {"retry-after": value})


@pytest.mark.parametrize(("value", "least", "most"), [("4", 4.0, 5.05), (None, 0.5, 0.675), ("1000", 60.0, 75.05)])
def test_never_sooner_than_asked_for_and_spread(value: str | None, least: float, most: float) -> None:
    waits = [Attempts(Retries()).after_refusal(refusal(value)) for _ in range(200)]
    assert all(wait is not None and least <= wait <= most for wait in waits)
    assert len(set(waits)) > 100


def test_waits_grow_where_the_service_says_nothing() -> None:
    attempts = Attempts(Retries(longest_wait=8))
    waits = [attempts.after_refusal(refusal(None)) or 0.0 for _ in range(6)]
    for wait, least in zip(waits, (0.5, 1, 2, 4, 8, 8), strict=True):
        assert least <= wait <= 1.25 * least + 0.05


def test_time_for_trying_ends() -> None:
    clock = iter((0.0, 5.0, 9.5))
    attempts = Attempts(Retries(seconds=10), now=lambda: next(clock))
    assert attempts.after_refusal(refusal("1")) is not None  # at 5 s
    assert attempts.after_refusal(refusal("1")) is None  # at 9.5 s the wait would lead beyond


def test_connections_are_tried_so_often() -> None:
    attempts = Attempts(Retries(connections=3))
    assert [attempts.after_no_connection() for _ in range(3)] == [0.5, 1.0, None]


@pytest.mark.parametrize("value", ["", "-1", "nan", "1.5", "Thu, 99 Jan 1970"])
def test_what_is_no_time_says_nothing(value: str) -> None:
    assert retry_after(value) is None


@pytest.mark.parametrize("wrong", [{"seconds": -1}, {"longest_wait": float("nan")}, {"connections": 0}])
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be at least"):
        Retries(**wrong)  # type: ignore[arg-type]
