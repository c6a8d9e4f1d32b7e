"""The page and `/docs`: what they are made of. How they look is for eyes; that their scripts can run at all is not."""

import graphlib
import hashlib
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from starlette.testclient import TestClient

FOLDER = Path(str(files("service.http")))
MODULES = sorted((FOLDER / "page").glob("*.js"))
OURS = [*MODULES, FOLDER / "docs" / "start.js"]


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


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_scripts_can_be_parsed(path: Path) -> None:
    if (node := shutil.which("node")) is None:
        pytest.skip("node is not installed")
    kind = "module" if path in MODULES else "commonjs"
    done = subprocess.run(
        [node, f"--input-type={kind}", "--check"], input=path.read_text(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_file_of_the_page_is_served_and_loaded_at_once(client: TestClient) -> None:
    page = (FOLDER / "page/index.html").read_text()
    for file in (FOLDER / "page").iterdir():
        answer = client.get("/" if file.name == "index.html" else f"/page/{file.name}")
        assert (answer.status_code, answer.content) == (200, file.read_bytes())
        assert f'"page/{file.name}"' in page or file.name == "index.html"  # scripts are not waited for one by one
    assert len(MODULES) > 10


def test_modules_import_what_is_there_and_nothing_in_a_circle() -> None:
    imports = {file.name: re.findall(r'^import .* from "\./([\w.]+)";', file.read_text(), re.M) for file in MODULES}
    graphlib.TopologicalSorter(imports).prepare()
    assert {name for named in imports.values() for name in named} | {"app.js"} == set(imports)
    for file in MODULES:
        for names, other in re.findall(r'^import \{ (.*?) \} from "\./([\w.]+)";', file.read_text(), re.M):
            exported = set(
                re.findall(
                    r"^export (?:async )?(?:const|function|class) (\w+)", (FOLDER / "page" / other).read_text(), re.M
                )
            )
            assert set(names.split(", ")) <= exported


def test_scripts_name_only_elements_and_limits_that_exist(client: TestClient) -> None:
    page, scripts = (FOLDER / "page/index.html").read_text(), "".join(file.read_text() for file in MODULES)
    named = set(re.findall(r'(?:byId|fromTemplate)\("([\w-]+)"\)', scripts))
    assert len(named) > 30
    assert named <= set(re.findall(r'\bid="([\w-]+)"', page))
    classes = {name for one in re.findall(r'\bclass="([\w -]+)"', page) for name in one.split()}
    sought = set(re.findall(r'querySelector\("\.([\w-]+)"\)', scripts))
    assert len(sought) > 5
    assert sought <= classes
    limits = set(re.findall(r"limits\.(\w+)", scripts))
    assert {"max_images", "max_bytes", "max_request_bytes"} <= limits <= client.get("/model").json()["limits"].keys()


def test_page_is_small() -> None:
    # Without compression, which is the proxy's: what a phone on a slow line waits for.
    assert sum(file.stat().st_size for file in (FOLDER / "page").iterdir()) < 100_000
