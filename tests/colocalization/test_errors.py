"""Errors carry a code that is part of the interface, and a message for people."""

import pytest

from colocalization.errors import ColocalizeError, ImageError, ModelError, ProviderError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ColocalizeError("some_code", "Why."), "some_code"),
        (ImageError("empty_file", "Why."), "empty_file"),
        (ModelError("Why."), "model_error"),
        (ProviderError("Why."), "provider_error"),
    ],
)
def test_code_and_message(error: ColocalizeError, code: str) -> None:
    assert isinstance(error, ColocalizeError)
    assert (error.code, error.message, str(error)) == (code, "Why.", "Why.")
