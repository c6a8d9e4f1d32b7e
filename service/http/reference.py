"""The reference page at `/docs`, made from the OpenAPI document: no scripts, nothing from elsewhere."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

__all__ = ["reference_page"]

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Colocalize: HTTP interface</title>
<link rel="icon" href="/page/icon.svg">
<link rel="stylesheet" href="/page/style.css">
</head>
<body class="reference">
<header class="top"><a class="brand" href="/">Colocalize</a><nav><a href="/openapi.json">openapi.json</a></nav></header>
<main>
<h1>HTTP interface</h1>
"""

_CURL = """curl -F images=@a.jpg -F images=@b.jpg -F heatmap=png http://localhost:8000/colocalize"""


def reference_page(document: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        document: The OpenAPI document.
    """
    parts = [_HEAD, f"<p>{escape(document['info'].get('description', ''))}</p>", f"<pre><code>{_CURL}</code></pre>"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.extend(_operation(path, method, operation))
    parts.append("</main></body></html>")
    return "\n".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<section><h2><span class="method">{method.upper()}</span> <code>{escape(path)}</code></h2>'
    yield f"<p><strong>{escape(operation.get('summary', ''))}.</strong> {_prose(operation.get('description', ''))}</p>"
    body = operation.get("requestBody")
    if body is not None:
        for media_type, content in body["content"].items():
            yield f"<h3>Body: <code>{media_type}</code></h3><table><thead><tr><th>Field</th><th>Values</th>"
            yield "<th>Default</th><th>Meaning</th></tr></thead><tbody>"
            for name, schema in content["schema"]["properties"].items():
                default = escape(json.dumps(schema["default"])) if "default" in schema else ""
                yield f"<tr><td><code>{name}</code></td><td>{_values(schema)}</td><td>{default}</td>"
                yield f"<td>{_prose(schema.get('description', ''))}</td></tr>"
            yield "</tbody></table>"
    if "parameters" in operation:
        names = ", ".join(f"<code>{parameter['name']}</code>" for parameter in operation["parameters"])
        yield f"<p>{names} may also stand in the query.</p>"
    yield "<h3>Answers</h3>"
    for status, response in operation["responses"].items():
        yield from _response(status, response)
    yield "</section>"


def _prose(text: str) -> str:
    """Text for people, with `names` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _values(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"files, {schema.get('minItems', 0)} to {schema.get('maxItems', 'any number')}"
    if "maximum" in schema:
        return f"{schema.get('type')}, {schema.get('minimum', '')} to {schema['maximum']}"
    return escape(str(schema.get("type", "")))


def _response(status: str, response: Mapping[str, Any]) -> Iterator[str]:
    for content in response.get("content", {}).values():
        if "examples" in content:
            examples = [(code, example["summary"], example["value"]) for code, example in content["examples"].items()]
        else:
            examples = [("", response["description"], content.get("example"))]
        for code, summary, value in examples:
            shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            label = f"<code>{code}</code> " if code else ""
            yield f"<details><summary><b>{status}</b> {label}{_prose(summary)}</summary>"
            yield f"<pre><code>{escape(shown)}</code></pre></details>"
