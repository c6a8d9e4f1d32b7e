"""A service that has too little room refuses, and in the end everything is answered, and nothing twice."""

import pytest

from tests.load.refusals import measure


@pytest.mark.slow
def test_all_are_answered_and_none_is_worked_on_twice() -> None:
    told = measure(requests=30, programs=6, pending=2, delay=0.05)
    assert (told["answered"], told["answered_with_another_image"], told["errors"]) == (30, 0, {})
    refused = told["sent"].get("429", 0)
    assert refused > 0
    assert told["sent"] == {"200": 30, "429": refused}
    assert told["counted_by_the_service"] == {"200": 30, "429": refused, "images": 30}
