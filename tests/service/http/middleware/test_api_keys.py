"""API keys."""

import base64
from pathlib import Path

import pytest

from service.http.keys import read_keys
from tests.service.conftest import Start

ALICE, BOB = "a" * 16, "b" * 20


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {ALICE}"},
        {"authorization": f"bearer  {BOB}"},
        {"x-api-key": BOB},
        {"authorization": f"Basic {base64.b64encode(f'anyone:{ALICE}'.encode()).decode()}"},
    ],
)
def test_any_key_in_either_header_lets_through(start: Start, headers: dict[str, str]) -> None:
    with start(api_keys=f"alice={ALICE}, bob={BOB}") as client:
        assert client.get("/model", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": ALICE}, {"authorization": f"Basic {ALICE}"}, {"x-api-key": ALICE[:-1]}, {"x-api-key": "ä"}],
)
@pytest.mark.parametrize("path", ["/model", "/metrics", "/colocalize", "/nowhere"])
def test_without_a_valid_key(start: Start, headers: dict[str, str], path: str) -> None:
    encoded = {name: value.encode() for name, value in headers.items()}
    with start(api_keys=f"alice={ALICE}") as client:
        answer = client.get(path, headers=encoded)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/livez", "/readyz", "/docs", "/openapi.json"])
def test_page_and_probes_need_none(start: Start, path: str) -> None:
    with start(api_keys=f"alice={ALICE}") as client:
        assert client.get(path).status_code == 200


def test_keys_are_in_the_document_only_where_they_are_asked_for(start: Start) -> None:
    with start(api_keys=f"alice={ALICE}") as client:
        assert client.get("/openapi.json").json()["paths"]["/model"]["get"]["security"] == [{"bearer": []}, {"key": []}]
    with start() as client:
        assert "security" not in client.get("/openapi.json").json()["paths"]["/model"]["get"]


def test_name_of_the_key_is_logged_and_the_key_is_not(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with start(api_keys=f"alice={ALICE}") as client:
        client.get("/model", headers={"x-api-key": ALICE})
    (record,) = (record for record in caplog.records if record.getMessage() == "request" and record.path == "/model")
    assert record.api_key == "alice"
    assert ALICE not in str(vars(record))


def test_read_only_keys_may_look_and_not_change(start: Start, tmp_path: Path) -> None:
    alice, bob = {"x-api-key": ALICE}, {"x-api-key": BOB}
    keys = f"alice={ALICE},bob={BOB}"
    with start(api_keys=keys, read_only_keys="bob", objects_dir=tmp_path) as client:
        for method in ("PUT", "DELETE"):
            refused = client.request(method, "/objects/a", headers=bob)
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert refused.json()["detail"] == "The API key 'bob' may look for kept objects, but not change them."
            assert client.request(method, "/objects/a", headers=alice).status_code in (404, 415)
        assert client.get("/objects", headers=bob).status_code == 200
        assert client.post("/colocalize", headers=bob).status_code == 415


def test_read_only_key_that_does_not_exist_is_refused(start: Start) -> None:
    with pytest.raises(ValueError, match="no API key of the name 'bbo' that could be read-only"):
        start(api_keys=f"bob={BOB}", read_only_keys="bbo").__enter__()


def test_keys_from_settings_and_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# people\n\nbob={BOB}\n")
    assert read_keys(f"alice={ALICE}", file) == {"alice": ALICE, "bob": BOB}
    assert read_keys("", None) == {}


@pytest.mark.parametrize(
    ("inline", "message"),
    [
        ("alice", "number 1 is not of the form name=key"),
        (f"alice={ALICE},={BOB}", "number 2 is not"),
        (f"alice={ALICE},alice={BOB}", "two API keys of the name 'alice'"),
        ("alice=short-key", "'alice' has 9 characters, at least 16"),
    ],
)
def test_bad_keys_are_refused_without_showing_them(inline: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_keys(inline, None)
    assert "short-key" not in str(caught.value)
