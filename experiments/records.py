"""Records: one JSON file an experiment, with all that is needed to judge and to repeat it."""

import json
import os
import platform
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from colocalization.files import write_atomically
from training.errors import TrainingError
from training.provenance import Provenance

__all__ = ["Note", "Record", "describe_run", "read_record", "record_path", "write_json", "write_record"]

Record = dict[str, Any]
Note = Callable[[str], None]
"""Is told how an experiment goes, a line at a time."""

_PACKAGES = ("onnxruntime", "opencv-python-headless", "scipy", "scikit-image", "matplotlib")


def record_path(folder: Path, name: str) -> Path:
    """Where the record of an experiment lives."""
    return folder / f"experiment-{name}.json"


def write_record(
    path: Path,
    name: str,
    provenance: Provenance,
    settings: dict[str, Any],
    results: dict[str, Any],
    module: str = "experiments",
) -> None:
    """Write a record atomically, long lists of numbers on one line.

    Args:
        path: The file.
        name: Name of the experiment.
        provenance: What was running, taken when it began: the repository moves on.
        settings: What it was measured with.
        results: What came out.
        module: What is run with these arguments to measure again.
    """
    write_json(path, {"experiment": name, **describe_run(provenance, settings, module), "results": results})


def describe_run(provenance: Provenance, settings: dict[str, Any], module: str) -> Record:
    """What was run where: `date`, `command`, `commit`, `machine`, `versions` and `settings`.

    Args:
        provenance: What was running, taken when it began.
        settings: What is measured with.
        module: What is run with these arguments to measure again.
    """
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", module, *sys.argv[1:]]),
        "commit": provenance.commit,
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": platform.system(),
            "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        },
        "versions": {"python": platform.python_version(), **provenance.versions, **_versions()},
        "settings": settings,
    }


def write_json(path: Path, content: Record) -> None:
    """Write JSON atomically, long lists of numbers on one line; folders are made."""
    write_atomically(path, (_compact(content) + "\n").encode())


def read_record(path: Path) -> Record:
    """Read a record.

    Raises:
        TrainingError: It is missing or damaged.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise TrainingError(f"there is no record {path}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TrainingError(f"the record {path} is damaged: {error}") from error
    if not isinstance(record, dict) or not {"experiment", "settings", "results", "commit"} <= record.keys():
        raise TrainingError(f"{path} is no record of an experiment")
    return record


def _compact(value: Any, indent: int = 0) -> str:
    """JSON with objects indented and lists of plain values on one line, so that diffs are short."""
    if isinstance(value, dict) and value:
        pad = " " * (indent + 1)
        lines = [f"{pad}{json.dumps(str(key))}: {_compact(entry, indent + 1)}" for key, entry in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
    if isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value):
        pad = " " * (indent + 1)
        return "[\n" + ",\n".join(pad + _compact(entry, indent + 1) for entry in value) + "\n" + " " * indent + "]"
    return json.dumps(value, allow_nan=False, separators=(",", ":") if isinstance(value, list) else None)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
