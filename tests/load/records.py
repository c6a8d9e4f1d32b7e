"""Records of measurements: one JSON file each, with all that is needed to judge and to repeat it."""

import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["RECORDS", "ROOT", "write_record"]

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "docs" / "records"

_PACKAGES = ("numpy", "pillow", "onnxruntime", "onnxruntime-gpu", "fastapi", "uvicorn", "litserve", "bentoml")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    told = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return told.stdout.strip() or "unknown"


def write_record(kind: str, settings: dict[str, Any], results: Any, out: Path | None = None) -> Path:
    """Write one record.

    Args:
        kind: What was measured; also the file's name.
        settings: What it was measured with.
        results: What came out.
        out: Where to; `docs/records/<kind>.json` if left out.
    """
    record = {
        "kind": kind,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", *_module_and_arguments()]),
        "commit": _commit(),
        "machine": {"processor": _processor(), "cores": len(os.sched_getaffinity(0)), "system": platform.system()},
        "load_average_before": os.getloadavg()[0],
        "versions": _versions(),
        "settings": settings,
        "results": results,
    }
    path = out or RECORDS / f"{kind}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def _module_and_arguments() -> list[str]:
    module = Path(sys.argv[0]).resolve().relative_to(ROOT).with_suffix("")
    # Where things are on this machine is nobody's business and helps nobody to repeat it.
    given = [Path(argument).name if Path(argument).is_absolute() else argument for argument in sys.argv[1:]]
    return [".".join(module.parts), *given]
