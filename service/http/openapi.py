"""The OpenAPI document: every status with an example."""

from collections.abc import Collection, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from colocalization._version import __version__
from colocalization.engine import Engine
from colocalization.errors import ImageError
from service.http.form import IMAGES_FIELD
from service.http.parameters import FitParameters
from service.http.paths import COLOCALIZE, OBJECT
from service.http.problems import PROBLEM_MEDIA_TYPE, PROBLEM_TYPES, ProblemCode
from service.http.rendering import failed_image, model_body
from service.http.schemas import AdviceBody, BoxBody, ColocalizeResponse, ExportBody, ImageBody, ProblemBody, Timing
from service.settings import Settings

__all__ = [
    "EXPORTED_EXAMPLES",
    "EXPORT_EXAMPLE",
    "OBJECT_EXAMPLE",
    "example_answer",
    "image_request",
    "install_openapi",
    "json_request",
    "problem_responses",
]

_REF = "#/components/schemas/{model}"

_DETAILS: Mapping[ProblemCode, tuple[str, Mapping[str, Any]]] = {
    "malformed_body": ("The body ended before its closing boundary.", {}),
    "unauthorized": ("Send a valid key as `Authorization: Bearer KEY` or `X-API-Key: KEY`.", {}),
    "objects_disabled": (
        "Objects are kept where COLOCALIZE_OBJECTS_DIR names a folder for them, and this service has none.",
        {},
    ),
    "object_not_found": ("There is no object 'birds'; `GET /objects` lists them.", {}),
    "object_of_another_model": (
        "The common object was fitted with the model 'my-model' (0a1b2c3d4e5f), and this is 'efficientnet_lite0_ptap' "
        "(5f4e3d2c1b0a): fit it again with this one.",
        {},
    ),
    "too_many_objects": (
        "1000 objects are kept; at most 1000 may be. Delete some first.",
        {"limit": {"name": "max_objects", "value": 1000}},
    ),
    "forbidden": ("The API key 'reader' may look for kept objects, but not change them.", {}),
    "upload_timeout": (
        "1048576 bytes arrived within 60 seconds, but not the whole body.",
        {"limit": {"name": "upload_timeout", "value": 60.0}},
    ),
    "request_too_large": (
        "The body has 200000000 bytes; at most 134217728 are allowed.",
        {"limit": {"name": "max_request_bytes", "value": 134217728}},
    ),
    "image_too_large": (
        "Every image is too large; the first has 40000000 bytes, at most 33554432 are allowed.",
        {
            "errors": [
                {
                    "name": "bird.jpg",
                    "code": "file_too_large",
                    "message": "40000000 bytes, at most 33554432 are allowed",
                }
            ]
        },
    ),
    "too_many_images": (
        "The request has more than the 64 images allowed.",
        {"limit": {"name": "max_images", "value": 64}},
    ),
    "unsupported_media_type": ("Expected multipart/form-data or application/json, got 'text/plain'.", {}),
    "invalid_parameter": (
        "mode: Input should be 'attention' or 'common', got 'both'.",
        {"errors": [{"parameter": "mode", "message": "Input should be 'attention' or 'common', got 'both'"}]},
    ),
    "invalid_body": (
        "images.0.boxes.0.x1: Field required.",
        {"errors": [{"member": "images.0.boxes.0.x1", "message": "Field required"}]},
    ),
    "not_expressible": ("YOLO would call the labels of 'a.jpg' and 'a.png' both 'a.txt'; rename one.", {}),
    "invalid_hint": (
        "Hint 1, b.jpg:12,30,400,410, is for an image that is not in the request.",
        {"errors": [{"hint": 0, "message": "is for an image that is not in the request"}]},
    ),
    "no_images": ("Send at least one image in the form field `images`.", {}),
    "no_readable_image": (
        "None of the 1 images could be read; the first: the file has 0 bytes.",
        {"errors": [{"name": "bird.jpg", "code": "empty_file", "message": "the file has 0 bytes"}]},
    ),
    "nothing_in_common": (
        "Of the 2 images 1 can be read, and at least 2 that show the same are needed.",
        {},
    ),
    "overloaded": (
        "128 images are waiting for an answer; at most 128 may, and none for too long.",
        {"limit": {"name": "max_pending_images", "value": 128}},
    ),
    "internal_error": ("The service failed; its log has more under this request's id.", {}),
    "inference_failed": ("The network failed on these images.", {}),
    "object_unusable": ("The object 'birds' is damaged; keep it again, or delete it.", {}),
    "not_ready": ("The model has not run yet.", {}),
    "deadline_exceeded": (
        "The answer was not ready within 60 seconds.",
        {"limit": {"name": "request_timeout", "value": 60.0}},
    ),
}

