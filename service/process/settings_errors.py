"""What is wrong with the settings, said for people: the option or variable, what is allowed, and what was given."""

from collections.abc import Container
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from service.settings import Settings

__all__ = ["explain"]

_KINDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path", str: "text"}
_FORMS = {
    "host": "an address of this machine or its name (0.0.0.0 or :: for all of its addresses)",
    "root_path": "empty, or a path that starts with a slash and has letters, digits, '.', '_', '~' and '-' only",
    "trusted_proxies": "addresses or networks such as 10.0.0.0/8, comma-separated, or *",
    "otlp_endpoint": "a URL",
}
"""What is allowed where the type does not say it."""

_SERVICE_LINK = " (Kubernetes sets it for a Service called colocalize; set enableServiceLinks: false in the pod)"

_BOUNDS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))


def explain(error: ValidationError, options: Container[str]) -> str:
    """All that is wrong, on one line.

    Args:
        error: Why there are no settings.
        options: Names of the settings that were given as options of the command line; others are variables.
    """
    # A setting that is a list has an entry for each wrong part; it is named once.
    told = (_explain_one(entry["loc"], dict(entry), options) for entry in error.errors(include_url=False))
    return "; ".join(dict.fromkeys(told))


def _explain_one(location: tuple[int | str, ...], entry: dict[str, Any], options: Container[str]) -> str:
    name = str(location[0]) if location else ""
    field = Settings.model_fields.get(name)
    if field is None:  # settings that do not go together say so themselves
        return str(entry.get("ctx", {}).get("error", entry["msg"]))
    source = f"--{name.replace('_', '-')}" if name in options else Settings.variable(name)
    given = "" if field.annotation is SecretStr else f", got {entry['input']!r}"
    hint = _SERVICE_LINK if name == "port" and str(entry["input"]).startswith("tcp://") else ""
    return f"{source} must be {_FORMS.get(name) or _allowed(field)}{given}{hint}"


def _allowed(field: FieldInfo) -> str:
    """What a setting may be.

    Example:
        >>> _allowed(Settings.model_fields["max_images"]), _allowed(Settings.model_fields["log_format"])
        ('a whole number of at least 1', 'one of json, text')
    """
    annotation: Any = field.annotation
    if get_origin(annotation) is UnionType:  # ... | None
        annotation = get_args(annotation)[0]
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(get_args(annotation))}"
    if get_origin(annotation) is tuple:
        return f"{_KINDS[get_args(annotation)[0]]} or several, comma-separated"
    bounds = [
        f"{word} {getattr(rule, key):g}" for rule in field.metadata for key, word in _BOUNDS if hasattr(rule, key)
    ]
    kind = _KINDS.get(annotation, "text")
    return f"{kind} of {' and '.join(bounds)}" if bounds else kind
