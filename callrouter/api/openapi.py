"""The OpenAPI document of the HTTP API, written by hand; a test compares it with the routes."""

from __future__ import annotations

from typing import Any, Final

from callrouter import __version__
from callrouter.api.access.permissions import PERMISSIONS
from callrouter.model.events import ConversationAction

Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "number"}
_WHOLE: Final[Json] = {"type": "integer"}
_YES_NO: Final[Json] = {"type": "boolean"}
_MOMENT: Final[Json] = {"type": "string", "format": "date-time"}
_MAYBE_TEXT: Final[Json] = {"type": ["string", "null"]}
_MAYBE_NUMBER: Final[Json] = {"type": ["number", "null"]}
_MAYBE_MOMENT: Final[Json] = {"type": ["string", "null"], "format": "date-time"}
_OPEN: Final[Json] = {"type": "object", "additionalProperties": True}

_AGENT_STATES: Final = (
    "offline", "available", "reserved", "ringing", "on-call", "wrap-up", "paused",
)  # fmt: skip
_CALL_STATES: Final = (
    "waiting", "ringing", "connecting", "talking",
    "completed", "abandoned", "left", "taken", "transferred",
)  # fmt: skip


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_SCHEMAS: Final[Json] = {
    "Problem": _object(type=_TEXT, title=_TEXT, status=_WHOLE, detail=_TEXT),
    "Health": _object(
        state={"enum": ["up", "degraded", "down"]},
        pbx={"type": "object", "additionalProperties": {"enum": ["up", "down"]}},
        store={"enum": ["up", "down"]},
        drift={"type": "object", "additionalProperties": _WHOLE},
        version=_TEXT,
    ),
    "Device": _object(
        id=_TEXT,
        kind={"enum": ["endpoint", "number"]},
        address=_TEXT,
        state={"enum": ["idle", "in-use", "busy", "unreachable"]},
        enabled=_YES_NO,
        confirm=_YES_NO,
        trouble=_MAYBE_TEXT,
    ),
    "OwnDevice": _object(
        id=_TEXT,
        kind={"enum": ["endpoint", "number"]},
        address=_TEXT,
        state={"enum": ["idle", "in-use", "busy", "unreachable"]},
        enabled=_YES_NO,
        confirm=_YES_NO,
        trouble=_MAYBE_TEXT,
        source={"enum": ["configuration", "registered"]},
        status={"enum": ["unverified", "waiting", "in-use"]},
        ring_after_s=_NUMBER,
        hours=_MAYBE_TEXT,
        order={"type": ["integer", "null"]},
        added_at=_MAYBE_MOMENT,
        added_by=_MAYBE_TEXT,
        verified_at=_MAYBE_MOMENT,
        approved_by=_MAYBE_TEXT,
    ),
    "DeviceAnswer": _object(
        text=_TEXT,
        code=_MAYBE_TEXT,
        expires_at=_MAYBE_MOMENT,
        device={"oneOf": [{"$ref": "#/components/schemas/OwnDevice"}, {"type": "null"}]},
    ),
    "Audit": _object(
        steps=_list(
            _object(
                at=_MOMENT,
                device=_TEXT,
                who=_TEXT,
                via=_TEXT,
                what=_TEXT,
                number=_TEXT,
                detail=_TEXT,
            )
        )
    ),
    "Agent": _object(
        id=_TEXT,
        name=_TEXT,
        state={"enum": list(_AGENT_STATES)},
        reason=_MAYBE_TEXT,
        since=_MOMENT,
        by=_MAYBE_TEXT,
        by_at=_MAYBE_MOMENT,
        until=_MAYBE_MOMENT,
        then={"enum": ["tell", "resume", "sign-out", "ready", None]},
        signed_in=_YES_NO,
        signed_in_at=_MAYBE_MOMENT,
        pending={"enum": ["pause", "sign-out", None]},
        pending_by=_MAYBE_TEXT,
        pause_reason=_MAYBE_TEXT,
        wrap_up_s=_MAYBE_NUMBER,
        idle_s=_MAYBE_NUMBER,
        call=_MAYBE_TEXT,
        calls=_list(_TEXT),
        calls_today=_WHOLE,
        missed_in_a_row=_WHOLE,
        capacity=_WHOLE,
        queues=_list(_object(id=_TEXT, priority=_WHOLE)),
        devices=_list(_ref("Device")),
        why_not=_list(_TEXT),
        messages=_list(_object(at=_MOMENT, text=_TEXT)),
    ),
    "Pause": _object(
        reason=_TEXT,
        longest_s=_MAYBE_NUMBER,
        then={"enum": ["tell", "resume", "sign-out", None]},
        default=_YES_NO,
    ),
    "Waiting": _object(
        call=_TEXT,
        position=_WHOLE,
        caller_number=_TEXT,
        caller_name=_TEXT,
        priority=_WHOLE,
        wait_s=_NUMBER,
        state={"enum": ["waiting", "ringing"]},
        ringing=_list(_TEXT),
    ),
    "Queue": _object(
        id=_TEXT,
        name=_TEXT,
        policy=_list(_TEXT),
        waiting=_list(_ref("Waiting")),
        free=_WHOLE,
        longest_wait_s=_NUMBER,
        talking=_WHOLE,
        agents=_object(**{state: _list(_TEXT) for state in _AGENT_STATES}),
        today=_object(
            entered=_WHOLE, answered=_WHOLE, abandoned=_WHOLE, left=_WHOLE, longest_wait_s=_NUMBER
        ),
    ),
    "Call": _object(
        id=_TEXT,
        pbx=_MAYBE_TEXT,
        queue=_TEXT,
        caller_number=_TEXT,
        caller_name=_TEXT,
        called_number=_MAYBE_TEXT,
        tag=_MAYBE_TEXT,
        state={"enum": list(_CALL_STATES)},
        agent=_MAYBE_TEXT,
        held=_YES_NO,
        consulting=_MAYBE_TEXT,
        entered_at=_MOMENT,
        wait_s=_MAYBE_NUMBER,
        talk_s=_MAYBE_NUMBER,
        priority={"type": ["integer", "null"]},
        position={"type": ["integer", "null"]},
        offers=_list(_OPEN),
        ended_at=_MAYBE_MOMENT,
        result=_MAYBE_TEXT,
        decisions=_list(_OPEN),
    ),
    "Status": {
        **_object(
            version=_TEXT,
            pid=_WHOLE,
            started_at=_MOMENT,
            uptime_s=_NUMBER,
            listen=_TEXT,
            pbx={
                "type": "object",
                "additionalProperties": _object(
                    state={"enum": ["up", "down"]},
                    detail=_TEXT,
                    drift=_WHOLE,
                    faults=_WHOLE,
                    counts={"type": "object", "additionalProperties": _WHOLE},
                ),
            },
            config=_object(
                state={"enum": ["good", "bad"]},
                folder=_TEXT,
                loaded_at=_MOMENT,
                problems=_list(_ref("Mistake")),
                warnings=_list(_ref("Mistake")),
                needs_restart=_list(_TEXT),
            ),
        ),
        "additionalProperties": True,
    },
    "PassedOver": _object(reason=_TEXT, text=_TEXT, agents=_list(_TEXT), count=_WHOLE),
    "Step": {
        **_object(
            at=_MOMENT,
            after_s=_NUMBER,
            kind=_TEXT,
            queue=_TEXT,
            text=_TEXT,
            agent=_TEXT,
            offer=_TEXT,
            policy=_list(_TEXT),
            by_agent=_YES_NO,
            preferred=_YES_NO,
            drawn=_WHOLE,
            available=_WHOLE,
            waiting=_WHOLE,
            candidates=_list(_object(agent=_TEXT, idle_s=_MAYBE_NUMBER, text=_TEXT)),
            passed_over=_list(_ref("PassedOver")),
            outcome=_object(result=_TEXT, text=_TEXT),
        ),
        "required": ["at", "after_s", "kind", "queue", "text"],
    },
    "Why": _object(
        call=_TEXT,
        queue=_TEXT,
        caller_number=_TEXT,
        caller_name=_TEXT,
        entered_at=_MOMENT,
        ended_at=_MAYBE_MOMENT,
        result=_MAYBE_TEXT,
        agent=_MAYBE_TEXT,
        left_out=_WHOLE,
        steps=_list(_ref("Step")),
        now={"oneOf": [_ref("WhyWaiting"), {"type": "null"}]},
    ),
    "Mistake": _object(file=_TEXT, line=_WHOLE, column=_WHOLE, text=_TEXT, hint=_TEXT),
    "Outcome": _object(
        ok=_YES_NO,
        changes=_list(_TEXT),
        problems=_list(_ref("Mistake")),
        warnings=_list(_ref("Mistake")),
    ),
    "History": _object(
        changes=_list(
            _object(
                number=_WHOLE,
                at=_MOMENT,
                who=_TEXT,
                how=_TEXT,
                changes=_list(_TEXT),
                files=_list(_TEXT),
            )
        )
    ),
    "WhyWaiting": _object(
        text=_TEXT,
        position=_WHOLE,
        ringing=_list(_TEXT),
        passed_over=_list(_ref("PassedOver")),
    ),
    "WhyNot": _object(
        agent=_TEXT,
        state={"enum": list(_AGENT_STATES)},
        available=_YES_NO,
        reasons=_list(_TEXT),
        queues=_list(_object(id=_TEXT, member=_YES_NO, waiting=_WHOLE, reasons=_list(_TEXT))),
        text=_TEXT,
    ),
}


