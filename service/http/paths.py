"""The addresses of the service, once, and what is particular to some of them."""

from typing import Final

__all__ = [
    "COLOCALIZE",
    "DOCS",
    "EXPORT",
    "GATEWAY",
    "GUARDED",
    "LABEL_STUDIO",
    "LIVEZ",
    "METRICS",
    "MODEL",
    "OBJECT",
    "OBJECTS",
    "OPEN",
    "OPENAPI",
    "QUIET",
    "READYZ",
    "V2",
    "V2_INFER",
    "V2_LIVE",
    "V2_MODEL",
    "V2_MODEL_READY",
    "V2_READY",
    "template_of",
]

COLOCALIZE: Final = "/colocalize"
DOCS: Final = "/docs"
EXPORT: Final = "/export"
LABEL_STUDIO: Final = "/labelstudio"
LIVEZ: Final = "/livez"
METRICS: Final = "/metrics"
MODEL: Final = "/model"
OBJECTS: Final = "/objects"
OBJECT: Final = "/objects/{name}"
OPENAPI: Final = "/openapi.json"
READYZ: Final = "/readyz"
V2: Final = "/v2"
V2_LIVE: Final = "/v2/health/live"
V2_READY: Final = "/v2/health/ready"
V2_MODEL: Final = "/v2/models/{name}"
V2_MODEL_READY: Final = "/v2/models/{name}/ready"
V2_INFER: Final = "/v2/models/{name}/infer"

OPEN: Final = frozenset({LIVEZ, READYZ, OPENAPI, V2_LIVE, V2_READY})
"""Need no API key, as do the files of the page and of `/docs`."""

GUARDED: Final = frozenset({COLOCALIZE, EXPORT, MODEL, METRICS, OBJECTS, OBJECT})
"""Need an API key where keys are set."""

GATEWAY: Final = frozenset(
    {V2, V2_MODEL, V2_INFER, *(f"{LABEL_STUDIO}/{name}" for name in ("health", "setup", "predict", "webhook", "train"))}
)
"""Of other protocols, which have descriptions of their own; they need an API key where keys are set."""

QUIET: Final = frozenset({LIVEZ, READYZ, METRICS, V2_LIVE, V2_READY})
"""Probes and scrapes: logged on level debug, and without a trace, so that they do not drown the rest."""


def template_of(path: str) -> str:
    """The address that a path is one of, for metrics: the names of objects and models are anybody's.

    Example:
        >>> template_of("/objects/birds"), template_of("/objects"), template_of("/model")
        ('/objects/{name}', '/objects', '/model')
    """
    if path.startswith(f"{V2}/models/"):
        return V2_INFER if path.endswith("/infer") else V2_MODEL
    return OBJECT if path.startswith(f"{OBJECTS}/") else path
