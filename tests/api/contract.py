"""Checks every answer of an application against the OpenAPI document, with no field more."""

from __future__ import annotations

import functools
import json
from importlib.util import find_spec
from typing import Any

from aiohttp import web

from callrouter.api.openapi import document

CAN_CHECK = find_spec("jsonschema") is not None
"""`tests.interpreters` runs a part of the tests without the packages that read schemas."""
MOST = 20
"""Items of a list that are checked."""


def closed(schema: Any) -> Any:
    """Return a schema whose objects have no properties but those it names."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if "properties" in made and "additionalProperties" not in made:
        made["additionalProperties"] = False
    return made


@functools.cache
def components() -> Any:
    return closed(document()["components"])


def mistakes(value: Any, schema: Any) -> list[str]:
    """What of a value is not as a schema of the document says."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see `CAN_CHECK`

    validator = Draft202012Validator({**closed(schema), "components": components()})
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


def of_component(value: Any, name: str) -> list[str]:
    return mistakes(value, {"$ref": f"#/components/schemas/{name}"})


BROKEN: list[str] = []
"""What was answered and is not in the document. Each test of the API ends with a look at it."""


def check_answers(app: web.Application) -> None:
    """Compare every answer of an application with the document."""
    if CAN_CHECK:
        app.on_response_prepare.append(_check)


async def _check(request: web.Request, response: web.StreamResponse) -> None:
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else ""
    method = "GET" if request.method == "HEAD" else request.method
    operation = document()["paths"].get(path, {}).get(method.lower())
    if operation is None or not isinstance(response, web.Response) or response.body is None:
        return  # not ours to describe, or for a client that has gone
    what = f"{method} {path} {response.status}"
    answer = operation["responses"].get(str(response.status))
    if answer is None:
        BROKEN.append(f"{what} is not in the document: {response.text}")
        return
    if "*/*" in answer["content"]:  # files as they are
        return
    media = answer["content"].get(response.content_type)
    if media is None:
        BROKEN.append(f"{what} is {response.content_type}, which is not in the document")
    elif response.content_type.endswith("json") and response.body:
        value = json.loads(response.text or "")
        value = value[:MOST] if isinstance(value, list) else value
        BROKEN.extend(f"{what}: {text}" for text in mistakes(value, media["schema"]))
