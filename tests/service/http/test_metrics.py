"""Metrics, and that dashboards and alerts name only what exists."""

import json
import re
import runpy
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.http.metrics import resident_bytes

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "colocalize.json"


def series(client: TestClient) -> dict[str, set[str]]:
    """Label names by name of series, as the service gives them."""
    found: dict[str, set[str]] = {}
    for line in client.get("/metrics").text.splitlines():
        if match := re.match(r"(\w+)(?:\{(.*)\})? ", line):
            found.setdefault(match[1], set()).update(re.findall(r"(\w+)=", match[2] or ""))
    return found


@pytest.fixture
def known(client: TestClient, jpeg: bytes) -> dict[str, set[str]]:
    client.post("/colocalize", files=[("images", jpeg), ("images", jpeg)])
    return series(client)


def expressions(file: str) -> list[str]:
    if file == "alerts.yml":
        return re.findall(r"expr: (.*)", (DEPLOY / "prometheus" / file).read_text())
    return [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]


FROM_OUTSIDE = {"instance", "job", "pid", "gpu"}  # given by Prometheus or by the multi-process mode


@pytest.mark.parametrize("file", ["alerts.yml", "colocalize.json"])
def test_every_metric_and_label_that_is_named_exists(known: dict[str, set[str]], file: str) -> None:
    asked = expressions(file)
    assert len(asked) >= 8
    for expression in asked:
        names = re.findall(r"(colocalize_\w+|up\b)(?:\{([^}]*)\})?", expression)
        assert names
        for name, selectors in names:
            if name == "up":
                continue
            assert name in known, expression
            labels = set(re.findall(r"(\w+)(?:=~|!=|=)", selectors))
            assert labels <= known[name] | FROM_OUTSIDE, expression
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            all_labels = set.union(*(known.get(name, set()) for name, _ in names))
            assert {label.strip() for label in grouped.split(",")} <= all_labels | FROM_OUTSIDE, expression


def test_shares_of_requests_are_shares_of_the_same_requests() -> None:
    # Probes are answered with 503 by design, and would make up any share of what clients asked for.
    shares = [expression for expression in expressions("alerts.yml") if "requests_total" in expression]
    assert len(shares) >= 2
    for expression in shares:
        assert re.findall(r"requests_total\{path=\"([^\"]*)\"", expression) == ["/colocalize"] * 2, expression


def test_dashboard_is_the_one_that_its_script_writes() -> None:
    made = runpy.run_path(str(DEPLOY / "grafana" / "make_dashboard.py"))["dashboard"]()
    assert json.loads(DASHBOARD.read_text()) == made


def test_what_happens_is_counted(client: TestClient, jpeg: bytes) -> None:
    client.post("/colocalize", files=[("images", jpeg), ("images", jpeg), ("images", b"")])
    text = client.get("/metrics").text
    for line in (
        'colocalize_images_total{code="ok"} 2.0',
        'colocalize_images_total{code="empty_file"} 1.0',
        "colocalize_pending_images 0.0",
        'colocalize_stage_seconds_count{stage="decode"} 3.0',
        "colocalize_batch_size_sum 2.0",
        'colocalize_requests_total{code="ok",path="/colocalize",status="200"} 1.0',
    ):
        assert line in text
    assert 'colocalize_model_info{backbone="none",name="dummy",precision="fp32",provider="CPUExecutionProvider"' in text


def test_resident_memory(tmp_path: Path) -> None:
    assert 10 * 2**20 < resident_bytes() < 2**34
    assert resident_bytes(tmp_path / "missing") == 0
