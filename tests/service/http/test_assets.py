"""The page and `/docs`: what they are made of. How they look is for eyes; that their scripts can run at all is not."""

import hashlib
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from starlette.testclient import TestClient

FOLDER = Path(str(files("service.http")))
OURS = ["page/app.js", "page/hints.js", "docs/start.js"]


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("swagger-ui-bundle.js", "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2"),
        ("swagger-ui.css", "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d"),
    ],
)
def test_swagger_ui_is_as_its_makers_published_it(name: str, sha256: str) -> None:
    assert hashlib.sha256((FOLDER / "docs" / name).read_bytes()).hexdigest() == sha256


def test_swagger_ui_comes_with_its_licence() -> None:
    assert "Apache License" in (FOLDER / "docs" / "LICENSE").read_text()
    assert "swagger-ui" in (FOLDER / "docs" / "NOTICE").read_text()
    assert (FOLDER / "docs" / "swagger-ui-bundle.js.LICENSE.txt").stat().st_size > 0


@pytest.mark.parametrize("name", ["page/index.html", "docs/index.html"])
def test_pages_have_nothing_that_the_content_security_policy_forbids(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|javascript:|https?://", text) == []


@pytest.mark.parametrize("name", OURS)
def test_scripts_can_be_parsed(name: str) -> None:
    if (node := shutil.which("node")) is None:
        pytest.skip("node is not installed")
    done = subprocess.run([node, "--check", FOLDER / name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_scripts_name_only_elements_and_limits_that_exist(client: TestClient) -> None:
    page, script = (FOLDER / "page/index.html").read_text(), (FOLDER / "page/app.js").read_text()
    named = set(re.findall(r'byId\("([\w-]+)"\)', script))
    assert len(named) > 10
    assert named <= set(re.findall(r'\bid="([\w-]+)"', page))
    classes = set(re.findall(r'\bclass="([\w -]+)"', page))
    sought = set(re.findall(r'querySelector\("\.([\w-]+)"\)', script + (FOLDER / "page/hints.js").read_text()))
    assert {"hints", "hint-tools"} <= sought
    assert sought | {"hint-draw", "hint-absent", "hint-remove"} <= {name for one in classes for name in one.split()}
    limits = set(re.findall(r"limits\.(\w+)", script))
    assert {"max_images", "max_bytes", "max_request_bytes"} <= limits <= client.get("/model").json()["limits"].keys()
