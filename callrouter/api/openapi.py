"""Makes the OpenAPI document from the types of answers and bodies and the table of permissions."""

from __future__ import annotations

import functools
import re
from typing import Any, Final, TypeAlias

from pydantic import ConfigDict, TypeAdapter

from callrouter import __version__
from callrouter.api.access.permissions import PERMISSIONS
from callrouter.api.access.sessions import COOKIE
from callrouter.api.operation import Operation
from callrouter.api.operations import OPERATIONS
from callrouter.api.schemas.bodies import EmptyBody
from callrouter.api.schemas.live_messages import (
    LiveChangesJson,
    LiveDecisionJson,
    LiveNoteJson,
    LiveNoticeJson,
    LiveStateJson,
)
from callrouter.api.schemas.vocabulary import ProblemJson
from callrouter.outbox.payloads import DATA

JsonSchema: TypeAlias = dict[str, Any]

_CONFIG: Final = ConfigDict(use_attribute_docstrings=True)
_REFERENCE: Final = "#/components/schemas/{model}"
_LIVE: Final = (LiveStateJson, LiveNoticeJson, LiveDecisionJson, LiveNoteJson, LiveChangesJson)
"""The messages of ``/api/live``. OpenAPI describes no WebSockets, so only their schemas are given."""

_UNAUTHORIZED: Final = {401: "no token, or one that is not known"}
_UNKNOWN: Final = {404: "there is none of this id"}
_LIMITED: Final = {403: "not allowed to this caller", 429: "too many requests; see Retry-After"}
_FAULT: Final = {500: "a fault in callrouter; its log has the details"}
_PASSED_ON: Final = {
    400: "the address cannot be passed on as it is written",
    403: "not allowed",
    429: "too many requests; see Retry-After",
    502: "a standby has passed the request on, and the active node broke off",
    503: "this node is a standby, and no node is active",
}
"""What a standby of a cluster answers besides."""
_BODY: Final = {
    400: "not JSON, or not framed as HTTP has it",
    408: "the body did not come within 20 s",
    409: "it can't be done now; the detail says why",
    413: "the body is larger than 64 KiB",
    415: "the body is compressed",
    417: "an Expect header other than 100-continue",
    422: "an unknown field, or a wrong value",
}

_LARGE_BODY: Final = {
    408: "the body did not come within 60 s",
    411: "the length of the body is missing",
    413: "the body is larger than 8 MiB",
    503: "too many people edit the files at this moment",
}


@functools.cache
def document() -> JsonSchema:
    """Return the complete document (OpenAPI 3.1).

    The first call takes a few tenths of a second, so do not make it on the event loop.
    """
    schemas = _Schemas()
    paths: dict[str, JsonSchema] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "callrouter", "version": __version__},
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "webhooks": {name: {"post": _webhook(name, schemas)} for name in DATA},
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
            "schemas": schemas.components,
        },
    }


class _Schemas:
    """The JSON Schemas of all answers and bodies.

    Attributes:
        components: the schema of each class, by its name in the document.
    """

    def __init__(self) -> None:
        operations = OPERATIONS.values()
        answers = [item.answer for item in operations if item.answer is not None]
        problems = dict.fromkeys(item.problem for item in operations)
        answers += [*_LIVE, ProblemJson, *problems, *dict.fromkeys(DATA.values())]
        bodies = {item.body for item in operations if item.body not in {None, EmptyBody}}
        made, found = TypeAdapter.json_schemas(
            [
                *((str(item), "serialization", _in_list(item)) for item in answers),
                *((str(item), "validation", TypeAdapter(item)) for item in bodies),
            ],
            ref_template=_REFERENCE,
        )
        self._made = {key: _tidy(schema) for (key, _), schema in made.items()}
        self.components = {
            _name(name): _tidy(schema) for name, schema in sorted(found["$defs"].items())
        }

    def answer(self, answer: Any) -> JsonSchema:
        """Return the schema of an answer.

        Args:
            answer: the type of an answer in `OPERATIONS`. All were made together, so that classes
                they share are in `components` once.
        """
        items: JsonSchema = self._made[str(answer)]["items"]
        return items

    def body(self, body: Any) -> JsonSchema:
        """Return the schema of a request's body.

        Args:
            body: the type of a body in `OPERATIONS`, but not `EmptyBody`: that has no schema.
        """
        schema: JsonSchema = self._made[str(body)]
        return schema