def _answer(schema: Json, text: str = "as it now is") -> Json:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _problem(text: str) -> Json:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {"description": text, "content": content}


def _body(**properties: Json) -> Json:
    schema = {**_object(**properties), "additionalProperties": False}
    return {"content": {"application/json": {"schema": schema}}}


_ID: Final[Json] = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
_AUTH: Final[Json] = {"401": _problem("no token, or one that is not known")}
_NONE: Final[Json] = {"404": _problem("there is none of this id")}
_WRITE: Final[Json] = {
    **_AUTH,
    **_NONE,
    "400": _problem("not JSON, or not framed as HTTP has it"),
    "403": _problem("not allowed to this token"),
    "409": _problem("it can't be done now; the detail says why"),
    "408": _problem("the body did not come within 20 s"),
    "413": _problem("the body is larger than 64 KiB"),
    "415": _problem("the body is compressed"),
    "422": _problem("an unknown field, or a wrong value"),
}


def _get(summary: str, schema: Json, *, one: bool = False) -> Json:
    made: Json = {"summary": summary, "responses": {"200": _answer(schema), **_AUTH}}
    if one:
        made["parameters"] = [_ID]
        made["responses"] |= _NONE
    return {"get": made}


def _write(summary: str, schema: Json, body: Json | None = None) -> Json:
    made: Json = {
        "summary": summary,
        "parameters": [_ID],
        "responses": {"200": _answer(schema), **_WRITE},
    }
    if body is not None:
        made["requestBody"] = body
    return made


