"""HEAD wherever there is GET."""

import pytest
from starlette.testclient import TestClient

from tests.service.conftest import Start


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/model", "/metrics", "/docs", "/openapi.json", "/page/app.js"]
)
def test_head_is_as_get_without_the_body(client: TestClient, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_where_there_is_no_get_there_is_no_head(client: TestClient) -> None:
    assert (client.head("/colocalize").status_code, client.head("/nowhere").status_code) == (405, 404)
    assert client.get("/colocalize").headers["allow"] == "POST"
    assert client.delete("/model").headers["allow"] == "GET, HEAD"


def test_head_needs_a_key_where_get_does(start: Start) -> None:
    with start(api_keys="alice=" + "a" * 16) as client:
        assert (client.head("/model").status_code, client.head("/readyz").status_code) == (401, 200)
