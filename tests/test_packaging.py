"""What the optional parts need is named in their extras, so that a fresh environment has it."""

import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def names(requirements: list[str]) -> set[str]:
    return {requirement.split(">")[0].split("[")[0].split(";")[0].strip() for requirement in requirements}


@pytest.mark.parametrize(
    ("extra", "needed"),
    [
        ("cpu", {"onnxruntime"}),
        ("gpu", {"onnxruntime-gpu"}),
        ("train", {"torch", "torchvision", "timm", "tensorboard"}),
        ("export", {"onnx", "onnxscript"}),  # torch's exporter imports onnxscript without requiring it
    ],
)
def test_extra_names_what_its_part_imports(extra: str, needed: set[str]) -> None:
    assert needed <= names(EXTRAS[extra])


def test_serving_needs_no_torch_and_never_both_runtimes() -> None:
    serving = names(PROJECT["dependencies"])
    assert not serving & {"torch", "torchvision", "timm", "onnxruntime", "onnxruntime-gpu"}
    assert "onnxruntime-gpu" not in names(EXTRAS["cpu"] + EXTRAS["dev"])