def _device_paths() -> Json:
    made = _ref("DeviceAnswer")
    device: Json = {"name": "device", "in": "path", "required": True, "schema": _TEXT}
    ring: Json = {"ring_after": {"type": ["number", "string"]}, "hours": _TEXT}
    more = {
        "429": _problem("too many requests or verification calls; the detail says when again"),
        "503": _problem("no PBX can place the verification call now"),
    }
    mine = _get("An agent's phones, with whole numbers", _list(_ref("OwnDevice")), one=True)
    audit = _get("What was done about an agent's mobiles", _ref("Audit"), one=True)
    for item in (mine, audit):
        item["get"]["responses"]["403"] = _problem("another agent's")
    audit["get"]["responses"]["503"] = _problem("the database can't be read now")
    register = _write(
        "Register a mobile; the verification call asks for the code of the answer",
        made,
        _body(number=_TEXT, id=_TEXT, vouch=_YES_NO, **ring),
    )
    register["responses"]["201"] = register["responses"].pop("200")
    change = _write(
        "Switch a device on or off; of a registered mobile also when and in which order it rings",
        made,
        _body(enabled=_YES_NO, order=_WHOLE, **ring),
    )
    remove = _write("Forget a registered mobile", made)
    verify = _write(
        "Place the verification call again; a supervisor can vouch, or approve",
        made,
        _body(vouch=_YES_NO),
    )
    for item in (change, remove, verify):
        item["parameters"] = [_ID, device]
    for item in (register, change, remove, verify):
        item["responses"] |= more
    return {
        "/api/agents/{id}/devices": {**mine, "post": register},
        "/api/agents/{id}/devices/{device}": {"patch": change, "delete": remove},
        "/api/agents/{id}/devices/{device}/verify": {"post": verify},
        "/api/agents/{id}/audit": audit,
    }


_TALK_WORDS = {
    ConversationAction.HOLD: "Let the caller hear music",
    ConversationAction.UNHOLD: "Let the caller hear the agent again",
    ConversationAction.TRANSFER: "Give the caller away: to a queue, or to an agent of the queue",
    ConversationAction.CONSULT: "Put the caller on hold and ring a colleague",
    ConversationAction.COMPLETE: "Give the caller to the colleague who was asked",
    ConversationAction.CANCEL: "Let the colleague go and take the caller back",
}


def _talk_paths(call: Json) -> Json:
    """Return the paths for what an agent does with the call they are connected to."""
    paths = {}
    for action, words in _TALK_WORDS.items():
        to = (
            {"queue": _TEXT, "agent": _TEXT}
            if action in {ConversationAction.TRANSFER, ConversationAction.CONSULT}
            else {}
        )
        paths[f"/api/agents/{{id}}/call/{action.value}"] = {
            "post": _write(words, call, _body(call=_TEXT, **to))
        }
    return paths


