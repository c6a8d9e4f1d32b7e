"""The service below a prefix, behind proxies that take it off and behind those that do not."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from starlette.testclient import TestClient

from tests.service.conftest import Start
from tests.service.processes import Running, free_port, running

PAGES = ["/", "/docs"]


@pytest.fixture
def below(start: Start) -> Iterator[TestClient]:
    with start(root_path="/a/colo/", api_keys="alice=" + "a" * 16) as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "/a/colo"])
def test_paths_with_and_without_the_prefix_are_the_same(below: TestClient, prefix: str) -> None:
    assert below.get(f"{prefix}/readyz").status_code == 200
    assert below.get(f"{prefix}/").text == below.get("/").text
    # Which paths need a key must not depend on the proxy.
    assert below.get(f"{prefix}/model").status_code == 401
    assert below.get(f"{prefix}/nowhere").status_code == 401


@pytest.mark.parametrize("path", ["/a/colonel/readyz", "/a/readyz", "/a/colo/a/colo/readyz", "/a/colo//readyz"])
def test_other_paths_are_not_the_prefix(start: Start, path: str) -> None:
    with start(root_path="/a/colo") as client:
        assert client.get(path).status_code == 404


def test_document_names_the_prefix_only_where_there_is_one(below: TestClient, client: TestClient) -> None:
    assert below.get("/openapi.json").json()["servers"] == [{"url": "/a/colo"}]
    assert "servers" not in client.get("/openapi.json").json()


def test_prefix_without_its_slash_leads_to_the_page_on_the_same_host(below: TestClient) -> None:
    answer = below.get("/a/colo", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "/a/colo/")
    assert below.post("/a/colo", follow_redirects=False).status_code == 401


@pytest.mark.parametrize("path", ["/colocalize/", "/model/", "/docs/", "/page/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_is_redirected(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path, headers={"x-forwarded-proto": "https"}, follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", PAGES)
def test_addresses_in_the_pages_are_relative(client: TestClient, path: str) -> None:
    links = re.findall(r'(?:href|src)="([^"]+)"', client.get(path).text)
    assert links
    for link in links:
        assert not link.startswith(("/", "http"))
        assert client.get(urljoin(f"http://host{path}", link).removeprefix("http://host")).status_code == 200
    scripts = [client.get(script).text for script in ("/page/app.js", "/docs/start.js")]
    assert not re.findall(r'(?:fetch|URL)\(\s*["`]/', "".join(scripts))


NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto https;
    location /taken-off/ {{ proxy_pass http://127.0.0.1:{service}/; }}
    location /colo/ {{ proxy_pass http://127.0.0.1:{service}; }}
  }}
}}
"""


@contextmanager
def nginx(service: Running, folder: Path) -> Iterator[str]:
    if (program := shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")) is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, service=service.port))
    process = subprocess.Popen([program, "-c", configuration, "-p", folder, "-e", folder / "error.log"])
    try:
        until = time.monotonic() + 10
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                break
            except httpx.TransportError:
                assert time.monotonic() < until, (folder / "error.log").read_text()
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def test_behind_nginx(tmp_path: Path, jpeg: bytes) -> None:
    with running(root_path="/colo", trusted_proxies="127.0.0.1") as service, nginx(service, tmp_path) as proxy:
        for prefix in ("/taken-off", "/colo"):
            for page in PAGES:
                text = httpx.get(f"{proxy}{prefix}{page}").text
                for link in re.findall(r'(?:href|src)="([^"]+)"', text):
                    assert httpx.get(urljoin(f"{proxy}{prefix}{page}", link)).status_code == 200
            files = {"images": ("a.jpg", jpeg)}
            client = {"x-forwarded-for": "203.0.113.7"}
            answer = httpx.post(f"{proxy}{prefix}/colocalize", files=files, headers=client)
            assert (answer.status_code, answer.json()["images"][0]["error"]) == (200, None)
            assert httpx.post(f"{proxy}{prefix}/colocalize/", files=files).status_code == 404
        posts = [entry for entry in service.log() if entry.get("path") == "/colocalize"]
    # nginx adds the address that it sees; the last one that is no trusted proxy is the client's.
    assert [entry["client"] for entry in posts] == ["203.0.113.7"] * 2