_RETRY_AFTER = {"Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}}


def example_answer(engine: Engine) -> dict[str, Any]:
    """An answer of `POST /colocalize` as the model in use would give it, of an image and of one that is empty.

    Args:
        engine: Runs the model.
    """
    box = BoxBody(x0=12.0, y0=30.5, x1=400.0, y1=410.2, score=0.91)
    found = ImageBody(
        name="a.jpg", width=640, height=480, boxes=(box,), confidence=0.93, contains_common_object=True, heatmap=None,
        error=None,
    )  # fmt: skip
    answer = ColocalizeResponse(
        model=model_body(engine),
        mode="common",
        images=(found, failed_image("b.jpg", ImageError("empty_file", "the file has 0 bytes"))),
        advice=AdviceBody(verdict="sure", right=0.91, text="sure: about 91 % of the boxes are likely right"),
        timing_ms=Timing(queue=0.4, decode=9.1, inference=41.0, postprocess=12.3, total=58.7),
    )
    return answer.model_dump(mode="json")


def problem_responses(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """The documentation of an endpoint's errors, by status.

    Args:
        codes: Codes that the endpoint may answer with.
    """
    responses: dict[int | str, dict[str, Any]] = {}
    for code in sorted(codes, key=lambda code: PROBLEM_TYPES[code].status):
        kind = PROBLEM_TYPES[code]
        detail, extra = _DETAILS[code]
        example = {
            "type": f"urn:colocalize:problem:{code}",
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "code": code,
            **extra,
            "request_id": "0d9c2c5f6a4e4f0f9a3d1b7e8c5a4b21",
        }
        response = responses.setdefault(
            kind.status,
            {
                "description": kind.title + ".",
                "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="ProblemBody")}, "examples": {}}},
            },
        )
        response["content"][PROBLEM_MEDIA_TYPE]["examples"][code] = {"summary": kind.title, "value": example}
        if kind.status in (429, 503):
            response["headers"] = _RETRY_AFTER
    return responses


OBJECT_EXAMPLE: Mapping[str, Any] = {
    "name": "birds",
    "model": {"name": "efficientnet_lite0_ptap", "sha256": "5f4e3d2c1b0a" + "0" * 52, "in_use": True},
    "version": __version__,
    "effort": "full",
    "images": 12,
    "hinted": 1,
    "agreement": 0.71,
    "sha256": "9c8b7a6d5e4f" + "0" * 52,
    "bytes": 50124,
    "kept_at": "2026-11-28T12:00:00Z",
}
"""What is told of a kept object."""


def image_request(parameters: type[FitParameters]) -> dict[str, Any]:
    """What the body and the query of a request with images hold; FastAPI does not see it, since the body is streamed.

    Args:
        parameters: What may be said besides the images.
    """
    schemas: dict[str, dict[str, Any]] = parameters.model_json_schema()["properties"]
    content = {
        "type": "object",
        "required": [IMAGES_FIELD],
        "additionalProperties": False,
        "properties": {
            IMAGES_FIELD: {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "format": "binary"},
                "description": "The images: JPEG, PNG, WebP, GIF, BMP or TIFF.",
            },
            **schemas,
        },
    }
    bodies = {"multipart/form-data": {"schema": content}, "application/json": {"schema": _as_json(content)}}
    return {
        "requestBody": {"required": True, "content": bodies},
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "schema": {key: value for key, value in schema.items() if key != "description"},
                "description": f"{schema['description']} The form field of the same name wins.",
            }
            for name, schema in schemas.items()
        ],
    }