def _in_list(answer: Any) -> TypeAdapter[Any]:
    """Return the adapter of a list: a `TypedDict` takes the configuration of what it is in."""
    listed: Any = list.__class_getitem__(answer)
    return TypeAdapter(listed, config=_CONFIG)


def _name(class_name: str) -> str:
    """Return the name in the document: ``AgentJson`` is ``Agent``."""
    return class_name.removesuffix("Json")


def _tidy(schema: Any) -> Any:
    """Return a schema with our names, and without the titles that pydantic makes from names."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _name(value) if key == "$ref" else _tidy(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }


def _operation(method: str, path: str, operation: Operation, schemas: _Schemas) -> JsonSchema:
    made: JsonSchema = {"summary": operation.summary}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    parameters += [
        {"name": name, "in": "query", "schema": dict(schema)}
        for name, schema in operation.query.items()
    ]
    if parameters:
        made["parameters"] = parameters
    if operation.body not in {None, EmptyBody}:
        made["requestBody"] = {"content": _json(schemas.body(operation.body))}
    permission = PERMISSIONS.get((method, path))
    problems = dict(operation.problems) | _FAULT
    if permission is None:
        made["security"] = []
    else:
        made["x-roles"] = sorted(permission.roles)
        if permission.own:
            made["x-own"] = permission.own
        problems = _UNAUTHORIZED | _LIMITED | problems
    if parameters and "{id}" in path:
        problems = _UNKNOWN | problems
    if operation.body is not None:
        problems = _BODY | (_LARGE_BODY if operation.large else {}) | problems
    passed_on = {key: text for key, text in _PASSED_ON.items() if key not in operation.answers}
    problems = passed_on | problems
    made["responses"] = {
        **_successes(operation, schemas),
        **{
            str(status): _problem(text, operation.problem)
            for status, text in sorted(problems.items())
        },
    }
    return made


_WEBHOOK_HEADERS: Final = {
    "webhook-id": "The id of the event, the same at every attempt.",
    "webhook-timestamp": "The time of the attempt, in epoch seconds.",
    "webhook-signature": "`v1,` and a HMAC-SHA256 in base64, as Standard Webhooks has it.",
}


def _webhook(name: str, schemas: _Schemas) -> JsonSchema:
    """Return the description of an event as it is posted to a destination."""
    body = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "additionalProperties": False,
        "properties": {
            "type": {"const": name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": schemas.answer(DATA[name]),
        },
    }
    return {
        "summary": " ".join((DATA[name].__doc__ or "").split()),
        "security": [],
        "parameters": [
            {
                "name": header,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for header, text in _WEBHOOK_HEADERS.items()
        ],
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {
            "2XX": {"description": "It was taken."},
            "410": {"description": "It is given up."},
            "default": {"description": "It is sent again later."},
        },
    }


def _successes(operation: Operation, schemas: _Schemas) -> JsonSchema:
    """Return the answers of an operation that did what was asked, by status.

    Without an answer and a media type it is the live view, which switches to WebSocket, or a
    deletion, which answers nothing.
    """
    if operation.media is not None:
        media, text = operation.media
        return {"200": {"description": text, "content": {media: {"schema": {"type": "string"}}}}}
    if operation.answer is None:
        text = "done" if operation.success == 204 else "switching to WebSocket"
        return {str(operation.success): {"description": text}}
    content = _json(schemas.answer(operation.answer))
    content |= {media: {"schema": {"type": "string"}} for media in operation.files}
    answers = operation.answers or {operation.success: "as it now is"}
    return {
        str(status): {"description": text, "content": content} for status, text in answers.items()
    }


def _json(schema: JsonSchema) -> JsonSchema:
    return {"application/json": {"schema": schema}}


def _problem(text: str, problem: Any) -> JsonSchema:
    schema = {"$ref": _REFERENCE.format(model=_name(problem.__name__))}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}
