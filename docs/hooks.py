"""Hooks of MkDocs: what the site says is made from the code and from the README where they say it already.

A page that holds `<!-- generated: NAME -->` gets the text of the generator of that name in its place.
"""

import re
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer
from fastapi import FastAPI
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from typer.cli import get_docs_for_click

import colocalization
from colocalization import client
from colocalization.commands.main import app as command_line
from colocalization.localizer import Localizer
from service.http.app import create_app
from service.settings import Settings
from tests.dummy_engine import DummyEngine

ROOT = Path(__file__).resolve().parents[1]


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Fill in what is generated, and point links to files outside docs/ at the repository."""
    for name, generate in GENERATORS.items():
        marker = f"<!-- generated: {name} -->"
        if marker in markdown:
            markdown = markdown.replace(marker, generate())
    return _links_to_repository(markdown, Path(page.file.src_uri).parent, f"{config.extra['repository']}/blob/main/")


def _links_to_repository(markdown: str, folder: Path, base: str) -> str:
    def outside(match: re.Match[str]) -> str:
        target, _, anchor = match[1].partition("#")
        path = (ROOT / "docs" / folder / target).resolve()
        if path.is_relative_to(ROOT / "docs") or not path.is_relative_to(ROOT):
            return match[0]
        if not path.exists():
            raise FileNotFoundError(f"{folder}: link to {match[1]}, and there is no {path}")
        return f"]({base}{path.relative_to(ROOT)}{'#' + anchor if anchor else ''})"

    return re.sub(r"\]\((\.\./[^)\s]+)\)", outside, markdown)


def _readme() -> str:
    """The README, with links as they are from docs/."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", lambda link: f"]({_from_docs(link[1])})", text)


def _from_docs(target: str) -> str:
    return target.removeprefix("docs/") if target.startswith("docs/") else f"../{target}"


def _options() -> str:
    """Every option of every command, in the order of `colocalize --help`."""
    points = {point.name: point for point in entry_points(group="colocalize.commands")}
    pages = []
    for name in (command.name for command in command_line.registered_commands if command.name is not None):
        command, full = typer.main.get_command(points[name].load()), f"colocalize {name}"
        pages.append(get_docs_for_click(obj=command, ctx=typer.Context(command, info_name=full), name=full))
    return "\n".join("#" + page.strip() + "\n" for page in pages)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _settings() -> str:
    """Every setting of the service."""
    lines = ["| environment variable | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, (), "") or name == "api_keys" else f"`{field.default}`"
        lines.append(f"| `{Settings.variable(name)}` | {default} | {_cell(field.description or '')} |")
    return "\n".join(lines)


def _application() -> FastAPI:
    return create_app(Settings(), lambda: Localizer(DummyEngine()))


def _http() -> str:
    """Every address of the service, with its answers."""
    schema = _application().openapi()
    lines = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            lines += [f"## `{method.upper()} {path}`", "", operation.get("summary", ""), ""]
            lines += [operation.get("description", ""), "", *_fields(operation, schema), *_answers(operation), ""]
    return "\n".join(lines)


def _fields(operation: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    rows = [
        f"| `{parameter['name']}` | {parameter['in']} | {_cell(parameter.get('description', ''))} |"
        for parameter in operation.get("parameters", [])
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        place = "JSON" if kind == "application/json" else "form"
        body = _resolved(content["schema"], schema)
        rows += [
            f"| `{name}` | {place} | {_cell(_resolved(field, schema).get('description', ''))} |"
            for name, field in body.get("properties", {}).items()
        ]
    return ["| parameter | in | |", "|---|---|---|", *rows, ""] if rows else []


def _answers(operation: dict[str, Any]) -> list[str]:
    rows = [f"| {status} | {_cell(answer['description'])} |" for status, answer in operation["responses"].items()]
    return ["| status | |", "|---|---|", *rows]


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for name in part.get("$ref", "").removeprefix("#/").split("/") if "$ref" in part else []:
        schema = schema[name]
    return schema if "$ref" in part else part


def _python() -> str:
    """Directives of mkdocstrings for every public name, what one begins with first."""
    first = ["Localizer", "SetResult", "ImageResult", "Box"]
    names = [*first, *(name for name in colocalization.__all__ if name not in first and not name.startswith("_"))]
    # Its steps are in a class of their own, and part of what is kept.
    options = {"Localizer": "\n    options:\n      inherited_members: true"}
    return "\n\n".join(f"::: colocalization.{name}{options.get(name, '')}" for name in names)


def _client() -> str:
    """Directives of mkdocstrings for every public name of the client, what one begins with first."""
    first = ["Client", "Retries", "ServedSet", "NamedResult"]
    names = [*first, *(name for name in client.__all__ if name not in (*first, "AsyncClient"))]
    return "\n\n".join(f"::: colocalization.client.{name}" for name in names)


GENERATORS: dict[str, Callable[[], str]] = {
    "readme": _readme,
    "options": _options,
    "settings": _settings,
    "http": _http,
    "python": _python,
    "client": _client,
}