def _as_json(form: Mapping[str, Any]) -> dict[str, Any]:
    """What a JSON body holds in place of a form: images in base64, or as URLs where the service fetches them."""
    text = {"type": "string"}
    image = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {**text, "maxLength": 255},
            "data": {**text, "description": "The image in base64.", "contentEncoding": "base64"},
            "url": {**text, "description": "Where it is fetched from, where the service does so, in place of `data`."},
        },
    }
    images = {"type": "array", "minItems": 1, "items": image, "description": "The images, with their names."}
    return {**form, "properties": {**form["properties"], IMAGES_FIELD: images}}


EXPORT_EXAMPLE: Mapping[str, Any] = {
    "images": [
        {
            "name": "birds/a.jpg", "width": 640, "height": 480, "confidence": 0.93, "contains_common_object": True,
            "boxes": [{"x0": 12.0, "y0": 30.5, "x1": 400.0, "y1": 410.2, "score": 0.91}],
        }
    ]
}  # fmt: skip
"""What `POST /export` takes."""

EXPORTED_EXAMPLES: Mapping[str, str] = {
    "application/json": '{"info": {"description": "Predicted by Colocalize"}, "categories": [..], "images": [..], ..}',
    "application/jsonl": '{"path": "birds/a.jpg", "width": 640, "height": 480, "boxes": [..], ..}',
    "application/zip": "PK..",
    "text/csv": "file,x0,y0,x1,y1,score,confidence,contains_common_object,width,height,error",
}
"""What it answers, by media type."""


def json_request(body: type[BaseModel], parameters: type[BaseModel], example: Mapping[str, Any]) -> dict[str, Any]:
    """What the body and the query of a request in JSON hold, where the body is read by hand.

    Args:
        body: The JSON.
        parameters: The query.
        example: A body.
    """
    content = {"schema": {"$ref": _REF.format(model=body.__name__)}, "example": example}
    schema = parameters.model_json_schema()
    return {
        "requestBody": {"required": True, "content": {"application/json": content}},
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": {key: value for key, value in told.items() if key != "description"},
                "description": told["description"],
            }
            for name, told in schema["properties"].items()
        ],
    }


def install_openapi(
    app: FastAPI, settings: Settings, *, examples: Mapping[str, Any], guarded_paths: Collection[str]
) -> None:
    """Make the app give an OpenAPI document that is complete.

    Args:
        app: The app, with all its routes.
        settings: The limits that go into the document.
        examples: What the one operation of a path answers, by path.
        guarded_paths: Paths for which clients must show an API key.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, settings, examples, guarded_paths)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(
    app: FastAPI, settings: Settings, examples: Mapping[str, Any], guarded_paths: Collection[str]
) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
    )
    for path, example in examples.items():  # not by the routes: FastAPI leaves out members that are null
        (operation,) = document["paths"][path].values()
        operation["responses"]["200"]["content"]["application/json"]["example"] = example
    models = [(ProblemBody, "serialization"), (ColocalizeResponse, "serialization"), (ExportBody, "validation")]
    _, definitions = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    components = document.setdefault("components", {})
    components["schemas"] = {**components.get("schemas", {}), **definitions["$defs"]}
    for operation in (document["paths"][COLOCALIZE]["post"], document["paths"][OBJECT]["put"]):
        _tell_limits(operation, settings)
    if guarded_paths:
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        for path in guarded_paths:
            for described in document["paths"][path].values():
                described["security"] = [{"bearer": []}, {"key": []}]
    return document


def _tell_limits(operation: dict[str, Any], settings: Settings) -> None:
    bodies = [body["schema"]["properties"] for body in operation["requestBody"]["content"].values()]
    for body in bodies:
        body[IMAGES_FIELD]["maxItems"] = settings.max_images
    schemas = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    for schema in (*bodies, schemas):
        if "max_boxes" in schema:
            schema["max_boxes"]["maximum"] = settings.max_boxes