def _paths() -> Json:
    agent, call, queue = _ref("Agent"), _ref("Call"), _ref("Queue")
    calls = _get("Calls that are on, then the last that ended", _list(call))
    calls["get"]["parameters"] = [
        {"name": "only", "in": "query", "schema": {"enum": ["live", "ended"]}}
    ]
    health = _get("Whether calls are served", _ref("Health"))
    health["get"]["parameters"] = [{"name": "strict", "in": "query", "schema": _TEXT}]
    health["get"]["responses"] = {
        "200": _answer(_ref("Health"), "some PBX is in step; with strict: every PBX is"),
        "429": _problem("too many wrong tokens come from this address"),
        "503": _answer(_ref("Health"), "no PBX is in step; with strict: some PBX is not"),
    }
    health["get"]["security"] = []
    why = _get("Every decision taken for a call, with reasons", _ref("Why"), one=True)
    why["get"]["responses"]["409"] = _problem("the part of an id that was given fits several calls")
    why_not = _get("Why an agent is not being offered calls now", _ref("WhyNot"), one=True)
    why_not["get"]["parameters"] = [_ID, {"name": "queue", "in": "query", "schema": _TEXT}]
    diff = _get("What the configuration files would change now, in words", _ref("Outcome"))
    diff["get"]["parameters"] = [{"name": "folder", "in": "query", "schema": _TEXT}]
    diff["get"]["responses"]["403"] = _problem("only the command line may name a folder")
    reload = _write("Read the configuration files now", _ref("Outcome"))
    del reload["parameters"], reload["responses"]["404"]
    live = _get("WebSocket: the state, then every change", _OPEN)
    live["get"]["responses"] = {
        "101": {"description": "switching to WebSocket"},
        **_AUTH,
        "400": _problem("Upgrade or Sec-WebSocket-Key is not ASCII"),
        "403": _problem(
            "a page of another site; the detail says what came and what would allow it"
        ),
        "426": _problem("this is no WebSocket client"),
        "503": _problem("too many live views are open"),
    }
    metrics = _get("Counters and gauges for Prometheus", _OPEN)
    metrics["get"]["responses"]["200"] = {
        "description": "the text format of Prometheus",
        "content": {"text/plain": {"schema": _TEXT}},
    }
    return {
        "/healthz": health,
        "/metrics": metrics,
        "/api/status": _get("The daemon, its PBXes and its configuration", _ref("Status")),
        "/api/openapi.json": _get("This document", _OPEN),
        "/api/agents": _get("All agents", _list(agent)),
        "/api/agents/{id}": _get("An agent", agent, one=True),
        "/api/agents/{id}/why-not": why_not,
        "/api/agents/{id}/sign-in": {"post": _write("Start work", agent)},
        "/api/agents/{id}/sign-out": {"post": _write("Stop work; during a call, after it", agent)},
        "/api/agents/{id}/pause": {
            "post": _write("Take a break; during a call, after it", agent, _body(reason=_TEXT))
        },
        "/api/agents/{id}/resume": {"post": _write("Come back from a break", agent)},
        "/api/agents/{id}/ready": {"post": _write("End wrap-up early", agent)},
        "/api/agents/{id}/free": {
            "post": _write("What is on the agent's phone, and is not ours, is no call", agent)
        },
        **_device_paths(),
        "/api/pauses": _get(
            "The reasons that a pause may have; none: any text", _list(_ref("Pause"))
        ),
        "/api/queues": _get("All queues", _list(queue)),
        "/api/queues/{id}": _get("A queue", queue, one=True),
        "/api/calls": calls,
        "/api/calls/{id}": {
            **_get("A call, with what happened to it", call, one=True),
            "delete": _write("End a call: a waiting one, or a conversation", call),
        },
        "/api/calls/{id}/why": why,
        "/api/calls/{id}/move": {
            "post": _write(
                "Move a call: a waiting one to a queue, to an agent first, to a priority; a talk to a queue or an agent",
                call,
                _body(queue=_TEXT, agent=_TEXT, priority={**_WHOLE, "minimum": 1, "maximum": 100}),
            )
        },
        **_talk_paths(call),
        "/api/config/diff": diff,
        "/api/config/history": _get("The changes of the configuration so far", _ref("History")),
        "/api/config/reload": {"post": reload},
        "/api/live": live,
    }


def _with_roles(paths: Json) -> Json:
    """Add to each operation its roles, and the object that must be the caller's own."""
    for path, operations in paths.items():
        for method, operation in operations.items():
            wanted = PERMISSIONS.get((method.upper(), path))
            if wanted is None:
                continue
            operation["x-roles"] = sorted(wanted.roles)
            if wanted.own:
                operation["x-own"] = wanted.own
            operation["responses"].setdefault("403", _problem("not allowed to this token"))
            operation["responses"]["429"] = _problem("too many requests; see Retry-After")
    return paths


def document() -> Json:
    """Return the complete document (OpenAPI 3.1)."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "callrouter", "version": __version__},
        "security": [{"token": []}],
        "paths": _with_roles(_paths()),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _SCHEMAS,
        },
    }
