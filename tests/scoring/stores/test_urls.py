import pytest

from scoring.stores.urls import is_url, joined, redacted, without_secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket", True),
        ("abfss://c@account.dfs.core.windows.net/x", True),
        ("memory://x", True),
        ("birds", False),
        ("./s3:/x", False),
        ("C:\\birds", False),
        ("c://birds", False),  # a drive, by mistake
        ("", False),
    ],
)
def test_what_is_a_url(text: str, expected: bool) -> None:
    assert is_url(text) is expected


def test_a_url_with_an_account_before_the_host_is_shown_as_it_is() -> None:
    assert redacted("abfss://container@account.dfs.core.windows.net/x") == (
        "abfss://container@account.dfs.core.windows.net/x"
    )


@pytest.mark.parametrize(
    "message",
    [
        "denied for https://account.blob.core.windows.net/c/a.jpg?sv=2024&sig=SECRET%3D",
        "AWS_SECRET_ACCESS_KEY: SECRET",
        "session_token = SECRET",
        "account_key=SECRET;EndpointSuffix=core.windows.net",
    ],
)
def test_what_looks_like_a_key_is_left_out(message: str) -> None:
    assert "SECRET" not in without_secrets(message).replace("SECRET_ACCESS_KEY", "")


def test_names_are_below_a_url() -> None:
    assert joined("s3://b/x/", "a b/c.jpg") == "s3://b/x/a b/c.jpg"
