"""ONNX Runtime neither reports anything nor leaves anything in the home folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LOCALIZE = """
from pathlib import Path
from colocalization import Localizer
print(Localizer.load(device="cpu").localize([Path("examples/images/wren.jpg")]).mode)
"""


def run(program: str, home: Path, **variables: str) -> str:
    """Run a program in a home folder of its own, by default without what this process has set on its import."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ORT_DISABLE_TELEMETRY", "XDG_"))
    }
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_localizing_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    assert run(LOCALIZE, tmp_path) == "attention"
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "package", ["colocalization.engine", "model_export.precision", "experiments.network", "benchmarks"]
)
def test_every_package_turns_the_reports_off_before_onnx_runtime_is_imported(tmp_path: Path, package: str) -> None:
    if package != "colocalization.engine":
        pytest.importorskip("torch")
    program = f"""
import os, sys
from importlib.abc import MetaPathFinder

class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))

sys.meta_path.insert(0, Watch())
import {package}
import onnxruntime
"""
    assert set(run(program, tmp_path).splitlines()) == {"1"}  # torch looks for it too


def test_who_wants_the_reports_may_have_them(tmp_path: Path) -> None:
    program = "import colocalization, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run(program, tmp_path, ORT_DISABLE_TELEMETRY="0") == "0"
