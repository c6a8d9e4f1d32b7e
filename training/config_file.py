"""Reading a run's settings: from a preset or a TOML file, presets being such files too, then from overrides.

What is not set in a file has the default of `training.config`.
"""

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from training.config import TrainingConfig
from training.errors import TrainingError

__all__ = ["load_config", "presets"]


def presets() -> tuple[str, ...]:
    """Names of the presets."""
    folder = resources.files("training") / "presets"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_config(source: str | Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a configuration.

    Args:
        source: Name of a preset, or the path of a TOML file or of a run's `config.json`.
        overrides: `section.name=value`, the value in TOML (quotes around text may be left out).

    Raises:
        TrainingError: There is no such file or preset, it is damaged, or a setting is unknown or out of range.
    """
    values = _read(source)
    for override in overrides:
        _override(values, override)
    try:
        return TrainingConfig.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'configuration'}: {problem['msg']}, "
            f"got {problem['input']!r}"
            for problem in error.errors()
        )
        raise TrainingError(f"configuration {source}: {problems}") from error


def _read(source: str | Path) -> dict[str, Any]:
    if str(source) in presets():
        text = (resources.files("training") / "presets" / f"{source}.toml").read_text("utf-8")
        return tomllib.loads(text)
    path = Path(source)
    if not path.is_file():
        raise TrainingError(f"no configuration file or preset {str(source)!r}; presets: {', '.join(presets())}")
    try:
        if path.suffix == ".json":
            return TrainingConfig.model_validate_json(path.read_text("utf-8")).model_dump(mode="json")
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise TrainingError(f"configuration {path}: {error}") from error


def _override(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    parts = name.strip().split(".")
    if not equals or len(parts) != 2:
        raise TrainingError(f"expected an override 'section.name=value', got {override!r}")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a text without quotes
    section = values.setdefault(parts[0], {})
    if not isinstance(section, dict):
        raise TrainingError(f"configuration: {parts[0]!r} must be a section, got {section!r}")
    section[parts[1]] = value
