"""The arrows between the floors of the service go one way."""

import ast
from pathlib import Path

import pytest

SERVICE = Path(__file__).resolve().parents[2] / "service"


@pytest.mark.parametrize(
    ("floor", "above"),
    [("inference", ("service.http", "service.process")), ("http", ("service.process",))],
)
def test_no_floor_imports_one_above(floor: str, above: tuple[str, ...]) -> None:
    modules = list((SERVICE / floor).rglob("*.py"))
    assert len(modules) > 5
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not [name for name in names if name.startswith(above)], module
