import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, JsonSchemaValue, models_json_schema

from service.web.operations import EVENT_STREAM, Operation
from service.web.schemas import ErrorAnswer

_SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "SERVICE_TOKEN; with Supabase, a signed-in user's JWT or an API key of the project.",
    },
    "apikey": {
        "type": "apiKey",
        "in": "header",
        "name": "apikey",
        "description": "With Supabase: an API key of the project. It counts only without Authorization.",
    },
}
_ETAG = {
    "ETag": {
        "description": "Names the project's last edit, for If-Match.",
        "schema": {"type": "string"},
    }
}
_CHALLENGE = {
    "WWW-Authenticate": {
        "description": "Bearer: what the call lacks.",
        "required": True,
        "schema": {"const": "Bearer"},
    }
}
_PATH_PARAMETERS: Mapping[str, dict[str, str]] = {
    "project_id": {"type": "string", "format": "uuid"},
    "scene": {"type": "string"},
    "name": {"type": "string", "pattern": r"^[0-9a-f]{64}\.(png|jpg|webp)(\.small\.webp)?$"},
}
# A request that tells its length in two ways is refused before any call sees it.
_ANY_CALL_ERRORS = {HTTPStatus.BAD_REQUEST}
_Models = Mapping[Any, JsonSchemaValue]


def openapi(listed: Sequence[Operation]) -> dict[str, object]:
    """Describe the calls as an OpenAPI 3.1 document, with the schemas of the models that the handlers use."""
    used: set[tuple[type[BaseModel], JsonSchemaMode]] = {(ErrorAnswer, "serialization")}
    for operation in listed:
        used |= {(answer, "serialization") for answer in operation.answers}
        for model in (operation.body, operation.query):
            if model is not None:
                used.add((model, "validation"))
        used |= {(failure, "serialization") for failure in operation.failures.values()}
    references, definitions = models_json_schema(
        sorted(used, key=lambda model: model[0].__name__), ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, object]] = {}
    for operation in listed:
        for path in map(_plain, filter(None, (operation.path, operation.alias))):
            described = _describe(operation, path, references, definitions["$defs"])
            paths.setdefault(path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Clip service", "version": version("clip-service")},
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _describe(
    operation: Operation, path: str, references: _Models, definitions: Mapping[str, JsonSchemaValue]
) -> dict[str, object]:
    def response(
        status: int, *models: type[BaseModel] | None, media_type: str = "application/json"
    ) -> dict[str, object]:
        schemas = [references[model, "serialization"] for model in models if model]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        if media_type == EVENT_STREAM:
            schema = _events(schema)
        return {
            "description": HTTPStatus(status).phrase,
            "content": {media_type: {"schema": schema} if schemas else {}},
        }

    described: dict[str, object] = {
        "operationId": re.sub(r"\W+", "_", f"{operation.method}{path}").strip("_").lower(),
        "summary": operation.summary,
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS[name]}
                for name in re.findall(r"{(\w+)}", path)
            ),
            *_query_parameters(operation, definitions),
            *(
                {"name": name, "in": "header", "description": what_for, "schema": {"type": "string"}}
                for name, what_for in operation.request_headers.items()
            ),
        ],
        "responses": {
            **{
                str(int(status)): response(status, *operation.answers, media_type=operation.media_type)
                | ({} if operation.etag_of is None else {"headers": _ETAG})
                for status in operation.statuses
            },
            **{
                str(int(status)): response(status, operation.failures.get(status), ErrorAnswer)
                | ({"headers": _CHALLENGE} if status == HTTPStatus.UNAUTHORIZED else {})
                for status in sorted({*operation.errors, *_ANY_CALL_ERRORS})
            },
        },
    }
    if operation.body is not None or operation.body_types != ("application/json",):
        schema = {"schema": references[operation.body, "validation"]} if operation.body else {}
        described["requestBody"] = {"required": True, "content": dict.fromkeys(operation.body_types, schema)}
    if operation.protected:
        described["security"] = [{scheme: []} for scheme in _SECURITY_SCHEMES]
    return described


def _events(schema: JsonSchemaValue) -> JsonSchemaValue:
    """Describe the events of a stream, each by its fields."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {
        "type": "object",
        "required": ["event", "id", "data"],
        "properties": {
            "event": {"enum": ["snapshot", "changes"]},
            "id": {"type": "string", "pattern": "^[0-9]+$"},
            "data": data,
        },
    }


def _plain(path: str) -> str:
    """Leave out how the router reads a parameter, which OpenAPI has no word for."""
    return re.sub(r"{(\w+):\w+}", r"{\1}", path)


def _query_parameters(
    operation: Operation, definitions: Mapping[str, JsonSchemaValue]
) -> Sequence[dict[str, object]]:
    if operation.query is None:
        return []
    described = definitions[operation.query.__name__]
    required = described.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in described["properties"].items()
    ]
