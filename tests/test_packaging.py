"""What the optional parts need is named in their extras, so that a fresh environment has it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from colocalization import __version__

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def names(requirements: list[str]) -> set[str]:
    return {requirement.split(">")[0].split("[")[0].split(";")[0].strip() for requirement in requirements}


@pytest.mark.parametrize(
    ("extra", "needed"),
    [
        ("cpu", {"onnxruntime"}),
        ("gpu", {"onnxruntime-gpu"}),
        ("serve", {"fastapi", "uvicorn", "python-multipart", "pydantic-settings", "prometheus-client"}),
        ("train", {"torch", "torchvision", "timm", "tensorboard"}),
        ("export", {"onnx", "onnxscript"}),  # torch's exporter imports onnxscript without requiring it
    ],
)
def test_extra_names_what_its_part_imports(extra: str, needed: set[str]) -> None:
    assert needed <= names(EXTRAS[extra])


def test_serving_needs_no_torch_and_never_both_runtimes() -> None:
    serving = names(PROJECT["dependencies"] + EXTRAS["serve"])
    assert not serving & {"torch", "torchvision", "timm", "onnxruntime", "onnxruntime-gpu"}
    assert "onnxruntime-gpu" not in names(EXTRAS["cpu"] + EXTRAS["dev"])


def test_folders_need_no_web_package() -> None:
    assert not names(PROJECT["dependencies"] + EXTRAS["cpu"]) & names(EXTRAS["serve"])


def test_the_image_serves() -> None:
    assert re.findall(r"\.whl\)\[([a-z,]+)\]", (ROOT / "Dockerfile").read_text()) == ["cpu,serve", "gpu,serve"]


def test_the_lock_has_all_that_development_needs_and_names_no_place() -> None:
    text = (ROOT / "requirements-dev.txt").read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    everything = ("cpu", "serve", "train", "export", "otel", "docs", "dev")
    needed = {
        one.lower()
        for one in names([*PROJECT["dependencies"], *(one for extra in everything for one in EXTRAS[extra])])
    }
    assert needed - pinned - {"colocalize"} == set()
    assert not re.search(r"://|--index|--find-links|--trusted| @ ", text)


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_workflows_and_templates_are_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


def test_workflows_call_what_ci_runs() -> None:
    for name in ("ci", "newest", "release"):
        assert "run: .ci/run" in (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()
