"""The addresses of the service, once, and what is particular to some of them."""

from typing import Final

__all__ = ["COLOCALIZE", "DOCS", "GUARDED", "LIVEZ", "METRICS", "MODEL", "OPEN", "OPENAPI", "QUIET", "READYZ"]

COLOCALIZE: Final = "/colocalize"
DOCS: Final = "/docs"
LIVEZ: Final = "/livez"
METRICS: Final = "/metrics"
MODEL: Final = "/model"
OPENAPI: Final = "/openapi.json"
READYZ: Final = "/readyz"

OPEN: Final = frozenset({LIVEZ, READYZ, OPENAPI})
"""Need no API key, as do the files of the page and of `/docs`."""

GUARDED: Final = frozenset({COLOCALIZE, MODEL, METRICS})
"""Need an API key where keys are set."""

QUIET: Final = frozenset({LIVEZ, READYZ, METRICS})
"""Probes and scrapes: logged on level debug, and without a trace, so that they do not drown the rest."""
