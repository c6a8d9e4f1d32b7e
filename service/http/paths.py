"""The addresses of the service, once, and what is particular to some of them."""

from typing import Final

__all__ = [
    "COLOCALIZE",
    "DOCS",
    "EXPORT",
    "GUARDED",
    "LIVEZ",
    "METRICS",
    "MODEL",
    "OBJECT",
    "OBJECTS",
    "OPEN",
    "OPENAPI",
    "QUIET",
    "READYZ",
    "template_of",
]

COLOCALIZE: Final = "/colocalize"
DOCS: Final = "/docs"
EXPORT: Final = "/export"
LIVEZ: Final = "/livez"
METRICS: Final = "/metrics"
MODEL: Final = "/model"
OBJECTS: Final = "/objects"
OBJECT: Final = "/objects/{name}"
OPENAPI: Final = "/openapi.json"
READYZ: Final = "/readyz"

OPEN: Final = frozenset({LIVEZ, READYZ, OPENAPI})
"""Need no API key, as do the files of the page and of `/docs`."""

GUARDED: Final = frozenset({COLOCALIZE, EXPORT, MODEL, METRICS, OBJECTS, OBJECT})
"""Need an API key where keys are set."""

QUIET: Final = frozenset({LIVEZ, READYZ, METRICS})
"""Probes and scrapes: logged on level debug, and without a trace, so that they do not drown the rest."""


def template_of(path: str) -> str:
    """The address that a path is one of, for metrics: the names of objects are anybody's.

    Example:
        >>> template_of("/objects/birds"), template_of("/objects"), template_of("/model")
        ('/objects/{name}', '/objects', '/model')
    """
    return OBJECT if path.startswith(f"{OBJECTS}/") else path
