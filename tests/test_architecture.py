"""The arrows between packages and modules go one way, and each module has a name and a size that can be found again.

Which package may import which is said in pyproject.toml, under `tool.importlinter`.
"""

import ast
import graphlib
import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = [Path(package).name for package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
PACKAGES = PROJECT["tool"]["importlinter"]["root_packages"]

WEB = {
    "anyio",
    "fastapi",
    "httptools",
    "httpx",
    "prometheus_client",
    "pydantic_settings",
    "starlette",
    "uvicorn",
    "uvloop",
}
TRAINING = {"matplotlib", "onnx", "timm", "torch", "torchvision"}

NAMES_OF_A_KIND = {"__init__", "__main__", "base", "cli", "command", "errors"}
"""Module names that say the same in every package: how to call it, what others derive from, what it raises."""


def _modules(*packages: str) -> Iterator[Path]:
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def _imports_of_a_fresh_process(statement: str) -> set[str]:
    """Top-level names of all that a process has imported after a statement."""
    program = (
        f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_packages_import_only_what_lies_below_them() -> None:
    # In a process of its own: it sets logging up anew, and with that turns the loggers of all others off.
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


def test_every_package_stands_in_a_contract() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert folders == set(PACKAGES)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True)
    assert len(graph.modules) > 100
    graphlib.TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    ).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize(
    ("statement", "kept_out"),
    [
        ("import colocalization", WEB | TRAINING),
        ("import colocalization.commands.main", WEB | TRAINING),
        ("import scoring.command, scoring.scorer, scoring.evaluate_command", WEB | TRAINING),
        ("import colocalization.client", TRAINING | (WEB - {"anyio", "httpx"})),
        ("import service.process.command, service.process.server", TRAINING),
    ],
    ids=["core", "command line", "folders", "client", "service"],
)
def test_what_an_import_brings_along(statement: str, kept_out: set[str]) -> None:
    # Besides the contracts: those read our own imports, this sees what a library imports in its turn.
    loaded = _imports_of_a_fresh_process(statement)
    assert "colocalization" in loaded
    assert sorted(loaded & kept_out) == []


def test_no_two_modules_of_the_wheel_share_a_name() -> None:
    places = defaultdict(list)
    for path in _modules(*SHIPPED):
        if path.stem not in NAMES_OF_A_KIND:
            places[path.stem].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_two_public_classes_share_a_name() -> None:
    places = defaultdict(list)
    for path in _modules(*PACKAGES):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_modules_are_of_a_size_that_is_read_at_once() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _modules(*PACKAGES)}
    assert {path: count for path, count in lines.items() if count > 400} == {}
